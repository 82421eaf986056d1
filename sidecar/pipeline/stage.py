"""What the loop leads (see ``loop.Stage``): planner and renderer, and what is said when they cannot work."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

from sidecar.errors import ConfigError, EngineError
from sidecar.model import Change, EngineInfo, Run, RunState
from sidecar.pipeline.loop import ASKED
from sidecar.pipeline.plan import Plan, Planner, key_of_run
from sidecar.pipeline.render import Renderer
from sidecar.pipeline.run import new_run_id
from sidecar.pipeline.showcase import Showcase
from sidecar.store import State

log = logging.getLogger(__name__)


class Stages:
    """Planner, renderer and showcase under one roof."""

    def __init__(
        self,
        *,
        planner: Planner,
        renderer: Renderer,
        showcase: Showcase,
        state: State,
        tell: Callable[[Run], Awaitable[None]],
        review: Callable[[str], None],
    ) -> None:
        """``review`` is told the id of each good run, once it is shown."""
        self._planner = planner
        self._renderer = renderer
        self._showcase = showcase
        self._state = state
        self._tell = tell
        self._review = review

    async def plan(self, change: Change) -> Plan:
        plan = await self._planner.plan(change)
        self._showcase.well("config")
        return plan

    async def needed(self, plan: Plan) -> bool:
        """False where the run that ended last is good, shows this plan, and the same engine drew it."""
        latest = self._showcase.view.latest
        if plan.change.reason in ASKED or latest is None or latest.state is not RunState.DONE or key_of_run(latest) != plan.key:
            return True
        try:
            return _identity(latest.engine) != _identity(await self._renderer.ready())
        except EngineError:
            return True  # the render will meet the same, and say so

    async def render(self, plan: Plan, fate: Callable[[], RunState]) -> Run:
        run = await self._renderer.render(plan, fate)
        if run.state is RunState.DONE:
            self._review(run.id)
        self._showcase.well("worker")
        if any(part.part == "disk" for part in self._showcase.health):
            self._showcase.well("disk")
        return run

    async def warm(self, plan: Plan) -> None:
        await self._renderer.warm(plan)

    async def invalid(self, change: Change, error: ConfigError) -> None:
        """A run that never was rendered, so that the gallery, the history and webhooks can say why. Repeats are not recorded."""
        self._showcase.away("config", str(error))
        latest = self._showcase.view.latest
        if latest is not None and latest.state is RunState.INVALID and latest.problems == error.problems:
            return
        now = datetime.now(UTC)
        run = Run(
            id=new_run_id(now, self._showcase.newest),
            state=RunState.INVALID,
            reason=change.reason,
            started=now,
            ended=now,
            problems=error.problems,
        )
        run = replace(run, seconds=round(time.monotonic() - change.seen, 3) if change.seen else 0.0)
        await self._state.save_run(run)
        self._showcase.end(run)
        await self._showcase.flush()
        await self._tell(run)

    async def away(self, part: str, error: Exception) -> None:
        self._showcase.away(part, str(error))

    async def well(self, part: str) -> None:
        self._showcase.well(part)


def _identity(engine: EngineInfo | None) -> tuple[str, ...]:
    """What of an engine decides the pixels."""
    return (engine.kind, engine.version, engine.build, engine.pillow, engine.layout) if engine else ()
