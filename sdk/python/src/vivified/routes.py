"""Finds what answers a method and path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import unquote

H = TypeVar("H")

_PARAMETER = re.compile(r"\{([a-z_]+)\}")


@dataclass
class _Route(Generic[H]):
    method: str  # empty: any
    pattern: re.Pattern[str]
    handler: H


class Routes(Generic[H]):
    """Declared path templates. A template value is exactly one segment; a template
    without values wins over one with."""

    def __init__(self) -> None:
        self._routes: list[_Route[H]] = []

    def add(self, method: str, template: str, handler: H) -> None:
        parts = _PARAMETER.split(template)
        pattern = "".join(re.escape(part) if i % 2 == 0 else f"(?P<{part}>[^/]+)" for i, part in enumerate(parts))
        self._routes.append(_Route(method.upper(), re.compile(pattern), handler))
        self._routes.sort(key=lambda r: len(r.pattern.groupindex))

    def find(self, method: str, path: str) -> tuple[H, dict[str, str]] | bool:
        """Return the handler and the template's values; False when the path does not
        exist, True when it does but not with this method."""
        known = False
        for route in self._routes:
            match = route.pattern.fullmatch(path)
            if match and route.method in ("", method):
                return route.handler, {name: unquote(value) for name, value in match.groupdict().items()}
            known = known or match is not None
        return known
