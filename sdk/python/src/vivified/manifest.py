"""What the SDK itself needs of a plugin's manifest. The core checks the whole."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import ManifestError
from .event import covers, normal

# What the core accepts as a plugin id; it is also safe as a file name.
_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


@dataclass(frozen=True)
class Endpoint:
    path: str
    method: str = ""  # empty: any


@dataclass(frozen=True)
class Manifest:
    document: bytes  # what is sent
    id: str
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    subscribes: tuple[str, ...] = ()
    webhook: str = ""  # where events are delivered by POST; empty: they are streamed
    health_path: str = ""  # where the core asks for health over HTTP; empty: nowhere
    health_port: int = 0
    checks_health: bool = False
    hooks: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, source: str | Path | dict[str, Any]) -> Manifest:
        """Read a manifest from a file or a dictionary, or raise ManifestError."""
        try:
            document = json.dumps(source).encode() if isinstance(source, dict) else Path(source).read_bytes()
            said = json.loads(document)
            events, health = said.get("events") or {}, said.get("health_check")
            id = said["id"]
            if not isinstance(id, str) or not _ID.fullmatch(id):
                raise ManifestError(f"{id!r} is not a plugin id: lower-case letters, digits and inner hyphens, at most 64")
            return cls(
                document=document,
                id=id,
                endpoints={name: _endpoint(e) for name, e in (said.get("endpoints") or {}).items()},
                subscribes=tuple(events.get("subscribes") or ()),
                webhook=events.get("path", "") if events.get("delivery") == "webhook" else "",
                health_path=health.get("path", "/health") if health is not None and health.get("type", "http") == "http" else "",
                health_port=health.get("port", 0) if health is not None else 0,
                checks_health=health is not None,
                hooks=dict(said.get("hooks") or {}),
            )
        except OSError as cause:
            raise ManifestError(f"the manifest cannot be read: {cause}") from cause
        except KeyError as cause:
            raise ManifestError(f"the manifest lacks the field {cause}") from cause
        except (ValueError, TypeError, AttributeError) as cause:
            raise ManifestError(f"the manifest is malformed: {cause}") from cause

    def subscription(self, event_type: str) -> str:
        """Return the manifest's subscription that covers a type or wildcard, in its dotted
        form, or ""."""
        return next((normal(pattern) for pattern in self.subscribes if covers(pattern, event_type)), "")


def _endpoint(said: Any) -> Endpoint:
    if isinstance(said, str):
        return Endpoint(said)
    return Endpoint(said["path"], said.get("method", ""))
