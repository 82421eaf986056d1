"""One request of a renderer, from its line to its answer: who asks, what for, may it, and what becomes of it.

Every decision is made by the pure modules (canonical, policy, admit, scope, capture); this one does what they say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Protocol
from urllib.parse import SplitResult, urlsplit

from aiohttp import ClientResponse, web

from renderer.protocol import GRANT_HEADER, ORIGIN_HEADER, PLEX_SUFFIX
from sidecar.errors import PlexAway, PlexError, PlexRefused, StoreError
from sidecar.gateway.admit import Origin, parse_origin
from sidecar.gateway.canonical import Canonical, Refusal, canonicalise, refuse_framing
from sidecar.gateway.capture import KINDS, NotAPicture, Upload, identify, unwrap
from sidecar.gateway.egress import Ask, Egress
from sidecar.gateway.grants import Grants, Lease
from sidecar.gateway.meaning import meaning
from sidecar.gateway.narrow import Levels, with_keys
from sidecar.gateway.plex import Declined, PlexClient
from sidecar.gateway.policy import TOKEN_KEY, Action, Unseen, Verdict, View, judge
from sidecar.gateway.scope import EMPTY, Garbled, Page, cut, cut_listing
from sidecar.model import DEFAULT_SERVER, Blob, Capture, Problem, Scope, Severity

PutBlob = Callable[[bytes, str], Awaitable[Blob]]

_TOKEN: Final = re.compile(r"(X-Plex-Token=)[^&\s]*", re.IGNORECASE)
_XML: Final = "application/xml"
_START: Final = "X-Plex-Container-Start"
_SIZE: Final = "X-Plex-Container-Size"
_PASSED: Final = ("Content-Type", "Content-Length", "Content-Encoding", "Last-Modified", "ETag")


class Upstreams(Protocol):
    """The Plex servers by name."""

    def get(self, name: str, /) -> PlexClient | None: ...


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and of whom: set once the grant is known."""

    lease: Lease
    origin: Origin
    server: str
    """Name of the Plex server; empty for egress."""


class TooLong(Exception):
    """A request body over the limit."""


