"""The core's public keys (RFC 7517), read when needed and kept."""

from __future__ import annotations

import asyncio
import time

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .core import Core
from .errors import VivifiedError

FRESH = 300.0  # seconds; after this the set is read again, or no call is admitted
PAUSE = 2.0  # seconds between two readings, however many unknown keys are named


class KeysUnavailable(VivifiedError):
    """The key set is missing or too old to judge by."""


class Keys:
    def __init__(self, core: Core) -> None:
        self._core = core
        self._by_id: dict[str, Ed25519PublicKey] = {}
        self._read = self._asked = float("-inf")  # time.monotonic
        self._asking = asyncio.Lock()

    async def key(self, id: str) -> Ed25519PublicKey | None:
        """Return the public key of an id, or None. An unknown id has the set read again,
        but not more often than PAUSE, so that invented ids cannot flood the core."""
        if id in self._by_id and self._fresh():
            return self._by_id[id]
        async with self._asking:
            if (id not in self._by_id or not self._fresh()) and time.monotonic() - self._asked > PAUSE:
                self._asked = time.monotonic()
                try:
                    self._by_id = read_keys((await self._core.send("GET", "/.well-known/jwks.json", timeout=5.0)).json())
                    self._read = time.monotonic()
                except VivifiedError as cause:
                    if not self._fresh():
                        raise KeysUnavailable(f"the core's keys cannot be read: {cause}") from cause
            if not self._fresh():
                raise KeysUnavailable("the core's keys cannot be read")
            return self._by_id.get(id)

    def _fresh(self) -> bool:
        return time.monotonic() - self._read <= FRESH


def read_keys(said: object) -> dict[str, Ed25519PublicKey]:
    """Return the Ed25519 signing keys of a JWK set (RFC 8037); others are passed over."""
    if not isinstance(said, dict) or not isinstance(said.get("keys"), list):
        raise VivifiedError("this is not a key set")
    keys: dict[str, Ed25519PublicKey] = {}
    for entry in said["keys"]:
        if not isinstance(entry, dict) or entry.get("kty") != "OKP" or entry.get("crv") != "Ed25519" or entry.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK.from_dict(entry, algorithm="EdDSA").key
        except (jwt.PyJWTError, ValueError) as cause:
            raise VivifiedError("this is not a key set") from cause
        if isinstance(entry.get("kid"), str) and isinstance(key, Ed25519PublicKey):
            keys[entry["kid"]] = key
    return keys
