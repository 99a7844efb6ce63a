"""A plugin that runs against the stand-in core."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any, Callable

import vivified

from .stand_in import MANIFEST, Core


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def make(core: Core, **settings: Any) -> vivified.Plugin:
    """Return the hello plugin with its two operations."""
    config = vivified.Config(core_url=core.url, listen=f"127.0.0.1:{free_port()}", **settings)
    plugin = vivified.Plugin(MANIFEST, config)

    @plugin.operation("get_profile")
    async def get_profile(request: vivified.Request) -> dict[str, str]:
        return {"id": request.params["id"], "for": f"{request.caller.plugin}/{request.caller.user}", "in": vivified.trace_id()}

    @plugin.operation("echo")
    async def echo(request: vivified.Request) -> Any:
        return request.json()

    return plugin


@contextlib.asynccontextmanager
async def running(core: Core, prepare: Callable[[vivified.Plugin], None] | None = None, **settings: Any) -> AsyncIterator[tuple[vivified.Plugin, str]]:
    """Run the hello plugin, and give it once it is registered, with its address."""
    plugin, registered, stop = make(core, **settings), asyncio.Event(), asyncio.Event()

    @plugin.background
    async def note() -> None:
        registered.set()

    if prepare:
        prepare(plugin)
    serving = asyncio.ensure_future(plugin.serve(stop))
    waiting = asyncio.ensure_future(registered.wait())
    await asyncio.wait({serving, waiting}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    try:
        if serving.done():
            serving.result()
        assert registered.is_set(), "it did not register"
        yield plugin, f"http://{plugin._config.listen}"
    finally:
        waiting.cancel()
        stop.set()
        await asyncio.wait_for(serving, 10)
