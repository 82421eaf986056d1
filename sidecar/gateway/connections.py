"""Kept connections to one Plex server, for its short answers.

aiohttp's client takes longer over a short answer than Plex itself, and a render waits for hundreds of them, one after the
other. So these reads have a client of their own: exact bytes out, whole bounded bodies back. It follows no redirects,
knows no cookies or proxies, and a connection that says more than it was asked is not used again.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from typing import Final

from yarl import URL

from sidecar.gateway.http1 import Answer, NotHttp, Reader, TooLong, fields, question

MOST: Final = 32
"""Connections at a time."""
OPENED: Final = 2
"""Connections made for one read at most."""
KEPT: Final = 15.0
"""Seconds for which an idle connection is kept."""


class CutOff(Exception):
    """The connection ended before the answer did. ``begun``: whether any of it had come."""

    def __init__(self, *, begun: bool) -> None:
        super().__init__("the connection ended before the answer did")
        self.begun = begun


class Connections:
    """Connections to the origin of ``base``, at most ``MOST``. After ``close`` none is kept any more.

    ``headers`` go with every request. Seconds: ``connect`` for a connection to be made, ``silence`` without a byte of the
    answer, ``total`` for all of it. ``verify``: whether the server's certificate must be a valid one. ValueError: a header
    that none can be.
    """

    def __init__(self, base: URL, headers: Mapping[str, str], *, verify: bool, connect: float, silence: float, total: float) -> None:
        self._base = base
        self._said = fields({"Host": base.host_port_subcomponent or "", **headers})
        self._verify = verify
        self._connect = connect
        self._silence = silence
        self._total = total
        self._idle: list[_Wire] = []
        self._every: set[_Wire] = set()
        self._turn = asyncio.Semaphore(MOST)
        self._context: ssl.SSLContext | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self._closed = False

    async def get(self, target: str, headers: Mapping[str, str], *, most: int) -> Answer:
        """The answer to a GET of ``target`` (path and query, as they go on the wire), its body at most ``most`` bytes.

        OSError (ssl.SSLError among them): not reachable. TimeoutError, CutOff, NotHttp, TooLong; ValueError as ``question``.
        """
        asked = question(target, self._said + fields(headers))
        loop = asyncio.get_running_loop()
        until = loop.time() + self._total
        async with asyncio.timeout_at(until) if self._turn.locked() else contextlib.nullcontext():
            await self._turn.acquire()
        try:
            opened = 0
            while True:
                wire = self._kept()
                if wire is None:
                    wire, opened = await self._open(), opened + 1
                try:
                    return await self._ask(wire, asked, most, until)
                except CutOff as error:
                    # One that was ended while it was idle is no fault, and neither is a first: a GET may be sent again (RFC 9112, 9.3.1).
                    if error.begun or opened == OPENED or self._closed:
                        raise
        finally:
            self._turn.release()

    async def close(self) -> None:
        """Ends every connection. What is still read is CutOff."""
        self._closed = True
        if self._sweeping:
            self._sweeping.cancel()
            self._sweeping = None
        self._idle.clear()
        every = tuple(self._every)
        for wire in every:
            wire.end()
        for wire in every:
            await wire.lost.wait()

    def _kept(self) -> _Wire | None:
        """An idle connection that can be used, the one used last first."""
        while self._idle:
            wire = self._idle.pop()
            if wire.usable:
                return wire
        return None

    async def _ask(self, wire: _Wire, asked: bytes, most: int, until: float) -> Answer:
        answer = await wire.ask(asked, most, self._silence, until)
        if answer.last or self._closed or not wire.usable:
            wire.end()
        else:
            loop = asyncio.get_running_loop()
            wire.idle_since = loop.time()
            self._idle.append(wire)
            self._sweeping = self._sweeping or loop.call_later(KEPT, self._sweep)
        return answer

    def _sweep(self) -> None:
        """Ends what was idle for long."""
        loop = asyncio.get_running_loop()
        old = [wire for wire in self._idle if loop.time() - wire.idle_since >= KEPT]
        for wire in old:
            wire.end()
        self._idle = [wire for wire in self._idle if wire.usable]
        self._sweeping = loop.call_later(KEPT, self._sweep) if self._idle else None

    async def _open(self) -> _Wire:
        secure = self._base.scheme == "https"
        if secure and self._context is None:
            self._context = await asyncio.to_thread(_context, verify=self._verify)  # it reads the system's certificates
        async with asyncio.timeout(self._connect):
            _, wire = await asyncio.get_running_loop().create_connection(
                lambda: _Wire(self._every),
                self._base.raw_host or "",
                self._base.port or 0,
                ssl=self._context if secure else None,
                happy_eyeballs_delay=0.25,
            )
        return wire


def _context(*, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _Wire(asyncio.Protocol):
    """One connection, one answer at a time."""

    def __init__(self, every: set[_Wire]) -> None:
        """``every``: where it stands while it is connected."""
        self.idle_since = 0.0
        self.lost = asyncio.Event()
        self._every = every
        self.usable = False
        """Whether a request can be sent."""
        self._loop = asyncio.get_running_loop()
        self._reader = Reader(0)
        self._waiting: asyncio.Future[Answer] | None = None
        self._heard = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def ask(self, asked: bytes, most: int, silence: float, until: float) -> Answer:
        """Sends a request; its answer. Where that fails or is cancelled the connection ends. ``until``: of the loop's time."""
        self._reader = Reader(most)
        waiting: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting = waiting
        self._heard = self._loop.time()
        self._silence, self._until = silence, until
        if self._timer is None:  # one that was set for an answer before this one looks after this one as well
            self._timer = self._loop.call_at(min(self._heard + silence, until), self._listen)
        self._transport.write(asked)
        try:
            return await waiting
        except BaseException:  # a cancelled reader's, too: what is still to come is nobody's
            self.end()
            raise
        finally:
            self._waiting = None

    def end(self) -> None:
        """Ends the connection."""
        self.usable = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._every.add(self)
        self.usable = True

    def data_received(self, data: bytes) -> None:
        waiting = self._waiting
        if waiting is None or waiting.done():  # nobody asked: it must not become the answer to what is asked next
            self.end()
            return
        self._heard = self._loop.time()
        try:
            answer = self._reader.feed(data)
        except (NotHttp, TooLong) as error:
            waiting.set_exception(error)
            return
        if answer:
            waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        if self._timer:
            self._timer.cancel()
        self._every.discard(self)
        self.lost.set()
        if self._waiting and not self._waiting.done():
            answer = None if exc else self._reader.end()
            if answer:
                self._waiting.set_result(answer)
            else:
                self._waiting.set_exception(CutOff(begun=self._reader.begun))

    def _listen(self) -> None:
        """Gives up where nothing came for so long, or it takes too long altogether; else looks again when that could be."""
        self._timer = None
        if self._waiting is None or self._waiting.done():
            return
        then = min(self._heard + self._silence, self._until)
        if then > self._loop.time():
            self._timer = self._loop.call_at(then, self._listen)
        else:
            self._waiting.set_exception(TimeoutError())
