"""The demo's content: repeatable, varied, editable."""

from __future__ import annotations

import io
import time

import pytest
from PIL import Image

from sidecar.demo import World
from sidecar.demo.plex import xml
from sidecar.demo.world import Change


def told(world: World) -> list[str]:
    return [xml.describe(world, item, full=True) for item in world.items.values()]


def test_the_sample_is_the_same_every_time() -> None:
    assert told(World.sample(music=True)) == told(World.sample(music=True))


def test_the_sample_is_varied() -> None:
    world = World.sample()
    movies = list(world.of_type(world.libraries[1], "movie"))
    videos = [media.profile.video for movie in movies for media in movie.media if media.profile.video]
    assert {video.resolution for video in videos} == {"4k", "1080", "720", "576", "480"}
    assert {video.hdr for video in videos} == {"", "hdr10", "hdr10+", "dv", "dv5", "hlg"}
    assert {media.profile.audio[0].codec for movie in movies for media in movie.media} >= {
        "truehd",
        "dca",
        "eac3",
        "ac3",
        "aac",
        "flac",
        "pcm",
        "mp2",
    }
    assert len({video.aspect for video in videos}) >= 6
    assert len({movie.content_rating for movie in movies}) >= 7
    assert {len(movie.media) for movie in movies} == {1, 2}
    assert any(not movie.ratings for movie in movies)
    assert {movie.rating_image.partition(":")[0] for movie in movies} == {"rottentomatoes", "imdb", "themoviedb", ""}
    assert {movie.poster_format for movie in movies} == {"jpg", "png", "webp"}
    assert len({movie.edition for movie in movies}) >= 6
    shows = list(world.of_type(world.libraries[2], "show"))
    assert len(shows) == 3
    assert [len(show.children) for show in shows] == [2, 2, 1]
    assert world.of_type(world.libraries[2], "episode").__next__().rating_key == 203


@pytest.mark.parametrize("count", [0, 1, 20, 900])
def test_a_world_of_any_size(count: int) -> None:
    world = World.sized(count)
    assert len(world.libraries[1].items) == count
    assert len({guid for item in world.items.values() for guid in (item.guid, *item.guids)}) == sum(
        1 + len(item.guids) for item in world.items.values()
    )
    assert [world.items[key].title for key in world.libraries[1].items[:3]] == [
        "The Salt Meridian",
        "Lanterns over Vesper",
        "A Clockmaker's Winter",
    ][:count]
    assert told(World.sized(count)) == told(world)


def test_pictures_are_drawn_as_the_items_say() -> None:
    world = World.sample(music=True)
    for key, size, kind in (
        (101, (2000, 3000), "JPEG"),
        (102, (1000, 1500), "JPEG"),
        (104, (1000, 1500), "PNG"),
        (112, (1000, 1500), "WEBP"),
        (203, (1920, 1080), "JPEG"),
        (401, (1000, 1000), "JPEG"),
    ):
        content, media_type = world.picture(world.item(key))
        with Image.open(io.BytesIO(content)) as picture:
            assert (picture.size, picture.format) == (size, kind)
            assert media_type == f"image/{kind.lower()}"
    first, again = world.picture(world.item(105))[0], World.sample().picture(World.sample().item(105))[0]
    assert first == again
    assert len({world.picture(world.item(key))[0] for key in range(101, 109)}) == 8
    with pytest.raises(KeyError):
        world.picture(world.item(105), "clearLogos")


def test_an_edit_moves_updated_at_and_is_told() -> None:
    world = World.sample()
    heard: list[Change] = []
    silence = world.listen(heard.append)
    movie = world.item(101)
    before, counter, thumb = movie.updated_at, world.libraries[1].changed, xml.thumb(movie)
    world.change(101, labels=["Overlay"], rating=9.9)
    assert movie.tags["label"] == ("Overlay",)
    assert movie.rating == 9.9
    assert before < movie.updated_at <= time.time() + 1
    assert xml.thumb(movie) != thumb
    assert world.libraries[1].changed == counter + 1
    silence()
    world.change(101, rating=1.0)
    assert [(change.item.rating_key, change.what) for change in heard] == [(101, "labels, rating")]
    with pytest.raises(AttributeError):
        world.change(101, no_such_field=1)
    with pytest.raises(KeyError):
        world.change(99, title="x")


def test_two_edits_in_a_second_have_two_times() -> None:
    world = World.sample()
    stamps = [world.change(101, rating=float(value)).updated_at for value in range(3)]
    assert stamps == sorted(set(stamps))


def test_new_art_has_other_bytes() -> None:
    world = World.sample()
    before = world.picture(world.item(102))[0]
    world.redraw(102)
    assert world.picture(world.item(102))[0] != before


def test_deleting_a_season_takes_its_episodes_along() -> None:
    world = World.sample()
    world.delete(207)
    assert not {207, 208, 209, 210, 211} & world.items.keys()
    assert world.item(201).children == [202]
    assert world.by_guid("imdb://tt9300208") is None


def test_collections_follow_their_tags() -> None:
    world = World.sample()

    def members() -> dict[str, list[int]]:
        return {item.title: item.children for item in world.of_type(world.libraries[1], "collection")}

    assert members() == {"Meridian Collection": [101, 106]}
    world.change(105, collections=["Meridian Collection", "Harbours"])
    assert members() == {"Meridian Collection": [101, 105, 106], "Harbours": [105]}
    world.change(105, collections=[])
    assert members() == {"Meridian Collection": [101, 106]}
