from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import tempfile
import unittest
from pathlib import Path

import httpx

from .running import free_port
from .stand_in import Core

README = (Path(__file__).parent.parent / "README.md").read_text()


def block(language: str) -> str:
    """Return the README's first code block of a language."""
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found, f"the README has no {language} block"
    return found[1]


class Readme(unittest.IsolatedAsyncioTestCase):
    async def test_its_plugin_works(self) -> None:
        program = block("python")
        self.assertLess(len(program.splitlines()), 20)
        async with Core() as core:
            with tempfile.TemporaryDirectory() as here:
                (Path(here) / "manifest.json").write_text(block("json"))
                (Path(here) / "greeter.py").write_text(program)
                listen = f"127.0.0.1:{free_port()}"
                environment = {**os.environ, "VIVIFIED_CORE_URL": core.url, "VIVIFIED_PLUGIN_LISTEN": listen}
                plugin = await asyncio.create_subprocess_exec(sys.executable, "greeter.py", cwd=here, env=environment, stderr=asyncio.subprocess.PIPE)
                assert plugin.stderr
                await asyncio.wait_for(plugin.stderr.readuntil(b'"registered"'), 30)
                token = core.sign("GET", "/greet/Ada", lambda _, claims: claims.update(aud="greeter"))
                async with httpx.AsyncClient(trust_env=False) as client:
                    got = await client.get(f"http://{listen}/greet/Ada", headers={"Authorization": f"Bearer {token}"})
                self.assertEqual((got.status_code, got.text), (200, "Hello, Ada."))
                plugin.send_signal(signal.SIGTERM)
                self.assertEqual(await asyncio.wait_for(plugin.wait(), 10), 0, "SIGTERM must end it cleanly")
