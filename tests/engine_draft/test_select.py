"""Whom a definition is for; what test_cold.py cannot show on a running Kometa, or only slowly."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sidecar.engine.draft import match
from sidecar.engine.draft.select import Compiler
from sidecar.engine.draft.spec import Beyond, Refused
from tests.engine_draft import cases
from tests.engine_draft.drawing import NOW, facts

MOVIE = """<Video ratingKey="1" type="movie" title="Heat" year="1995" rating="8.3" contentRating="R" studio="Regency" viewCount="2"
  originallyAvailableAt="1995-12-15" addedAt="{added}" duration="10242000"><Media videoResolution="4k" audioCodec="truehd" height="2160"
  aspectRatio="2.35" audioChannels="8"><Part file="/m/Heat (1995)/heat.mkv"><Stream streamType="1" DOVIPresent="1"/>
  <Stream streamType="2" extendedDisplayTitle="English (TrueHD Atmos)"/></Part></Media><Media videoResolution="1080" audioCodec="ac3"/>
  <Genre tag="Crime"/><Genre tag="Drama"/><Label tag="Best Of"/><Role tag="Al Pacino"/></Video>"""


def heat() -> Any:
    return facts(MOVIE.format(added=int((NOW - timedelta(days=3)).timestamp())))


def finds(kind: str, given: object, library: str = "movie", level: str = "movie") -> Any:
    compiler = Compiler(library=library, level=level, now=NOW)
    return compiler.search(given) if kind == "search" else compiler.filters(given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"added": 4}, True),
        ({"added": 2}, False),
        ({"added.not": 2}, True),
        ({"release.after": "12/14/1995"}, True),
        ({"release.after": "1995-12-15"}, False),
        ({"release.before": "1995-12-15"}, False),
        ({"year": "1994, 1995"}, True),
        ({"year": "current_year-31"}, True),
        ({"year.gt": "current_year-31"}, False),
        ({"user_rating.not": 5}, False),
        ({"user_rating.gte": 0}, False),
        ({"audience_rating": 8}, False),
        ({"critic_rating": 8.3}, True),
        ({"rating.greater": 8}, True),
        ({"genres.not": ["crime"]}, False),
        ({"labels": "best of"}, True),
        ({"actor": "AL PACINO"}, True),
        ({"audio_codec.isnot": "AC3"}, False),
        ({"audio_track_title": "atmos"}, True),
        ({"subtitle_track_title.not": "atmos"}, True),
        ({"aspect.gt": 2.3, "channels": 8, "height.lt": 3000}, True),
        ({"plays": 2, "has_collection": "no"}, True),
        ([{"year": 1}, {"year": 1995, "genre": "Crime"}], True),
        ([{"year": 1}, {"year": 1995, "genre": "Comedy"}], False),
        ({}, True),
    ],
)
def test_filters(given: object, expected: bool) -> None:
    assert finds("filter", given)(heat()) is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"all": {"genre": ["Crime", "Comedy"]}}, False),
        ({"any": {"genre": ["Crime", "Comedy"]}}, True),
        ({"genre": ["Crime", "Comedy"]}, True),
        ({"genre.and": ["Crime", "Comedy"]}, False),
        ({"genre.not": ["Crime", "Comedy"]}, False),
        ({"any": {"genre.not": ["Crime", "Comedy"]}}, True),
        ({"all": {"any": [{"genre": "Crime"}, {"genre": "Comedy"}]}}, False),
        ({"any": {"any": [{"genre": "Crime"}, {"genre": "Comedy"}]}}, True),
        ({"all": {"hdr": True, "dovi": True}}, True),
        ({"all": {"hdr": False}}, False),
        ({"all": {"edition.not": "cut"}}, True),
        ({"all": {"added": "80h"}}, True),
        ({"all": {"added": "1w", "added.not": "1d"}}, True),
        ({"all": {"added": "60m"}}, False),
        ({"all": {"duration.gt": 170, "duration.lt": 171}}, True),
        ({"all": {"critic_rating.rated": True, "audience_rating.rated": False}}, True),
        ({"all": {"year": [1995, 1996]}}, False),
        ({"any": {"year.not": [1995, 1996]}}, True),
        ([{"all": {"year": 1}}, {"all": {"title": "EA"}}], True),
    ],
)
def test_searches(given: object, expected: bool) -> None:
    assert finds("search", given)(heat()) is expected


@pytest.mark.parametrize(
    ("kind", "given", "error"),
    [
        ("filter", {"tmdb_genre": "Drama"}, Beyond),
        ("filter", {"title.length": "Drama"}, Beyond),
        ("filter", {"audio_language": "English"}, Beyond),
        ("filter", {"versions.gt": 1}, Beyond),
        ("filter", {"year": None}, Refused),
        ("filter", {"critic_rating.gt": 11}, Refused),
        ("filter", {"channels": "many"}, Refused),
        ("filter", {"has_edition": "perhaps"}, Refused),
        ("filter", {"title.regex": "("}, Refused),
        ("filter", {"release.after": "yesterday"}, Refused),
        ("filter", {"release.after": "today"}, Beyond),
        ("filter", "drama", Refused),
        ("filter", {"genre": {"a": 1}}, Refused),
        ("filter", {"genre": "x", "validate": "yes"}, Refused),
        ("search", {"all": {"year": 1}, "any": {"year": 1}}, Refused),
        ("search", {"all": {}}, Refused),
        ("search", {"all": {"year": ""}}, Refused),
        ("search", "year", Refused),
        ("search", {"sort_by": "title.asc"}, Refused),
        ("search", {"all": {"year": 1}, "limit": 5}, Beyond),
        ("search", {"all": {"year": 1}, "type": "movie"}, Beyond),
        ("search", {"all": {"resolution.not": "4k"}}, Beyond),
        ("search", {"all": {"audio_language": "en"}}, Beyond),
        ("search", {"all": {"user_rating.lt": 5}}, Beyond),
        ("search", {"all": {"added": "2o"}}, Beyond),
        ("search", {"all": {"season_label": "x"}}, Refused),
    ],
)
def test_what_cannot_be_evaluated_is_said_before_any_item(kind: str, given: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        finds(kind, given)


@pytest.mark.parametrize(
    ("level", "given", "expected"),
    [
        ("episode", {"all": {"title": "dark"}}, True),
        ("episode", {"all": {"episode_title": "dark"}}, False),
        ("episode", {"all": {"episode_title": "lies"}}, True),
        ("episode", {"all": {"resolution": "720p"}}, True),
        ("episode", {"all": {"season_label": "x"}}, True),
        ("season", {"all": {"title": "dark"}}, True),
        ("season", {"all": {"season_label": "x"}}, True),
        ("season", {"all": {"year": 2017}}, True),
        ("show", {"all": {"critic_rating.gt": 8}}, True),
    ],
)
def test_in_show_libraries_most_searches_ask_the_show(level: str, given: object, expected: bool) -> None:
    season = cases.SEASON.replace("/>", '><Label tag="x"/></Directory>')
    xml = season if level == "season" else cases.ITEMS[level]
    above = {} if level == "show" else {"show": cases.SHOW} if level == "season" else {"show": cases.SHOW, "season": season}
    assert finds("search", given, "show", level)(facts(xml, level, **above)) is expected


@pytest.mark.parametrize(("level", "name"), [("show", "resolution"), ("season", "hdr"), ("show", "episode_year"), ("show", "season_label")])
def test_what_asks_all_episodes_is_beyond_the_draft(level: str, name: str) -> None:
    with pytest.raises(Beyond):
        finds("search", {"all": {name: 1}}, "show", level)
    with pytest.raises(Beyond):
        finds("filter", {"resolution": "4k"}, "show", level)


def test_values_that_kometa_looks_up_in_the_library_are_noted() -> None:
    compiler = Compiler(library="movie", level="movie", now=NOW)
    compiler.filters([{"label.not": "a"}, {"genre": "b"}, {"genre": ["c", "d"]}, {"label.not": "e", "validate": False}])
    compiler.search({"all": {"label.not": "f", "year.not": 3}})
    assert [value for _, value in compiler.doubts] == ["a", "c", "d", "f"]


def test_resolutions_are_known_by_title_and_key() -> None:
    assert [match.resolution(value) for value in ("4K", "4k", "1080p", "1080", "SD")] == ["4k", "4k", "1080", "1080", "sd"]
