"""The sidecar's end of the worker protocol, and what all engines with a worker have in common.

``WorkerLink`` is one connection; it makes no tasks (an asyncio.Protocol is called by the loop). ``WorkerEngine`` is the
Engine over it; who starts the worker, and how it is started anew, is a subclass's.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from renderer.protocol import PROTOCOL, Decoder, ProtocolError, encode
from sidecar import __version__
from sidecar.engine import Report
from sidecar.engine.messages import Problems, end_of, events_of, kind_of, remember, remember_end
from sidecar.errors import EngineAway, EngineError, EngineHung, EngineMismatch, EngineMissing
from sidecar.model import (
    EngineInfo,
    Outcome,
    RenderJob,
    ShardEnd,
)

log = logging.getLogger(__name__)

HELLO_TIMEOUT = 10.0
"""Seconds from connecting to the worker's first message."""
CATALOGUE_TIMEOUT = 10.0
"""Seconds for the worker to read Kometa's own overlay files."""
CANCEL_TIMEOUT = 1.0
"""Seconds that a cancelled render waits for the worker to say so; then the connection is closed, which cancels as well."""
BEAT = 5.0
"""Seconds between pings while a render runs."""
SILENCE = 20.0
"""Seconds without a word, despite pings, after which a worker counts as hung."""
GRACE = 5.0
"""Seconds beyond the job's deadline that the worker has for ending it itself."""
RESTARTS = (0.2, 1.0, 3.0, 10.0, 30.0)
"""Seconds before each attempt to have a worker again after one was lost; afterwards the next render tries."""
Spawn = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[Any]"]
"""Makes and holds a named background task."""


@dataclass
class _Running:
    """A render in progress."""

    id: str
    report: Report
    done: asyncio.Future[dict[str, Any]]
    problems: Problems = field(default_factory=dict)
    ends: dict[int, ShardEnd] = field(default_factory=dict)


