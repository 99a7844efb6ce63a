"""One plugin and its standing with the core."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from .app import ASGI, HealthBefore, Operations, Verified
from .config import Config
from .core import Core
from .errors import ManifestError, Rejection, VivifiedError
from .event import Event
from .keys import Keys
from .lanes import Lanes
from .logs import to_stderr
from .manifest import Manifest
from .request import Request
from .server import Server
from .session import Session
from .stream import Dispatcher, EventHandler, Stream, Subscription
F = TypeVar("F", bound=Callable[..., Coroutine[Any, Any, Any]])
Work = Callable[[], Coroutine[Any, Any, object]]


class Plugin(Lanes):
    """Is made from its manifest, told what it answers and listens to, and run:

        plugin = Plugin("manifest.json")

        @plugin.operation("greet")
        async def greet(request):
            return f"Hello, {request.params['name']}."

        plugin.run()
    """

    def __init__(self, manifest: str | Path | dict[str, Any], config: Config | None = None) -> None:
        self._manifest = Manifest.read(manifest)
        self._config = config or Config.from_environment()
        self._id = self._manifest.id
        self.logger = logging.getLogger(f"vivified.{self._id}")
        self._core = Core(self._config)
        self._session = Session(self._core, self._manifest, self._config, self.logger)
        self._keys = Keys(self._core)
        self._dispatcher = Dispatcher()
        self._operations: dict[str, Callable[[Request], Awaitable[Any]]] = {}
        self._hooks: dict[str, Callable[[Request], Awaitable[Any]]] = {}
        self._background: list[Work] = []
        self._app: ASGI | None = None
        self._born = time.monotonic()

    @property
    def id(self) -> str:
        return self._id

    def on_event(self, event_type: str) -> Callable[[F], F]:
        """Have the coroutine function below called for every event of a type, or under a
        wildcard such as user.*, that the manifest subscribes to.

        Events come one at a time, in the core's order, at least once. An event is
        acknowledged when every handler that wants it has returned; an error has the core
        deliver it again later."""

        def add(handle: F) -> F:
            self._dispatcher.subscriptions.append(Subscription(event_type, handle))
            return handle

        return add

    def operation(self, name: str) -> Callable[[F], F]:
        """Have the coroutine function below answer calls to an endpoint of the manifest. It
        is given a Request and returns a JSON value, text, bytes or a Response; it refuses
        by raising Rejection."""

        def add(handle: F) -> F:
            self._operations[name] = handle
            return handle

        return add

    def hook(self, name: str) -> Callable[[F], F]:
        """Have the coroutine function below answer a lifecycle hook that the manifest
        declares: init, shutdown or heartbeat."""

        def add(handle: F) -> F:
            self._hooks[name] = handle
            return handle

        return add

    def background(self, work: F) -> F:
        """Have run() call the coroutine function below once the plugin is registered. It is
        cancelled when the plugin stops; an error before that ends the plugin."""
        self._background.append(work)
        return work

    def mount(self, app: ASGI) -> None:
        """Have an ASGI application, such as FastAPI, answer the endpoints that have no
        operation. It is called only for calls the core signed; their Caller is
        scope["vivified.caller"]."""
        self._app = app

    @property
    def asgi(self) -> ASGI:
        """Everything this plugin answers, for tests and for run(), which serves it: its
        operations, hooks and events, all only to the core, and its health check to anyone.
        Raise ManifestError when handlers and manifest do not fit."""
        self._complete()
        operations = Operations(self._config.body_limit, self._app, self.logger)
        for name, handle in self._operations.items():
            endpoint = self._manifest.endpoints[name]
            operations.routes.add(endpoint.method, endpoint.path, handle)
        for name, handle in self._hooks.items():
            operations.routes.add("", self._manifest.hooks[name], handle)
        if self._manifest.webhook:
            operations.routes.add("POST", self._manifest.webhook, self._deliver)
        app = Verified(operations, self._keys, self._id, self.logger)
        return HealthBefore(self._manifest.health_path, self._vitals, app) if self._manifest.health_path else app

    def _complete(self) -> None:
        """Check that the plugin does what its manifest promises, and nothing else."""
        m, wrong = self._manifest, []
        for name, endpoint in m.endpoints.items():
            if name not in self._operations and self._app is None and endpoint.path != m.health_path:
                wrong.append(f"endpoint {name!r} of the manifest has no operation")
        wrong += [f"the manifest declares no endpoint {name!r}" for name in self._operations if name not in m.endpoints]
        wrong += [f"hook {name!r} of the manifest has no handler" for name in m.hooks if name not in self._hooks]
        wrong += [f"the manifest declares no hook {name!r}" for name in self._hooks if name not in m.hooks]
        wrong += [f"the manifest does not subscribe to {s.pattern!r}" for s in self._dispatcher.subscriptions if not m.subscription(s.pattern)]
        if wrong:
            raise ManifestError("; ".join(wrong))

    async def _deliver(self, request: Request) -> None:
        """Handle an event that the core delivers by POST: 204 acknowledges it, 500 has it
        delivered again later."""
        try:
            event = Event.of(request.json())
        except VivifiedError:
            raise Rejection(400, "event.malformed", "The event is not a CloudEvent in JSON.") from None
        await self._dispatcher.dispatch(event)

    def _vitals(self) -> dict[str, Any]:
        """The health the plugin shows: in its heartbeats, and where the core asks for it."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {
            "status": "healthy",
            "uptime": time.monotonic() - self._born,  # seconds
            "memory_usage": peak if sys.platform == "darwin" else peak * 1024,  # bytes, at most so far
        }

    async def close(self) -> None:
        """Close the connections to the core. run() and serve() do so when they end."""
        await self._core.close()

    def run(self) -> None:
        """Run until an interrupt or SIGTERM; a second one ends it at once. Log JSON lines to
        standard error, from VIVIFIED_LOG_LEVEL (default info) up, unless logging is set up
        already. Exit with status 1 when the plugin cannot run or fails."""
        to_stderr(os.environ.get("VIVIFIED_LOG_LEVEL", "info"))
        try:
            asyncio.run(self._until_signal())
        except VivifiedError as cause:
            self.logger.error("plugin ended: %s", cause)
            raise SystemExit(1) from None

    async def _until_signal(self) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()

        def first(number: signal.Signals) -> None:
            stop.set()
            loop.remove_signal_handler(number)

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, first, number)
        await self.serve(stop)

    async def serve(self, stop: asyncio.Event) -> None:
        """Answer calls, register, keep the token fresh, send heartbeats and handle events
        until stop is set. Then take nothing new, and let the work in hand finish within
        the configuration's stop_grace.

        Raise ManifestError when handlers and manifest do not fit, Problem when the core
        refuses the manifest, and what a background coroutine raised."""
        app, m = self.asgi, self._manifest
        stream = Stream(self._core, self._session, m, self._dispatcher, self._config.body_limit, self.logger)
        server = answering = None
        if self._operations or self._hooks or self._app or m.checks_health or m.webhook:
            server = Server(app, self._config, m.health_port)
            self.logger.info("answering calls at %s", server.address)
            answering = asyncio.ensure_future(server.serve())
        working = asyncio.ensure_future(self._work(stream))
        stopped = asyncio.ensure_future(stop.wait())
        parts = [part for part in (working, answering) if part is not None]
        try:
            await asyncio.wait({stopped, *parts}, return_when=asyncio.FIRST_COMPLETED)
            failed = [part for part in parts if part.done()]
        finally:
            stopped.cancel()
            working.cancel()
            if server is not None:
                server.stop()
            await asyncio.wait(parts, timeout=self._config.stop_grace)
            await self.close()
        for part in failed:
            part.result()

    async def _work(self, stream: Stream) -> None:
        """Register, and do what needs a registered plugin until cancelled."""
        await self._session.start()
        self.logger.info("registered")
        parts = [self._session.keep(), self._beat(), *(work() for work in self._background)]
        if self._dispatcher.subscriptions and not self._manifest.webhook:
            parts.append(stream.listen())
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in tasks:
                task.cancel()
            await stream.settle()
            await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()

    async def _beat(self) -> None:
        """Send heartbeats until cancelled. The first goes out at once."""
        while True:
            vitals = self._vitals()
            content = json.dumps({"status": vitals["status"], "health": vitals}).encode()
            try:
                await self._session.send("POST", "/plugins/heartbeat", content=content)
            except VivifiedError as cause:
                self.logger.warning("heartbeat not taken: %s", cause)
            # A tenth of jitter keeps many plugins from beating in step.
            await asyncio.sleep(self._config.heartbeat_every * random.uniform(0.95, 1.05))
