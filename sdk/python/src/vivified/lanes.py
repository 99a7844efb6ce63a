"""What a plugin asks of the core: the three lanes, and its settings."""

from __future__ import annotations

import asyncio
import base64
import json as jsonlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from .backoff import Backoff
from .core import Answer, Unsent
from .errors import Problem, Unreachable, VivifiedError
from .session import Session
from .trace import delegation

__all__ = ["Answer", "ExternalAnswer", "Lanes", "Settings"]


@dataclass(frozen=True)
class ExternalAnswer:
    """What the outside world answered, whatever its status."""

    request_id: str
    status: int
    headers: httpx.Headers
    content: bytes
    response_time: float  # seconds

    def json(self) -> Any:
        """Return the JSON body."""
        try:
            return jsonlib.loads(self.content)
        except ValueError as cause:
            raise VivifiedError("the answer is not JSON") from cause

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


@dataclass(frozen=True)
class Settings:
    """This plugin's settings, as an administrator left them."""

    enabled: bool
    values: dict[str, Any]  # fits the manifest's config_schema
    version: int  # grows with every change


class Lanes:
    """The requests every plugin may make. A refusal is a Problem that names the rule."""

    _session: Session
    _id: str

    async def publish_event(
        self,
        event_type: str,
        payload: Any,
        *,
        id: str = "",
        schema: str = "",
        data_traits: list[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> str:
        """Publish an event of a type the manifest declares, and return its id. When it
        returns, the event is durable.

        The id is unique per publisher and makes repeats harmless, so this tries again
        when the core cannot be reached or asks to wait, up to five times."""
        body: dict[str, Any] = {"id": id or _new_id(), "event_type": event_type, "payload": payload}
        for name, value in (("schema", schema), ("data_traits", data_traits), ("metadata", metadata)):
            if value:
                body[name] = value
        content, wait = _encode(body), Backoff(0.1, 5.0)
        for last in (False, False, False, False, True):
            try:
                answer = await self._session.send("POST", "/messaging/events", content=content)
                return str(answer.json()["event_id"])
            except Problem as problem:
                if last or problem.status not in (429, 503):
                    raise
                pause = max(wait.next(), min(problem.retry_after, 30.0))
            except Unreachable:
                if last:
                    raise
                pause = wait.next()
            except (KeyError, TypeError) as cause:
                raise VivifiedError("the core answered without an event id") from cause
            await asyncio.sleep(pause)
        raise AssertionError("the last try returns or raises")

    async def call_plugin(self, target: str, operation: str, payload: Any = None, *, timeout: float | None = None) -> Answer:
        """Call an operation that another plugin declares. The payload becomes the JSON
        body; the core fills the operation's path template from its members."""
        path = f"/gateway/{quote(target, safe='')}/{quote(operation, safe='')}"
        return await self._operate("POST", path, {} if payload is None else payload, timeout)

    async def call_operator(self, target: str, method: str, path: str, json: Any = None, *, timeout: float | None = None) -> Answer:
        """Call another plugin by method and path, where it declares a template that the
        path fits. The path begins with a slash and may carry a query."""
        if not path.startswith("/"):
            raise ValueError(f"the path {path!r} does not start with a slash")
        return await self._operate(method, f"/gateway/{quote(target, safe='')}/-{path}", json, timeout)

    async def _operate(self, method: str, path: str, payload: Any, timeout: float | None) -> Answer:
        headers = {"X-Vivified-On-Behalf-Of": delegation()} if delegation() else {}
        content = None if payload is None else _encode(payload)
        try:
            return await self._session.send(method, path, headers=headers, content=content, timeout=timeout)
        except Unsent:
            await asyncio.sleep(0.1)
            return await self._session.send(method, path, headers=headers, content=content, timeout=timeout)

    async def call_external(
        self,
        url: str,
        method: str = "GET",
        *,
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
        json: Any = None,
        timeout: float | None = None,
    ) -> ExternalAnswer:
        """Make a request to the outside. The host is one of the manifest's allowed
        domains; credentials are injected by the core, not sent by the plugin.

        Any HTTP status of the other side is an answer; Unreachable is raised when there
        was none. The timeout is in seconds, by default the core's."""
        wire: dict[str, Any] = {"url": url, "method": method}
        for name, value in (("headers", dict(headers or {})), ("body", body), ("json", json), ("timeout", timeout)):
            if value is not None and value != {}:
                wire[name] = value
        patience = None if timeout is None else timeout + 5.0
        return _external((await self._session.send("POST", "/gateway/proxy", content=_encode(wire), timeout=patience)).json())

    async def get_config(self) -> Settings:
        """Return the plugin's settings."""
        said = (await self._session.send("GET", f"/plugins/{self._id}/config")).json()
        try:
            return Settings(bool(said["enabled"]), dict(said["settings"] or {}), int(said["version"]))
        except (KeyError, TypeError, ValueError) as cause:
            raise VivifiedError("the core's answer holds no settings") from cause

    # The names under which the first clients know these requests.
    invoke = call_plugin
    proxy_request = call_external


def _encode(value: Any) -> bytes:
    return jsonlib.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def _external(report: Any) -> ExternalAnswer:
    """Read the core's report of an external request."""
    try:
        if not report["status_code"]:
            raise Unreachable(f"the external address did not answer: {report.get('error_message', '')}")
        body = report.get("body") or ""
        fields = [
            (name, str(value))
            for name, values in (report.get("headers") or {}).items()
            for value in (values if isinstance(values, list) else [values])
        ]
        return ExternalAnswer(
            request_id=str(report.get("request_id", "")),
            status=int(report["status_code"]),
            headers=httpx.Headers(fields),
            content=base64.b64decode(body, validate=True) if report.get("body_encoding") == "base64" else body.encode(),
            response_time=float(report.get("response_time_ms") or 0) / 1000,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as cause:
        raise VivifiedError("the core's report of the request is malformed") from cause


def _new_id() -> str:
    """Return a UUIDv7 (RFC 9562): milliseconds since 1970, then random bits."""
    raw = bytearray(int(time.time() * 1000).to_bytes(6, "big") + os.urandom(10))
    raw[6] = raw[6] & 0x0F | 0x70
    raw[8] = raw[8] & 0x3F | 0x80
    h = raw.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"