class WorkerLink(asyncio.Protocol):
    """One connection to a worker. Made by ``connect``; ``lost`` is called once, when a greeted one ends for whatever reason."""

    def __init__(self, lost: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self._lost = lost
        self._decoder = Decoder()
        self._transport: asyncio.Transport | None = None
        self._greeting: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._closed: asyncio.Future[str] = loop.create_future()
        self._catalogue: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._pong: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._running: _Running | None = None
        self._counter = itertools.count(1)
        self._heard = loop.time()
        self.hello: Mapping[str, Any] = {}

    @classmethod
    async def connect(cls, path: Path, lost: Callable[[], None]) -> WorkerLink:
        """A greeted link to the worker at ``path``. EngineAway where nobody listens, EngineHung where somebody only listens,
        EngineMismatch for another protocol.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(HELLO_TIMEOUT):
                _, link = await loop.create_unix_connection(lambda: cls(lost), str(path))
                try:
                    link.hello = await link.greeted()
                except BaseException:  # cancelled, too: no connection is left open
                    link.abort()
                    raise
        except TimeoutError as error:
            raise EngineHung(f"the worker at {path} does not answer") from error
        except OSError as error:
            raise EngineAway(f"no worker at {path}: {error.strerror or error}") from error
        return link

    async def greeted(self) -> Mapping[str, Any]:
        """The worker's hello; EngineMismatch where it is not one of ours."""
        await self._either(self._greeting, None)
        if not self._greeting.done():
            raise EngineAway(f"the worker closed the connection: {self._closed.result()}")
        hello = self._greeting.result()
        if hello.get("type") != "hello" or hello.get("protocol") != PROTOCOL:
            raise EngineMismatch(
                f"the worker (version {hello.get('worker', 'unknown')}) speaks protocol {hello.get('protocol', 'unknown')}, this sidecar "
                f"speaks {PROTOCOL}: start the worker that came with this sidecar"
            )
        if hello.get("worker") != __version__:
            raise EngineMismatch(
                f"the worker is of version {hello.get('worker', 'unknown')}, this sidecar of {__version__}: start the worker that came "
                "with this sidecar (an image is built anew for that)"
            )
        return hello

    async def catalogue(self) -> Mapping[str, Any]:
        """What Kometa brings with it: see ``catalogue`` in renderer.protocol. EngineAway where the worker does not say."""
        if not self._catalogue.done():
            self._send({"type": "catalogue"})
            await self._either(self._catalogue, CATALOGUE_TIMEOUT)
        if not self._catalogue.done():
            raise EngineAway("the worker does not say which overlay files Kometa has")
        return self._catalogue.result()

    async def check(self) -> None:
        """Close the link to an idle worker that says nothing for SILENCE. A render looks for itself.

        A worker whose Kometa was changed on the disk ends instead of answering. May be called again while it waits.
        """
        if self._running is not None or not self.alive:
            return
        if self._pong.done():
            self._pong = asyncio.get_running_loop().create_future()
        pong = self._pong
        self._send({"type": "ping", "n": next(self._counter)})
        await self._either(pong, SILENCE)
        if not pong.done() and self._running is None and self.alive:
            log.warning("the worker hangs: it does not answer")
            self.abort()

    @property
    def alive(self) -> bool:
        return not self._closed.done()

    def info(self, via: str) -> EngineInfo:
        """Who draws, from the worker's hello."""
        text = {key: str(self.hello.get(key, "")) for key in ("kometa", "build", "python", "pillow", "layout", "network")}
        speedups = self.hello.get("speedups")
        return EngineInfo(
            kind="kometa",
            via=via,
            version=text["kometa"],
            build=text["build"],
            python=text["python"],
            pillow=text["pillow"],
            layout=text["layout"],
            network=text["network"],
            speedups={str(key): str(value) for key, value in speedups.items()} if isinstance(speedups, dict) else {},
        )

    async def render(self, job: RenderJob, report: Report, where: Callable[[Path], str] = str) -> Outcome:
        """Render ``job``; ``where`` is a path as the worker sees it. EngineAway where the worker dies, hangs or refuses.

        Cancelling ends the render in the worker: it answers within milliseconds, and is waited for CANCEL_TIMEOUT.
        """
        if self._running is not None:
            raise EngineError("the worker is already rendering")
        loop = asyncio.get_running_loop()
        running = _Running(id=f"{job.run_id}.{next(self._counter)}", report=report, done=loop.create_future())
        self._running = running
        started = loop.time()
        try:
            self._send(
                {
                    "type": "render",
                    "id": running.id,
                    "gateway": where(job.gateway),
                    "deadline": job.deadline,
                    "shards": [
                        {"index": shard.index, "home": where(shard.home), "token": shard.token, "plex": shard.plex} for shard in job.shards
                    ],
                    "options": {"phase_deadline": job.phase_deadline, "memory": job.memory},
                }
            )
            done = await self._wait(running, started + job.deadline + GRACE)
        except asyncio.CancelledError:
            await self._cancel(running)
            raise
        finally:
            self._running = None
        seconds = done.get("seconds")
        return Outcome(
            kind=kind_of(done),
            detail=str(done.get("detail", "")),
            problems=tuple(running.problems.values()),
            seconds=float(seconds) if isinstance(seconds, (int, float)) else loop.time() - started,
            ends=running.ends,
        )

    async def _wait(self, running: _Running, until: float) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        self._heard = loop.time()
        while True:
            await self._either(running.done, BEAT)
            if running.done.done():
                return running.done.result()
            if self._closed.done():
                raise EngineAway(f"the worker went away in the middle of a render: {self._closed.result()}")
            if loop.time() > until or loop.time() - self._heard > SILENCE:
                self.abort()
                raise EngineAway("the worker hangs: it neither renders nor answers")
            self._send({"type": "ping", "n": next(self._counter)})

    async def _cancel(self, running: _Running) -> None:
        self._send({"type": "cancel", "id": running.id})
        with contextlib.suppress(asyncio.CancelledError):  # cancelled twice: the first one is under way
            await self._either(running.done, CANCEL_TIMEOUT)
        if not running.done.done():
            self.abort()

    async def _either(self, answer: asyncio.Future[dict[str, Any]], timeout: float | None) -> None:  # noqa: ASYNC109  # seconds of one wait
        """Wait until ``answer`` is there, the link has ended, or the time is up."""
        waiting: set[asyncio.Future[Any]] = {answer, self._closed}
        await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)

    def shutdown(self) -> None:
        """Ask the worker to end."""
        self._send({"type": "shutdown"})

    def abort(self) -> None:
        """Close at once; the worker takes that as a cancel."""
        if self._transport is not None:
            self._transport.abort()

    def _send(self, message: dict[str, Any]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode(message))

    # ── called by the loop ───────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._heard = asyncio.get_running_loop().time()
        try:
            for message in self._decoder.feed(data):
                self._message(message)
        except ProtocolError as error:
            log.warning("the worker sent nonsense: %s", error)
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closed.done():
            self._closed.set_result(str(exc) if exc else "it ended")
            if self.hello:  # a link that was never made is its maker's error, not a loss
                self._lost()

    def _message(self, message: dict[str, Any]) -> None:
        if not self._greeting.done():
            self._greeting.set_result(message)
            return
        if message["type"] == "catalogue":
            if not self._catalogue.done():
                self._catalogue.set_result(message)
            return
        if message["type"] == "pong":
            if not self._pong.done():
                self._pong.set_result(message)
            return
        running = self._running
        if running is None or message.get("id") != running.id:
            return  # the tail of a render that was cancelled
        kind = message["type"]
        if kind in ("done", "refused"):
            if not running.done.done():
                running.done.set_result(message)
        elif kind == "shard" and isinstance(index := message.get("shard"), int):
            running.ends[index] = end_of(message)
            remember_end(running.problems, running.ends[index])
        for event in events_of(message):
            remember(running.problems, event)
            try:
                running.report(event)
            except Exception:  # a listener's fault must not cut the connection to the worker
                log.exception("a listener failed on %s", event)


