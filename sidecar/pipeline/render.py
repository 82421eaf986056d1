"""One render from plan to finished run: shards and grants, Kometa's working directories, the engine, the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sidecar import logs
from sidecar import revision as revisions
from sidecar.engine import Engine
from sidecar.errors import EngineError, StoreError
from sidecar.gateway import Gateway
from sidecar.model import (
    Blob,
    Capture,
    EngineEvent,
    EngineInfo,
    Grant,
    LogLine,
    Outcome,
    OutcomeKind,
    Picture,
    PictureState,
    Problem,
    QuickPicture,
    RenderJob,
    Run,
    RunState,
    Severity,
    Shard,
    Target,
)
from sidecar.pipeline import judge
from sidecar.pipeline.again import joined, new_token, second_attempts
from sidecar.pipeline.art import Art
from sidecar.pipeline.homes import lay_out
from sidecar.pipeline.intake import Intake
from sidecar.pipeline.loop import ASKED
from sidecar.pipeline.plan import Plan
from sidecar.pipeline.reuse import Sorted, Trust, sort_out, sources
from sidecar.pipeline.run import Recorder, Sink, begun, new_run_id
from sidecar.pipeline.runlog import RunLog
from sidecar.pipeline.shards import divide, scopes_for
from sidecar.pipeline.showcase import Showcase
from sidecar.store import Blobs, State
from sidecar.tasks import Spawn

log = logging.getLogger(__name__)

Arrivals = asyncio.Queue[Capture | QuickPicture | None]


class Renderer:
    """Renders plans, one at a time."""

    def __init__(
        self,
        *,
        engine: Engine,
        gateway: Gateway,
        intake: Intake,
        socket: Path,
        blobs: Blobs,
        state: State,
        showcase: Showcase,
        work: Path,
        open_log: Callable[[str], RunLog],
        tell: Callable[[Run], Awaitable[None]],
        spawn: Spawn,
        kometa_home: Path | None,
        shards: int,
        deadline: float,
        phase_deadline: float | None = None,
        memory: int | None = None,
    ) -> None:
        self._engine = engine
        self._gateway = gateway
        self._intake = intake
        self._socket = socket
        self._blobs = blobs
        self._state = state
        self._showcase = showcase
        self._work = work
        self._art = Art(blobs, work)
        self._open_log = open_log
        self._tell = tell
        self._spawn = spawn
        self._kometa_home = kometa_home
        self._shards = shards
        self._deadline = deadline
        self._phase_deadline = phase_deadline
        self._memory = memory
        self._clearing: set[asyncio.Task[None]] = set()

    async def ready(self) -> EngineInfo:
        """Who draws, once it is there, and as it is on the disk. EngineError where it cannot be had."""
        await self._engine.check()
        return self._engine.info or await self._engine.start()

    async def render(self, plan: Plan, fate: Callable[[], RunState]) -> Run:
        """Render ``plan``. The run is stored, shown and told before this returns; EngineError comes after that, and
        StoreError where its pictures could not be kept.
        """
        info = await self.ready()
        # Each part keeps the secrets of the config out of the run: problems and targets hold none.
        begins = datetime.now(UTC)
        parts = await self._sort_out(plan, info, begins)
        reused = {picture.target.id: picture for picture in parts.reused}
        pictures = [reused.get(target.id) or Picture(target=target, state=PictureState.WAITING) for target in plan.targets]
        problems = (*plan.problems, *parts.problems)
        first = begun(new_run_id(begins, self._showcase.newest), plan.change.reason, plan.revision.id, info, pictures, problems)
        seen = plan.change.seen or time.monotonic()
        logs.RUN.set(first.id)
        await self._state.save_run(first)
        self._showcase.begin(first)
        arrivals: Arrivals = asyncio.Queue()
        recorder = Recorder(
            first,
            on_capture=arrivals.put_nowait,
            on_quick=arrivals.put_nowait,
            on_phase=lambda phase: self._showcase.phase(first, phase),
        )
        run_log = self._open_log(first.id)
        try:
            try:
                outcome, shards = await self._work_through(plan, parts.render, recorder, run_log, arrivals)
            except asyncio.CancelledError:
                await self._finish(replace(recorder.run, state=fate()), seen)
                raise
            except Exception as error:  # whatever it was, the run must end, and say so; the loop decides what comes next
                source = "worker" if isinstance(error, EngineError) else "engine"
                problem = Problem(severity=Severity.ERROR, what=str(error), source=source)
                run = replace(recorder.run, state=RunState.FAILED, problems=(*recorder.run.problems, *recorder.notes, problem))
                await self._finish(run, seen)
                raise
            run = await self._finish(await self._verdict(plan, parts, recorder, outcome, shards), seen)
            if recorder.unkept:  # no fault of the config: it is rendered again once there is room
                raise StoreError(recorder.unkept)
            return run
        finally:
            # Not awaited: the render is over, and a change that comes now is not one of it.
            task = self._spawn(self._clear(first.id, run_log), f"clearing up after {first.id}")
            self._clearing.add(task)
            task.add_done_callback(self._clearing.discard)

    async def close(self) -> None:
        """Wait until what ended renders left is put away."""
        if self._clearing:
            await asyncio.wait(self._clearing)

    async def warm(self, plan: Plan) -> None:
        """Render ``plan`` for nobody: what this teaches the worker makes the next render quick. EngineError where it is gone."""
        info = await self.ready()
        if info.kind != "kometa":
            return
        began = time.monotonic()
        at = datetime.now(UTC)
        arrivals: Arrivals = asyncio.Queue()
        run = begun(f"warm-{new_run_id(at)}", plan.change.reason, plan.revision.id, info, (), ())
        recorder = Recorder(run, on_capture=_ignore, on_quick=_ignore, on_phase=_ignore)
        try:
            outcome, _ = await self._work_through(plan, plan.targets, recorder, None, arrivals)
        finally:
            await asyncio.shield(self._clear(run.id, None))
        log.info("the worker is warm: %s in %.2f s", outcome.kind, time.monotonic() - began)

    async def _sort_out(self, plan: Plan, info: EngineInfo, at: datetime) -> Sorted:
        states = {server: self._gateway.state(server) for server in {target.server for target in plan.targets}}
        day = at.astimezone().date()
        ways, lasts = self._gateway.outside
        now = await asyncio.to_thread(sources, plan.revision, plan.preview, plan.meanings, plan.targets, info, states, day, ways)
        heard = {
            server: datetime.fromtimestamp(since, UTC) for server in states if (since := self._gateway.heard_since(server)) is not None
        }
        trust = Trust(heard, timedelta(seconds=lasts))
        return sort_out(plan.targets, now, self._showcase.view.shown, plan.change.reason in ASKED, at, plan.change.libraries, trust=trust)

    # ── the work ─────────────────────────────────────────────────────────────────────────────────────────

    async def _work_through(
        self, plan: Plan, wanted: tuple[Target, ...], recorder: Recorder, run_log: RunLog | None, arrivals: Arrivals
    ) -> tuple[Outcome, tuple[Shard, ...]]:
        run_id = recorder.run.id
        folder = self._work / run_id
        shards = tuple(
            Shard(
                index=index,
                token=new_token(),
                home=folder / str(index),
                targets=targets,
                plex=self._gateway.word(scopes_for(targets, plan.targets, plan.scopes)),
            )
            for index, targets in enumerate(divide(wanted, self._shards))
        )
        job = RenderJob(
            run_id=run_id,
            revision=plan.revision,
            preview=plan.preview,
            shards=shards,
            gateway=self._socket,
            deadline=self._deadline,
            phase_deadline=self._phase_deadline,
            memory=self._memory,
        )

        def report(event: EngineEvent) -> None:
            recorder.hear(event)
            if run_log is not None and isinstance(event, LogLine):
                run_log.write(event)

        tried: dict[int, Shard] = {}
        homes: dict[str, Path] = {}

        async def attempt(shards: tuple[Shard, ...], deadline: float) -> Outcome:
            tried.update({shard.index: shard for shard in shards})
            homes.update({target.id: shard.home for shard in shards for target in shard.targets})
            await lay_out(plan, shards, self._kometa_home)
            with self._granted(plan, shards, recorder):
                return await self._engine.render(replace(job, shards=shards, deadline=deadline), report)

        began = time.monotonic()
        showing = self._spawn(self._show_arrivals(plan, tried, homes, recorder, arrivals), f"pictures of {run_id}")
        try:
            outcome = await attempt(shards, self._deadline) if shards else Outcome(kind=OutcomeKind.FINISHED)
            left = self._deadline - (time.monotonic() - began)
            if again := second_attempts(outcome, shards, folder, left):
                for index in again:
                    recorder.forget(index)
                log.warning("shards %s of run %s died and are rendered once more", ", ".join(map(str, again)), run_id)
                outcome = joined(outcome, await attempt(tuple(again.values()), left), again)
                shards = tuple(again.get(shard.index, shard) for shard in shards)
        finally:
            arrivals.put_nowait(None)
        await showing
        return outcome, shards

    async def _clear(self, run_id: str, run_log: RunLog | None) -> None:
        """Put the log away and take the work folder down: nobody has to wait for that."""
        if run_log is not None:
            await run_log.save()
        await asyncio.to_thread(shutil.rmtree, self._work / run_id, ignore_errors=True)

    @contextlib.contextmanager
    def _granted(self, plan: Plan, shards: tuple[Shard, ...], recorder: Recorder) -> Iterator[None]:
        try:
            for shard in shards:
                grant = Grant(
                    token=shard.token,
                    run_id=recorder.run.id,
                    shard=shard.index,
                    scopes=scopes_for(shard.targets, plan.targets, plan.scopes),
                    placeholders=plan.preview.placeholders,
                    hosts=plan.preview.hosts,
                )
                sink = Sink(recorder, shard.index)
                self._gateway.open(grant, sink)
                self._intake.open(grant, sink)
            yield
        finally:
            for shard in shards:
                self._gateway.close(shard.token)
                self._intake.close(shard.token)

    async def _show_arrivals(
        self, plan: Plan, shards: Mapping[int, Shard], homes: Mapping[str, Path], recorder: Recorder, arrivals: Arrivals
    ) -> None:
        """Show each poster as it comes, with the art under it: first what it will look like, where the worker says so, then itself.

        ``shards`` by index and ``homes`` by ``Target.id``: those of second attempts too, once there are any.
        """
        befores: dict[str, Blob | None] = {}
        seen: dict[str, Blob | None] = {}
        while (arrival := await arrivals.get()) is not None:
            target = recorder.target(arrival)
            blob = arrival.blob if isinstance(arrival, Capture) else None
            if target.id not in homes or (target.id in seen and blob in (None, seen[target.id])):
                continue  # a show that two shards hold, for its seasons' sake, is drawn in both
            seen[target.id] = blob
            if target.id not in befores:
                befores[target.id] = await self._art.before(plan, target, homes[target.id])
            if isinstance(arrival, Capture):
                picture = Picture(target=target, state=PictureState.RENDERED, before=befores[target.id], after=arrival.blob)
            else:
                shard = shards.get(arrival.shard)
                quick = await self._art.quick(shard.home, arrival) if shard else None
                if quick is None:
                    continue
                picture = Picture(target=target, state=PictureState.WAITING, before=befores[target.id], quick=quick)
            self._showcase.picture(recorder.shown(picture), picture)

    # ── the verdict ──────────────────────────────────────────────────────────────────────────────────────

    async def _verdict(self, plan: Plan, parts: Sorted, recorder: Recorder, outcome: Outcome, shards: tuple[Shard, ...]) -> Run:
        kinds = {shard.index: (outcome.ends.get(shard.index) or outcome).kind for shard in shards}
        finished = {target.id: kinds[shard.index] is OutcomeKind.FINISHED for shard in shards for target in shard.targets}
        befores = {picture.target.id: picture.before for picture in recorder.run.pictures if picture.before is not None}
        pictures = judge.pictures_of(parts.render, recorder.captures, recorder.reports.values(), befores, finished)
        filled = []
        for picture in pictures:
            library = (picture.target.server, picture.target.library)
            filled.append(
                replace(
                    picture,
                    before=picture.before or await self._art.of_plex(plan, picture.target),
                    source=parts.source_of(library, recorder.notes),
                    reason=parts.why.get(library, ""),
                    rendered=recorder.run.started,
                )
            )
        state = judge.state_of(outcome, filled)
        if recorder.unkept and state is RunState.DONE:
            state = RunState.FAILED
        last = await self._state.last_good()
        from_log = await asyncio.to_thread(judge.problems_of, recorder.lines, functools.partial(_place, plan))
        problems = (*recorder.run.problems, *recorder.notes, *outcome.problems, *from_log)
        if outcome.kind is not OutcomeKind.FINISHED and outcome.detail and not any(outcome.detail in problem.what for problem in problems):
            problems = (*problems, Problem(severity=Severity.ERROR, what=outcome.detail, source="engine"))
        problems = judge.each_once(problems)
        done = {picture.target.id: picture for picture in (*judge.with_problems(filled, problems), *parts.reused)}
        return replace(
            recorder.run,
            state=state,
            pictures=(*(done[target.id] for target in plan.targets), *plan.gone),
            blocked=recorder.writes,
            problems=problems,
            changed=judge.changed_since(filled, last.pictures if last else ()) if state is RunState.DONE else (),
        )

    async def _finish(self, run: Run, seen: float) -> Run:
        pictures = tuple(replace(p, state=PictureState.FAILED, quick=None) if p.state is PictureState.WAITING else p for p in run.pictures)
        run = replace(run, pictures=pictures, ended=datetime.now(UTC), seconds=round(time.monotonic() - seen, 3))
        dropped = run.state in (RunState.SUPERSEDED, RunState.CANCELLED)
        try:
            if not dropped:  # else the next run waits; its end settles these pictures, too
                await self._blobs.settle()
            await self._state.save_run(run)
        finally:
            self._showcase.end(run)
        if not dropped:
            await self._showcase.flush()
            await self._tell(run)
        log.info("run %s: %s in %.2f s, %d pictures, %d changed", run.id, run.state, run.seconds, len(run.pictures), len(run.changed))
        return run


def _ignore(_event: object) -> None:
    """Of a render for nobody."""


def _place(plan: Plan, line: LogLine) -> tuple[str, int | None] | None:
    """Where what Kometa complains of stands, as far as that is certain: its definition, the file that it reads, the entry that names it."""
    if line.about and (found := revisions.find_definition(plan.documents, line.about, line.text)):
        return found
    if line.entry is not None and line.entry[0] == "file":
        return line.entry[1], revisions.find_part(plan.documents, line.entry[1], line.text)
    if plan.config is None:
        return None
    if line.entry is not None and (found := revisions.find_entry(plan.config, *line.entry)):
        return found
    return revisions.find_variable(plan.config, line.text, line.library) if line.about else None
