"""Tells the core's own calls from everybody else's."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import jwt

from .errors import VivifiedError
from .keys import Keys
from .request import Caller

LIFE = 30  # seconds; longest life accepted
SKEW = 30  # seconds; how far the two clocks may differ
SIZE = 4096  # bytes of the whole token


class NotFromCore(VivifiedError):
    """The call does not carry the core's signature for this plugin, method and path.
    Callers are not told what was wrong."""


async def verify(keys: Keys, plugin: str, method: str, path: bytes, authorization: list[bytes]) -> Caller:
    """Check the core's token on a call: a JWT (RFC 7519) signed with EdDSA (RFC 8037)
    by a key of the core's JWKS. The path is as it came, without its query.

    Raise NotFromCore, or KeysUnavailable."""
    if len(authorization) != 1:
        raise NotFromCore("there is not exactly one Authorization header")
    scheme, _, token = authorization[0].partition(b" ")
    if scheme.lower() != b"bearer" or len(token) > SIZE:
        raise NotFromCore("the Authorization header is not a bearer token")
    try:
        header = jwt.get_unverified_header(token)
        # One algorithm, whatever the token says; no critical extension is known (RFC 7515, 4.1.11).
        if header.get("alg") != "EdDSA" or "crit" in header or not isinstance(header.get("kid"), str):
            raise NotFromCore("the token's header is not one of the core's")
        key = await keys.key(header["kid"])
        if key is None:
            raise NotFromCore("the token's key is not one of the core's")
        claims = jwt.decode(
            token,
            key,
            algorithms=["EdDSA"],
            audience=plugin,
            leeway=SKEW,
            options={"require": ["aud", "exp", "iat", "sub"], "strict_aud": True},
        )
    except jwt.PyJWTError as cause:
        raise NotFromCore(f"the token is not good: {cause}") from cause
    return _admit(claims, method, path)


def _admit(claims: dict[str, Any], method: str, path: bytes) -> Caller:
    """Check what the core signed against the call that came."""
    if claims.get("type") != "call":
        raise NotFromCore("the token is not for a call")
    issued, expires = claims["iat"], claims["exp"]
    if not isinstance(issued, int) or not isinstance(expires, int) or not 0 < expires - issued <= LIFE:
        raise NotFromCore("the token's life is too long")
    if claims.get("htm") != method:
        raise NotFromCore("the token is for another method")
    want = base64.urlsafe_b64encode(hashlib.sha256(path).digest()).rstrip(b"=")
    if not hmac.compare_digest(want, str(claims.get("htp", "")).encode()):
        raise NotFromCore("the token is for another path")
    return Caller(str(claims["sub"]), str(claims.get("act", "")))
