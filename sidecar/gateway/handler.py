"""One request of a renderer, from its line to its answer: who asks, what for, may it, and what becomes of it.

Every decision is made by the pure modules (canonical, policy, admit, scope, capture); this one does what they say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Protocol

from aiohttp import web

from renderer.protocol import GRANT_HEADER, ORIGIN_HEADER, PLEX_SUFFIX
from sidecar.errors import PlexAway, PlexError, PlexRefused
from sidecar.gateway import wire
from sidecar.gateway.admit import Origin, parse_origin
from sidecar.gateway.canonical import Canonical, Refusal, canonicalise, refuse_framing
from sidecar.gateway.egress import Ask, Egress
from sidecar.gateway.grants import Grants
from sidecar.gateway.plex import Declined
from sidecar.gateway.policy import TOKEN_KEY, Action, Unseen, Verdict, judge
from sidecar.gateway.reading import Reading
from sidecar.gateway.reads import PlexReads
from sidecar.gateway.scope import EMPTY, Garbled
from sidecar.gateway.telling import Caller, Teller
from sidecar.gateway.writes import PutBlob, Writes
from sidecar.model import DEFAULT_SERVER, Problem, Scope, Severity

ORIGINS: Final = 256
"""Origins, of at most 300 characters each, whose parts are remembered."""
JUDGED: Final = 2_000
"""Requests whose verdict is remembered: of the same method, address and scope it is always the same..."""
SHORT: Final = 500
"""...where their address has at most so many characters; memory is bounded by both."""

_Judgement = tuple[Canonical | Refusal, Verdict | Unseen | Refusal | None]
"""A request in its one form, and what policy says of it; nothing where it has none, or no scope to be judged by."""

QUESTION: Final = 64 * 1024
"""Bytes of a body for another host; Kometa's longest, a GraphQL query, has about 2,000."""


class Upstreams(Protocol):
    """The Plex servers by name."""

    def get(self, name: str, /) -> PlexReads | None: ...


