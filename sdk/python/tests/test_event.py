from __future__ import annotations

import random
import unittest

from vivified import Event, VivifiedError
from vivified.event import Messages, covers


def read(stream: bytes, size: int = 1 << 20, limit: int = 1000) -> list[tuple[str, str, bytes | None]]:
    messages = Messages(limit)
    return [(m.id, m.event, m.data) for start in range(0, len(stream), size) for m in messages.feed(stream[start : start + size])]


class Stream(unittest.TestCase):
    def test_messages(self) -> None:
        for name, stream, want in (
            ("one message", b"id: 1\nevent: a\ndata: x\n\n", [("1", "a", b"x")]),
            ("several data lines", b"data: x\ndata:y\ndata\n\n", [("", "", b"x\ny\n")]),
            ("every line ending", b"data: x\r\n\r\ndata: y\r\rdata: z\n\n", [("", "", b"x"), ("", "", b"y"), ("", "", b"z")]),
            ("line separators of Unicode end no line", "data: a\u2028b\x0bc\n\n".encode(), [("", "", "a\u2028b\x0bc".encode())]),
            ("comments and unknown fields", b": hello\nretry: 3\nfoo\ndata: x\n\n", [("", "", b"x")]),
            ("a message without data is none", b"id: 1\nevent: a\n\ndata: x\n\n", [("", "", b"x")]),
            ("an unfinished message is none", b"data: x\n", []),
        ):
            for size in (1, 2, 3, 1000):
                with self.subTest(name, size=size):
                    self.assertEqual(read(stream, size), want)

    def test_a_long_message_is_refused(self) -> None:
        for stream in (b"data: " + b"x" * 2000, b"data: xxxxxxxx\n" * 200):
            with self.assertRaises(VivifiedError):
                read(stream, 64)

    def test_any_cutting_reads_the_same(self) -> None:
        pieces, pick = [b"data", b":", b" ", b"\r", b"\n", b"id", b"x", b"\0", b"event"], random.Random(1)
        for _ in range(2000):
            stream = b"".join(pick.choices(pieces, k=pick.randrange(40)))
            self.assertEqual(read(stream, pick.randrange(1, 9)), read(stream), stream)


class Types(unittest.TestCase):
    def test_patterns_cover_types_in_either_style(self) -> None:
        for pattern, event_type, want in (
            ("user.created", "user.created", True),
            ("UserCreated", "user.created", True),
            ("User.Created", "user.created", True),
            ("PHIRead", "phi.read", True),
            ("user.*", "user.role.changed", True),
            ("user.*", "user", False),
            ("user.*", "users.created", False),
            ("user.created", "user.created.twice", False),
        ):
            self.assertEqual(covers(pattern, event_type), want, f"{pattern} covers {event_type}")

    def test_what_is_no_event_is_refused(self) -> None:
        wrong: tuple[object, ...] = (None, [], {}, {"id": 1, "type": "a"}, {"id": "1"}, {"id": "1", "type": "a", "time": "yesterday"})
        for said in wrong:
            with self.subTest(said), self.assertRaises(VivifiedError):
                Event.of(said)
        event = Event.of({"id": "1", "type": "a.b", "time": "2026-11-20T12:00:00.123456789Z", "data": {"user": {"id": "u"}, "list": [{"a": 1}]}})
        self.assertEqual((event.data.user.id, event.data.list[0].a, event.time and event.time.microsecond), ("u", 1, 123456))
