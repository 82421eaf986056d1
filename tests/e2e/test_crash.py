"""A renderer that dies by itself, or is killed from outside, is started once more: the others and the worker go on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from sidecar.engine.process import ProcessEngine
from sidecar.model import PictureState, Run, RunState, Severity
from tests.cold import KometaInstall
from tests.cold_demo import small_world
from tests.e2e.house import House, house
from tests.e2e.test_warm import config_of

MOVIES = 6


@contextlib.asynccontextmanager
async def waiting(kometa: KometaInstall, data: Path, base: Path, shards: int) -> AsyncIterator[tuple[House, asyncio.Task[Run]]]:
    """A render of movies whose last one waits for its poster; everything before it is drawn."""
    config = config_of("custom", base / "config")
    text = (config / "config.yml").read_text()
    (config / "config.yml").write_text(text.replace("  Shows:\n    overlay_files:\n      - file: config/overlays/shows.yml\n", ""))
    async with house(kometa, config, data, world=small_world(MOVIES), serving=False, engine={"shards": shards}) as home:
        last = max(item.rating_key for item in home.plex.world.items.values() if item.type == "movie")
        home.plex.fail("slow", seconds=8, times=1, path=rf"/library/metadata/{last}/thumb/\d+")
        render = asyncio.create_task(home.app.render_once())

        def drawn() -> bool:
            assert not render.done(), render.result().problems
            done = sum(kind == "picture" and told["state"] == "rendered" for kind, told in home.heard)
            return done == MOVIES - 1

        await home.until(drawn)
        yield home, render


def renderers(home: House) -> list[int]:
    """The worker's children, the first shard's first."""
    engine = home.app.engine
    assert isinstance(engine, ProcessEngine)
    try:
        return [int(pid) for pid in Path(f"/proc/{engine.pid}/task/{engine.pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def posted(run: Run) -> Counter[str]:
    return Counter(write.path for write in run.blocked if write.method == "POST")


async def test_a_killed_renderer_alone_is_started_once_more(kometa: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    async with waiting(kometa, data_dir, tmp_path, shards=2) as (home, render):
        assert isinstance(home.app.engine, ProcessEngine)
        worker = home.app.engine.pid
        await home.until(lambda: len(renderers(home)) == 1)  # the other one has ended
        os.kill(renderers(home)[0], signal.SIGKILL)
        run = await render
        assert home.app.engine.pid == worker
        home.assert_plex_untouched()
    assert run.state is RunState.DONE, run.problems
    assert {picture.state for picture in run.pictures} == {PictureState.RENDERED}
    assert len(run.pictures) == MOVIES
    assert all(picture.after and picture.before for picture in run.pictures)
    (told,) = [problem for problem in run.problems if problem.source == "engine"]
    assert told.severity is Severity.WARNING
    assert "SIGKILL" in told.what
    assert "once more" in told.what
    assert told.mend
    assert set(posted(run).values()) == {1}, "no upload is counted twice"
    assert len(posted(run)) == MOVIES
    shown = Counter(str(said["target"]) for kind, said in home.heard if kind == "picture" and said["state"] == "rendered")
    assert set(shown.values()) == {1}, "what was shown already is not announced again"
    assert not list((data_dir / "work").glob("*")), "nothing of either attempt is left"


async def test_a_renderer_that_dies_twice_is_given_up(standin: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    async with waiting(standin, data_dir, tmp_path, shards=1) as (home, render):
        killed = []
        while not render.done():
            for pid in set(renderers(home)) - set(killed):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
            await asyncio.sleep(0.02)
        run = await render
    assert len(killed) == 2
    assert run.state is RunState.FAILED
    told = [problem for problem in run.problems if problem.source == "engine"]
    assert [problem.severity for problem in told] == [Severity.ERROR]
    assert "once more" in told[0].what
    assert "SIGKILL" in told[0].what
