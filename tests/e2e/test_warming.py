"""After a start with nothing to render, the worker is warmed by a render that nobody sees."""

from __future__ import annotations

from pathlib import Path

from sidecar.demo import DemoPlex, World
from sidecar.model import PictureState, Run
from tests.cold import KometaInstall
from tests.cold_demo import small_world
from tests.e2e.house import house
from tests.e2e.test_warm import config_of


async def test_a_start_with_nothing_new_warms_the_worker(kometa: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    config = config_of("custom", tmp_path / "config")
    world = small_world()
    async with DemoPlex(world) as plex:
        async with house(kometa, config, data_dir, world=world, plex=plex) as home:
            first = await home.run("done")
        await started_again(kometa, config, data_dir, world, plex, first)


async def started_again(kometa: KometaInstall, config: Path, data_dir: Path, world: World, plex: DemoPlex, first: Run) -> None:
    async with house(kometa, config, data_dir, world=world, plex=plex) as home:
        await home.until(lambda: home.app.gateway.snapshot()["captured"] >= len(first.pictures))
        await home.until(lambda: not home.app.pipeline.busy)
        assert home.ended == 0
        assert [run.id for run in await home.app.state.runs(limit=10)] == [first.id]
        assert list((data_dir / "work").glob("*")) == []
        assert not list(data_dir.rglob("warm-*")), "no log, no page, no folder of it"
        movies = config / "overlays" / "movies.yml"
        movies.write_text(movies.read_text().replace("text(", "text(NEW "))
        run = await home.run("done")
        assert {picture.state for picture in run.pictures} <= {PictureState.RENDERED, PictureState.REUSED}
        assert home.plex.writes == []
