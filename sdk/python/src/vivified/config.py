"""Where the core is, and how the plugin behaves."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """The defaults work against a core on this machine. Times are in seconds."""

    core_url: str = "http://127.0.0.1:8080"  # base address of the core
    core_socket: str = ""  # unix socket of the core; core_url then gives only scheme and host name
    listen: str = ""  # host:port to answer calls on; default 127.0.0.1 and the manifest's health_check.port
    socket: str = ""  # unix socket to answer calls on, instead of listen
    registration_token: str = ""  # proof for the first registration
    state_dir: str = ""  # keeps the refresh token; default: it lives in memory only
    heartbeat_every: float = 30.0
    call_timeout: float = 30.0  # for a request to the core
    stop_grace: float = 10.0  # for the work in hand when the plugin is asked to stop
    body_limit: int = 10 << 20  # bytes read of any request or answer body

    @classmethod
    def from_environment(cls) -> Config:
        """Read the variables that the core and `vivified up` give to a plugin."""
        return cls(
            core_url=os.environ.get("VIVIFIED_CORE_URL") or cls.core_url,
            core_socket=os.environ.get("VIVIFIED_CORE_SOCKET", ""),
            listen=os.environ.get("VIVIFIED_PLUGIN_LISTEN", ""),
            socket=os.environ.get("VIVIFIED_PLUGIN_SOCKET", ""),
            registration_token=os.environ.get("VIVIFIED_REGISTRATION_TOKEN", ""),
            state_dir=os.environ.get("VIVIFIED_PLUGIN_STATE", ""),
        )
