"""Plex's filter language: read rightly, evaluated rightly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.demo import World
from sidecar.demo.items import Item
from sidecar.demo.plex.query import BadQuery, Condition, Group, Sort, parse
from sidecar.demo.plex.search import find

world = cache(World.sample)


def titles(section: int, query: str) -> list[str]:
    return [item.title for item in find(world(), world().libraries[section], parse(query))]


def keys(section: int, query: str) -> set[int]:
    return {item.rating_key for item in find(world(), world().libraries[section], parse(query))}


@pytest.mark.parametrize(
    ("raw", "field", "operator", "values"),
    [
        ("title=x", "title", "", ("x",)),
        ("title!=x", "title", "!", ("x",)),
        ("title%3D=x", "title", "=", ("x",)),
        ("title==x", "title", "=", ("x",)),
        ("title!%3D=x", "title", "!=", ("x",)),
        ("title%3C=x", "title", "<", ("x",)),
        ("title%3E=x", "title", ">", ("x",)),
        ("year%3E%3E=1990", "year", ">>", ("1990",)),
        ("year<<=1990", "year", "<<", ("1990",)),
        ("show.label=a%2Cb", "show.label", "", ("a,b", "a", "b")),
        ("studio=Gable+%26+Finch", "studio", "", ("Gable & Finch",)),
    ],
)
def test_one_condition(raw: str, field: str, operator: str, values: tuple[str, ...]) -> None:
    assert parse(raw).where.parts == (Condition(field, operator, values),)


def test_options_are_no_conditions() -> None:
    query = parse(
        "type=4&sort=show.titleSort:desc,index:nullsLast&limit=5&includeGuids=1&X-Plex-Container-Size=3&excludeElements=Media&skipRefresh=1"
    )
    assert (query.type, query.limit, query.where.parts) == (4, 5, ())
    assert query.sort == (Sort("show.titleSort", descending=True), Sort("index", nulls_last=True))
    assert query.flag("includeGuids")
    assert not query.flag("includeMeta")


def test_parentheses() -> None:
    query = parse("year=1&push=1&year=2&or=1&push=1&year=3&and=1&year=4&pop=1&pop=1&and=1&year=5")
    one, two, three, four, five = (Condition("year", "", (str(number),)) for number in range(1, 6))
    assert query.where == Group(False, (one, Group(True, (Group(False, (two,)), Group(False, (Group(False, (three, four)),)))), five))


@pytest.mark.parametrize("raw", ["push=1&year=1", "year=1&pop=1", "type=movie", "limit=x"])
def test_what_cannot_be_read(raw: str) -> None:
    with pytest.raises(BadQuery):
        parse(raw)


MOVIES: list[tuple[str, Callable[[Item], bool]]] = [
    ("resolution=4k", lambda item: any(media.profile.video and media.profile.video.resolution == "4k" for media in item.media)),
    (
        "resolution=4K,720p",
        lambda item: any(media.profile.video and media.profile.video.resolution in ("4k", "720") for media in item.media),
    ),
    ("resolution!=4k", lambda item: all(media.profile.video and media.profile.video.resolution != "4k" for media in item.media)),
    ("hdr=1", lambda item: any(media.profile.video and media.profile.video.hdr for media in item.media)),
    ("hdr!=1", lambda item: not any(media.profile.video and media.profile.video.hdr for media in item.media)),
    ("dovi=1", lambda item: any(media.profile.video and media.profile.video.dolby_vision for media in item.media)),
    ("year>>=2019", lambda item: bool(item.year and item.year > 2019)),
    ("year>=2019", lambda item: bool(item.year and item.year >= 2019)),
    ("year<<=1999", lambda item: bool(item.year and item.year < 1999)),
    ("year<=1999", lambda item: bool(item.year and item.year <= 1999)),
    ("year!=1999", lambda item: item.year != 1999),
    ("decade=2020", lambda item: bool(item.year and 2020 <= item.year < 2030)),
    ("title=er", lambda item: "er" in item.title.lower()),
    ("title!=er", lambda item: "er" not in item.title.lower()),
    ("title%3D=tidewrack", lambda item: item.title == "Tidewrack"),
    ("title%3C=the", lambda item: item.title.startswith("The")),
    ("title%3E=e", lambda item: item.title.lower().endswith("e")),
    ("editionTitle=cut", lambda item: "Cut" in item.edition),
    ("contentRating=PG", lambda item: item.content_rating == "PG"),
    ("contentRating!=PG,R", lambda item: item.content_rating not in ("PG", "R")),
    ("studio=film", lambda item: "film" in item.studio.lower()),
    ("label=family+night", lambda item: "Family Night" in item.tags.get("label", ())),
    ("label!=Family+Night", lambda item: "Family Night" not in item.tags.get("label", ())),
    ("genre=Drama,Comedy", lambda item: bool({"Drama", "Comedy"} & set(item.tags["genre"]))),
    ("genre=Drama&genre=History", lambda item: {"Drama", "History"} <= set(item.tags["genre"])),
    ("label=Overlay", lambda item: False),
    ("audioLanguage=fr", lambda item: any(track.language == "fr" for media in item.media for track in media.profile.audio)),
    ("audioLanguage=es-ES", lambda item: any(track.language == "es" for media in item.media for track in media.profile.audio)),
    ("subtitleLanguage=da", lambda item: any(track.language == "da" for media in item.media for track in media.profile.subtitles)),
    ("unwatched=1", lambda item: not item.view_count),
    ("inProgress=1", lambda item: bool(item.view_offset)),
    ("duplicate=1", lambda item: len(item.media) > 1),
    ("userRating=-1", lambda item: item.user_rating is None),
    ("userRating!=-1", lambda item: item.user_rating is not None),
    ("rating>>=8.5", lambda item: bool(item.rating and item.rating > 8.5)),
    ("originallyAvailableAt>>=2020-01-01", lambda item: item.originally_available > "2020-01-01"),
    ("guid=plex%3A%2F%2Fnothing", lambda item: False),
    ("unheardOf=1", lambda item: True),
]


@pytest.mark.parametrize(("query", "expected"), MOVIES, ids=[query for query, _ in MOVIES])
def test_movie_conditions(query: str, expected: Callable[[Item], bool]) -> None:
    movies = [world().items[key] for key in world().libraries[1].items]
    wanted = {item.rating_key for item in movies if expected(item)}
    assert keys(1, f"type=1&{query}") == wanted
    assert len(movies) == 14


def test_relative_dates() -> None:
    fresh = World.sample()
    fresh.change(105, added_at=int((datetime.now(UTC) - timedelta(days=3)).timestamp()))
    recent = find(fresh, fresh.libraries[1], parse("addedAt>>=-7d"))
    old = find(fresh, fresh.libraries[1], parse("addedAt<<=-7d"))
    assert [item.rating_key for item in recent] == [105]
    assert len(old) == 13


def test_tag_ids_and_names_are_alike() -> None:
    number = world().tag_id("genre", "Drama")
    assert keys(1, f"genre={number}") == keys(1, "genre=drama") == {103, 106, 109, 114}


SHOWS: list[tuple[str, set[int]]] = [
    ("type=2&episode.resolution=4k", {201}),
    ("type=2&resolution=4k", {201}),
    ("type=3&episode.resolution=4k", {207}),
    ("type=4&episode.resolution=4k", {208, 209, 210, 211}),
    ("type=4&resolution=4k&episode.title=noise", {209}),
    # both conditions must hold for one and the same episode
    ("type=2&episode.title=noise&episode.resolution=4k", {201}),
    ("type=2&episode.title=dead&episode.resolution=4k", set()),
    ("type=4&show.title=orchard&season.index=0", {214}),
    ("type=3&show.label=Staff+Pick", {213, 215}),
    ("type=2&show.network=Netflix", {201}),
    ("type=2&episode.unwatched=1", {201, 212, 219}),
    ("type=2&unwatchedLeaves=1", {201, 212, 219}),
    ("type=4&episode.hdr=1&push=1&episode.index=1&or=1&episode.index=4&pop=1", {208, 211}),
    ("type=4&season.label=Overlay", set()),
]


@pytest.mark.parametrize(("query", "expected"), SHOWS, ids=[query for query, _ in SHOWS])
def test_levels(query: str, expected: set[int]) -> None:
    assert keys(2, query) == expected


def test_sorting() -> None:
    assert titles(1, "type=1")[:4] == ["A Clockmaker's Winter", "Copper Saints", "Ember & Ash", "First Light"]
    assert titles(1, "sort=year:desc&limit=3") == ["First Light", "Static Bloom", "The Salt Meridian"]
    by_two = find(world(), world().libraries[1], parse("sort=contentRating,year:desc"))
    pairs = [(item.content_rating.lower(), -(item.year or 0)) for item in by_two]
    assert pairs == sorted(pairs)
    rated = [item.user_rating for item in find(world(), world().libraries[1], parse("sort=userRating:desc"))]
    assert rated[:2] == [8.0, 6.0]
    assert set(rated[2:]) == {None}
    assert [item.user_rating for item in find(world(), world().libraries[1], parse("sort=userRating"))][-2:] == [6.0, 8.0]
    by_show = titles(2, "type=4&sort=show.titleSort,season.index:nullsLast,episode.index:nullsLast")
    assert by_show[:4] == ["Return to Sender", "Rain Stamps", "The Lantern Route", "Behind the Platform"]
    shuffled = titles(1, "sort=random")
    assert sorted(shuffled) == sorted(titles(1, ""))


def test_limit_counts_after_sorting() -> None:
    assert titles(1, "sort=year&limit=1") == ["The Quiet Cartographer"]
    assert titles(1, "limit=0") == []


# A tree of conditions: a leaf is (condition text, test), a branch ("and" | "or", children).
Leaf = tuple[str, Callable[[Item], bool]]
leaves = st.sampled_from(MOVIES[:12])
trees = st.recursive(leaves, lambda inner: st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)), max_leaves=8)


def written(tree: object) -> str:
    head, rest = tree  # type: ignore[misc]
    if callable(rest):
        return str(head)
    return "push=1&" + f"&{head}=1&".join(map(written, rest)) + "&pop=1"


def true(tree: object, item: Item) -> bool:
    head, rest = tree  # type: ignore[misc]
    if callable(rest):
        return bool(rest(item))
    results = [true(part, item) for part in rest]
    return all(results) if head == "and" else any(results)


@given(trees)
def test_any_tree_of_conditions(tree: object) -> None:
    movies = [world().items[key] for key in world().libraries[1].items]
    assert keys(1, f"type=1&{written(tree)}") == {item.rating_key for item in movies if true(tree, item)}


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    for raw in (text, quote(text)):
        try:
            query = parse(raw)
        except BadQuery:
            continue
        find(world(), world().libraries[1], query)
