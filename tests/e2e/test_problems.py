"""What goes wrong comes back as a problem that says what, with the file and the line where they can be found."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.errors import ConfigError, PlexAway
from sidecar.model import PictureState, Problem, Run, RunState, Severity
from tests.cold import KometaInstall
from tests.cold_demo import small_world
from tests.e2e.house import House, house

CONFIG = """\
plex: {url: env, token: env, timeout: 60}
tmdb: {apikey: demo, language: en}
settings: {cache: false}
libraries:
  Movies:
    overlay_files:
      - file: config/own.yml
"""
OWN = """\
templates:
  T:
    plex_all: true
    overlay: {name: "text(<<what>>)", font_color: "#ZZZZZZ", horizontal_align: left, vertical_align: top, horizontal_offset: 0,
              vertical_offset: 0}
overlays:
  Fine:
    plex_all: true
    overlay: {name: text(A), horizontal_align: left, vertical_align: top, horizontal_offset: 0, vertical_offset: 0}
  Bad Colour:
    template: {name: T, what: B}
  Bad Align:
    plex_all: true
    overlay:
      name: text(A)
      horizontal_align: nowhere
      vertical_align: top
      horizontal_offset: 0
      vertical_offset: 0
  No Offset:
    plex_all: true
    overlay: {name: text(A)}
"""


@pytest.mark.kometa
async def test_errors_of_real_kometa_have_a_file_and_a_line(real_kometa: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "config.yml").write_text(CONFIG)
    (config / "own.yml").write_text(OWN)
    async with house(real_kometa, config, data_dir, world=small_world(), serving=False) as home:
        run = await home.app.render_once()
    assert run.state is RunState.DONE, "what is sound is drawn all the same"
    told = {problem.line: problem.what for problem in run.problems if problem.source == "kometa" and problem.file == "own.yml"}
    assert sorted(told) == [10, 16, 20], [(problem.what, problem.file, problem.line) for problem in run.problems]
    assert "font_color" in told[10]
    assert "horizontal_align" in told[16]
    assert "horizontal_offset" in told[20]


BOX = "horizontal_align: left, vertical_align: top, horizontal_offset: 0, vertical_offset: 0"
FINE = f"  Fine:\n    plex_all: true\n    overlay: {{name: text(A), {BOX}}}\n"


def configured(folder: Path, own: str, connectors: str = "") -> Path:
    folder.mkdir()
    (folder / "config.yml").write_text(connectors + CONFIG)
    (folder / "own.yml").write_text(own)
    return folder


def told(run: Run, *words: str, source: str = "kometa") -> Problem:
    """The first problem that holds all of ``words``."""
    found = [problem for problem in run.problems if problem.source == source and all(word in problem.what for word in words)]
    assert found, [(problem.source, problem.place, problem.what) for problem in run.problems]
    return found[0]


async def rendered(home: House) -> Run:
    run = await home.app.render_once()
    home.assert_plex_untouched()
    return run


async def test_an_overlay_file_that_does_not_parse_is_not_rendered(kometa: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    config = configured(tmp_path / "config", f"overlays:\n{FINE}   Crooked: 1\n")
    async with house(kometa, config, data_dir, world=small_world(), serving=False) as home:
        with pytest.raises(ConfigError) as raised:
            await home.app.render_once()
    (problem,) = raised.value.problems
    assert (problem.file, problem.line) == ("own.yml", 5)
    assert problem.mend


@pytest.mark.kometa
async def test_an_overlay_file_that_kometa_cannot_use_is_named(real_kometa: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    config = configured(tmp_path / "config", "templates: {}\n")
    text = (config / "config.yml").read_text()
    (config / "config.yml").write_text(text + "      - file: config/sound.yml\n")
    (config / "sound.yml").write_text(f"overlays:\n{FINE}")
    async with house(real_kometa, config, data_dir, world=small_world(), serving=False) as home:
        run = await rendered(home)
    assert {picture.state for picture in run.pictures} == {PictureState.RENDERED}, "the other file is drawn"
    assert told(run, "overlays attribute is required").file == "own.yml"
    assert not [problem for problem in run.problems if problem.file == "sound.yml"]


@pytest.mark.kometa
async def test_files_that_are_not_here_and_their_variables_have_a_line(real_kometa: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    config = configured(tmp_path / "config", f"overlays:\n{FINE}")
    entries = """\
      - url: https://example.org/none.yml
      - default: nosuch
      - default: resolution
        template_variables:
          vertical_align: top
          horizontal_align: nowhere
"""
    before = (config / "config.yml").read_text()
    (config / "config.yml").write_text(before + entries)
    first = len(before.splitlines()) + 1
    async with house(real_kometa, config, data_dir, world=small_world(), serving=False) as home:
        run = await rendered(home)
    assert run.state is RunState.DONE
    assert told(run, "https://example.org/none.yml").place == f"config.yml:{first}"
    assert told(run, "nosuch").place == f"config.yml:{first + 1}"
    assert told(run, "horizontal_align", "nowhere").place == f"config.yml:{first + 5}"


@pytest.mark.kometa
async def test_unknown_attributes_and_missing_images_have_a_line(real_kometa: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    own = f"""\
overlays:
{FINE}\
  Odd:
    plex_all: true
    nonsense: 5
    overlay: {{name: text(A), {BOX}}}
  Odder:
    plex_all: true
    overlay: {{name: text(A), {BOX}, glitter: 5}}
  Named:
    plex_all: true
    overlay: {{name: nosuch, {BOX}}}
  Filed:
    plex_all: true
    overlay: {{name: x, file: config/overlays/gone.png, {BOX}}}
  Fetched:
    plex_all: true
    overlay: {{name: y, url: "https://image.tmdb.org/t/p/original/nothing.png", {BOX}}}
