"""The whole engine against a cold, stock Kometa on the same demo Plex: whom each definition is for, and what is drawn."""

from __future__ import annotations

import io
import itertools
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from sidecar import yamlfile
from sidecar.demo import DemoPlex, World
from sidecar.engine.draft import DraftEngine
from sidecar.model import Level, LibraryPlan, Outcome, OutcomeKind, Severity
from tests.cold import KometaInstall
from tests.cold_demo import cold_demo
from tests.engine_draft.plexsource import PlexSource, job, revision, targets, write

CELL = 40
"""Pixels: each definition colours a square of its own, so that a picture tells which definitions drew on it."""

SEARCHES: dict[str, list[dict[str, Any]]] = {
    "movie": [
        {"all": {"resolution": "4K"}},
        {"any": {"resolution": ["4k", "720p"]}},
        {"all": {"hdr": True}},
        {"all": {"hdr": False, "year.gte": 2019}},
        {"all": {"dovi": True}},
        {"any": {"genre": ["Drama", "History"]}},
        {"all": {"genre": ["Drama", "History"]}},
        {"all": {"genre.not": "drama"}},
        {"any": {"year": [1999, 2007]}},
        {"all": {"year.not": 2021}},
        {"all": {"year.gt": 2000, "year.lt": "2020"}},
        {"all": {"critic_rating.gte": 8.0}},
        {"all": {"audience_rating.lt": 7}},
        {"all": {"user_rating.rated": True}},
        {"all": {"user_rating.rated": False}},
        {"any": {"label": "Family Night"}},
        {"all": {"label.not": "Family Night"}},
        {"all": {"title": "n", "duration.gt": 100}},
        {"any": {"title.begins": "The", "title.ends": "Comets"}},
        {"any": {"title.is": "harbour nine", "edition": "Cut"}},
        {"all": {"edition.not": "Cut"}},
        {"any": {"studio": "Film"}},
        {"all": {"content_rating": "PG"}},
        {"any": {"content_rating.not": "R"}},
        {"all": {"country": "Japan"}},
        {"all": {"director": "Ines Varga"}},
        {"all": {"collection": "Meridian Collection"}},
        {"all": {"release.after": "2015-01-01", "release.before": "2022-06-01"}},
        {"all": {"added": 10000}},
        {"all": {"resolution": "4k", "any": [{"genre": "Horror"}, {"genre": "Western"}]}},
        {"all": {"resolution": "4k", "any": {"genre": "Horror", "year": 2023}}},
        {"any": {"all": [{"year": 2023, "hdr": True}, {"year": 1999, "resolution": "1080"}]}},
        {"resolution": "4k", "genre": ["Horror", "Fantasy"], "year.gte": 2012, "sort_by": "title.desc"},
    ],
    "show": [
        {"all": {"title": "post"}},
        {"any": {"genre": "Drama, Mystery"}},
        {"all": {"year.gte": 2020}},
        {"all": {"label": "Staff Pick"}},
        {"all": {"content_rating": ["TV-PG"]}},
        {"all": {"critic_rating.gt": 9}},
    ],
    "season": [{"all": {"title": "orchard"}}, {"all": {"year": 2024}}],
    "episode": [
        {"all": {"resolution": "720"}},
        {"all": {"hdr": True}},
        {"all": {"title": "signal"}},
        {"all": {"episode_title": "the"}},
        {"all": {"episode_year": 2023}},
        {"all": {"episode_air_date.after": "2022-01-01"}},
        {"all": {"label": "Staff Pick"}},
    ],
}

