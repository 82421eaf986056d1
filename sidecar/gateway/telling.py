"""What runs are told: who asks, what was refused, what was kept from Plex."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from sidecar.gateway import wire
from sidecar.gateway.admit import Origin
from sidecar.gateway.canonical import Canonical, Refusal
from sidecar.gateway.grants import Lease
from sidecar.gateway.meaning import meaning
from sidecar.gateway.policy import TOKEN_KEY
from sidecar.model import Problem, Severity

_TOKEN: Final = re.compile(r"(X-Plex-Token=)[^&\s]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and of whom: set once the grant is known."""

    lease: Lease
    origin: Origin
    server: str
    """Name of the Plex server; empty for egress."""

    def note(self, what: str, severity: Severity) -> None:
        """Tells the run of what can change its pictures."""
        self.lease.note(Problem(severity=severity, what=what, source="gateway"))

    def shown(self, url: str) -> str:
        """An address, without tokens."""
        return _TOKEN.sub(r"\1[token]", url).replace(self.lease.grant.token, "[token]")


class Teller:
    """Counts refusals and kept writes, and tells the run of each."""

    def __init__(self, counters: Counter[str]) -> None:
        self._counters = counters

    def refuse(self, caller: Caller, request: web.BaseRequest, refusal: Refusal, canonical: Canonical | None = None) -> web.Response:
        """A refusal: answered, counted, written down."""
        self._counters["refused"] += 1
        where = "" if caller.server else str(caller.origin)
        path = caller.shown(request.raw_path[:500]) if canonical is None else canonical.without(TOKEN_KEY).target
        if canonical is not None:
            what = meaning(canonical)
        else:
            what = f"{request.method} to {caller.origin.host}" if where else f"{request.method} in a form that is not accepted"
        caller.lease.blocked(
            server=caller.server,
            method=request.method,
            path=where + path,
            meaning=f"{what} ({refusal.reason})",
            answered=refusal.status,
            expected=False,
        )
        return wire.text(refusal.status, refusal.reason)

    def blocked(self, caller: Caller, canonical: Canonical, status: int) -> None:
        """A write that Kometa must believe in: counted, written down."""
        self._counters["blocked"] += 1
        caller.lease.blocked(
            server=caller.server,
            method=canonical.method,
            path=caller.shown(canonical.without(TOKEN_KEY).target),
            meaning=meaning(canonical),
            answered=status,
            expected=True,
        )
