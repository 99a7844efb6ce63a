from __future__ import annotations

import asyncio
import socket
import tempfile
import unittest
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import httpx

import vivified

from .running import running
from .stand_in import MANIFEST, Core

PUSHED = {
    "id": "hello",
    "events": {"subscribes": ["greeting.*"], "delivery": "webhook", "path": "/events"},
    "hooks": {"init": "/hooks/init"},
    "health_check": {"path": "/healthz"},
}


class Serve(unittest.IsolatedAsyncioTestCase):
    async def test_events_and_hooks_by_post(self) -> None:
        """What a plugin answers beside its operations, without running it."""
        async with Core() as core:
            plugin = vivified.Plugin(PUSHED, vivified.Config(core_url=core.url, body_limit=200))

            @plugin.on_event("greeting.*")
            async def greet(event: vivified.Event) -> None:
                if event.id != "e1":
                    raise RuntimeError("not today")

            @plugin.hook("init")
            async def init(_: vivified.Request) -> str:
                return "ready"

            async with httpx.AsyncClient(transport=httpx.ASGITransport(plugin.asgi), base_url="http://hello") as client:
                for name, method, path, body, want in (
                    ("an event that is handled", "POST", "/events", b'{"id":"e1","type":"greeting.sent"}', 204),
                    ("an event that is not", "POST", "/events", b'{"id":"e2","type":"greeting.sent"}', 500),
                    ("what is no JSON", "POST", "/events", b"{", 400),
                    ("what is no event", "POST", "/events", b"[]", 400),
                    ("a body beyond the limit", "POST", "/events", b"x" * 300, 413),
                    ("another method", "GET", "/events", b"", 405),
                    ("a hook", "POST", "/hooks/init", b"", 200),
                    ("what nobody declared", "GET", "/", b"", 404),
                ):
                    with self.subTest(name):
                        got = await client.request(method, path, content=body, headers={"Authorization": f"Bearer {core.sign(method, path)}"})
                        self.assertEqual(got.status_code, want, got.text)
                self.assertEqual((await client.post("/events", content=b'{"id":"e1","type":"greeting.sent"}')).status_code, 401)
                self.assertEqual((await client.get("/healthz")).status_code, 200)
            await plugin.close()

    async def test_a_mounted_application_is_called_only_by_the_core(self) -> None:
        async def app(scope: MutableMapping[str, Any], _: object, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": scope["vivified.caller"].plugin.encode()})

        async with Core() as core, running(core, lambda plugin: plugin.mount(app)) as (_, url):
            async with httpx.AsyncClient(trust_env=False) as client:
                self.assertEqual((await client.get(f"{url}/x")).status_code, 401)
                got = await client.get(f"{url}/x", headers={"Authorization": f"Bearer {core.sign('GET', '/x')}"})
                self.assertEqual((got.status_code, got.text), (200, "hello-greeter"))
                got = await client.get(f"{url}/profiles/1", headers={"Authorization": f"Bearer {core.sign('GET', '/profiles/1')}"})
                self.assertEqual(got.json()["id"], "1", "a path that has an operation is the operation's")

    async def test_unix_sockets(self) -> None:
        async with Core() as core:
            with tempfile.TemporaryDirectory() as here:
                name = str(Path(here) / "plugin.sock")
                with socket.socket(socket.AF_UNIX) as left:  # as a killed predecessor leaves it
                    left.bind(name)
                async with running(core, socket=name):
                    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=name), base_url="http://hello") as client:
                        got = await client.get("/profiles/1", headers={"Authorization": f"Bearer {core.sign('GET', '/profiles/1')}"})
                        self.assertEqual(got.status_code, 200)

    async def test_an_address_that_is_taken_ends_the_plugin(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            config = vivified.Config(listen=f"127.0.0.1:{taken.getsockname()[1]}")
            plugin = vivified.Plugin({**MANIFEST, "endpoints": {}}, config)
            with self.assertRaisesRegex(vivified.VivifiedError, "cannot listen"):
                await plugin.serve(asyncio.Event())
