"""Latest wins: each change is planned; a plan that differs from the render in progress supersedes it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

from sidecar.errors import ConfigError, EngineError, PlexError, StillChanging, StoreError
from sidecar.model import Change, Run, RunState
from sidecar.pipeline.plan import Plan
from sidecar.tasks import Spawn

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 3
"""Renders of one plan that may end the worker before it is left alone."""
ASKED = ("request", "render", "drift")
"""Reasons for which a render is made even where nothing changed."""

Fate = Callable[[], RunState]
"""What a cancelled render is to be called: SUPERSEDED by a newer revision, or CANCELLED (asked for, or the daemon stops)."""


class Stage(Protocol):
    """What the loop leads: see Planner and Renderer."""

    async def plan(self, change: Change) -> Plan:
        """ConfigError, PlexError, EngineError or StoreError where there is nothing to render."""
        ...

    async def needed(self, plan: Plan) -> bool:
        """False where the last good run already shows this plan."""
        ...

    async def render(self, plan: Plan, fate: Fate) -> Run:
        """One run, to its end. A cancelled one ends in the state that ``fate`` gives. EngineError where the worker is gone."""
        ...

    async def warm(self, plan: Plan) -> None:
        """Let the worker learn from a render that nobody sees. EngineError where the worker is gone."""
        ...

    async def invalid(self, change: Change, error: ConfigError) -> None:
        """Record a config that does not parse or validate."""

    async def away(self, part: str, error: Exception) -> None:
        """Plex, the worker or the disk is not there: say so; the change is kept until it is back."""

    async def well(self, part: str) -> None:
        """The part answered."""


class Pipeline:
    """One daemon's pipeline. At most one render at a time."""

    def __init__(self, stage: Stage, spawn: Spawn, *, on_idle: Callable[[], Awaitable[None]] | None = None) -> None:
        self._stage = stage
        self._spawn = spawn
        self._on_idle = on_idle
        self._latest: Change | None = None
        self._arrived = asyncio.Event()
        self._kept: Change | None = None
        self._rendering: asyncio.Task[None] | None = None
        self._plan: Plan | None = None
        self._fate = RunState.CANCELLED
        self._warm = False
        self._crashes = 0
        self._crashed_at = ""

    def submit(self, change: Change) -> None:
        """Take a change; one that is not planned yet is merged with it (the first sight of a save is kept, for the timing)."""
        self._latest = _merge(self._latest, change)
        self._arrived.set()

    def recovered(self, part: str) -> None:
        """A part that was away is back: what could not be rendered is tried again."""
        if self._kept is not None:
            kept, self._kept = self._kept, None
            log.info("%s is back: rendering what waited for it", part)
            reason = kept.reason if kept.reason in ASKED else f"{part} is back"
            self.submit(Change(reason=reason, paths=kept.paths, seen=kept.seen, libraries=kept.libraries))

    @property
    def waiting(self) -> bool:
        """Is a change kept for when Plex or the worker is back?"""
        return self._kept is not None

    @property
    def busy(self) -> bool:
        return self._arrived.is_set() or (self._rendering is not None and not self._rendering.done())

    async def serve(self, changes: AsyncIterator[Change]) -> None:
        """Follow ``changes`` until they end, then finish what is being rendered."""
        pump = self._spawn(self._pump(changes), "pipeline: changes")
        try:
            while not pump.done() or self._arrived.is_set():
                waiting = self._spawn(self._arrived.wait(), "pipeline: next change")
                await asyncio.wait({pump, waiting}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                if self._arrived.is_set():
                    await self._take()
            if self._rendering is not None:
                await self._rendering
        finally:
            pump.cancel()
            await self.cancel()

    async def cancel(self, fate: RunState = RunState.CANCELLED) -> bool:
        """End the render in progress; False where there is none."""
        task, self._rendering, self._plan = self._rendering, None, None
        if task is None or task.done():
            return False
        self._fate = fate
        task.cancel()
        await asyncio.wait({task}, timeout=10)
        return True

    async def _pump(self, changes: AsyncIterator[Change]) -> None:
        async for change in changes:
            self.submit(change)

    async def _take(self) -> None:
        change, self._latest = self._latest, None
        self._arrived.clear()
        if change is None:
            return
        try:
            plan = await self._stage.plan(change)
        except StillChanging as error:  # no fault of the config: its next save, or a probe, brings it back
            await self._keep("config", change, error)
            return
        except ConfigError as error:
            await self.cancel(RunState.SUPERSEDED)
            await self._stage.invalid(change, error)
            return
        except PlexError as error:
            await self._keep("plex", change, error)
            return
        except EngineError as error:
            await self._keep("worker", change, error)
            return
        except StoreError as error:
            await self._keep("disk", change, error)
            return
        except Exception as error:  # one change that was not foreseen must not end the daemon
            log.exception("this change could not be planned")
            await self._keep("config", change, error)
            return
        await self._stage.well("plex")
        if self._arrived.is_set():  # a newer change came while this one was planned
            self._latest = _merge(change, self._latest)
            return
        if self._rendering is not None and not self._rendering.done() and self._plan is not None and self._plan.key == plan.key:
            return
        if not await self._stage.needed(plan):
            if not self._warm and (self._rendering is None or self._rendering.done()):
                self._warm = True
                self._rendering = self._spawn(self._warm_up(plan), f"warm up with {plan.revision.short}")
            else:
                await self._idle()
            return
        await self.cancel(RunState.SUPERSEDED)
        self._plan, self._warm = plan, True
        self._rendering = self._spawn(self._render(plan, change), f"render {plan.revision.short}")

    async def _warm_up(self, plan: Plan) -> None:
        """After a start with nothing to render: the first save is then as quick as any."""
        try:
            await self._stage.warm(plan)
        except (EngineError, StoreError) as error:
            log.warning("the worker could not be warmed up: %s", error)
        await self._idle()

    async def _render(self, plan: Plan, change: Change) -> None:
        try:
            await self._stage.render(plan, lambda: self._fate)
        except EngineError as error:
            await self._crashed(plan, change, error)
            return
        except StoreError as error:
            await self._keep("disk", change, error)
            return
        self._crashes = 0
        await self._idle()

    async def _crashed(self, plan: Plan, change: Change, error: EngineError) -> None:
        """A revision that ends the worker again and again is given up; the next change starts afresh."""
        self._crashes = self._crashes + 1 if plan.key == self._crashed_at else 1
        self._crashed_at = plan.key
        if self._crashes < MOST_ATTEMPTS:
            await self._keep("worker", change, error)
            return
        log.error("giving up on revision %s after %d attempts: %s", plan.revision.short, self._crashes, error)
        await self._stage.away("worker", error)
        await self._idle()

    async def _keep(self, part: str, change: Change, error: Exception) -> None:
        self._kept = _merge(self._kept, change)
        await self._stage.away(part, error)
        await self._idle()

    async def _idle(self) -> None:
        if self._on_idle is not None:
            await self._on_idle()


def _merge(old: Change | None, new: Change | None) -> Change | None:
    """Both as one: all paths, the first sight, and what was asked for; else the newer reason."""
    if old is None or new is None:
        return new or old
    paths = dict.fromkeys((*old.paths, *new.paths))
    asked = [change for change in (old, new) if change.reason in ASKED]
    reason = asked[-1].reason if asked else old.reason if new.reason == "rescan" else new.reason
    libraries = {name for change in asked for name in change.libraries} if all(change.libraries for change in asked) else ()
    seen: list[Any] = [s for s in (old.seen, new.seen) if s]
    return Change(reason=reason, paths=tuple(paths), seen=min(seen, default=0.0), libraries=tuple(sorted(libraries)))