class Handler:
    """Answers renderers. Holds no state of its own but the counters."""

    def __init__(
        self, *, grants: Grants, servers: Upstreams, egress: Egress, put_blob: PutBlob, counters: Counter[str], bodies: wire.Bodies
    ) -> None:
        self._grants = grants
        self._servers = servers
        self._egress = egress
        self._counters = counters
        self._questions = wire.Bodies(min(QUESTION, bodies.limit), bodies.seconds)
        self._teller = Teller(counters)
        self._reading = Reading(counters)
        self._origin = lru_cache(maxsize=ORIGINS)(parse_origin)
        self._judged = lru_cache(maxsize=JUDGED)(_judged)
        self._writes = Writes(egress=egress, put_blob=put_blob, counters=counters, teller=self._teller, bodies=bodies)

    async def socket(self, request: web.BaseRequest) -> web.StreamResponse:
        """A request over the unix socket: headers name origin and grant."""
        return await self._handle(request, self._by_headers)

    async def port(self, request: web.BaseRequest) -> web.StreamResponse:
        """A request over the loopback port, of a stock Kometa: the Plex token is the grant, everything is the first Plex server."""
        return await self._handle(request, self._by_token)

    async def _handle(self, request: web.BaseRequest, who: Callable[[web.BaseRequest], Caller | Refusal]) -> web.StreamResponse:
        caller = who(request)
        if isinstance(caller, Refusal):
            self._counters["refused"] += 1
            return wire.text(caller.status, caller.reason)
        refusal = refuse_framing(request.method, (request.version.major, request.version.minor), request.raw_headers)
        if refusal:
            return self._teller.refuse(caller, request, refusal)
        return await (self._plex(caller, request) if caller.server else self._elsewhere(caller, request))

    # ── who asks ─────────────────────────────────────────────────────────────────────────────────────────

    def _by_headers(self, request: web.BaseRequest) -> Caller | Refusal:
        tokens, origins = request.headers.getall(GRANT_HEADER, []), request.headers.getall(ORIGIN_HEADER, [])
        if len(tokens) != 1 or len(origins) != 1:
            return Refusal("the request does not say for which run and for whom it is")
        lease = self._grants.find(tokens[0])
        if lease is None:
            return Refusal("this grant is unknown, or its run has ended")
        origin = self._origin(origins[0])
        if isinstance(origin, Refusal):
            return origin
        if not origin.host.endswith(PLEX_SUFFIX):
            return Caller(lease, origin, "")
        foreign = [token for token in _plex_tokens(request) if token != tokens[0]]
        if foreign:
            return Refusal("a Plex token that is not this run's")
        return Caller(lease, origin, origin.host.removesuffix(PLEX_SUFFIX))

    def _by_token(self, request: web.BaseRequest) -> Caller | Refusal:
        if GRANT_HEADER in request.headers or ORIGIN_HEADER in request.headers:
            return Refusal("these headers are for the renderer's socket only")
        tokens = set(_plex_tokens(request))
        lease = self._grants.find(tokens.pop()) if len(tokens) == 1 else None
        if lease is None:
            return Refusal("give the grant as X-Plex-Token: it is missing, unknown, or its run has ended")
        return Caller(lease, Origin("http", DEFAULT_SERVER + PLEX_SUFFIX, 32400), DEFAULT_SERVER)

    # ── Plex ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _plex(self, caller: Caller, request: web.BaseRequest) -> web.StreamResponse:
        scope = caller.lease.grant.scopes.get(caller.server)
        reads = self._servers.get(caller.server)
        known = self._judged if len(request.raw_path) <= SHORT else _judged
        canonical, verdict = known(request.method, request.raw_path, scope)
        if isinstance(canonical, Refusal):
            return self._teller.refuse(caller, request, canonical)
        if scope is None or reads is None or verdict is None:
            return self._teller.refuse(caller, request, Refusal("this Plex server is not part of the preview"), canonical)
        if isinstance(verdict, Refusal):
            return self._teller.refuse(caller, request, verdict, canonical)
        if isinstance(verdict, Unseen):
            self._counters["answered"] += 1
            return wire.xml(EMPTY) if verdict.listing else wire.text(404, verdict.what)
        try:
            match verdict.rule.action:
                case Action.CUT:
                    return await self._reading.cut(request, reads, verdict, scope)
                case Action.FORWARD:
                    return await self._reading.picture(request, reads, verdict)
                case Action.CAPTURE:
                    return await self._writes.capture(caller, request, canonical, verdict, reads)
                case _:
                    return await self._writes.record(caller, request, canonical)
        except wire.NotTaken as error:
            return self._teller.refuse(caller, request, error.refusal, canonical)
        except (PlexError, Garbled) as error:
            return self._failed(caller, error)

    # ── other hosts ──────────────────────────────────────────────────────────────────────────────────────

    async def _elsewhere(self, caller: Caller, request: web.BaseRequest) -> web.StreamResponse:
        body = b""
        if request.method != "GET":
            try:
                async with self._questions.taken(request, caller.lease.bodies) as body:
                    pass  # short as it is, it may wait for an answer without its turn
            except wire.NotTaken as error:
                return self._teller.refuse(caller, request, error.refusal)
        ask = Ask(request.method, caller.origin, request.raw_path, wire.lower(request), body)
        refusal = self._egress.admit(ask, caller.lease.grant)
        if refusal:
            caller.lease.note(
                Problem(
                    severity=Severity.WARNING,
                    what=f"a request to {caller.origin.host} was refused: {refusal.reason}",
                    mend="what Kometa draws from it may be missing",
                    source="egress",
                )
            )
            return self._teller.refuse(caller, request, refusal)
        entry = await self._egress.fetch(ask, caller.lease.grant, caller.lease.note)
        self._counters["answered"] += 1
        return web.Response(status=entry.status, headers=dict(entry.headers), body=entry.body)

    def _failed(self, caller: Caller, error: PlexError | Garbled) -> web.Response:
        """Plex did not answer as it should: Kometa is told at once, the run is told once."""
        self._counters["plex_failures"] += 1
        if isinstance(error, Declined):
            return wire.text(error.status, str(error))
        status = 503 if isinstance(error, PlexAway) else 401 if isinstance(error, PlexRefused) else 502
        caller.lease.note(Problem(severity=Severity.ERROR, what=str(error), source="plex", passing=True))
        return wire.text(status, str(error))


def _judged(method: str, target: str, scope: Scope | None) -> _Judgement:
    """Pure, so that it can be remembered."""
    canonical = canonicalise(method, target)
    return canonical, None if scope is None or isinstance(canonical, Refusal) else judge(canonical, scope)


def _plex_tokens(request: web.BaseRequest) -> list[str]:
    """Every Plex token that a request carries, in header and query, in any case."""
    tokens = request.headers.getall(TOKEN_KEY, [])
    raw = request.raw_path
    canonical = canonicalise("GET", raw) if "%" in raw or "plex-token" in raw.lower() else None
    if isinstance(canonical, Canonical):
        tokens = tokens + [value for key, value in canonical.query if key.lower() == TOKEN_KEY.lower()]
    return tokens
