"""Holds the event stream open and has events handled."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from .backoff import Backoff
from .core import Core
from .errors import Problem, VivifiedError
from .event import Event, Message, Messages, covers, normal
from .manifest import Manifest
from .session import Session
from .trace import lineage

# Seconds a stream may say nothing before it is taken for dead and opened again. The
# core sends a comment far more often.
QUIET = 90.0

EventHandler = Callable[[Event], Awaitable[object]]


@dataclass(frozen=True)
class Subscription:
    pattern: str
    handle: EventHandler


class Dispatcher:
    """Has every handler that wants an event handle it, one event at a time."""

    def __init__(self) -> None:
        self.subscriptions: list[Subscription] = []

    async def dispatch(self, event: Event) -> None:
        """Call the handlers under the event's trace. Raise the first error, after all
        of them had their turn."""
        failure: Exception | None = None
        with lineage(event.traceparent):
            for subscription in self.subscriptions:
                if covers(subscription.pattern, event.type):
                    try:
                        await subscription.handle(event)
                    except Exception as cause:
                        failure = failure or cause
        if failure is not None:
            raise failure


class Stream:
    def __init__(self, core: Core, session: Session, manifest: Manifest, dispatcher: Dispatcher, limit: int, log: logging.Logger) -> None:
        self._core, self._session, self._manifest, self._dispatcher = core, session, manifest, dispatcher
        self._limit, self._log = limit, log
        self._last = ""  # id of the last event that was acknowledged
        self._opened = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def listen(self) -> None:
        """Hold the stream open until cancelled. Cancelling lets an event in hand finish
        under settle()."""
        wait, said = Backoff(0.2, 5.0), ""
        while True:
            self._opened, pause = False, 0.0
            try:
                await self._once()
                reason = "the core closed it"
            except Problem as problem:
                reason, pause = str(problem), min(problem.retry_after, 30.0)
            except VivifiedError as cause:
                reason = str(cause)
            if self._opened:
                wait.reset()
                said = ""
            if reason != said:
                said = reason
                self._log.warning("event stream ended; opening it again: %s", reason)
            await asyncio.sleep(max(wait.next(), pause))

    async def settle(self) -> None:
        """Wait until no event is in hand."""
        await self._idle.wait()

    async def _once(self) -> None:
        # The core knows a wildcard only as the manifest writes it.
        asked = [normal(s.pattern) for s in self._dispatcher.subscriptions]
        types = dict.fromkeys(self._manifest.subscription(a) if a.endswith("*") else a for a in asked)
        path = "/messaging/events/stream?" + urlencode({"types": ",".join(types), "ack": "explicit"})
        await self._session.under(lambda token: self._read(path, token))

    async def _read(self, path: str, token: str) -> None:
        headers = {"Accept": "text/event-stream"}
        if self._last:
            headers["Last-Event-ID"] = self._last
        async with self._core.stream("GET", path, token=token, headers=headers, timeout=QUIET) as response:
            if response.status_code != 200:
                raise Problem.of(response.status_code, response.headers, await response.aread(), str(response.url))
            self._opened = True
            self._log.debug("event stream open")
            messages = Messages(self._limit)
            async for piece in response.aiter_raw():
                for message in messages.feed(piece):
                    # Cancelling the stream must not cut a handler short.
                    self._idle.clear()
                    await asyncio.shield(asyncio.ensure_future(self._receive(message)))

    async def _receive(self, message: Message) -> None:
        """Handle one message of the stream and tell the core how it went."""
        try:
            verdict = "ack"
            try:
                await self._dispatcher.dispatch(Event.of(json.loads(message.data or b"")))
            except Exception as cause:
                verdict = "nak"
                self._log.warning("event %s (%s) not handled; it will come again: %s: %s", message.id, message.event, type(cause).__name__, cause)
            try:
                await self._session.send("POST", f"/messaging/events/{quote(message.id, safe='')}/{verdict}")
            except VivifiedError as cause:
                self._log.warning("event %s (%s) not acknowledged; it will come again: %s", message.id, message.event, cause)
            else:
                if verdict == "ack":
                    self._last = message.id
        finally:
            self._idle.set()
