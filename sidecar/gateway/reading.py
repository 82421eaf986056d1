"""Reads of a renderer: answered by Plex or from the cache, cut to what the grant may see."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web

from sidecar.gateway import wire
from sidecar.gateway.answers import MOST_KEPT, Recent
from sidecar.gateway.cache import Entry
from sidecar.gateway.canonical import Canonical
from sidecar.gateway.narrow import Levels, with_keys
from sidecar.gateway.plex import passed_on
from sidecar.gateway.policy import Verdict, View
from sidecar.gateway.reads import HIT, PlexReads
from sidecar.gateway.scope import EMPTY, Garbled, Page, cut, cut_listing
from sidecar.gateway.sound import Tags
from sidecar.model import Scope

CUTS: Final = 32 * 1024 * 1024
"""Bytes of cut answers held in memory: parsing is what a repeated read would cost."""

TURN: Final = 3.0
"""Seconds for which a picture is waited for that somebody else asks for."""

_START: Final = "X-Plex-Container-Start"
_SIZE: Final = "X-Plex-Container-Size"
_PASSED: Final = ("Content-Type", "Content-Length", "Content-Encoding", "Last-Modified", "ETag")
_KEPT: Final = ("Content-Type", "Last-Modified", "ETag")

_PAGED: Final = frozenset({View.LISTING, View.CHILDREN})

_Read = Callable[[Canonical, Mapping[str, str]], Awaitable[bytes]]


class Reading:
    """Answers reads that stand in the table. Errors as :meth:`PlexClient.read`, and Garbled."""

    def __init__(self, counters: Counter[str]) -> None:
        self._counters = counters
        self._levels = Levels()
        self._tags = Tags()
        self._cuts: Recent[tuple[float, bytes]] = Recent(CUTS, lambda cut: len(cut[1]) + 500)

    async def cut(self, request: web.BaseRequest, reads: PlexReads, verdict: Verdict, scope: Scope) -> web.Response:
        """An answer in XML, cut to ``scope``."""
        headers = passed_on(request.headers)
        key = reads.key(verdict.send, headers)
        place = (key, verdict.rule.view, scope)
        known = self._cuts.get(place) if key else None
        if key and known and 0 <= (age := time.monotonic() - known[0]) <= key.age:
            self._counters[HIT] += 1
            return wire.xml(known[1], key.age - age)
        now, asked = time.time(), [time.time()]
        parts: list[tuple[Canonical, Mapping[str, str]]] = []

        async def read(request: Canonical, headers: Mapping[str, str]) -> bytes:
            parts.append((request, headers))
            entry = await reads.dated(request, headers, key if request is verdict.send else None)
            asked.append(entry.stored)
            return entry.body

        try:
            data = await self._cut(headers, read, reads, verdict, scope)
        except Garbled:  # one of them is no answer, and none of them is to be believed for it
            for part in parts:
                await reads.forget(*part)
            raise
        age = max(0.0, now - min(asked))  # it is as old as the oldest part that it was made of
        if key:
            self._cuts.put(place, (time.monotonic() - age, data))
        self._counters["answered" if data is EMPTY else "forwarded"] += 1
        return wire.xml(data, key.age - age if key else 0.0)

    async def _cut(self, headers: Mapping[str, str], read: _Read, reads: PlexReads, verdict: Verdict, scope: Scope) -> bytes:
        view = verdict.rule.view
        if view not in _PAGED:
            return cut(await read(verdict.send, headers), view, scope, self._tags)
        page = _page(verdict.send, headers)
        whole = verdict.send.without(_START, _SIZE)
        if view is View.LISTING and verdict.section is not None:
            narrowed = await self._levels.narrowed(whole, reads, verdict.section, scope, lambda request: read(request, {}))
            if narrowed and not narrowed.keys:
                return EMPTY
            whole = with_keys(whole, narrowed.field, narrowed.keys) if narrowed else whole

        async def source(start: int, size: int) -> bytes:
            return await read(whole, {**headers, _START.lower(): str(start), _SIZE.lower(): str(size)})

        return await cut_listing(source, scope, page, subtree=view is View.CHILDREN)

    async def picture(self, request: web.BaseRequest, reads: PlexReads, verdict: Verdict) -> web.StreamResponse:
        """A picture, passed on as it comes."""
        key = reads.picture_key(verdict.send)
        if key is None:
            return await self._stream(request, reads, verdict, _Taken(whole=False))
        alone = reads.alone(key)
        try:
            async with asyncio.timeout(TURN):
                await alone.acquire()
        except TimeoutError:  # whoever asks for it does not read what comes: nobody else need wait for that
            return await self._stream(request, reads, verdict, _Taken(whole=False))
        try:
            known = await reads.recall(key)
            if known is None:
                taken, asked = _Taken(), time.time()
                response = await self._stream(request, reads, verdict, taken)
                if taken.whole:
                    kept = tuple((name, response.headers[name]) for name in _KEPT if name in response.headers)
                    await reads.keep(key, Entry(200, kept, bytes(taken.data), asked))
                return response
        finally:
            alone.release()
        self._counters[HIT] += 1
        return web.Response(body=known.body, headers=dict(known.headers))

    async def _stream(self, request: web.BaseRequest, reads: PlexReads, verdict: Verdict, taken: _Taken) -> web.StreamResponse:
        async with reads.client.stream(verdict.send, request.headers) as upstream:
            self._counters["forwarded"] += 1
            response = web.StreamResponse(headers={name: upstream.headers[name] for name in _PASSED if name in upstream.headers})
            known = "Content-Length" in upstream.headers or "Transfer-Encoding" in upstream.headers
            if not known or (upstream.content_length or 0) > MOST_KEPT or "Content-Encoding" in upstream.headers:
                taken.whole = False  # what ends with its connection may have been cut short
            arrived = await wire.stream(request, upstream, response, taken.take)
            taken.whole &= arrived
            return response


class _Taken:
    """A body seen in passing, as long as it is not too long to be kept."""

    def __init__(self, *, whole: bool = True) -> None:
        self.data = bytearray()
        self.whole = whole

    def take(self, chunk: bytes) -> None:
        """The next part."""
        if self.whole and len(self.data) + len(chunk) <= MOST_KEPT:
            self.data += chunk
        else:
            self.whole, self.data = False, bytearray()


def _page(request: Canonical, headers: Mapping[str, str]) -> Page:
    """The page that Kometa asked for, by header or by query."""
    start = (request.values(_START) or [headers.get(_START.lower(), "")])[0]
    size = (request.values(_SIZE) or [headers.get(_SIZE.lower(), "")])[0]
    return Page(int(start) if re.fullmatch("[0-9]{1,10}", start) else 0, int(size) if re.fullmatch("[0-9]{1,10}", size) else None)
