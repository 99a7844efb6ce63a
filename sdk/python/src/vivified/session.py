"""The plugin's standing with the core: registered or not, and the token of the
moment. One renewal runs at a time; everybody else waits for it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from .backoff import Backoff
from .config import Config
from .core import Answer, Core
from .errors import Problem, Unreachable, VivifiedError
from .manifest import Manifest
from .state import State

T = TypeVar("T")

# Only an administrator can make these plugins' tokens work again.
_STANDING = {"plugin.disabled", "plugin.quarantined"}


class _NotYet(VivifiedError):
    """A renewal was asked for during the pause after a failed one."""


class Session:
    def __init__(self, core: Core, manifest: Manifest, config: Config, log: logging.Logger) -> None:
        self._core, self._manifest, self._log = core, manifest, log
        self._registration_token = config.registration_token
        self._state = State(config.state_dir, manifest.id)
        self._token, self._refresh = "", self._state.load()
        self._renew_at = 0.0  # time.monotonic
        self._renewing = asyncio.Lock()
        self._retry, self._not_until = Backoff(0.5, 30.0), 0.0
        self._lost = asyncio.Event()  # a request was answered 401

    async def start(self) -> None:
        """Register, again and again with back-off until the core lets the plugin in.
        A refused manifest ends it: sending the same bytes again changes nothing."""
        wait, said = Backoff(0.2, 5.0), ""
        while True:
            try:
                return await self._register()
            except Problem as problem:
                if problem.status in (400, 413, 422):
                    raise
                reason = str(problem)
            except Unreachable as cause:
                reason = str(cause)
            if reason != said:  # once per reason, not once per try
                said = reason
                self._log.warning("not registered yet: %s", reason)
            await asyncio.sleep(wait.next())

    async def _register(self) -> None:
        """Send the manifest. A kept refresh token proves that this is the plugin coming
        back; when the core no longer takes it, the registration token is the proof."""
        refresh = self._refresh
        if refresh:
            try:
                return await self._knock({"X-Refresh-Token": refresh})
            except Problem as problem:
                if problem.status not in (401, 409):
                    raise
                self._log.warning("the kept refresh token is no longer accepted")
                self._drop(refresh)
        await self._knock({"X-Registration-Token": self._registration_token} if self._registration_token else {})

    async def _knock(self, proof: Mapping[str, str]) -> None:
        self._accept(await self._core.send("POST", "/plugins/register", headers=proof, content=self._manifest.document))

    def _accept(self, answer: Answer) -> None:
        """Take a new token into use, and keep the refresh token that came with it."""
        said = answer.json()
        try:
            token, life = str(said["token"]), float(said["expires_in"])
        except (KeyError, TypeError, ValueError) as cause:
            raise VivifiedError("the core answered without a token") from cause
        self._token, self._renew_at = token, time.monotonic() + life * 2 / 3
        self._refresh = said.get("refresh_token") or self._refresh
        try:
            self._state.save(self._refresh)
        except OSError as cause:
            # The plugin works on; it will need its registration token after a restart.
            self._log.warning("the refresh token was not kept: %s", cause)

    def _drop(self, refresh: str) -> None:
        """Forget a refresh token that the core refused, unless it was replaced meanwhile."""
        if self._refresh == refresh:
            self._refresh = ""

    async def _renew(self, stale: str) -> None:
        """Replace the stale token: by the refresh token, and by registering again when
        the core no longer knows that one. Do nothing when it was replaced already."""
        async with self._renewing:
            if self._token != stale:
                return
            if time.monotonic() < self._not_until:
                raise _NotYet("the last renewal failed a moment ago")
            try:
                await self._exchange()
            except VivifiedError:
                self._not_until = time.monotonic() + self._retry.next()
                raise
            self._retry.reset()

    async def _exchange(self) -> None:
        refresh = self._refresh
        if refresh:
            try:
                content = json.dumps({"refresh_token": refresh}).encode()
                return self._accept(await self._core.send("POST", "/plugins/token", content=content))
            except Problem as problem:
                if problem.status != 401:
                    raise
                self._drop(refresh)
        await self._register()

    async def keep(self) -> None:
        """Renew the token before it ends, and when a request found it refused."""
        wait, said = Backoff(1.0, 30.0), ""
        while True:
            token = self._token
            try:
                await asyncio.wait_for(self._lost.wait(), max(0.0, self._renew_at - time.monotonic()))
            except asyncio.TimeoutError:
                pass
            self._lost.clear()
            while True:
                try:
                    await self._replace(token)
                    wait.reset()
                    said = ""
                    break
                except _NotYet:
                    pass
                except VivifiedError as cause:
                    if str(cause) != said:  # once per reason
                        said = str(cause)
                        self._log.warning("token not renewed: %s", said)
                await asyncio.sleep(wait.next())

    async def _replace(self, stale: str) -> None:
        """Renew. A refresh token works once: giving up half-way would lose its
        successor, so whoever asked may leave and the renewal goes on."""
        await asyncio.shield(asyncio.ensure_future(self._renew(stale)))

    async def under(self, send: Callable[[str], Awaitable[T]]) -> T:
        """Send under the plugin's token. One the core no longer knows is renewed once."""
        token = self._token
        try:
            return await send(token)
        except Problem as problem:
            if problem.status != 401 or problem.code in _STANDING:
                raise
            try:
                await self._replace(token)
            except VivifiedError:
                self._lost.set()
                raise problem from None
        return await send(self._token)

    async def send(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None, timeout: float | None = None) -> Answer:
        """Send a request under the plugin's token and read its answer."""
        return await self.under(lambda token: self._core.send(method, path, token=token, headers=headers, content=content, timeout=timeout))
