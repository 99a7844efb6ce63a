"""Log lines as JSON, one a line, as the core and its other plugins write them."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone

from .trace import trace_id


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "level": "WARN" if record.levelname == "WARNING" else record.levelname,
            "msg": record.getMessage(),
            "plugin": record.name.removeprefix("vivified."),
        }
        if trace_id():
            line["trace_id"] = trace_id()
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def to_stderr(level: str) -> None:
    """Have every log line from a level up go to standard error, unless logging is set
    up already. An unknown level is info."""
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    root.addHandler(handler)
    known = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
    root.setLevel(known.get(level.lower(), logging.INFO))
    # They say with every request what the core's own log says as well.
    for chatty in ("httpx", "httpcore", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
