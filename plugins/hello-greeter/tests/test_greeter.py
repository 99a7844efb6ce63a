"""Runs the greeter's handler against lanes that answer as the core's do."""

from __future__ import annotations

import unittest
from typing import Any

import httpx
from vivified import Answer, Event, ExternalAnswer, Problem, Unreachable

import greeter
from page import words

PROFILE = {"id": "ada", "language": "en", "name": "Ada Lovelace", "email": "ada@example.com"}
REQUEST = Event.of({"id": "e1", "type": "greeting.requested", "data": {"greeting_id": "g1", "profile_id": "ada", "language": "en"}})


class Greeter(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        self.published: list[tuple[str, Any, str]] = []
        self.page: Exception | bytes = b"<!doctype html><p>Hello, good\n to see you.</p><p>x</p>"
        self.profile: Exception | dict[str, str] = PROFILE

        async def call_plugin(target: str, operation: str, payload: Any) -> Answer:
            self.assertEqual((target, operation, payload), ("hello-publisher", "get_profile", {"id": "ada"}))
            if isinstance(self.profile, Exception):
                raise self.profile
            return Answer(200, httpx.Headers(), httpx.Response(200, json=self.profile).content)

        async def call_external(url: str) -> ExternalAnswer:
            self.assertEqual(url, "https://pages.hello.test/hello/en")
            if isinstance(self.page, Exception):
                raise self.page
            return ExternalAnswer("r", 200, httpx.Headers(), self.page, 0.01)

        async def publish_event(event_type: str, payload: Any, *, id: str) -> str:
            self.published.append((event_type, payload, id))
            return id

        for lane in (call_plugin, call_external, publish_event):
            setattr(greeter.plugin, lane.__name__, lane)
            self.addCleanup(delattr, greeter.plugin, lane.__name__)

    async def test_it_greets(self) -> None:
        await greeter.greet(REQUEST)
        want = {"greeting_id": "g1", "language": "en", "words": "Hello, good to see you.", "name": "Ada Lovelace"}
        self.assertEqual(self.published, [("greeting.sent", want, "sent-g1")])

    async def test_it_gives_up_on_what_policy_denies(self) -> None:
        self.profile = Problem(403, "operator.grant", "hello-greeter has no grant.")
        with self.assertLogs("vivified.hello-greeter") as logs:
            await greeter.greet(REQUEST)
        self.assertIn("operator.grant", logs.output[0])
        self.assertEqual(self.published, [])

    async def test_it_lets_what_failed_come_again(self) -> None:
        for failure in (Unreachable("no answer"), Problem(503, "target.unhealthy", "hello-publisher is unhealthy."), b"<p></p>"):
            self.page = failure
            with self.subTest(failure), self.assertRaises(Exception):
                await greeter.greet(REQUEST)
        self.assertEqual(self.published, [])


class Page(unittest.TestCase):
    def test_words(self) -> None:
        for html, want in (
            ("<p>Hi</p>", "Hi"),
            ("<title>x</title><p>a &amp;\n b</p><p>c</p>", "a & b"),
            ("<p>a <b>bold</b> word</p>", "a bold word"),
            ("<p>unfinished", "unfinished"),
            ("<p>unclosed<p>c", "unclosed"),
        ):
            self.assertEqual(words(html), want)
        for html in ("", "<p> </p>", "<b>x</b>"):
            with self.assertRaises(ValueError):
                words(html)


if __name__ == "__main__":
    unittest.main()
