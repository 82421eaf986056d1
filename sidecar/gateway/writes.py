"""Writes of a renderer: pictures are kept, edits written down, and nothing is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import SplitResult, urlsplit

from aiohttp import web

from renderer.protocol import PLEX_SUFFIX
from sidecar.errors import PlexError, StoreError
from sidecar.gateway import wire
from sidecar.gateway.admit import parse_origin
from sidecar.gateway.canonical import Canonical, Refusal, canonicalise
from sidecar.gateway.capture import KINDS, NotAPicture, Upload, identify, unwrap
from sidecar.gateway.egress import Ask, Egress
from sidecar.gateway.policy import Verdict, View, judge
from sidecar.gateway.reads import PlexReads
from sidecar.gateway.telling import Caller, Teller
from sidecar.model import Blob, Capture, Problem, Severity

PutBlob = Callable[[bytes, str], Awaitable[Blob]]


class Writes:
    """Takes what Kometa would have written."""

    def __init__(self, *, egress: Egress, put_blob: PutBlob, counters: Counter[str], teller: Teller, bodies: wire.Bodies) -> None:
        self._egress = egress
        self._put_blob = put_blob
        self._counters = counters
        self._teller = teller
        self._bodies = bodies

    async def record(self, caller: Caller, request: web.BaseRequest, canonical: Canonical) -> web.Response:
        """An edit: written down, answered as done. NotTaken."""
        async with self._bodies.taken(request, caller.lease.bodies):
            self._teller.blocked(caller, canonical, 200)
        return web.Response(status=200)

    async def capture(
        self, caller: Caller, request: web.BaseRequest, canonical: Canonical, verdict: Verdict, reads: PlexReads
    ) -> web.Response:
        """An upload: kept with its bytes as they came, answered as done. NotTaken."""
        async with self._bodies.taken(request, caller.lease.bodies) as body:
            return await self._keep(caller, request, canonical, verdict, reads, body)

    async def _keep(
        self, caller: Caller, request: web.BaseRequest, canonical: Canonical, verdict: Verdict, reads: PlexReads, body: bytes
    ) -> web.Response:
        kind = KINDS[canonical.segments[-1]]
        urls = canonical.values("url")
        if urls:
            upload, shown = await self._fetched(caller, reads, urls[0], kind), caller.shown(urls[0])
            if upload is None:
                self._teller.blocked(caller, canonical, 200)
                return web.Response(status=200)
        else:
            shown = ""
            try:
                upload = identify(unwrap(body, request.headers.get("Content-Type", "")), kind)
            except NotAPicture as error:
                caller.note(f"an upload for {verdict.keys[0]} was not taken: {error}", Severity.ERROR)
                return self._teller.refuse(caller, request, Refusal(str(error)), canonical)
        if not caller.lease.takes(len(upload.data)):
            caller.note("there are more uploads than a run can have; what came later was not kept", Severity.ERROR)
            return self._teller.refuse(caller, request, Refusal("this run uploads too much", 507), canonical)
        try:
            blob = await self._put_blob(upload.data, upload.media_type)
        except StoreError as error:
            caller.lease.note(Problem(severity=Severity.ERROR, what=f"an upload could not be kept: {error}", source="store"))
            return self._teller.refuse(caller, request, Refusal("the upload could not be kept", 507), canonical)
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
        self._teller.blocked(caller, canonical, 200)
        return web.Response(status=200)

    async def _fetched(self, caller: Caller, reads: PlexReads, url: str, kind: str) -> Upload | None:
        """What Plex would have fetched for ``?url=``: its own picture, or one of another host. None, and a note, where that fails.

        Plex's own are known by no host, by the name Kometa knows Plex by, or by the grant's token (which only this run's
        Kometa can have put there: over the loopback port Plex has another name).
        """
        try:
            parts = _split(url)
            ours = not parts.netloc or (parts.hostname or "").endswith(PLEX_SUFFIX) or caller.lease.grant.token in url
            data = await (self._fetch_from_plex(caller, reads, parts) if ours else self._fetch_elsewhere(caller, parts))
            return identify(data, kind)
        except (NotAPicture, PlexError, _NotFetched) as error:
            caller.note(f"a {kind} that Kometa set by address could not be fetched: {error}", Severity.WARNING)
            return None

    async def _fetch_from_plex(self, caller: Caller, reads: PlexReads, parts: SplitResult) -> bytes:
        canonical = canonicalise("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
        verdict = canonical if isinstance(canonical, Refusal) else judge(canonical, caller.lease.grant.scopes[caller.server])
        if not isinstance(verdict, Verdict) or verdict.rule.view is not View.IMAGE:
            raise _NotFetched("this address of Plex is no picture of the preview")
        self._counters["forwarded"] += 1
        return await reads.read(verdict.send, {})

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


class _NotFetched(Exception):
    """A picture named by address that is not to be had; the message is for people."""


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise _NotFetched("it is no web address") from error