FILTERS: dict[str, list[Any]] = {
    "movie": [
        {"resolution": "4K"},
        {"resolution.not": ["4k", "1080p"]},
        {"audio_codec": "truehd"},
        {"audio_codec": ["eac3", "ac3"]},
        {"audio_codec.not": "dca"},
        {"audio_track_title.regex": "(?i)atmos"},
        {"video_codec.is": "hevc"},
        {"video_profile": "main"},
        {"filepath": "imax"},
        {"filepath.ends": ".mkv"},
        {"has_dolby_vision": True},
        {"has_dolby_vision": False},
        {"has_edition": True},
        {"has_collection": "yes"},
        {"has_overlay": False},
        {"year": [1999, 2023]},
        {"year.not": 2023},
        {"year.gt": 2018},
        {"year.gte": "current_year-5"},
        {"critic_rating.gte": 8.8},
        {"critic_rating.lt": 7},
        {"audience_rating": 9.0},
        {"user_rating.not": 8},
        {"label": "family night"},
        {"label.not": "Staff Pick"},
        {"genre": "Drama, Action"},
        {"genre.not": ["Drama"]},
        {"content_rating": "PG"},
        {"country": "japan"},
        {"director": "Ines Varga"},
        {"actor.not": "Ines Varga", "validate": False},
        {"studio": "film"},
        {"studio.isnot": "Ardent Film"},
        {"edition.begins": "director"},
        {"title.regex": "^[A-M]"},
        {"summary": "animation"},
        {"duration.gt": 120},
        {"duration.lte": 90},
        {"channels.gte": 8},
        {"height.gte": 2000},
        {"width.lt": 1000},
        {"aspect.gt": 2},
        {"plays": 0},
        {"plays.gte": 2},
        {"release.after": "2019-03-04"},
        {"release": 1200},
        {"release.not": 1200},
        {"added.before": "2030-01-01"},
        [{"year": 1999}, {"resolution": "4k", "has_edition": True}],
    ],
    "show": [
        {"genre": "Drama"},
        {"year.lt": 2020},
        {"label": "Staff Pick"},
        {"title": "post"},
        {"content_rating": "TV-14"},
        {"duration.gt": 40},
    ],
    "season": [{"title": "Season"}, {"show_title": "Orchard"}, {"year": 2023}, {"plays": 0}],
    "episode": [
        {"audio_codec": "eac3"},
        {"title.begins": "The"},
        {"season_title": "2"},
        {"show_title.not": "Signal"},
        {"has_dolby_vision": True},
        {"critic_rating.gt": 7, "duration.gt": 1},
        {"release.after": "2020-01-01"},
    ],
}

EXPECTED = {"Plex Error: actor: Ines Varga not found", "Plex Error: No Items found in Plex"}
"""What Kometa logs as errors and goes on: a filter's unknown value with ``validate: false``, a search that finds nothing."""


