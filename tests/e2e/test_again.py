"""A render of what did not change asks Plex for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.demo import World
from sidecar.model import Change, RunState
from tests.cold import KometaInstall
from tests.e2e.compare import uploads
from tests.e2e.house import House, house
from tests.e2e.test_warm import config_of


async def watched(home: House) -> None:
    def heard() -> bool:
        reads = home.app.gateway.reads("plex-0")
        return reads is not None and reads.freshness.watched

    await home.until(heard)


async def again(home: House) -> None:
    """The first render chooses the targets; the second asks only whether the chosen ones are still there; from then on nothing."""
    first = await home.app.render_once()
    assert first.state is RunState.DONE, first.problems
    assert len(first.pictures) > 10
    await watched(home)
    home.plex.forget()
    sent = home.app.gateway.snapshot()["plex_sent"]
    second = await home.app.render_once()
    assert second.state is RunState.DONE, second.problems
    assert home.app.gateway.snapshot()["plex_sent"] == sent, "nothing of Kometa's reached Plex"
    assert [request.target.partition("?")[0].rpartition("/")[0] for request in home.plex.requests] in ([], ["/library/metadata"])
    home.plex.forget()
    await home.app.planner.plan(Change(reason="request", seen=0.0))
    assert [request.target for request in home.plex.requests] == []
    assert uploads(home, first) == uploads(home, second)


async def test_an_unchanged_render_asks_plex_for_nothing(data_dir: Path, tmp_path: Path) -> None:
    async with house(None, config_of("custom", tmp_path / "config"), data_dir, serving=False) as home:
        await again(home)


@pytest.mark.kometa
async def test_an_unchanged_render_of_real_kometa_asks_plex_for_nothing(real_kometa: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    async with house(real_kometa, config_of("full", tmp_path / "config"), data_dir, serving=False) as home:
        await again(home)


async def test_a_change_on_plex_is_seen(data_dir: Path, tmp_path: Path) -> None:
    world = World.sample()
    async with house(None, config_of("custom", tmp_path / "config"), data_dir, world=world, serving=False) as home:
        await home.app.render_once()
        await watched(home)
        reads = home.app.gateway.reads("plex-0")
        assert reads
        epoch = reads.freshness.epoch
        world.redraw(101)
        await home.until(lambda: reads.freshness.epoch != epoch)
        run = await home.app.render_once()
        assert [picture.target.rating_key for picture in run.pictures if picture.target.id in run.changed] == [101]
