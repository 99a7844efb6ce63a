"""Requests to the core, and to nothing else."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from .config import Config
from .errors import Problem, Unreachable, VivifiedError
from .trace import traceparent


@dataclass(frozen=True)
class Answer:
    """What came back with a 2xx status."""

    status: int
    headers: httpx.Headers
    content: bytes

    def json(self) -> Any:
        """Return the JSON body."""
        try:
            return json.loads(self.content)
        except ValueError as cause:
            raise VivifiedError("the answer is not JSON") from cause

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


class Core:
    """Carries requests to the core. It follows no redirect and no proxy setting of
    the environment."""

    def __init__(self, config: Config) -> None:
        url = httpx.URL(config.core_url)
        if url.scheme not in ("http", "https") or not url.host:
            raise VivifiedError(f"the core's address {config.core_url!r} is not an http or https URL")
        self._limit = config.body_limit
        self._client = httpx.AsyncClient(
            base_url=url,
            transport=httpx.AsyncHTTPTransport(uds=config.core_socket or None, verify=_trusted()),
            timeout=httpx.Timeout(config.call_timeout, connect=5.0),
            trust_env=False,
            # A compressed answer could unfold to more than the limit.
            headers={"Accept-Encoding": "identity", "User-Agent": "vivified-sdk-python"},
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def send(self, method: str, path: str, *, token: str = "", headers: Mapping[str, str] | None = None, content: bytes | None = None, timeout: float | None = None) -> Answer:
        """Send one request and read the whole answer. Raise Problem for a status that
        is not 2xx, and Unreachable when there is no answer."""
        async with self.stream(method, path, token=token, headers=headers, content=content, timeout=timeout) as response:
            body = bytearray()
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > self._limit:
                    raise VivifiedError(f"the answer is longer than {self._limit} bytes")
            if not response.is_success:
                raise Problem.of(response.status_code, response.headers, bytes(body), str(response.url))
            return Answer(response.status_code, response.headers, bytes(body))

    @contextlib.asynccontextmanager
    async def stream(self, method: str, path: str, *, token: str = "", headers: Mapping[str, str] | None = None, content: bytes | None = None, timeout: float | None = None) -> AsyncIterator[httpx.Response]:
        """Send one request and give the answer unread, whatever its status."""
        sent = {"Traceparent": traceparent()}
        if content is not None:
            sent["Content-Type"] = "application/json"
        if token:
            sent["Authorization"] = f"Bearer {token}"
        sent.update(headers or {})
        limit: Any = httpx.USE_CLIENT_DEFAULT if timeout is None else httpx.Timeout(timeout, connect=5.0)
        try:
            async with self._client.stream(method, path, headers=sent, content=content, timeout=limit) as response:
                yield response
        except httpx.ConnectError as cause:
            raise Unsent(f"the core cannot be reached: {cause}") from cause
        except httpx.HTTPError as cause:
            raise Unreachable(f"the core did not answer: {cause or type(cause).__name__}") from cause


def _trusted() -> ssl.SSLContext:
    """Believe the certificate authorities of this machine, or those SSL_CERT_FILE names."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Unsent(Unreachable):
    """The core never received the request; sending it again does nothing twice."""