class Handler:
    """Answers renderers. Holds no state of its own but the counters."""

    def __init__(
        self, *, grants: Grants, servers: Upstreams, egress: Egress, put_blob: PutBlob, counters: Counter[str], max_upload: int
    ) -> None:
        self._grants = grants
        self._servers = servers
        self._egress = egress
        self._put_blob = put_blob
        self._counters = counters
        self._max_upload = max_upload
        self._levels = Levels()

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
            return _text(caller.status, caller.reason)
        refusal = refuse_framing(request.method, (request.version.major, request.version.minor), request.raw_headers)
        if refusal:
            return self._refuse(caller, request, refusal)
        return await (self._plex(caller, request) if caller.server else self._elsewhere(caller, request))

    # ── who asks ─────────────────────────────────────────────────────────────────────────────────────────

    def _by_headers(self, request: web.BaseRequest) -> Caller | Refusal:
        tokens, origins = request.headers.getall(GRANT_HEADER, []), request.headers.getall(ORIGIN_HEADER, [])
        if len(tokens) != 1 or len(origins) != 1:
            return Refusal("the request does not say for which run and for whom it is")
        lease = self._grants.find(tokens[0])
        if lease is None:
            return Refusal("this grant is unknown, or its run has ended")
        origin = parse_origin(origins[0])
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
        canonical = canonicalise(request.method, request.raw_path)
        if isinstance(canonical, Refusal):
            return self._refuse(caller, request, canonical)
        scope = caller.lease.grant.scopes.get(caller.server)
        client = self._servers.get(caller.server)
        if scope is None or client is None:
            return self._refuse(caller, request, Refusal("this Plex server is not part of the preview"), canonical)
        verdict = judge(canonical, scope)
        if isinstance(verdict, Refusal):
            return self._refuse(caller, request, verdict, canonical)
        if isinstance(verdict, Unseen):
            self._counters["answered"] += 1
            return _xml(EMPTY) if verdict.listing else _text(404, verdict.what)
        try:
            match verdict.rule.action:
                case Action.CAPTURE:
                    return await self._capture(caller, request, canonical, verdict)
                case Action.RECORD:
                    await _body(request, self._max_upload)
                    self._blocked(caller, canonical, 200)
                    return web.Response(status=200)
                case Action.FORWARD:
                    return await self._forward(request, client, verdict)
                case _:
                    return await self._cut(request, client, verdict, scope)
        except TooLong:
            return self._refuse(caller, request, Refusal("the body is too long", 413), canonical)
        except (PlexError, Garbled) as error:
            return self._failed(caller, error)

    async def _cut(self, request: web.BaseRequest, client: PlexClient, verdict: Verdict, scope: Scope) -> web.Response:
        headers = _lower(request)
        view = verdict.rule.view
        if view in (View.LISTING, View.CHILDREN):
            page = _page(verdict.send, headers)
            whole = verdict.send.without(_START, _SIZE)
            if view is View.LISTING and verdict.section is not None:
                narrowed = await self._levels.narrowed(
                    whole, client.server.name, verdict.section, scope, lambda request: client.read(request, {})
                )
                if narrowed and not narrowed.keys:
                    self._counters["answered"] += 1
                    return _xml(EMPTY)
                whole = with_keys(whole, narrowed.field, narrowed.keys) if narrowed else whole

            async def source(start: int, size: int) -> bytes:
                return await client.read(whole, {**headers, _START.lower(): str(start), _SIZE.lower(): str(size)})

            data = await cut_listing(source, scope, page, subtree=view is View.CHILDREN)
        else:
            data = cut(await client.read(verdict.send, headers), view, scope)
        self._counters["forwarded"] += 1
        return _xml(data)

    async def _forward(self, request: web.BaseRequest, client: PlexClient, verdict: Verdict) -> web.StreamResponse:
        accepts = request.headers.get("Accept-Encoding", "")
        async with client.stream(verdict.send, _lower(request), accept_encoding="gzip" if "gzip" in accepts else "identity") as upstream:
            self._counters["forwarded"] += 1
            response = web.StreamResponse(headers={name: upstream.headers[name] for name in _PASSED if name in upstream.headers})
            await _stream(request, upstream, response)
            return response

    # ── writes ───────────────────────────────────────────────────────────────────────────────────────────

    async def _capture(self, caller: Caller, request: web.BaseRequest, canonical: Canonical, verdict: Verdict) -> web.Response:
        kind = KINDS[canonical.segments[-1]]
        urls = canonical.values("url")
        body = await _body(request, self._max_upload)
        if urls:
            upload, shown = await self._fetched(caller, urls[0], kind), self._shown(caller, urls[0])
            if upload is None:
                self._blocked(caller, canonical, 200)
                return web.Response(status=200)
        else:
            shown = ""
            try:
                upload = identify(unwrap(body, request.headers.get("Content-Type", "")), kind)
            except NotAPicture as error:
                caller.lease.note(_problem(f"an upload for {verdict.keys[0]} was not taken: {error}", Severity.ERROR))
                return self._refuse(caller, request, Refusal(str(error)), canonical)
        try:
            blob = await self._put_blob(upload.data, upload.media_type)
        except StoreError as error:
            caller.lease.note(_problem(f"an upload could not be kept: {error}", Severity.ERROR))
            return self._refuse(caller, request, Refusal("the upload could not be kept", 507), canonical)
        if not blob.width and upload.width:
            blob = replace(blob, width=upload.width, height=upload.height)
        self._counters["captured"] += 1
        caller.lease.captured(
            Capture(
                run_id=caller.lease.grant.run_id,
                server=caller.server,
                rating_key=verdict.keys[0],
                kind=kind,
                blob=blob,
                at=datetime.now(UTC),
                url=shown,
            )
        )
        self._blocked(caller, canonical, 200)
        return web.Response(status=200)

    async def _fetched(self, caller: Caller, url: str, kind: str) -> Upload | None:
        """What Plex would have fetched for ``?url=``: its own picture, or one of another host. None, and a note, where that fails.

        Plex's own are known by no host, by the name Kometa knows Plex by, or by the grant's token (which only this run's
        Kometa can have put there: over the loopback port Plex has another name).
        """
        try:
            parts = _split(url)
            ours = not parts.netloc or (parts.hostname or "").endswith(PLEX_SUFFIX) or caller.lease.grant.token in url
            data = await (self._fetch_from_plex(caller, parts) if ours else self._fetch_elsewhere(caller, parts))
            return identify(data, kind)
        except (NotAPicture, PlexError, _NotFetched) as error:
            caller.lease.note(_problem(f"a {kind} that Kometa set by address could not be fetched: {error}", Severity.WARNING))
            return None

    def _shown(self, caller: Caller, url: str) -> str:
        return _TOKEN.sub(r"\1[token]", url).replace(caller.lease.grant.token, "[token]")

    async def _fetch_from_plex(self, caller: Caller, parts: SplitResult) -> bytes:
        canonical = canonicalise("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
        client, scope = self._servers.get(caller.server), caller.lease.grant.scopes[caller.server]
        verdict = canonical if isinstance(canonical, Refusal) else judge(canonical, scope)
        if not isinstance(verdict, Verdict) or verdict.rule.view is not View.IMAGE or client is None:
            raise _NotFetched("this address of Plex is no picture of the preview")
        self._counters["forwarded"] += 1
        return await client.read(verdict.send, {})

    async def _fetch_elsewhere(self, caller: Caller, parts: SplitResult) -> bytes:
        origin = parse_origin(f"{parts.scheme}://{parts.netloc}")
        if isinstance(origin, Refusal):
            raise _NotFetched(origin.reason)
        ask = Ask("GET", origin, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        refusal = self._egress.admit(ask, caller.lease.grant)
        if refusal:
            raise _NotFetched(refusal.reason)
        entry = await self._egress.fetch(ask, caller.lease.grant, caller.lease.note)
        if entry.status != 200:
            raise _NotFetched(f"{origin.host} answered {entry.status}")
        return entry.body

    # ── other hosts ──────────────────────────────────────────────────────────────────────────────────────

    async def _elsewhere(self, caller: Caller, request: web.BaseRequest) -> web.StreamResponse:
        try:
            body = await _body(request, self._max_upload)
        except TooLong:
            return self._refuse(caller, request, Refusal("the body is too long", 413))
        ask = Ask(request.method, caller.origin, request.raw_path, _lower(request), body)
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
            return self._refuse(caller, request, refusal)
        entry = await self._egress.fetch(ask, caller.lease.grant, caller.lease.note)
        self._counters["answered"] += 1
        return web.Response(status=entry.status, headers=dict(entry.headers), body=entry.body)

    # ── answers ──────────────────────────────────────────────────────────────────────────────────────────

    def _refuse(self, caller: Caller, request: web.BaseRequest, refusal: Refusal, canonical: Canonical | None = None) -> web.Response:
        self._counters["refused"] += 1
        where = "" if caller.server else str(caller.origin)
        path = _TOKEN.sub(r"\1[token]", request.raw_path[:500]) if canonical is None else canonical.without(TOKEN_KEY).target
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
        return _text(refusal.status, refusal.reason)

    def _blocked(self, caller: Caller, canonical: Canonical, status: int) -> None:
        self._counters["blocked"] += 1
        caller.lease.blocked(
            server=caller.server,
            method=canonical.method,
            path=self._shown(caller, canonical.without(TOKEN_KEY).target),
            meaning=meaning(canonical),
            answered=status,
            expected=True,
        )

    def _failed(self, caller: Caller, error: PlexError | Garbled) -> web.Response:
        """Plex did not answer as it should: Kometa is told at once, the run is told once."""
        self._counters["plex_failures"] += 1
        if isinstance(error, Declined):
            return _text(error.status, str(error))
        status = 503 if isinstance(error, PlexAway) else 401 if isinstance(error, PlexRefused) else 502
        caller.lease.note(Problem(severity=Severity.ERROR, what=str(error), source="plex"))
        return _text(status, str(error))


class _NotFetched(Exception):
    """A picture named by address that is not to be had; the message is for people."""


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise _NotFetched("it is no web address") from error


def _plex_tokens(request: web.BaseRequest) -> list[str]:
    """Every Plex token that a request carries, in header and query, in any case."""
    tokens = request.headers.getall(TOKEN_KEY, [])
    canonical = canonicalise("GET", request.raw_path)
    if isinstance(canonical, Canonical):
        tokens = tokens + [value for key, value in canonical.query if key.lower() == TOKEN_KEY.lower()]
    return tokens


def _page(request: Canonical, headers: Mapping[str, str]) -> Page:
    """The page that Kometa asked for, by header or by query."""
    start = (request.values(_START) or [headers.get(_START.lower(), "")])[0]
    size = (request.values(_SIZE) or [headers.get(_SIZE.lower(), "")])[0]
    return Page(int(start) if re.fullmatch("[0-9]{1,10}", start) else 0, int(size) if re.fullmatch("[0-9]{1,10}", size) else None)


def _lower(request: web.BaseRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


async def _body(request: web.BaseRequest, limit: int) -> bytes:
    """The request's whole body. TooLong past ``limit`` bytes."""
    data = bytearray()
    async for chunk in request.content.iter_any():
        data += chunk
        if len(data) > limit:
            raise TooLong
    return bytes(data)


async def _stream(request: web.BaseRequest, upstream: ClientResponse, response: web.StreamResponse) -> None:
    """Passes a body on as it comes. A body that breaks off upstream breaks off here too: never a short file that looks whole."""
    transport = request.transport
    try:
        await response.prepare(request)
        async for chunk in upstream.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
    except BaseException as error:
        if transport:  # pragma: no branch  (None only where the renderer left in the very moment before)
            transport.abort()
        if not isinstance(error, ConnectionResetError):  # that is one of the two ends gone: nobody is there to tell
            raise


def _text(status: int, reason: str) -> web.Response:
    response = web.Response(status=status, text=reason)
    response.force_close()
    return response


def _xml(data: bytes) -> web.Response:
    return web.Response(body=data, content_type=_XML, charset="utf-8")


def _problem(what: str, severity: Severity) -> Problem:
    return Problem(severity=severity, what=what, source="gateway")
