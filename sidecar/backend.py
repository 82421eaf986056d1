"""What the API is told and may ask: reads of the state and the logs, and a word to the pipeline."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from sidecar.model import Change, Health, LogLine, Problem, Run, RunBrief, RunState
from sidecar.pipeline import Pipeline
from sidecar.pipeline.runlog import Numbered, RunLogs
from sidecar.review import Decision, Moment, RunReview, Standing
from sidecar.store import State

T = TypeVar("T")

KEPT: Final = 16
"""Ended runs, and their reviews, kept in memory: pages ask several things of one run, and reading a big one takes a while."""


class Archive:
    """``Source`` of :mod:`sidecar.web.api`."""

    def __init__(
        self,
        *,
        state: State,
        logs: RunLogs,
        status: Callable[[], Mapping[str, object]],
        health: Callable[[], Sequence[Health]],
        problems: Callable[[], Sequence[Problem]],
        current: Callable[[], Run | None] = lambda: None,
    ) -> None:
        """``current`` gives the run in progress as it is now: the state knows it only as it began."""
        self._state = state
        self._logs = logs
        self._status = status
        self._health = health
        self._problems = problems
        self._current = current
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._reviews: OrderedDict[str, RunReview] = OrderedDict()

    def status(self) -> Mapping[str, object]:
        return self._status()

    def health(self) -> Sequence[Health]:
        return self._health()

    def problems(self) -> Sequence[Problem]:
        return self._problems()

    async def briefs(self, limit: int, before: str | None, state: RunState | None) -> Sequence[RunBrief]:
        return await self._state.briefs(limit, before, state)

    async def run(self, run_id: str) -> Run | None:
        """An ended run never changes: it is read once, as long as it is asked for."""
        current = self._current()
        if current is not None and current.id == run_id:
            return current
        run = self._runs.get(run_id)
        if run is not None and not await self._state.knows(run_id):  # forgotten meanwhile
            self._runs.pop(run_id, None)
            return None
        run = run or await self._state.run(run_id)
        return _kept(self._runs, run_id, run) if run is not None and run.state.final else run

    async def known(self, run_id: str) -> bool:
        return await self._state.knows(run_id)

    async def review(self, run_id: str) -> RunReview | None:
        """A review never changes once it is there."""
        review = self._reviews.get(run_id) or await self._state.review(run_id)
        return _kept(self._reviews, run_id, review) if review is not None else None

    async def standings(self) -> Mapping[str, Standing]:
        return await self._state.standings()

    async def decisions(self, target_id: str, limit: int) -> Sequence[Decision]:
        return await self._state.decisions(target_id, limit=limit)

    async def timeline(self, target_id: str, limit: int) -> Sequence[Moment]:
        return await self._state.moments(target_id, limit)

    async def log(self, run_id: str, *, after: int, limit: int, wanted: Callable[[LogLine], bool]) -> tuple[list[Numbered], int, bool]:
        return await self._logs.read(run_id, after=after, limit=limit, wanted=wanted)

    async def log_grown(self, run_id: str, after: int) -> None:
        await self._logs.grown(run_id, after)


def _kept(memory: OrderedDict[str, T], name: str, value: T) -> T:
    memory[name] = value
    memory.move_to_end(name)
    while len(memory) > KEPT:
        memory.popitem(last=False)
    return value


class Controls:
    """``Actions`` of :mod:`sidecar.web.api`."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def render_now(self) -> None:
        self._pipeline.submit(Change(reason="request", seen=time.monotonic()))

    async def cancel(self) -> bool:
        return await self._pipeline.cancel(RunState.CANCELLED)
