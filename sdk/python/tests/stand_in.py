"""The plugin's side of a core: it answers over real HTTP as the contract says,
remembers what it was asked, and signs calls with a real key."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import socket
import time
from dataclasses import dataclass, field
from typing import Any, Callable

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MANIFEST: dict[str, Any] = {
    "id": "hello",
    "name": "Hello",
    "version": "1.0.0",
    "contracts": [],
    "traits": ["handles_internal"],
    "endpoints": {"get_profile": {"path": "/profiles/{id}", "method": "GET"}, "echo": "/echo", "health": "/health"},
    "events": {"publishes": ["hello.said"], "subscribes": ["greeting.*"], "delivery": "stream"},
    "health_check": {"type": "http", "path": "/health"},
    "security": {"authentication_required": True, "data_classification": ["internal"]},
}


@dataclass
class Asked:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def problem(status: int, code: str, detail: str) -> Reply:
    document = {"type": "about:blank", "status": status, "code": code, "detail": detail, "decision_id": "d-1", "trace_id": "t-1"}
    return Reply(status, document, {"content-type": "application/problem+json"})


class Core:
    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.generate()
        self.generation = 0  # number of the newest token and refresh token
        self.registrations: list[dict[str, str]] = []
        self.refusal: Reply | None = None  # what registration answers instead
        self.instead: Reply | None = None  # what every request under a token answers instead
        self.replies: dict[str, Reply] = {}  # by "METHOD /path"
        self.asked: asyncio.Queue[Asked] = asyncio.Queue()
        self.events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()  # None ends the stream
        self.jwks_reads = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    async def __aenter__(self) -> Core:
        self._server = uvicorn.Server(uvicorn.Config(self._app, interface="asgi3", log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1))
        self._serving = asyncio.ensure_future(self._server._serve([self._socket]))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self.events.put_nowait(None)
        await self._serving
        self._socket.close()

    async def next(self) -> Asked:
        return await asyncio.wait_for(self.asked.get(), 10)

    @property
    def token(self) -> str:
        return f"token-{self.generation}"

    @property
    def refresh(self) -> str:
        return f"refresh-{self.generation}"

    def sign(self, method: str, path: str, edit: Callable[[dict[str, Any], dict[str, Any]], None] | None = None) -> str:
        """Return the token the core puts on a call, after edit of its header and claims."""
        now = int(time.time())
        header: dict[str, Any] = {"alg": "EdDSA", "typ": "JWT", "kid": "k1"}
        claims: dict[str, Any] = {
            "iss": self.url, "aud": "hello", "sub": "hello-greeter", "type": "call", "iat": now, "nbf": now, "exp": now + 30, "jti": "1",
            "htm": method, "htp": encode(hashlib.sha256(path.encode()).digest()),
        }
        if edit:
            edit(header, claims)
        signed = encode(json.dumps(header).encode()) + "." + encode(json.dumps(claims).encode())
        return signed + "." + encode(self.private.sign(signed.encode()))

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        asked = Asked(scope["method"], scope["path"], scope["query_string"].decode(), headers, body)
        if asked.path == "/messaging/events/stream" and self._let_in(asked) is None:
            self.asked.put_nowait(asked)
            return await self._stream(send)
        reply = self._reply(asked)
        content = b"" if reply.body is None else json.dumps(reply.body).encode()
        fields = [(name.encode(), value.encode()) for name, value in {"content-type": "application/json", **reply.headers}.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": fields})
        await send({"type": "http.response.body", "body": content})

    def _reply(self, asked: Asked) -> Reply:
        if asked.path == "/.well-known/jwks.json":
            self.jwks_reads += 1
            x = encode(self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
            return Reply(body={"keys": [{"kty": "RSA", "kid": "old", "n": "AQAB", "e": "AQAB"}, {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": "k1", "x": x}]})
        if asked.path == "/plugins/register":
            self.registrations.append(asked.headers)
            if self.refusal:
                return self.refusal
            if asked.headers.get("x-refresh-token") not in (None, self.refresh):
                return problem(401, "token.invalid", "This refresh token is not known.")
            return self._issue()
        if asked.path == "/plugins/token":
            if asked.json()["refresh_token"] != self.refresh:
                return problem(401, "token.invalid", "This refresh token is not known.")
            return self._issue()
        refusal = self._let_in(asked)
        if refusal:
            return refusal
        if asked.path == "/plugins/heartbeat":
            return Reply(body={"status": "ok"})
        self.asked.put_nowait(asked)
        return self.replies.get(f"{asked.method} {asked.path}", Reply(204))

    def _let_in(self, asked: Asked) -> Reply | None:
        if self.instead:
            return self.instead
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            return problem(401, "token.invalid", "This token is not known.")
        return None

    def _issue(self) -> Reply:
        self.generation += 1
        return Reply(body={"status": "registered", "token": self.token, "expires_in": 900, "refresh_token": self.refresh})

    async def _stream(self, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
        while event := await self.events.get():
            text = f"id: {event['id']}\nevent: {event['type']}\ndata: {json.dumps(event)}\n\n"
            await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def resign(token: str, key: Ed25519PrivateKey) -> str:
    """Replace the signature of a token by another key's."""
    signed = token.rpartition(".")[0]
    return signed + "." + encode(key.sign(signed.encode()))


def hs256(token_claims: dict[str, Any], secret: str) -> str:
    return jwt.encode(token_claims, secret, algorithm="HS256", headers={"kid": "k1"})
