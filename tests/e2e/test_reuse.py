"""An edit renders the libraries that it can have changed, and no others; an edit of comments renders nothing."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

from sidecar.model import Change, PictureState
from tests.cold import KometaInstall
from tests.cold_demo import small_world
from tests.e2e.house import house
from tests.e2e.test_warm import config_of


async def test_an_edit_renders_the_library_that_it_touches(kometa: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    config = config_of("custom", tmp_path / "config")
    movies = config / "overlays" / "movies.yml"
    async with house(kometa, config, data_dir, world=small_world()) as home:
        first = await home.run("done")
        reads = home.app.gateway.reads("plex-0")
        assert reads is not None
        await home.until(lambda: reads.freshness.watched)
        assert {picture.state for picture in first.pictures} == {PictureState.RENDERED}

        shows = config / "overlays" / "shows.yml"
        shows.write_text(shows.read_text().replace("text(SHOW)", "text(SERIES)"))
        second = await home.run("done", after=1)
        states = {picture.target.library: picture.state for picture in second.pictures}
        assert states == {"Movies": PictureState.REUSED, "Shows": PictureState.RENDERED}
        assert {picture.reason for picture in second.pictures if picture.target.library == "Shows"} == {
            "overlay files, images or fonts changed"
        }
        before = {picture.target.id: picture.after for picture in first.pictures if picture.target.library == "Movies"}
        for picture in second.pictures:
            if picture.target.library == "Movies":
                assert (picture.after, picture.run) == (before[picture.target.id], first.id)
        assert set(second.changed) == {p.target.id for p in second.pictures if p.target.level == "show"}
        assert {write.path.split("/")[3] for write in second.blocked if "/posters" in write.path} == {
            str(p.target.rating_key) for p in second.pictures if p.target.library == "Shows"
        }, "Kometa was not asked for the others"
        assert second.problems == first.problems

        home.plex.forget()
        movies.write_text("# only a comment\n" + movies.read_text())
        third = await home.run("done", after=2)
        assert {picture.state for picture in third.pictures} == {PictureState.REUSED}
        assert third.changed == ()
        assert third.blocked == ()
        summary = json.loads((data_dir / "gallery" / "summary.json").read_text())
        assert summary["counts"]["reused"] == len(third.pictures)
        assert {(target["state"], target["reason"]) for target in summary["targets"]} == {("reused", "nothing that it depends on changed")}
        assert {target["rendered_in"] for target in summary["targets"]} == {first.id, second.id}

        home.app.pipeline.submit(Change(reason="request", seen=time.monotonic()))
        fourth = await home.run("done", after=3)
        assert {picture.state for picture in fourth.pictures} == {PictureState.RENDERED}, "asked for: all of it"
        assert fourth.changed == ()
        assert home.plex.writes == []
        assert home.plex.mutations == []


async def test_a_kometa_that_was_upgraded_draws_all_of_it_anew(standin: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    """In its own place, while the daemon runs: the next save meets the new one, with no failed run between."""
    kometa = replace(standin, home=tmp_path / "kometa")
    shutil.copytree(standin.home, kometa.home)
    config = config_of("custom", tmp_path / "config")
    async with house(kometa, config, data_dir, world=small_world()) as home:
        first = await home.run("done")
        (kometa.home / "VERSION").write_text("0.0.1\n")
        movies = config / "overlays" / "movies.yml"
        movies.write_text("# only a comment\n" + movies.read_text())
        second = await home.run("done", after=1)
    assert first.engine is not None
    assert second.engine is not None
    assert (first.engine.version, second.engine.version) == ("0.0.0-standin", "0.0.1")
    assert {(picture.state, picture.reason) for picture in second.pictures} == {(PictureState.RENDERED, "Kometa or its Pillow changed")}
