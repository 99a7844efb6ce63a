"""What an operation is given, and what it may answer."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import Rejection


@dataclass(frozen=True)
class Caller:
    """Who is behind an incoming call, as the core vouches for it."""

    plugin: str  # the calling plugin; "core" when a user or the core itself calls
    user: str = ""  # the user it acts for; empty when for none


@dataclass(frozen=True)
class Request:
    """One verified call."""

    method: str
    path: str  # percent-encoded, as it came
    params: Mapping[str, str]  # values of the path template
    query: Mapping[str, str]
    headers: Mapping[str, str]  # lower-case names
    body: bytes
    caller: Caller

    def json(self) -> Any:
        """Return the JSON body; answer 400 when it is none."""
        try:
            return jsonlib.loads(self.body)
        except ValueError:
            raise Rejection(400, "body.malformed", "The body is not JSON.") from None


@dataclass(frozen=True)
class Response:
    """An answer in full. An operation may return a JSON value or text instead."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def response_of(answer: Any) -> Response:
    """Turn what an operation returned into a response: None into 204, text into
    text/plain, bytes as they are, and everything else into JSON."""
    if isinstance(answer, Response):
        return answer
    if answer is None:
        return Response(status=204)
    if isinstance(answer, str):
        return Response(answer.encode(), headers={"content-type": "text/plain; charset=utf-8"})
    if isinstance(answer, bytes):
        return Response(answer, headers={"content-type": "application/octet-stream"})
    body = jsonlib.dumps(answer, ensure_ascii=False, allow_nan=False).encode()
    return Response(body, headers={"content-type": "application/json"})
