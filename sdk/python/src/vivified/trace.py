"""Where the work in hand comes from: its trace, and the user it is done for."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator
from contextvars import ContextVar

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

_trace: ContextVar[str] = ContextVar("vivified_trace", default="")
_delegation: ContextVar[str] = ContextVar("vivified_delegation", default="")


@contextlib.contextmanager
def lineage(traceparent: str = "", delegation: str = "") -> Iterator[None]:
    """Do what follows under the trace of a W3C traceparent header, and for the user
    the core delegated. A malformed header begins no trace."""
    match = _TRACEPARENT.fullmatch(traceparent)
    known = match is not None and match[1] != "0" * 32
    trace = _trace.set(match[1] if match and known else "")
    user = _delegation.set(delegation)
    try:
        yield
    finally:
        _trace.reset(trace)
        _delegation.reset(user)


def trace_id() -> str:
    """Return the trace the work in hand belongs to, or ""."""
    return _trace.get()


def delegation() -> str:
    """Return the core's proof that the plugin acts for a user, or ""."""
    return _delegation.get()


def traceparent() -> str:
    """Return the header for one request: a new span of the trace, or of a new one."""
    return f"00-{_trace.get() or secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
