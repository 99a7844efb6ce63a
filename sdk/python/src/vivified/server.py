"""Listens for the core's calls."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Iterator

import uvicorn

from .app import ASGI
from .config import Config
from .errors import VivifiedError


class Server:
    """Serves an ASGI application on the configuration's socket or address, or on
    127.0.0.1 and the default port. The kernel takes connections from the moment it is
    made, so the core may call before serve() runs."""

    def __init__(self, app: ASGI, config: Config, default_port: int) -> None:
        self._listener = _listener(config, default_port)
        self._server = _Quiet(
            uvicorn.Config(
                app,
                interface="asgi3",
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                proxy_headers=False,
                h11_max_incomplete_event_size=64 << 10,
                timeout_graceful_shutdown=max(1, round(config.stop_grace)),
            )
        )

    @property
    def address(self) -> str:
        name = self._listener.getsockname()
        return name if isinstance(name, str) else f"{name[0]}:{name[1]}"

    async def serve(self) -> None:
        """Answer until stop(), and then until the calls in hand are done."""
        try:
            await self._server.serve([self._listener])
        finally:
            self._listener.close()

    def stop(self) -> None:
        """Take no more calls."""
        self._server.should_exit = True


class _Quiet(uvicorn.Server):
    """A uvicorn that leaves signals to the plugin."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listener(config: Config, default_port: int) -> socket.socket:
    try:
        if config.socket:
            # A socket left by a killed predecessor would refuse the name.
            with contextlib.suppress(FileNotFoundError):
                if stat.S_ISSOCK(os.lstat(config.socket).st_mode):
                    os.unlink(config.socket)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(config.socket)
        else:
            host, _, port = config.listen.rpartition(":")
            if not config.listen and not default_port:
                raise VivifiedError("neither VIVIFIED_PLUGIN_LISTEN nor the manifest's health_check.port says where to listen")
            address = (host.strip("[]") or "127.0.0.1", int(port or default_port))
            listener = socket.create_server(address, family=socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        listener.listen(128)
        listener.setblocking(False)
        return listener
    except (OSError, ValueError) as cause:
        raise VivifiedError(f"cannot listen: {cause}") from cause
