"""The plugin's side of incoming calls, as an ASGI application."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from .errors import Rejection
from .keys import Keys, KeysUnavailable
from .request import Caller, Request, Response, response_of
from .routes import Routes
from .trace import lineage
from .verify import NotFromCore, verify

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]
Handler = Callable[[Request], Awaitable[Any]]

# The key under which the scope of a verified call holds its Caller.
CALLER = "vivified.caller"


class Verified:
    """Admits only calls that the core signed for this plugin, this method and this
    path, and hands them on under the call's trace and user. All others are answered
    401, or 503 while the core's keys cannot be read."""

    def __init__(self, app: ASGI, keys: Keys, plugin: str, log: logging.Logger) -> None:
        self._app, self._keys, self._plugin, self._log = app, keys, plugin, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError("only HTTP is answered")
        path = scope.get("raw_path") or scope["path"].encode()
        authorization = [value for name, value in scope["headers"] if name == b"authorization"]
        try:
            scope[CALLER] = await verify(self._keys, self._plugin, scope["method"], path, authorization)
        except KeysUnavailable as cause:
            self._log.warning("call refused: %s", cause)
            return await _answer(send, Rejection(503, "keys.unavailable", "The core's keys cannot be read at the moment."))
        except NotFromCore as cause:
            self._log.warning("call refused: %s", cause)
            refusal = Rejection(401, "call.unverified", "This plugin answers only calls that come through the core.")
            return await _answer(send, refusal, {"www-authenticate": "Bearer"})
        headers = _headers(scope)
        with lineage(headers.get("traceparent", ""), headers.get("x-vivified-delegation", "")):
            await self._app(scope, receive, send)


class Operations:
    """Answers verified calls by the handlers of their routes, and leaves paths that
    have none to the application behind it, where there is one."""

    def __init__(self, limit: int, app: ASGI | None, log: logging.Logger) -> None:
        self.routes: Routes[Handler] = Routes()
        self._limit, self._app, self._log = limit, app, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = (scope.get("raw_path") or scope["path"].encode()).decode("ascii", "replace")
        found = self.routes.find(scope["method"], path)
        if found is False and self._app is not None:
            return await self._app(scope, receive, send)
        try:
            response = await self._respond(found, path, scope, receive)
        except Rejection as refusal:
            return await _answer(send, refusal)
        except Exception:
            self._log.exception("an operation failed")
            return await _answer(send, Rejection(500, "internal", "The plugin failed to answer."))
        await _send(send, response)

    async def _respond(self, found: tuple[Handler, dict[str, str]] | bool, path: str, scope: Scope, receive: Receive) -> Response:
        if isinstance(found, bool):
            if found:
                raise Rejection(405, "route.method", "This address does not answer this method.")
            raise Rejection(404, "route.unknown", "There is nothing at this address.")
        handler, params = found
        caller: Caller = scope[CALLER]
        query = dict(parse_qsl(scope["query_string"].decode("ascii", "replace"), keep_blank_values=True))
        request = Request(scope["method"], path, params, query, _headers(scope), await self._body(receive), caller)
        return response_of(await handler(request))

    async def _body(self, receive: Receive) -> bytes:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Rejection(400, "body.unreadable", "The request body ended early.")
            body += message.get("body", b"")
            if len(body) > self._limit:
                raise Rejection(413, "body.too_large", f"The body is larger than {self._limit} bytes.")
            if not message.get("more_body"):
                return bytes(body)


class HealthBefore:
    """Answers the health check to anyone, because it holds no data, and leaves the
    rest to the application behind it."""

    def __init__(self, path: str, vitals: Callable[[], dict[str, Any]], app: ASGI) -> None:
        self._path, self._vitals, self._app = path, vitals, app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and scope["path"] == self._path:
            return await _send(send, response_of(self._vitals()))
        await self._app(scope, receive, send)


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def _answer(send: Send, refusal: Rejection, headers: dict[str, str] | None = None) -> None:
    await _send(send, Response(refusal.document(), refusal.status, {"content-type": "application/problem+json", **(headers or {})}))


async def _send(send: Send, response: Response) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    if response.status != 204:
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
