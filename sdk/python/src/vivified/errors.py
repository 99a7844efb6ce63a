"""What can go wrong, for programs and for people."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urljoin


class VivifiedError(Exception):
    """Anything that went wrong between plugin and core."""


class ManifestError(VivifiedError):
    """The manifest cannot be read, or the plugin does not do what it promises."""


class Unreachable(VivifiedError):
    """The core, or the external address behind it, did not answer."""


@dataclass(frozen=True)
class Violation:
    """One broken rule of a refused document."""

    rule: str
    path: str  # JSON Pointer (RFC 6901)
    message: str
    fix: str = ""


class Problem(VivifiedError):
    """A request that was answered with an error: an RFC 9457 problem document, or
    any other answer that is not 2xx."""

    def __init__(
        self,
        status: int,
        code: str = "",
        detail: str = "",
        *,
        title: str = "",
        decision_id: str = "",
        why: str = "",
        trace_id: str = "",
        violations: tuple[Violation, ...] = (),
        retry_after: float = 0.0,
    ) -> None:
        self.status = status  # HTTP status
        self.code = code  # the rule that refused, such as proxy.domain
        self.detail = detail  # one sentence for a person
        self.title = title
        self.decision_id = decision_id  # the policy decision behind a 403
        self.why = why  # address of the page that says why, when there is a decision
        self.trace_id = trace_id  # finds the request in logs and audit
        self.violations = violations  # every broken rule of a refused document
        self.retry_after = retry_after  # seconds; 0 when the answer named none
        text = f"{status} {code}".rstrip() + (f": {detail}" if detail else "")
        if why:
            text += f" (why: {why})"
        elif decision_id:
            text += f" (decision {decision_id})"
        super().__init__(text)

    @classmethod
    def of(cls, status: int, headers: Any, content: bytes, address: str = "") -> Problem:
        """Read the problem that an answer from an address of the core carries. The
        HTTP status wins over the document's."""
        retry = headers.get("Retry-After", "")
        retry_after = float(retry) if retry.isascii() and retry.isdigit() else 0.0
        trace = headers.get("X-Trace-Id", "")
        try:
            if headers.get("Content-Type", "").split(";")[0].strip() != "application/problem+json":
                raise ValueError("no problem document")
            said = json.loads(content)
            violations = tuple(
                Violation(str(v["rule"]), str(v.get("path", "")), str(v.get("message", "")), str(v.get("fix", "")))
                for v in said.get("errors") or ()
            )
            decision = str(said.get("decision_id", ""))
            return cls(
                status,
                str(said.get("code", "")),
                str(said.get("detail", "")),
                title=str(said.get("title", "")),
                decision_id=decision,
                why=urljoin(address, "/console/decisions/" + quote(decision, safe="")) if decision and address else "",
                trace_id=str(said.get("trace_id") or trace),
                violations=violations,
                retry_after=retry_after,
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            title = _phrase(status)
            return cls(status, "", f"The answer was {status} {title}.".replace(" .", "."), title=title, trace_id=trace, retry_after=retry_after)


class Rejection(VivifiedError):
    """Raised by an operation: it is answered as a problem document with this
    status, stable dotted code and sentence."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail

    def document(self) -> bytes:
        """Return the problem document (RFC 9457)."""
        return json.dumps(
            {"type": "about:blank", "title": _phrase(self.status), "status": self.status, "detail": self.detail, "code": self.code}
        ).encode()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
