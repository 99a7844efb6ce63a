"""Events, their types, and the stream they come by."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .errors import VivifiedError

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def normal(event_type: str) -> str:
    """Return a type or wildcard in its dotted lower-case form, as the core does:
    UserCreated and User.Created both become user.created."""
    return _WORD.sub(".", event_type).lower()


def covers(pattern: str, event_type: str) -> bool:
    """Report whether a type, or a narrower wildcard, falls under pattern, each in
    either style: user.* covers user.created and user.role.changed, but not user."""
    pattern, event_type = normal(pattern), normal(event_type)
    if pattern.endswith("*"):
        return event_type.startswith(pattern[:-1])
    return pattern == event_type


class Data(dict[str, Any]):
    """A JSON object whose members are attributes too: data.user_id is data["user_id"].

    A field that the core removed because this plugin may not see it is absent."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no field {name!r}, or this plugin may not see it") from None


def _data(value: Any) -> Any:
    """Give every object inside value attribute access."""
    if isinstance(value, dict):
        return Data({name: _data(member) for name, member in value.items()})
    if isinstance(value, list):
        return [_data(item) for item in value]
    return value


@dataclass(frozen=True)
class Event:
    """Something that happened, as this plugin may see it: fields that its traits do
    not cover have been removed by the core."""

    id: str
    type: str  # dotted, such as user.created
    source: str = ""  # the publisher, stamped by the core
    data: Any = None  # a Data where the event carries an object
    time: datetime | None = None
    traceparent: str = ""
    classification: tuple[str, ...] = ()  # classes of the data before anything was removed
    redacted: tuple[str, ...] = ()  # JSON Pointers of the removed fields

    @classmethod
    def of(cls, cloud_event: Any) -> Event:
        """Read a CloudEvent (1.0, JSON). Raise VivifiedError for anything else."""
        try:
            at = cloud_event.get("time")
            return cls(
                id=_text(cloud_event["id"]),
                type=_text(cloud_event["type"]),
                source=_text(cloud_event.get("source", "")),
                data=_data(cloud_event.get("data")),
                time=_time(at) if at else None,
                traceparent=_text(cloud_event.get("traceparent", "")),
                classification=_names(cloud_event.get("classification", "")),
                redacted=_names(cloud_event.get("redacted", "")),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as cause:
            raise VivifiedError("this is not a CloudEvent") from cause


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _names(text: Any) -> tuple[str, ...]:
    """Split a list that a CloudEvent carries as one text with commas."""
    return tuple(_text(text).split(",")) if text else ()


_FRACTION = re.compile(r"\.(\d{1,6})\d*")


def _time(text: str) -> datetime:
    """Read an RFC 3339 time. Before Python 3.11 fromisoformat took neither Z nor
    any number of decimals but 3 and 6."""
    return datetime.fromisoformat(_FRACTION.sub(lambda m: "." + m[1].ljust(6, "0"), text.replace("Z", "+00:00")))


@dataclass
class Message:
    """One server-sent event."""

    id: str = ""
    event: str = ""
    data: bytes | None = None


class Messages:
    """Reads server-sent events (WHATWG HTML, 9.2.6) from pieces of a stream."""

    def __init__(self, limit: int) -> None:
        self._limit = limit  # bytes of one message
        self._rest = b""
        self._message = Message()

    def feed(self, piece: bytes) -> list[Message]:
        """Take the next piece and return the messages that are complete with it.
        Raise VivifiedError when a message is longer than the limit."""
        text = self._rest + piece
        # A carriage return at the end may be the first half of CR LF.
        held = b"\r" if text.endswith(b"\r") else b""
        lines = re.split(rb"\r\n|\r|\n", text[: len(text) - len(held)])
        self._rest = lines.pop() + held
        done = [m for line in lines if (m := self._line(line)) is not None]
        if len(self._rest) + len(self._message.data or b"") > self._limit:
            raise VivifiedError("a message of the stream is too long")
        return done

    def _line(self, line: bytes) -> Message | None:
        message = self._message
        if not line:
            self._message = Message()
            if message.data is None:
                return None
            message.data = message.data[:-1]
            return message
        field, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if field == b"data":
            message.data = (message.data or b"") + value + b"\n"
            if len(message.data) > self._limit:
                raise VivifiedError("a message of the stream is too long")
        elif field == b"event":
            message.event = value.decode("utf-8", "replace")
        elif field == b"id" and b"\0" not in value:
            message.id = value.decode("utf-8", "replace")
        return None
