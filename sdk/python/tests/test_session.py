from __future__ import annotations

import asyncio
import os
import tempfile
import unittest
from pathlib import Path

import vivified

from .running import make, running
from .stand_in import MANIFEST, Core, Reply, problem


class Session(unittest.IsolatedAsyncioTestCase):
    async def test_a_plugin_comes_back_with_the_token_it_kept(self) -> None:
        async with Core() as core:
            with tempfile.TemporaryDirectory() as kept:
                async with running(core, state_dir=kept, registration_token="one-time"):
                    pass
                file = Path(kept) / "hello.refresh"
                self.assertEqual(oct(os.stat(file).st_mode & 0o777), "0o600")
                async with running(core, state_dir=kept, registration_token="one-time"):
                    pass
                self.assertEqual(file.read_text(), "refresh-2\n")
            first, second = core.registrations
            self.assertEqual((first.get("x-registration-token"), first.get("x-refresh-token")), ("one-time", None))
            self.assertEqual((second.get("x-registration-token"), second.get("x-refresh-token")), (None, "refresh-1"))

    async def test_a_kept_token_that_is_refused_falls_back_to_the_registration_token(self) -> None:
        async with Core() as core:
            with tempfile.TemporaryDirectory() as kept:
                (Path(kept) / "hello.refresh").write_text("of another life\n")
                async with running(core, state_dir=kept, registration_token="one-time"):
                    pass
            self.assertEqual([r.get("x-registration-token") for r in core.registrations], [None, "one-time"])

    async def test_a_revoked_token_is_renewed_under_the_call_that_found_it(self) -> None:
        async with Core() as core, running(core) as (plugin, _):
            core.replies["GET /plugins/hello/config"] = Reply(body={"enabled": True, "settings": {"a": 1}, "version": 3})
            core.generation += 1
            self.assertEqual(await plugin.get_config(), vivified.Settings(True, {"a": 1}, 3))

    async def test_a_disabled_plugin_keeps_its_tokens(self) -> None:
        async with Core() as core, running(core) as (plugin, _):
            core.instead = problem(401, "plugin.disabled", "hello is disabled.")
            with self.assertRaises(vivified.Problem) as caught:
                await plugin.get_config()
            self.assertEqual((caught.exception.code, core.generation), ("plugin.disabled", 1))
            core.instead = None
            core.replies["GET /plugins/hello/config"] = Reply(body={"enabled": True, "settings": {}, "version": 1})
            await plugin.get_config()
            self.assertEqual(core.generation, 1, "being disabled must not cost tokens")

    async def test_a_refused_manifest_ends_the_plugin(self) -> None:
        async with Core() as core:
            core.refusal = problem(400, "traits.empty", "Plugin must have at least one trait")
            with self.assertRaises(vivified.Problem) as caught:
                await asyncio.wait_for(make(core).serve(asyncio.Event()), 10)
            self.assertEqual(caught.exception.code, "traits.empty")

    async def test_a_plugin_waits_until_it_is_let_in(self) -> None:
        async with Core() as core:
            core.refusal = problem(403, "registration.closed", "An administrator has to let hello in.")
            plugin, stop = make(core), asyncio.Event()

            @plugin.background
            async def work() -> None:
                raise RuntimeError("seen enough")

            serving = asyncio.ensure_future(plugin.serve(stop))
            while len(core.registrations) < 2:
                await asyncio.sleep(0)
            core.refusal = None
            with self.assertRaisesRegex(RuntimeError, "seen enough"):
                await asyncio.wait_for(serving, 10)

    async def test_handlers_and_manifest_must_fit(self) -> None:
        plugin = vivified.Plugin(MANIFEST, vivified.Config())

        @plugin.operation("get_profiles")
        async def get_profiles(_: vivified.Request) -> None: ...

        @plugin.on_event("user.created")
        async def created(_: vivified.Event) -> None: ...

        with self.assertRaises(vivified.ManifestError) as caught:
            await plugin.serve(asyncio.Event())
        for want in (
            "endpoint 'get_profile' of the manifest has no operation",
            "endpoint 'echo' of the manifest has no operation",
            "the manifest declares no endpoint 'get_profiles'",
            "the manifest does not subscribe to 'user.created'",
        ):
            self.assertIn(want, str(caught.exception))

    def test_a_bad_manifest_or_address_is_refused(self) -> None:
        for manifest in ({}, {"id": "../x"}, {"id": 1}, {"id": "x", "endpoints": {"a": {}}}, Path("/does/not/exist")):
            with self.subTest(manifest), self.assertRaises(vivified.ManifestError):
                vivified.Plugin(manifest)
        with self.assertRaises(vivified.VivifiedError):
            vivified.Plugin({"id": "x"}, vivified.Config(core_url="127.0.0.1:8080"))