def definitions(*levels: str) -> dict[str, Any]:
    """A definition per condition, each with a cell of its own."""
    found: dict[str, Any] = {}
    for level in levels:
        builders = [{"plex_all": True, "filters": filters} for filters in FILTERS[level]]
        builders += [{"plex_search": search} for search in SEARCHES[level]]
        for number, builder in enumerate(builders):
            cell = {"horizontal_offset": 5 + CELL * (number % 20), "vertical_offset": 5 + CELL * (number // 20)}
            overlay = {"name": "backdrop", "back_color": "#FF2080", "back_width": CELL - 8, "back_height": CELL - 8, **cell}
            found[f"{level} {builder.get('plex_search') or builder.get('filters')}"] = {
                "builder_level": level,
                **builder,
                "overlay": overlay,
            }
    return found


def template_file() -> dict[str, Any]:
    """Templates, with defaults, optional and config variables; groups, suppression and a queue."""
    bottom = {"vertical_align": "bottom", "vertical_offset": 20, "horizontal_offset": 0}
    side = {"horizontal_align": "right", "horizontal_offset": 15, "vertical_align": "top"}
    bar = {
        "default": {"height": 60, "shade": "<<tone>>"},
        "optional": ["skip"],
        "plex_search": {"all": {"resolution": "<<key>>", "year.gte": "<<skip>>"}},
        "overlay": {"name": "backdrop", "back_color": "<<shade>>", "back_height": "<<height>>", "weight": "<<weight>>", "group": "bars"}
        | bottom,
    }
    wide = {"name": "w", "file": "config/wide.png", "queue": "side", "weight": 5}
    half = {"name": "badge", "queue": "side", "weight": 9, "scale_width": "50%"}
    return {
        "templates": {"bar": bar},
        "queues": {"side": [{**side, "vertical_offset": 300}, {**side, "vertical_offset": 400}]},
        "overlays": {
            "uhd": {"template": {"name": "bar", "key": "4k", "weight": 20}},
            "hd": {"template": [{"name": "bar", "key": "1080", "weight": 10, "tone": "#00FF00", "height": 30}]},
            "recent": {"variables": {"skip": 2015, "height": 90}, "template": {"name": "bar", "key": "1080", "weight": 15}},
            "badge": {"plex_all": True, "overlay": {"name": "badge", "queue": "side", "weight": 1}},
            "wide": {"plex_all": True, "filters": {"year.gt": 2000}, "overlay": wide},
            "other": {"plex_search": {"all": {"year.gt": 2020}}, "overlay": half, "suppress_overlays": "badge, wide"},
        },
    }


def write_config(directory: Path) -> dict[str, Any]:
    config = {
        "libraries": {
            "Movies": {
                "overlay_files": [
                    {"file": "config/overlays/movies.yml"},
                    {"file": "config/overlays/more.yml", "template_variables": {"tone": "#3040FF"}},
                ]
            },
            "Shows": {"overlay_files": [{"folder": "config/shows"}]},
        },
        "plex": {"url": "http://127.0.0.1:1", "token": "replaced", "timeout": 60},
        "tmdb": {"apikey": "demo", "language": "en"},
        "settings": {"run_order": ["operations", "metadata", "collections", "overlays"], "cache": False, "overlay_artwork_filetype": "png"},
    }
    files = {
        "config.yml": config,
        "overlays/movies.yml": {"overlays": definitions("movie")},
        "overlays/more.yml": template_file(),
        "shows/shows.yml": {"overlays": definitions("show", "season", "episode")},
    }
    write(directory, files)
    for name, size in (("overlays/badge.png", (120, 80)), ("wide.png", (300, 50))):
        Image.radial_gradient("L").resize(size).convert("RGBA").save(directory / name)
    return config


def cells(difference: Image.Image) -> list[int]:
    """Numbers of the cells in which two pictures differ."""
    found = []
    for row, column in itertools.product(range(6), range(20)):
        left, top = 5 + CELL * column, 5 + CELL * row
        if difference.crop((left, top, left + CELL - 8, top + CELL - 8)).getbbox():
            found.append(row * 20 + column)
    return found


def some_items(*without: int) -> World:
    """The sample without what is like something else in it."""
    world = World.sample()
    for key in (205, 206, 210, 211, 217, 218, 222, 223, 110, 113, *without):
        world.delete(key)
    return world


async def by_draft(
    source: Path, frozen_at: Path, config: dict[str, Any], world: World, kometa_home: Path | None = None
) -> tuple[Outcome, dict[int, bytes]]:
    """Every item of ``world`` drawn by the draft engine from ``source``, a config directory."""
    drawn: dict[int, bytes] = {}

    async def deliver(token: str, server: str, rating_key: int, data: bytes) -> None:
        drawn[rating_key] = data

    everything = frozenset(Level(level) for level in FILTERS)
    plans = [LibraryPlan(name=name, key=name, levels=everything) for name in ("Movies", "Shows")]
    frozen = revision(source, frozen_at, plans)
    async with DemoPlex(world) as plex, PlexSource(plex) as items:
        engine = DraftEngine(items, deliver, kometa_home=kometa_home)
        await engine.start()
        outcome = await engine.render(job(frozen, config, targets(world, *FILTERS), shards=2), lambda event: None)
        await engine.stop()
        assert not plex.writes
        assert not plex.mutations
    assert outcome.kind is OutcomeKind.FINISHED, outcome
    assert [problem.what for problem in outcome.problems if problem.severity is Severity.ERROR] == []
    return outcome, drawn


def difference(theirs: bytes, ours: bytes) -> Image.Image:
    with Image.open(io.BytesIO(theirs)) as one, Image.open(io.BytesIO(ours)) as other:
        return ImageChops.difference(one.convert("RGB"), other.convert("RGB"))


@pytest.mark.kometa
async def test_selection_and_pixels_are_a_cold_kometas(real_kometa: KometaInstall, tmp_path: Path) -> None:
    config = write_config(tmp_path / "source")
    run = await cold_demo(real_kometa, tmp_path / "source", tmp_path / "cold", world=some_items())
    assert set(run.result.messages("CRITICAL", "ERROR")) == EXPECTED

    world = some_items()
    _, drawn = await by_draft(tmp_path / "source", tmp_path / "frozen", config, world)
    assert set(drawn) == set(run.uploads) == {target.rating_key for target in targets(world, *FILTERS)}
    names = {level: list(definitions(level)) for level in FILTERS}
    wrong = {}
    for target in targets(world, *FILTERS):
        differs = difference(run.uploads[target.rating_key], drawn[target.rating_key])
        if differs.getbbox():
            wrong[target.label] = [names[target.level][cell] for cell in cells(differs)] or differs.getbbox()
    assert wrong == {}


@pytest.mark.kometa
async def test_the_sample_config_is_drawn_as_a_cold_kometa_draws_it(real_kometa: KometaInstall, tmp_path: Path) -> None:
    """With the fonts of Kometa's checkout, and whatever versions of Pillow the two have."""
    source = tmp_path / "source"
    shutil.copytree(Path(__file__).parents[2] / "config" / "kometa", source)
    config = yamlfile.parse((source / "config.yml").read_bytes(), "config.yml").data
    config["settings"] |= {"overlay_artwork_filetype": "png", "cache": False}
    (source / "config.yml").write_text(yamlfile.dump(config), encoding="utf-8")
    run = await cold_demo(real_kometa, source, tmp_path / "cold", world=some_items(104, 107, 109, 111, 203, 212, 219))
    assert run.result.messages("CRITICAL", "ERROR") == []
    world = some_items(104, 107, 109, 111, 203, 212, 219)
    outcome, drawn = await by_draft(source, tmp_path / "frozen", config, world, real_kometa.home)
    assert outcome.problems == ()
    assert set(drawn) == set(run.uploads)
    differing = {key: box for key, ours in drawn.items() if (box := difference(run.uploads[key], ours).getbbox())}
    assert differing == {}
