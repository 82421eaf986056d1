"""The daemon with a worker that runs elsewhere (engine ``socket``): nothing of Kometa is in sight of the daemon."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from sidecar.demo import DemoPlex
from sidecar.doctor import State, examine
from sidecar.logs import Redactor
from sidecar.model import Change, PictureState
from sidecar.settings import load_settings
from tests.cold import KometaInstall
from tests.cold_demo import small_world
from tests.e2e.house import house
from tests.e2e.test_warm import config_of
from tests.engine.workers import running


async def test_pictures_come_from_a_worker_elsewhere_as_from_one_here(kometa: KometaInstall, tmp_path: Path, short_dir: Path) -> None:
    """The same pixels, though config and fonts are read without Kometa's directory; the worker comes late, and goes once."""
    config = config_of("custom", tmp_path / "config")
    async with house(kometa, config, short_dir / "here", world=small_world()) as home:
        wanted = await home.run("done")
    exchange = short_dir / "there" / "exchange"
    engine = {"kind": "socket", "kometa_home": None, "kometa_python": None}
    async with house(kometa, config, short_dir / "there", world=small_world(), engine=engine) as home:
        await home.until(lambda: any(part.part == "worker" and not part.ok for part in home.app.showcase.health))
        async with running(exchange, kometa.home, kometa.python):
            run = await home.run("done")
        assert run.problems == wanted.problems
        assert run.engine is not None
        assert run.engine.via == "socket"
        assert {picture.state for picture in run.pictures} == {PictureState.RENDERED}
        assert [(p.target.id, p.after) for p in run.pictures] == [(p.target.id, p.after) for p in wanted.pictures]
        await home.until(lambda: home.app.engine.info is None)
        home.app.pipeline.submit(Change(reason="request", seen=time.monotonic()))
        await asyncio.sleep(0.2)
        async with running(exchange, kometa.home, kometa.python):
            again = await home.run("done", after=1)
        assert [p.after for p in again.pictures] == [p.after for p in wanted.pictures]
        home.assert_plex_untouched()


async def test_doctor_says_how_to_mend_a_worker_that_is_not_there(standin: KometaInstall, tmp_path: Path, data_dir: Path) -> None:
    config = config_of("custom", tmp_path / "config")
    async with DemoPlex(small_world()) as plex:
        env = {"KOMETA_PLEX_URL": plex.url, "KOMETA_PLEX_TOKEN": plex.token}
        settings = load_settings(None, {}, {"data": str(data_dir), "engine": {"kind": "socket"}, "web": {"port": 0}})
        async with running(data_dir / "exchange", standin.home, standin.python) as worker:
            path = data_dir / "exchange" / "worker" / "worker.sock"
            while not path.is_socket():
                await asyncio.sleep(0.05)
            (tmp_path / "a").mkdir()
            found = {f.part: f async for f in examine(config, settings, env, Redactor(), tmp_path / "a")}
            assert found["engine"].state is not State.FAIL
            assert "Kometa 0.0.0" in found["engine"].says
            assert worker.returncode is None
        (tmp_path / "b").mkdir()
        found = {f.part: f async for f in examine(config, settings, env, Redactor(), tmp_path / "b")}
    assert found["engine"].state is State.FAIL
    assert "no worker at" in found["engine"].says
    assert "docker compose up worker" in found["engine"].mend
