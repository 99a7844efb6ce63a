from __future__ import annotations

import time
import unittest
from typing import Any, Callable

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import vivified

from .running import running
from .stand_in import Core, Reply, hs256, resign

Edit = Callable[[dict[str, Any], dict[str, Any]], None]


def claim(name: str, value: Any) -> Edit:
    def edit(_: dict[str, Any], claims: dict[str, Any]) -> None:
        if value is None:
            del claims[name]
        else:
            claims[name] = value

    return edit


def head(name: str, value: Any) -> Edit:
    def edit(header: dict[str, Any], _: dict[str, Any]) -> None:
        header[name] = value

    return edit


def lasting(issued: float, expires: float) -> Edit:
    """Seconds from now."""

    def edit(_: dict[str, Any], claims: dict[str, Any]) -> None:
        now = int(time.time())
        claims["iat"], claims["nbf"], claims["exp"] = now + issued, now + issued, now + expires

    return edit


class Verify(unittest.IsolatedAsyncioTestCase):
    async def call(self, url: str, token: str = "", method: str = "GET", **kwargs: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.request(method, url, headers=headers | kwargs.pop("headers", {}), **kwargs)

    async def test_a_call_the_core_signed_is_answered(self) -> None:
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        async with Core() as core, running(core) as (_, url):
            token = core.sign("GET", "/profiles/a%20b", claim("act", "u-7"))
            got = await self.call(f"{url}/profiles/a%20b?x=1", token, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
            self.assertEqual((got.status_code, got.json()), (200, {"id": "a b", "for": "hello-greeter/u-7", "in": trace}))
            for method, path, body, status in (
                ("POST", "/echo", b'{"a":1}', 200),
                ("POST", "/echo", b"{", 400),
                ("POST", "/profiles/1", b"", 405),
                ("GET", "/nowhere", b"", 404),
                ("GET", "/profiles/", b"", 404),
                ("GET", "/profiles/a/b", b"", 404),
            ):
                with self.subTest(path=path, body=body):
                    got = await self.call(url + path, core.sign(method, path), method, content=body)
                    self.assertEqual(got.status_code, status, got.text)

    async def test_a_call_made_for_a_user_is_handed_on_for_that_user(self) -> None:
        def prepare(plugin: vivified.Plugin) -> None:
            @plugin.operation("echo")
            async def echo(_: vivified.Request) -> Any:
                return (await plugin.call_plugin("other", "look")).json()

        async with Core() as core, running(core, prepare) as (_, url):
            core.replies["POST /gateway/other/look"] = Reply(body=1)
            await self.call(f"{url}/echo", core.sign("POST", "/echo"), "POST", headers={"X-Vivified-Delegation": "for u-7"})
            self.assertEqual((await core.next()).headers.get("x-vivified-on-behalf-of"), "for u-7")

    async def test_calls_the_core_did_not_sign_for_this_are_refused(self) -> None:
        async with Core() as core, running(core) as (_, url):
            def good(edit: Edit | None = None) -> str:
                return core.sign("GET", "/profiles/1", edit)

            def renamed(h: dict[str, Any], c: dict[str, Any]) -> None:
                c["AUD"] = c.pop("aud")

            tokens = {
                "no token": "",
                "not a token": "x",
                "signature missing": good().rpartition(".")[0] + ".",
                "signature of another token": good().rpartition(".")[0] + "." + good(claim("sub", "x")).rpartition(".")[2],
                "signed by another key": resign(good(), Ed25519PrivateKey.generate()),
                "alg none": good(head("alg", "none")),
                "HMAC with the public key's id": hs256({"aud": "hello"}, "k1" * 16),
                "alg in another case": good(head("alg", "eddsa")),
                "a critical extension": good(head("crit", ["b64"])),
                "unknown kid": good(head("kid", "k2")),
                "kid of a key that is not Ed25519": good(head("kid", "old")),
                "kid that is no text": good(head("kid", ["k1"])),
                "a plugin's own token": good(claim("type", "plugin")),
                "for another plugin": good(claim("aud", "hello-greeter")),
                "for several plugins": good(claim("aud", ["hello", "other"])),
                "aud in another case": good(claim("aud", "Hello")),
                "AUD instead of aud": good(renamed),
                "for another method": good(claim("htm", "POST")),
                "for another path": core.sign("GET", "/profiles/2"),
                "without a path": good(claim("htp", None)),
                "expired": good(lasting(-62, -32)),
                "not yet issued": good(lasting(40, 50)),
                "living too long": good(lasting(0, 3600)),
                "without an end": good(claim("exp", None)),
                "exp as text": good(claim("exp", "never")),
            }
            for name, token in tokens.items():
                with self.subTest(name):
                    got = await self.call(f"{url}/profiles/1", token)
                    self.assertEqual((got.status_code, got.json()["code"]), (401, "call.unverified"))
            self.assertLessEqual(core.jwks_reads, 2, "invented ids must not flood the core")
            self.assertEqual((await self.call(f"{url}/nowhere")).status_code, 401, "a stranger must not learn what exists")
            got = await self.call(f"{url}/health")
            self.assertEqual((got.status_code, got.json()["status"]), (200, "healthy"))
            self.assertEqual((await self.call(f"{url}/profiles/1", good())).status_code, 200, "the untouched token must pass")

    async def test_a_plugin_without_the_cores_keys_answers_nobody(self) -> None:
        async with Core() as core, running(core) as (plugin, url):
            plugin._keys._core._client.base_url = httpx.URL("http://127.0.0.1:1")
            self.assertEqual((await self.call(f"{url}/profiles/1", core.sign("GET", "/profiles/1"))).status_code, 503)
            plugin._keys._core._client.base_url = httpx.URL(core.url)
