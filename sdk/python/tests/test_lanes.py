from __future__ import annotations

import asyncio
import base64
import unittest

import vivified
from vivified.trace import lineage

from .running import running
from .stand_in import Core, Reply, problem

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


class Lanes(unittest.IsolatedAsyncioTestCase):
    async def test_publish(self) -> None:
        async with Core() as core, running(core) as (plugin, _):
            core.replies["POST /messaging/events"] = Reply(202, {"event_id": "e-1", "status": "published"})
            with lineage(TRACEPARENT):
                got = await plugin.publish_event("hello.said", {"to": "you"}, id="e-1", data_traits=["internal"])
            self.assertEqual(got, "e-1")
            asked = await core.next()
            self.assertEqual(asked.json(), {"id": "e-1", "event_type": "hello.said", "payload": {"to": "you"}, "data_traits": ["internal"]})
            self.assertTrue(asked.headers["traceparent"].startswith(f"00-{TRACE}-"))
            self.assertNotIn("00f067aa0ba902b7", asked.headers["traceparent"], "a request is a span of its own")

    async def test_publish_tries_again_under_one_id(self) -> None:
        async with Core() as core, running(core) as (plugin, _):
            core.replies["POST /messaging/events"] = problem(503, "bus.down", "The bus is down.")
            publishing = asyncio.ensure_future(plugin.publish_event("hello.said", {}))
            first = await core.next()
            core.replies["POST /messaging/events"] = Reply(202, {"event_id": "x"})
            await publishing
            second = await core.next()
            self.assertEqual(first.body, second.body)
            self.assertEqual(first.json()["id"][14], "7", "the id is a UUIDv7")

    async def test_call(self) -> None:
        async with Core() as core, running(core) as (plugin, _):
            core.replies["POST /gateway/hello-publisher/get_profile"] = Reply(body={"name": "Ada"})
            core.replies["GET /gateway/hello-publisher/-/profiles/1"] = Reply(body={"name": "Ada"})
            core.replies["POST /gateway/hello-publisher/forbidden"] = problem(403, "operator.grant", "hello has no grant.")
            for answer in (
                await plugin.call_plugin("hello-publisher", "get_profile", {"id": "1"}),
                await plugin.invoke("hello-publisher", "get_profile", {"id": "1"}),
                await plugin.call_operator(target="hello-publisher", method="GET", path="/profiles/1"),
            ):
                self.assertEqual(answer.json(), {"name": "Ada"})
            self.assertEqual((await core.next()).json(), {"id": "1"})
            with self.assertRaises(vivified.Problem) as caught:
                await plugin.call_plugin("hello-publisher", "forbidden")
            p = caught.exception
            self.assertEqual((p.status, p.code, p.decision_id, p.trace_id), (403, "operator.grant", "d-1", "t-1"))
            self.assertTrue(p.why.startswith("http://") and p.why.endswith("/console/decisions/d-1"), p.why)
            with self.assertRaises(ValueError):
                await plugin.call_operator("hello-publisher", "GET", "profiles/1")

    async def test_call_external(self) -> None:
        async with Core() as core, running(core) as (plugin, _):
            report = {
                "request_id": "r", "status_code": 404, "headers": {"Content-Type": "text/plain", "Vary": ["a", "b"]},
                "body": base64.b64encode(b"hi").decode(), "body_encoding": "base64", "response_time_ms": 1.5, "success": False,
            }
            core.replies["POST /gateway/proxy"] = Reply(body=report)
            got = await plugin.call_external("https://pages.hello.test/", json={"a": 1}, timeout=2)
            self.assertEqual((got.status, got.text, got.response_time), (404, "hi", 0.0015))
            self.assertEqual(got.headers.get_list("vary"), ["a", "b"])
            self.assertEqual((await core.next()).json(), {"url": "https://pages.hello.test/", "method": "GET", "json": {"a": 1}, "timeout": 2})
            await plugin.proxy_request(url="https://pages.hello.test/", method="GET", headers={"API-Key": "secret"})

            core.replies["POST /gateway/proxy"] = Reply(body={"success": False, "status_code": 0, "error_message": "no such host"})
            with self.assertRaisesRegex(vivified.Unreachable, "no such host"):
                await plugin.call_external("https://pages.hello.test/")
            core.replies["POST /gateway/proxy"] = problem(403, "proxy.domain", "pages.hello.test is not declared.")
            with self.assertRaises(vivified.Problem) as caught:
                await plugin.call_external("https://pages.hello.test/")
            self.assertEqual(caught.exception.code, "proxy.domain")

    async def test_events_are_handled_acknowledged_and_resumed(self) -> None:
        handled: asyncio.Queue[str] = asyncio.Queue()

        def prepare(plugin: vivified.Plugin) -> None:
            @plugin.on_event("greeting.requested")
            async def handle(event: vivified.Event) -> None:
                if event.data.say == "fail":
                    raise RuntimeError("not today")
                handled.put_nowait(f"{event.id} {event.data.say} {' '.join(event.redacted)} {vivified.trace_id()}")

        def event(id: str, say: str) -> dict[str, object]:
            return {"id": id, "type": "greeting.requested", "time": "2026-11-20T12:00:00.123456789Z", "traceparent": TRACEPARENT, "redacted": "/name,/email", "data": {"say": say}}

        async with Core() as core, running(core, prepare):
            opened = await core.next()
            self.assertEqual((opened.query, opened.headers["accept"]), ("types=greeting.requested&ack=explicit", "text/event-stream"))
            core.events.put_nowait(event("e1", "hi\u2028there"))
            self.assertEqual(await asyncio.wait_for(handled.get(), 10), f"e1 hi\u2028there /name /email {TRACE}")
            self.assertEqual((await core.next()).path, "/messaging/events/e1/ack")
            core.events.put_nowait(event("e2", "fail"))
            self.assertEqual((await core.next()).path, "/messaging/events/e2/nak")
            core.events.put_nowait({"id": "e3", "type": "greeting.requested", "data": {}})
            self.assertEqual((await core.next()).path, "/messaging/events/e3/nak", "a field that is not there must not be taken for one")
            core.events.put_nowait(None)
            self.assertEqual((await core.next()).headers.get("last-event-id"), "e1")

    async def test_stopping_lets_the_event_in_hand_finish(self) -> None:
        begun, finish = asyncio.Event(), asyncio.Event()

        def prepare(plugin: vivified.Plugin) -> None:
            @plugin.on_event("greeting.*")
            async def handle(_: vivified.Event) -> None:
                begun.set()
                await finish.wait()

        async with Core() as core:
            async with running(core, prepare):
                await core.next()
                core.events.put_nowait({"id": "e1", "type": "greeting.requested"})
                await asyncio.wait_for(begun.wait(), 10)
                asyncio.get_running_loop().call_later(0.05, finish.set)
            self.assertEqual((await core.next()).path, "/messaging/events/e1/ack")