class WorkerEngine(ABC):
    """An Engine whose drawing is done by a worker on a unix socket. Subclasses say how a worker comes to listen there.

    ``where`` is a path of this process as the worker sees it. ``spawn`` makes the task that gets a worker back after one was lost.
    """

    def __init__(self, socket: Path, *, via: str, spawn: Spawn, where: Callable[[Path], str] = str) -> None:
        self._socket = socket
        self._via = via
        self._spawn = spawn
        self._where = where
        self._link: WorkerLink | None = None
        self._lock = asyncio.Lock()
        self._stopping = False
        self.starts = 0
        """How often a worker was started or reached anew."""
        self._turn = asyncio.Event()

    async def turned(self) -> None:
        """See Engine."""
        await self._turn.wait()

    def _mark_turn(self) -> None:
        """Wake whoever waits for a turn; the next one is another event's."""
        self._turn.set()
        self._turn = asyncio.Event()

    @property
    def info(self) -> EngineInfo | None:
        return self._link.info(self._via) if self._link is not None and self._link.alive else None

    async def start(self) -> EngineInfo:
        """Have a worker and be connected to it. EngineMissing, EngineMismatch or EngineAway."""
        async with self._lock:
            self._stopping = False
            if self._link is None or not self._link.alive:
                self._link = await self._reach()
                self.starts += 1
                self._mark_turn()
            return self._link.info(self._via)

    async def render(self, job: RenderJob, report: Report) -> Outcome:
        """See Engine. A worker that went away before is started anew first."""
        if self.info is None:
            await self.start()
        assert self._link is not None
        return await self._link.render(job, report, self._where)

    async def check(self) -> None:
        """See Engine."""
        if self._link is not None:
            await self._link.check()

    async def stop(self) -> None:
        self._stopping = True
        async with self._lock:
            await self._leave(self._link)
            self._link = None

    @abstractmethod
    async def _reach(self) -> WorkerLink:
        """A link to a living worker, started where that is this engine's part."""

    @abstractmethod
    async def _leave(self, link: WorkerLink | None) -> None:
        """End the link, and the worker where that is this engine's part."""

    def _lost(self) -> None:
        """The link ended. Called on the loop."""
        self._mark_turn()
        if not self._stopping:
            log.warning("the worker is gone; getting it back")
            self._spawn(self._replace(), "engine: replace the worker")

    async def _replace(self) -> None:
        """Try to have a worker again, a bounded number of times."""
        for number, pause in enumerate(RESTARTS, 1):
            await asyncio.sleep(pause)
            if self._stopping:
                return
            try:
                await self.start()
            except EngineMissing as error:
                log.error("no worker: %s", error)  # the message is whole; a traceback would add nothing
                return
            except EngineError as error:
                log.warning("attempt %d of %d to replace the worker failed: %s", number, len(RESTARTS), error)
            else:
                return
        log.error("the worker could not be replaced; the next render tries again")
