"""Latest wins: driven with a stage that renders slowly and says what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from sidecar.errors import ConfigError, EngineAway, PlexAway, StillChanging, StoreError
from sidecar.model import Change
from sidecar.pipeline.loop import MOST_ATTEMPTS, Pipeline
from sidecar.tasks import Tasks


@dataclass
class APlan:
    """What the loop needs of a plan."""

    key: str
    revision: Any = None

    def __post_init__(self) -> None:
        self.revision = self

    @property
    def short(self) -> str:
        return self.key


@dataclass
class AStage:
    """Plans what it is told; a render lasts until ``let`` is set."""

    text: str = "a"
    error: Exception | None = None
    crash: Exception | None = None
    shown: str = ""
    let: asyncio.Event = field(default_factory=asyncio.Event)
    log: list[str] = field(default_factory=list)

    async def plan(self, change: Change) -> Any:
        if self.error:
            raise self.error
        return APlan(self.text)

    async def needed(self, plan: Any) -> bool:
        return bool(plan.key != self.shown)

    async def render(self, plan: Any, fate: Any) -> Any:
        self.log.append(f"begin {plan.key}")
        if self.crash:
            raise self.crash
        try:
            await self.let.wait()
        except asyncio.CancelledError:
            self.log.append(f"{fate()} {plan.key}")
            raise
        self.shown = plan.key
        self.log.append(f"done {plan.key}")

    async def warm(self, plan: Any) -> None:
        self.log.append(f"warm {plan.key}")
        if self.crash:
            raise self.crash
        try:
            await self.let.wait()
        except asyncio.CancelledError:
            self.log.append(f"no longer warming {plan.key}")
            raise
        self.log.append(f"warmed {plan.key}")

    async def invalid(self, change: Change, error: ConfigError) -> None:
        self.log.append(f"invalid {error}")

    async def away(self, part: str, error: Exception) -> None:
        self.log.append(f"away {part}")

    async def well(self, part: str) -> None:
        pass


@dataclass
class House:
    """A pipeline being served."""

    stage: AStage
    pipeline: Pipeline
    changes: asyncio.Queue[Change | None]

    async def change(self, reason: str = "edit") -> None:
        await self.changes.put(Change(reason=reason))
        await asyncio.sleep(0.02)

    async def end(self) -> None:
        await self.changes.put(None)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    stage, tasks, changes = AStage(), Tasks(), asyncio.Queue[Change | None]()
    pipeline = Pipeline(stage, tasks.spawn)

    async def stream() -> AsyncIterator[Change]:
        while (change := await changes.get()) is not None:
            yield change

    serving = tasks.spawn(pipeline.serve(stream()), "serve")
    yield House(stage, pipeline, changes)
    await changes.put(None)
    stage.let.set()
    await asyncio.wait_for(asyncio.shield(serving), 5)
    await tasks.close()
    assert tasks.names == []


async def test_a_newer_plan_supersedes_the_render_in_progress(house: House) -> None:
    await house.change()
    house.stage.text = "b"
    await house.change()
    house.stage.let.set()
    await house.change("rescan")
    assert house.stage.log == ["begin a", "superseded a", "begin b", "done b"]


async def test_the_same_plan_again_leaves_the_render_alone(house: House) -> None:
    await house.change()
    await house.change()
    house.stage.let.set()
    await house.change()
    assert house.stage.log == ["begin a", "done a"]


async def test_a_broken_config_ends_the_render_and_is_recorded(house: House) -> None:
    await house.change()
    house.stage.error = ConfigError("no good")
    await house.change()
    assert house.stage.log == ["begin a", "superseded a", "invalid no good"]


async def test_a_file_that_is_still_being_written_is_no_fault_of_the_config(house: House) -> None:
    house.stage.error = StillChanging("it keeps changing while it is read")
    house.stage.let.set()
    await house.change()
    assert house.pipeline.waiting
    house.stage.error = None
    house.pipeline.recovered("plex")
    await asyncio.sleep(0.02)
    assert house.stage.log == ["away config", "begin a", "done a"]


async def test_what_plex_could_not_serve_is_rendered_when_it_is_back(house: House) -> None:
    house.stage.error = PlexAway("down")
    house.stage.let.set()
    await house.change()
    assert house.pipeline.waiting
    house.stage.error = None
    house.pipeline.recovered("plex")
    await asyncio.sleep(0.02)
    assert house.stage.log == ["away plex", "begin a", "done a"]
    assert not house.pipeline.waiting


async def test_a_plan_that_ends_the_worker_is_given_up_after_a_few_attempts(house: House) -> None:
    house.stage.crash = EngineAway("gone")
    await house.change()
    for _ in range(MOST_ATTEMPTS + 3):
        house.pipeline.recovered("worker")
        await asyncio.sleep(0.02)
    assert house.stage.log.count("begin a") == MOST_ATTEMPTS
    house.stage.text, house.stage.crash = "b", None
    house.stage.let.set()
    await house.change()
    assert house.stage.log[-1] == "done b"


async def test_the_changes_of_one_burst_are_one_render(house: House) -> None:
    for _ in range(50):
        house.pipeline.submit(Change(reason="edit"))
    house.stage.let.set()
    await asyncio.sleep(0.05)
    assert house.stage.log == ["begin a", "done a"]


async def test_what_nobody_foresaw_does_not_end_the_pipeline(house: House) -> None:
    house.stage.error = RuntimeError("odd")
    house.stage.let.set()
    await house.change()
    house.stage.error = None
    await house.change()
    assert house.stage.log == ["away config", "begin a", "done a"]


async def test_a_disk_that_refuses_is_tried_again(house: House) -> None:
    house.stage.crash = StoreError("full")
    house.stage.let.set()
    await house.change()
    assert house.pipeline.waiting
    house.stage.crash = None
    house.pipeline.recovered("plex")
    await asyncio.sleep(0.02)
    assert house.stage.log == ["begin a", "away disk", "begin a", "done a"]


async def test_with_nothing_to_render_after_a_start_the_worker_is_warmed_once(house: House) -> None:
    house.stage.shown = "a"
    house.stage.let.set()
    await house.change("start")
    await house.change("rescan")
    assert house.stage.log == ["warm a", "warmed a"]


async def test_a_save_ends_the_warming(house: House) -> None:
    house.stage.shown = "a"
    await house.change("start")
    house.stage.text = "b"
    await house.change()
    house.stage.let.set()
    await house.change("rescan")
    assert house.stage.log == ["warm a", "no longer warming a", "begin b", "done b"]


async def test_a_worker_that_cannot_be_warmed_is_no_reason_to_wait(house: House) -> None:
    house.stage.shown, house.stage.crash = "a", EngineAway("gone")
    await house.change("start")
    assert not house.pipeline.waiting
    house.stage.text, house.stage.crash = "b", None
    house.stage.let.set()
    await house.change()
    assert house.stage.log == ["warm a", "begin b", "done b"]


async def test_a_render_warms_as_well(house: House) -> None:
    house.stage.let.set()
    await house.change("start")
    await house.change("rescan")
    assert house.stage.log == ["begin a", "done a"]
