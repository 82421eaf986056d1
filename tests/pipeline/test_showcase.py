"""What is shown is published before it is told, and nothing is published twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sidecar.errors import StoreError
from sidecar.model import Phase, PictureState, Run, RunState
from sidecar.pipeline.showcase import Showcase
from sidecar.publish import Gallery, GalleryView
from tests.publish.samples import Store, movie, rendered, run


class Counted(Gallery):
    """A gallery that remembers which views it published."""

    def __init__(self, root: Path, store: Store) -> None:
        super().__init__(root, store.path)
        self.views: list[GalleryView] = []
        self.full = False

    def publish(self, view: GalleryView) -> None:
        if self.full:
            raise StoreError("no space left")
        self.views.append(view)
        super().publish(view)


class Stage:
    def __init__(self, root: Path) -> None:
        self.store = Store(root / "blobs")
        self.root = root / "gallery"
        self.site = Counted(self.root, self.store)
        self.told: list[tuple[str, int]] = []
        self.showcase = Showcase(self.site, self._tell, config_dir="config", watching=True)

    def _tell(self, kind: str, _data: Mapping[str, Any]) -> None:
        self.told.append((kind, len(self.site.views)))

    def current(self, *, drawn: bool) -> Run:
        before = self.store.flat("gray")
        picture = rendered(movie(1, "A"), before, self.store.flat("red") if drawn else None)
        state = PictureState.RENDERED if drawn else PictureState.WAITING
        return replace(run(1, (replace(picture, state=state),)), state=RunState.RENDERING, ended=None)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_what_is_on_no_page_publishes_none(stage: Stage) -> None:
    begun = stage.current(drawn=False)
    stage.showcase.begin(begun)
    await stage.showcase.flush()
    for name in ("start", "connect", "compile"):
        stage.showcase.phase(begun, Phase(name=name, shard=0))
        await stage.showcase.flush()
    assert stage.told == [("run.started", 1), *[("run.phase", 1)] * 3]
    drawn = stage.current(drawn=True)
    stage.showcase.picture(drawn, drawn.pictures[0])
    await stage.showcase.flush()
    assert stage.told[-1] == ("picture", 2)


async def test_what_a_full_disk_kept_back_is_published_and_told_later(stage: Stage) -> None:
    stage.site.full = True
    stage.showcase.begin(stage.current(drawn=False))
    with pytest.raises(StoreError):
        await stage.showcase.flush()
    assert stage.told == []
    stage.site.full = False
    await stage.showcase.flush()
    assert stage.told == [("run.started", 1)]


async def test_the_disk_is_well_when_all_who_missed_it_say_so(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.pipeline.showcase.AGAIN", 0.01)

    def disk() -> tuple[bool, str] | None:
        return next(((part.ok, part.detail) for part in stage.showcase.health), None)

    async def until(state: tuple[bool, str]) -> None:
        while disk() != state:
            await asyncio.sleep(0.01)

    serving = asyncio.create_task(stage.showcase.serve())
    try:
        async with asyncio.timeout(40):
            stage.site.full = True
            stage.showcase.begin(stage.current(drawn=False))
            await until((False, "no space left"))
            stage.showcase.well("disk")  # a probe found a little room, and the pages do not
            await until((False, "no space left"))
            stage.showcase.away("disk", "a probe says so")
            stage.site.full = False
            while not stage.told:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            assert disk() == (False, "a probe says so")
            stage.showcase.well("disk")
            stage.site.full = True
            stage.showcase.phase(stage.current(drawn=False), Phase(name="start", shard=0))
            stage.showcase.begin(stage.current(drawn=True))
            await until((False, "no space left"))
            stage.site.full = False
            await until((True, ""))
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


async def test_pages_are_written_as_soon_as_the_disk_is_well(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.pipeline.showcase.AGAIN", 3600.0)
    serving = asyncio.create_task(stage.showcase.serve())
    try:
        async with asyncio.timeout(40):
            stage.site.full = True
            stage.showcase.begin(stage.current(drawn=False))
            while not stage.showcase.health:
                await asyncio.sleep(0.01)
            stage.site.full = False
            stage.showcase.well("disk")  # a probe found room
            while not stage.told:
                await asyncio.sleep(0.01)
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


async def test_small_pictures_come_when_nobody_draws(stage: Stage) -> None:
    drawn = stage.current(drawn=True)
    stage.showcase.begin(drawn)
    serving = asyncio.create_task(stage.showcase.serve())
    try:
        while not stage.told:
            await asyncio.sleep(0.01)
        stage.showcase.phase(drawn, Phase(name="finish", shard=0))
        while len(stage.told) < 2:
            await asyncio.sleep(0.01)
        assert not (stage.root / "thumbs").exists()
        stage.showcase.end(run(1, drawn.pictures))
        while stage.site.owes_thumbs or len(stage.site.views) < 3:
            await asyncio.sleep(0.01)
        assert stage.told[-1] == ("run.ended", 2), "told before the small ones were made"
        assert len(list((stage.root / "thumbs").iterdir())) == 2
        assert stage.site.views[-1] is stage.site.views[-2], "and then published once more"
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
