from __future__ import annotations

import random
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.model import Level
from sidecar.plex.choose import choose, gain
from sidecar.plex.items import WEIGHTS, Feature, Item, item_of, words
from sidecar.plex.wishes import plain


def item(key: int, *features: Feature, title: str = "") -> Item:
    return Item(key, Level.MOVIE, title or f"Film {key}", 2000, None, None, (), "", 1, "Movies", "", (), (), "", frozenset(features))


FEATURES = st.frozensets(st.tuples(st.sampled_from([*WEIGHTS, "unheard of"]), st.sampled_from("abcd")), max_size=6)
POOLS = st.dictionaries(st.integers(1, 60), FEATURES, max_size=25).map(lambda pool: [item(key, *pool[key]) for key in pool])


@given(POOLS, st.integers(0, 12), st.lists(st.integers(1, 60), max_size=6), st.randoms(use_true_random=False))
def test_choosing(pool: list[Item], count: int, kept: list[int], chance: random.Random) -> None:
    chosen = choose(pool, count, kept)
    keys = [choice.item.key for choice in chosen]
    assert len(keys) == min(count, len(pool))
    assert len(set(keys)) == len(keys)
    still = [key for key in dict.fromkeys(kept) if key in {one.key for one in pool}]
    assert keys[: len(still)] == still[:count]
    assert all(choice.why for choice in chosen)
    shuffled = list(pool)
    chance.shuffle(shuffled)
    assert choose(shuffled, count, kept) == chosen
    assert choose(pool, count, keys) == chosen or kept, "what was chosen is chosen again"
    assert [choice.item.key for choice in choose(pool, count, keys)] == keys


def test_the_reason_is_the_same_when_chosen_again() -> None:
    pool = [item(1, ("resolution", "4K")), item(2, ("resolution", "4K"), ("unheard of", "x"))]
    chosen = choose(pool, 2)
    assert choose(pool, 2, [choice.item.key for choice in chosen]) == chosen


@given(POOLS, st.integers(1, 12))
def test_every_choice_adds_the_most_that_any_could(pool: list[Item], count: int) -> None:
    covered: set[Feature] = set()
    for number, choice in enumerate(chosen := choose(pool, count)):
        taken = {before.item.key for before in chosen[:number]}
        best = max(gain(one.features, covered) for one in pool if one.key not in taken)
        if best == 0:
            break  # everything is shown: from here on it counts anew
        assert gain(choice.item.features, covered) == best
        covered |= choice.item.features


@given(POOLS)
def test_nothing_that_counts_is_missed_where_there_is_room(pool: list[Item]) -> None:
    shown = {feature for choice in choose(pool, len(pool)) for feature in choice.item.features}
    assert shown == {feature for one in pool for feature in one.features}


def test_the_unlike_come_first_and_say_why() -> None:
    pool = [
        item(1, ("resolution", "1080p"), ("audio", "AAC")),
        item(2, ("resolution", "1080p"), ("audio", "AAC"), ("content rating", "PG")),
        item(3, ("resolution", "4K"), ("hdr", "Dolby Vision"), ("audio", "TrueHD Atmos"), ("edition", "IMAX")),
        item(4, ("resolution", "4K"), ("hdr", "Dolby Vision"), ("audio", "TrueHD Atmos")),
    ]
    chosen = choose(pool, 3)
    assert [choice.item.key for choice in chosen] == [3, 2, 4]
    assert chosen[0].why == "4K, Dolby Vision, TrueHD Atmos"
    assert chosen[1].why == "1080p, AAC, PG"


def test_words_are_told_the_weightiest_first() -> None:
    assert words([("subtitles", "subtitles"), ("hdr", "HLG"), ("resolution", "720p")]) == "720p, HLG, subtitles"
    assert words([]) == ""


MOVIE = """<Video ratingKey="7" type="movie" title="Heat" year="1995" librarySectionID="1" librarySectionTitle="Movies" contentRating="R"
 guid="plex://movie/a" editionTitle="IMAX" rating="8" ratingImage="imdb://image.rating" thumb="/library/metadata/7/thumb/1">
 <Media videoResolution="4k" aspectRatio="2.35" audioChannels="8" audioCodec="truehd"><Part file="/m/Heat.mkv">
  <Stream streamType="1" DOVIPresent="1" colorTrc="smpte2084"/>
  <Stream streamType="2" codec="truehd" default="1" language="English" displayTitle="English (TRUEHD 7.1)" title="Atmos"/>
  <Stream streamType="2" codec="ac3" language="Français"/><Stream streamType="3"/></Part></Media>
 <Media videoResolution="720"><Part file="/m/Heat.720.mkv"/></Media>
 <Guid id="imdb://tt1"/><Rating image="rottentomatoes://image.rating.ripe" value="9" type="critic"/></Video>"""


def test_an_element_is_read() -> None:
    found = item_of(fromstring(MOVIE))
    assert found is not None
    assert (found.key, found.level, found.year, found.section, found.guids) == (7, Level.MOVIE, 1995, 1, ("imdb://tt1",))
    assert found.locations == ("/m/Heat.mkv", "/m/Heat.720.mkv")
    assert found.features == {
        ("resolution", "4K"),
        ("resolution", "720p"),
        ("hdr", "Dolby Vision"),
        ("audio", "TrueHD Atmos"),
        ("aspect", "2.35:1"),
        ("channels", "7.1"),
        ("content rating", "R"),
        ("edition", "IMAX"),
        ("versions", "2 versions"),
        ("ratings", "IMDb"),
        ("ratings", "Rotten Tomatoes"),
        ("language", "English"),
        ("language", "dual audio"),
        ("subtitles", "subtitles"),
    }


@pytest.mark.parametrize(
    ("video", "told"),
    [
        ({"colorTrc": "bt709"}, "SDR"),
        ({"colorTrc": "smpte2084"}, "HDR10"),
        ({"colorTrc": "smpte2084", "displayTitle": "4K HDR10+ (HEVC)"}, "HDR10+"),
        ({"colorTrc": "arib-std-b67"}, "HLG"),
        ({"DOVIPresent": "1"}, "Dolby Vision without HDR10"),
    ],
)
def test_dynamic_ranges(video: dict[str, str], told: str) -> None:
    movie = fromstring('<Video ratingKey="1" type="movie"><Media><Part/></Media></Video>')
    part = movie.find("Media/Part")
    assert part is not None
    part.append(Element("Stream", {"streamType": "1", **video}))
    found = item_of(movie)
    assert found is not None
    assert [value for kind, value in found.features if kind == "hdr"] == [told]


@pytest.mark.parametrize(
    "xml",
    [
        "<Directory key='1' title='x'/>",
        "<Video type='movie'/>",
        "<Directory ratingKey='5' type='collection'/>",
        "<Video ratingKey='x' type='movie'/>",
    ],
)
def test_what_is_no_item_is_none(xml: str) -> None:
    assert item_of(fromstring(xml)) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Amélie", "amelie"),
        ("The Thing", "Thing"),
        ("Spider-Man: No Way Home", "spider man no way home"),
        ("WALL·E", "wall e"),
        ("The", "the"),
    ],
)
def test_titles_are_compared_plainly(one: str, other: str) -> None:
    assert plain(one) == plain(other)
