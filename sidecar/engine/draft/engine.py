"""The draft as an engine: it reads the revision, asks Plex (read-only, through ``ItemSource``) and draws in threads or processes."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import platform
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol
from xml.etree.ElementTree import Element

import PIL
from PIL import features

from sidecar import __version__
from sidecar.engine import Report
from sidecar.engine.draft import art
from sidecar.engine.draft.compiled import BEYOND, Compiled, compile_library, kind_of
from sidecar.engine.draft.compose import DrawError, Drawn, has_overlay, render
from sidecar.engine.draft.decide import Decision, decide
from sidecar.engine.draft.facts import Facts, read_facts
from sidecar.engine.draft.match import tags_of
from sidecar.engine.draft.resources import Shelf
from sidecar.errors import EngineAway, EngineError, SidecarError
from sidecar.model import (
    EngineInfo,
    Level,
    LogLine,
    Outcome,
    OutcomeKind,
    OverlayReport,
    Phase,
    Problem,
    RenderJob,
    Severity,
    Shard,
    Target,
)

Deliver = Callable[[str, str, int, bytes], Awaitable[None]]
"""Takes a picture as if it had been uploaded: grant token, server, rating key, bytes."""

_READS: Final = 8
"""Requests to Plex under way at once."""


class ItemSource(Protocol):
    """Plex, read-only; the app gives it. PlexError where an item cannot be had. Both have timeouts of their own."""

    async def metadata(self, server: str, rating_key: int) -> Element:
        """The ``<Video>`` or ``<Directory>`` element of ``/library/metadata/RK``, with Media, Part, Stream, Label, Genre, Rating."""
        ...

    async def art(self, server: str, rating_key: int) -> bytes:
        """The current poster's bytes."""
        ...


class DraftEngine:
    """Our own compositor as an :class:`sidecar.engine.Engine`. Its pictures are never shown as Kometa's.

    ``processes``: worker processes; None draws in threads of this process, one per core (Pillow lets go of the GIL for
    nearly all of its work). ``kometa_home``: a Kometa checkout whose fonts may be used.
    """

    def __init__(self, items: ItemSource, deliver: Deliver, processes: int | None = None, kometa_home: Path | None = None) -> None:
        self._items = items
        self._deliver = deliver
        self._processes = processes
        self._kometa_home = kometa_home
        self._executor: Executor | None = None
        self._info: EngineInfo | None = None

    @property
    def info(self) -> EngineInfo | None:
        return self._info

    @property
    def starts(self) -> int:
        """There is no worker to lose."""
        return int(self._info is not None)

    async def check(self) -> None:
        """There is no worker to hang."""

    async def turned(self) -> None:
        """Never: there is no worker to come or go."""
        await asyncio.Event().wait()

    async def start(self) -> EngineInfo:
        """Ready to draw; nothing that can be missing."""
        if self._executor is None:
            if self._processes is None:
                self._executor = ThreadPoolExecutor(len(os.sched_getaffinity(0)), "draft")
            else:
                # spawn: a fork of a process with threads may hang, and forkserver is no quicker for so few workers
                self._executor = ProcessPoolExecutor(self._processes, multiprocessing.get_context("spawn"))
        self._info = EngineInfo(
            kind="draft",
            via="draft",
            version=__version__,
            python=platform.python_version(),
            pillow=PIL.__version__,
            layout="raqm" if features.check("raqm") else "basic",
        )
        return self._info

    async def render(self, job: RenderJob, report: Report) -> Outcome:
        """Draw every target that an overlay matches. EngineAway where a worker process died."""
        if self._executor is None:
            raise EngineAway("the draft engine is not started")
        started = time.monotonic()
        work = _Render(job, report, self._items, self._deliver, self._executor, self._kometa_home)
        kind, detail = OutcomeKind.FINISHED, ""
        try:
            async with asyncio.timeout(job.deadline):
                await work.run()
        except TimeoutError:
            kind, detail = OutcomeKind.DEADLINE, f"not done after {job.deadline:g} s"
        except BrokenProcessPool as error:
            await self.stop()
            raise EngineAway("a worker process of the draft died") from error
        if kind is OutcomeKind.FINISHED and work.failures and not work.delivered:
            kind, detail = OutcomeKind.FAILED, work.failures[0]
        return Outcome(kind=kind, detail=detail, problems=tuple(work.problems), seconds=time.monotonic() - started)

    async def stop(self) -> None:
        """End the workers. What is being drawn ends with its item; what waits is dropped."""
        executor, self._executor, self._info = self._executor, None, None
        if executor is not None:
            await asyncio.to_thread(executor.shutdown, wait=True, cancel_futures=True)


