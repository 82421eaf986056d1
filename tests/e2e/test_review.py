"""Reviewing through the whole daemon: a run, its comparison, approvals from the command line, an edit, the pages' data."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sidecar import cli
from sidecar.model import RunState
from tests.cold import KometaInstall
from tests.cold_demo import small_world
from tests.e2e.house import House, house
from tests.e2e.test_daemon import edit
from tests.e2e.test_warm import config_of


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return config_of("custom", tmp_path / "config")


def data_of(root: Path, name: str) -> Any:
    return json.loads((root / "gallery" / f"{name}.json").read_text(encoding="ascii"))


async def reviewed(home: House, run_id: str) -> dict[str, int]:
    """The counts of the run's comparison, once its pages say so."""
    await home.until(lambda: any(kind == "run.reviewed" and told["run"] == run_id for kind, told in home.heard))
    return next(dict(told["counts"]) for kind, told in home.heard if kind == "run.reviewed" and told["run"] == run_id)


async def test_approve_edit_and_see_what_the_edit_changed(config: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await review_an_edit(None, config, data_dir, capsys)


async def test_the_same_with_kometa(kometa: KometaInstall, config: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await review_an_edit(kometa, config, data_dir, capsys)


async def review_an_edit(install: KometaInstall | None, config: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with house(install, config, data_dir, world=small_world()) as home:
        first = await home.run("done")
        counts = await reviewed(home, first.id)
        assert counts["new"] == len(first.pictures)
        ended = [kind for kind, told in home.heard if told.get("run") == first.id]
        assert ended.index("run.ended") < ended.index("run.reviewed"), "pictures are never late for their comparison"

        approve = ["approve", "--data", str(data_dir), "--json", "--quiet", "--who", "me"]
        assert await asyncio.to_thread(cli.run, approve) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["verdict"], told["run"], len(told["targets"])) == ("approved", first.id, len(first.pictures))
        await home.until(lambda: any(kind == "decided" for kind, _ in home.heard))
        assert len(data_of(data_dir, "data/decisions")["targets"]) == len(first.pictures)

        edit(config / "overlays" / "shows.yml", lambda text: text.replace("text(SHOW)", "text(SHOWN)"))
        second = await home.run("done", after=1)
        shows = [picture.target.id for picture in second.pictures if picture.target.level == "show"]
        counts = await reviewed(home, second.id)
        assert counts["changed"] == len(shows)
        assert counts["unchanged"] + counts["reused"] == len(second.pictures) - len(shows)
        run = data_of(data_dir, f"runs/{second.id}/data")
        changed = [target for target in run["targets"] if target["status"] == "changed"]
        assert [target["id"] for target in changed] == shows
        for target in changed:
            assert target["against"] == "baseline"
            assert 0 < target["diff"]["fraction"] < 0.2
            assert target["diff"]["boxes"]
            assert (data_dir / "gallery" / target["diff"]["mask"]["url"]).is_file()
        [file] = run["edit"]["files"]
        assert (file["path"], file["kind"], file["added"], file["removed"]) == ("overlays/shows.yml", "changed", 1, 1)
        assert "text(SHOWN)" in file["diff"]
        runs = data_of(data_dir, "data/runs")
        assert (runs["newest"], runs["runs"][0]["edit"]["files"]) == (second.id, ["overlays/shows.yml"])

        assert await asyncio.to_thread(cli.run, [*approve, second.id, shows[0], "--reject"]) == 0
        assert json.loads(capsys.readouterr().out)["targets"] == [shows[0]]
        assert await asyncio.to_thread(cli.run, [*approve, second.id, "404"]) == 1
        assert "no target 404" in capsys.readouterr().err
        assert await asyncio.to_thread(cli.run, [*approve, "--undo"]) == 0
        assert json.loads(capsys.readouterr().out)["targets"] == [shows[0]]
        await home.app.reviews.settle()
        moments = data_of(data_dir, f"data/targets/{shows[0]}")["moments"]
        assert [moment["run"] for moment in moments] == [second.id, first.id]
        assert moments[0]["edit"]["files"] == ["overlays/shows.yml"]
        assert [word["undone"] for word in moments[0]["decisions"]] == [True]
        async with aiohttp.ClientSession() as session, session.get(f"{home.app.url}feed.xml") as answer:
            assert answer.status == 200
            assert answer.content_type == "application/atom+xml"
        home.assert_plex_untouched()
    assert not (data_dir / "daemon.json").exists()


async def test_rendering_once_compares_too(config: Path, data_dir: Path) -> None:
    async with house(None, config, data_dir, world=small_world(), serving=False) as home:
        run = await home.app.render_once()
        assert run.state is RunState.DONE
        assert data_of(data_dir, f"runs/{run.id}/data")["counts"]["new"] == len(run.pictures)