"""
    config = configured(tmp_path / "config", own)
    async with house(real_kometa, config, data_dir, world=small_world(), serving=False) as home:
        run = await rendered(home)
    assert run.state is RunState.DONE
    assert told(run, "nonsense", "not allowed").place == "own.yml:7"
    assert told(run, "glitter", source="config").place == "own.yml:11"
    for line, image in ((12, "config/overlays/nosuch.png"), (15, "config/overlays/gone.png"), (18, "nothing.png")):
        problem = told(run, image)
        assert (problem.place, problem.severity) == (f"own.yml:{line}", Severity.ERROR)
    assert told(run, "nosuch.png", source="config").place == "own.yml:14"
    whats = [problem.what for problem in run.problems]
    assert len(whats) == len(set(whats)), "once, however many shards met it"
    assert not [what for what in whats if str(data_dir) in what], "a file is named as in the config"


@pytest.mark.kometa
async def test_a_connector_that_fails_is_named(real_kometa: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    own = f"overlays:\n{FINE}  Listed:\n    mdblist_list: https://mdblist.com/lists/k0meta/certifiedfreshmovies\n"
    own += f"    overlay: {{name: text(B), {BOX}}}\n  Rated:\n    plex_all: true\n    overlay: {{name: text(<<mdb_rating>>), {BOX}}}\n"
    config = configured(tmp_path / "config", own, "mdblist: {apikey: demo}\n")
    async with house(real_kometa, config, data_dir, world=small_world(), serving=False) as home:
        home.hosts.down |= {"api.mdblist.com", "mdblist.com"}
        run = await rendered(home)
    assert run.state is RunState.DONE
    assert {picture.state for picture in run.pictures} == {PictureState.RENDERED}
    away = told(run, "mdblist.com answered 503", source="egress")
    assert away.mend
    assert [problem for problem in run.problems if problem.place == "own.yml:5"], "the overlay that is made of the list"
    for picture in run.pictures:
        assert [overlay["name"] for overlay in picture.overlays] == ["Fine"]
        assert [(overlay["name"], overlay["reason"]) for overlay in picture.left_out] == [("Rated", "no value")]


@pytest.mark.kometa
async def test_without_tmdb_there_is_no_run_and_that_is_said(real_kometa: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    config = configured(tmp_path / "config", f"overlays:\n{FINE}")
    async with house(real_kometa, config, data_dir, world=small_world(), serving=False) as home:
        home.hosts.down.add("api.themoviedb.org")
        run = await rendered(home)
    assert run.state is RunState.FAILED
    told(run, "api.themoviedb.org answered 503", source="egress")
    told(run, "TMDb Error")


async def test_plex_in_maintenance_is_said_before_anything_is_rendered(kometa: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    config = configured(tmp_path / "config", f"overlays:\n{FINE}")
    async with house(kometa, config, data_dir, world=small_world(), serving=False) as home:
        home.plex.fail("maintenance")
        with pytest.raises(PlexAway, match=r"maintenance \(503\)"):
            await home.app.render_once()


@pytest.mark.kometa
async def test_plex_going_into_maintenance_ends_the_render_with_that_word(
    real_kometa: KometaInstall, data_dir: Path, tmp_path: Path
) -> None:
    config = configured(tmp_path / "config", f"overlays:\n{FINE}")
    async with house(real_kometa, config, data_dir, world=small_world(), serving=False) as home:
        home.plex.fail("maintenance", path=r"/library/metadata/\d+/thumb")
        run = await rendered(home)
    assert run.state is RunState.FAILED
    assert {picture.state for picture in run.pictures} == {PictureState.FAILED}
    told(run, "plex-0", "503", "maintenance", source="plex")
    assert "X-Plex-Token=(redacted)" in told(run, "Image Error").what


async def test_a_kometa_that_stands_still_is_ended_with_its_phase(kometa: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    config = configured(tmp_path / "config", f"overlays:\n{FINE}")
    async with house(kometa, config, data_dir, world=small_world(2), serving=False, engine={"phase_deadline": 4, "shards": 1}) as home:
        home.plex.fail("slow", seconds=60, times=1, path=r"/library/metadata/\d+/thumb")
        run = await home.app.render_once()
    assert run.state is RunState.FAILED
    problem = told(run, "no progress for 4 s in the phase draw", source="engine")
    assert "engine.phase_deadline" in problem.mend


async def test_a_complaint_while_an_item_is_drawn_is_told_with_it(kometa: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    config = configured(tmp_path / "config", f"overlays:\n{FINE}")
    async with house(kometa, config, data_dir, world=small_world(), serving=False, engine={"shards": 2}) as home:
        ill = min(item.rating_key for item in home.plex.world.items.values() if item.type == "movie")
        home.plex.fail("error", path=rf"/library/metadata/{ill}/thumb/")
        run = await rendered(home)
        page = (data_dir / "gallery" / "index.html").read_text()
    assert run.state is RunState.DONE
    assert len(run.pictures) > 2
    about = {problem.target for problem in run.problems if problem.source == "kometa" and problem.severity is Severity.ERROR}
    assert about == {str(ill)}, [(problem.target, problem.what) for problem in run.problems]
    for picture in run.pictures:
        mine = [problem for problem in picture.problems if problem.severity is Severity.ERROR]
        assert bool(mine) is (picture.target.rating_key == ill)
        assert all(problem in run.problems for problem in mine)
    whats = [problem.what for problem in run.problems]
    assert len(whats) == len(set(whats)), "not once with the item and once without"
    (card,) = [part for part in page.split("<article")[1:] if f'data-target="{ill}"' in part or f'id="t-{ill}"' in part]
    (mine, *_) = [problem.what for problem in run.problems if problem.target]
    assert mine.split("\n")[0].strip()[:30] in card