@dataclass
class _Render:
    """One render under way."""

    job: RenderJob
    report: Report
    items: ItemSource
    deliver: Deliver
    executor: Executor
    kometa_home: Path | None
    problems: list[Problem] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    delivered: int = 0
    reads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_READS))
    seen: dict[tuple[str, int], asyncio.Future[Element]] = field(default_factory=dict)

    async def run(self) -> None:
        for shard in self.job.shards:
            self.report(Phase(name="start", shard=shard.index))
        for shard in self.job.shards:
            self.report(Phase(name="compile", shard=shard.index))
        libraries = await asyncio.to_thread(self._compile)
        for compiled in libraries.values():
            self.problems.extend(compiled.problems)
        gathered: list[tuple[Compiled, Facts]] = []
        await _together(self._shard(shard, libraries, gathered) for shard in self.job.shards)
        self.problems.extend(_doubts(gathered))

    def _compile(self) -> dict[tuple[str, str], Compiled]:
        """By (server, library): the overlay files of every library that has targets."""
        now = datetime.now(UTC).astimezone().replace(tzinfo=None)
        revision = self.job.revision
        shelf = Shelf(revision.root, revision.files, self.kometa_home)
        result = {}
        for plan in revision.libraries:
            levels = [target.level for target in self.job.targets if (target.server, target.library) == (plan.server, plan.name)]
            if levels:
                result[plan.server, plan.name] = compile_library(self.job.preview.data, plan, kind_of(levels), shelf, now)
        return result

    async def _shard(self, shard: Shard, libraries: dict[tuple[str, str], Compiled], gathered: list[tuple[Compiled, Facts]]) -> None:
        self.report(Phase(name="draw", shard=shard.index, detail=f"{len(shard.targets)} items"))
        await _together(self._target(shard, target, libraries.get((target.server, target.library)), gathered) for target in shard.targets)
        self.report(Phase(name="finish", shard=shard.index))

    async def _target(self, shard: Shard, target: Target, compiled: Compiled | None, gathered: list[tuple[Compiled, Facts]]) -> None:
        if compiled is None:
            self._fail(shard, target, f"the config has no overlays for the library '{target.library}'")
            return
        try:
            facts = await self._facts(target)
            gathered.append((compiled, facts))
            decision = decide(compiled, facts)
            await self._draw(shard, target, compiled, facts, decision)
        except (SidecarError, OSError, DrawError) as error:
            if isinstance(error, EngineError):
                raise
            self._fail(shard, target, str(error))

    async def _draw(self, shard: Shard, target: Target, compiled: Compiled, facts: Facts, decision: Decision) -> None:
        self._say_beyond(target, decision)
        if decision.failed:
            self._report(target, decision, None)
            self._fail(shard, target, f"{decision.failed}; Kometa fails on the item too")
            return
        if compiled.removes or decision.order is None:
            self._report(target, decision, None)
            reason = "remove_overlays is set: Kometa draws none" if compiled.removes else "no overlay that the draft draws matches"
            self._log(shard, "INFO", f"{target.label}: {reason}")
            return
        base = await self._base(target, compiled, facts)
        # The executor is this engine's own; a cancelled render drops what waits, and what runs ends within one item.
        drawn = await asyncio.get_running_loop().run_in_executor(self.executor, render, base, decision.order)
        self._report(target, decision, drawn)
        await self.deliver(shard.token, target.server, target.rating_key, drawn.data)
        self.delivered += 1
        self._log(shard, "INFO", f"{target.label}: {', '.join(str(about['name']) for about in decision.applied) or 'nothing to draw'}")

    async def _facts(self, target: Target) -> Facts:
        element = await self._metadata(target.server, target.rating_key)
        show = season = None
        if target.level in (Level.SEASON, Level.EPISODE):
            keys = [int(key) for key in (element.get("parentRatingKey"), element.get("grandparentRatingKey")) if key and key.isdigit()]
            above = [await self._metadata(target.server, key) for key in keys]
            show = read_facts(above[-1], "show") if above else None
            season = read_facts(above[0], "season") if len(above) > 1 else None
        return read_facts(element, target.level.value, show=show, season=season)

    async def _metadata(self, server: str, rating_key: int) -> Element:
        """Each item is asked for once per render; the first to want it asks for all."""
        key = (server, rating_key)
        known = self.seen.get(key)
        if known is not None:
            return await asyncio.shield(known)
        waiting = self.seen[key] = asyncio.get_running_loop().create_future()
        try:
            async with self.reads:
                element = await self.items.metadata(server, rating_key)
        except asyncio.CancelledError:
            waiting.cancel()
            raise
        except Exception as error:  # whatever it is, those who wait for it get it too
            waiting.set_exception(error)
            waiting.exception()  # marks it as seen: nobody else may be waiting
            raise
        waiting.set_result(element)
        return element

    async def _base(self, target: Target, compiled: Compiled, facts: Facts) -> bytes:
        """The picture to draw on. OSError or PlexError where it cannot be had, EngineError never."""
        revision = self.job.revision
        path = await asyncio.to_thread(art.asset_of, revision, compiled.plan, target, facts)
        if path is None and facts.overlaid and not compiled.resets:
            path = await asyncio.to_thread(art.backup_of, revision, compiled.plan, target)
        if path is not None:
            return await asyncio.to_thread(path.read_bytes)
        async with self.reads:
            data = await self.items.art(target.server, target.rating_key)
        if await asyncio.to_thread(has_overlay, data):
            what = "its poster already has overlays on it, and there is no original in the revision"
            raise OSError(what if facts.overlaid else f"{what}; Kometa refuses the item too, as it lacks the label Overlay")
        if facts.overlaid:
            why = "reset_overlays is set" if compiled.resets else "it has the label Overlay and no backup of the original"
            self._problem(target, Severity.WARNING, f"{why}: Kometa draws on another of its posters, the draft on the current one")
        return data

    def _say_beyond(self, target: Target, decision: Decision) -> None:
        if decision.beyond:
            names = ", ".join(f"'{name}'" for name in decision.beyond)
            self._problem(target, Severity.WARNING, f"{BEYOND}: {names}")

    def _report(self, target: Target, decision: Decision, drawn: Drawn | None) -> None:
        applied = []
        boxes = iter(drawn.boxes if drawn else ())
        for about in decision.applied if drawn else ():
            box = None if about["kind"] == "blur" else next(boxes, None)
            applied.append({**about, "box": list(box)} if box else about)
        self.report(OverlayReport(server=target.server, rating_key=target.rating_key, applied=tuple(applied), left_out=decision.left_out))

    def _fail(self, shard: Shard, target: Target, why: str) -> None:
        self.failures.append(f"{target.label}: {why}")
        self._problem(target, Severity.ERROR, why)
        self._log(shard, "ERROR", f"{target.label}: {why}")

    def _problem(self, target: Target, severity: Severity, what: str) -> None:
        self.problems.append(Problem(severity=severity, what=f"{target.label}: {what}", source="engine", target=target.id))

    def _log(self, shard: Shard, level: str, text: str) -> None:
        self.report(LogLine(level=level, text=text, shard=shard.index, source="draft"))


async def _together(jobs: Iterable[Awaitable[None]]) -> None:
    """Run all; the first failure cancels the rest and is raised as it is, not in a group."""
    try:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(_awaited(job))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _awaited(job: Awaitable[None]) -> None:
    await job


def _doubts(gathered: list[tuple[Compiled, Facts]]) -> list[Problem]:
    """Values that no target has: Kometa refuses an overlay where no item of the library has them, the draft draws it."""
    problems = []
    for compiled in {id(compiled): compiled for compiled, _ in gathered}.values():
        facts = [own for other, own in gathered if other is compiled]
        known = [*facts, *(above for own in facts for above in (own.show, own.season) if above)]
        for definition in compiled.definitions:
            for where, value in definition.doubts:
                name = where.rpartition(".")[2]
                if not any(value.lower() in tags_of(name, own) for own in known):
                    problems.append(
                        Problem(
                            severity=Severity.WARNING,
                            what=f"{where}: no target has '{value}' (overlay '{definition.name}'); if no item of the library has, "
                            "Kometa refuses the overlay, and the draft draws it",
                            file=definition.file,
                            line=definition.line,
                            source="engine",
                        )
                    )
    return problems
