"""What the demo's Plex answers, over real HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator

import pytest
from PIL import Image

from sidecar.demo import DemoPlex, World
from sidecar.demo.plex.server import MAX_UPLOAD
from tests.demo.client import get


@pytest.fixture
async def plex() -> AsyncIterator[DemoPlex]:
    async with DemoPlex(World.sample(music=True)) as plex:
        yield plex


async def test_only_the_right_token_opens(plex: DemoPlex) -> None:
    assert (await get(plex, "/", token=False)).status == 401
    assert (await get(plex, "/library/sections", token=False, X_Plex_Token="wrong")).status == 401
    assert (await get(plex, "/?X-Plex-Token=wrong", token=False)).status == 401
    assert (await get(plex, f"/?X-Plex-Token={plex.token}", token=False)).status == 200
    assert (await get(plex, "/")).status == 200
    identity = await get(plex, "/identity", token=False)
    assert identity.xml.attrib["machineIdentifier"] == plex.state.machine_identifier


async def test_the_server_introduces_itself(plex: DemoPlex) -> None:
    root = (await get(plex, "/")).xml
    assert root.tag == "MediaContainer"
    assert root.attrib["friendlyName"] == "Sidecar Demo"
    assert root.attrib["myPlexSubscription"] == "1"
    assert root.attrib["version"].startswith("1.")
    settings = {row.attrib["id"]: row.attrib["value"] for row in (await get(plex, "/:/prefs")).xml}
    assert settings["DatabaseCacheSize"] == "40"
    assert settings["FriendlyName"] == "Sidecar Demo"


async def test_sections(plex: DemoPlex) -> None:
    rows = (await get(plex, "/library/sections")).xml
    assert [(row.attrib["key"], row.attrib["type"], row.attrib["title"], row.attrib["allowSync"]) for row in rows] == [
        ("1", "movie", "Movies", "1"),
        ("2", "show", "Shows", "1"),
        ("3", "artist", "Music", "1"),
    ]
    assert rows[0][0].attrib["path"] == "/media/movies"
    sources = {row.attrib["id"]: row.attrib for row in (await get(plex, "/library/sections/1/prefs")).xml}
    assert "imdb:IMDb" in sources["ratingsSource"]["enumValues"]
    assert (await get(plex, "/library/sections/9/all")).status == 404


async def test_paging_by_header_and_by_query(plex: DemoPlex) -> None:
    whole = await get(plex, "/library/sections/1/all?type=1")
    assert whole.xml.attrib["size"] == "14"
    assert "totalSize" not in whole.xml.attrib
    pages = []
    for start in (0, 5, 10):
        page = await get(plex, "/library/sections/1/all?type=1", X_Plex_Container_Start=str(start), X_Plex_Container_Size="5")
        assert (page.xml.attrib["totalSize"], page.xml.attrib["offset"]) == ("14", str(start))
        assert int(page.xml.attrib["size"]) == len(page.keys)
        pages += page.keys
    assert pages == whole.keys
    by_query = await get(plex, "/library/sections/1/all?type=1&X-Plex-Container-Start=12&X-Plex-Container-Size=9")
    assert by_query.keys == whole.keys[12:]
    none = await get(plex, "/library/sections/1/all?X-Plex-Container-Start=0&X-Plex-Container-Size=0")
    assert (none.xml.attrib["size"], none.xml.attrib["totalSize"]) == ("0", "14")
    beyond = await get(plex, "/library/sections/1/all?X-Plex-Container-Start=50&X-Plex-Container-Size=5")
    assert (beyond.keys, beyond.xml.attrib["totalSize"]) == ([], "14")


async def test_equal_queries_see_edits(plex: DemoPlex) -> None:
    query = "/library/sections/1/all?type=1&label=Overlay"
    assert (await get(plex, query)).keys == []
    plex.world.change(103, labels=["Overlay"])
    assert (await get(plex, query)).keys == [103]


async def test_a_listing_is_short_and_details_are_full(plex: DemoPlex) -> None:
    listed = next(row for row in (await get(plex, "/library/sections/1/all?type=1&includeGuids=1")).xml if row.attrib["ratingKey"] == "101")
    full = (await get(plex, "/library/metadata/101?skipRefresh=1")).xml[0]
    assert listed.tag == full.tag == "Video"
    assert not listed.findall(".//Stream")
    assert not listed.findall("Label")
    assert {guid.attrib["id"] for guid in listed.findall("Guid")} == {"imdb://tt9100101", "tmdb://9000101", "tvdb://8000101"}
    assert {stream.attrib["streamType"] for stream in full.findall("Media/Part/Stream")} == {"1", "2", "3"}
    video = full.find("Media/Part/Stream")
    assert video is not None
    assert video.attrib["DOVIPresent"] == "1"
    assert video.attrib["displayTitle"] == "4K DoVi/HDR10 (HEVC Main 10)"
    assert full.find("Media/Part").attrib["file"].startswith("/media/movies/The Salt Meridian (2023)/")  # type: ignore[union-attr]
    assert full.attrib["librarySectionID"] == "1"
    assert full.attrib["thumb"] == f"/library/metadata/101/thumb/{full.attrib['updatedAt']}"
    assert {rating.attrib["image"] for rating in full.findall("Rating")} >= {"imdb://image.rating", "themoviedb://image.rating"}
    assert not (await get(plex, "/library/sections/1/all?type=1")).xml[0].findall("Guid")
    lean = (await get(plex, "/library/metadata/101?skipRefresh=1&excludeElements=Media,Genre&excludeFields=summary")).xml[0]
    assert not lean.findall("Media")
    assert not lean.findall("Genre")
    assert "summary" not in lean.attrib


async def test_shows_seasons_and_episodes_know_each_other(plex: DemoPlex) -> None:
    show = (await get(plex, "/library/metadata/201?skipRefresh=1")).xml[0]
    assert show.tag == "Directory"
    assert (show.attrib["childCount"], show.attrib["leafCount"]) == ("2", "8")
    assert show.find("Location").attrib["path"] == "/media/shows/Signal Hollow (2023)"  # type: ignore[union-attr]
    assert (await get(plex, "/library/metadata/201/children")).keys == [202, 207]
    assert (await get(plex, "/library/metadata/201/grandchildren")).keys == [203, 204, 205, 206, 208, 209, 210, 211]
    assert (await get(plex, "/library/metadata/201/allLeaves")).keys == [203, 204, 205, 206, 208, 209, 210, 211]
    episode = (await get(plex, "/library/metadata/209?skipRefresh=1")).xml[0].attrib
    assert (episode["parentRatingKey"], episode["grandparentRatingKey"]) == ("207", "201")
    assert (episode["parentIndex"], episode["index"], episode["grandparentTitle"]) == ("2", "2", "Signal Hollow")
    specials = (await get(plex, "/library/metadata/213?skipRefresh=1")).xml[0].attrib
    assert (specials["index"], specials["title"]) == ("0", "Specials")


async def test_several_items_at_once(plex: DemoPlex) -> None:
    assert (await get(plex, "/library/metadata/101,999,203,401?skipRefresh=1")).keys == [101, 203, 401]
    assert (await get(plex, "/library/metadata/999?skipRefresh=1")).status == 404


async def test_albums_and_tracks(plex: DemoPlex) -> None:
    assert (await get(plex, "/library/sections/3/all?type=8")).keys == [410, 401]
    albums = (await get(plex, "/library/sections/3/all?type=9&artist.genre=Folk")).xml
    assert [album.attrib["title"] for album in albums] == ["Slow Ferry", "Weather Diary"]
    track = (await get(plex, "/library/metadata/403?skipRefresh=1")).xml[0]
    assert (track.tag, track.attrib["grandparentTitle"]) == ("Track", "The Tin Orchard")


async def test_meta_block(plex: DemoPlex) -> None:
    answer = (await get(plex, "/library/sections/2/all?includeMeta=1&X-Plex-Container-Start=0&X-Plex-Container-Size=0")).xml
    meta = answer.find("Meta")
    assert meta is not None
    assert [kind.attrib["type"] for kind in meta.findall("Type")] == ["show", "season", "episode", "folder"]
    assert "label" in {row.attrib["filter"] for row in meta.findall("Type[@type='show']/Filter")}
    assert {row.attrib["type"] for row in meta.findall("FieldType")} >= {"tag", "integer", "string", "boolean", "date", "resolution"}
    kinds = {row.attrib["type"] for row in meta.findall("Type/Field")}
    assert kinds <= {row.attrib["type"] for row in meta.findall("FieldType")}
    collections = (await get(plex, "/library/sections/1/collections?includeMeta=1")).xml
    assert collections.find("Meta/Type[@type='collection']") is not None
    assert [row.attrib["title"] for row in collections.findall("Directory")] == ["Meridian Collection"]


async def test_filter_choices_lead_to_their_items(plex: DemoPlex) -> None:
    """Every choice of every filter of every library finds something: what is offered can be asked for."""
    asked = 0
    for section in (1, 2):
        meta = (await get(plex, f"/library/sections/{section}/all?includeMeta=1&X-Plex-Container-Size=0")).xml
        for row in meta.findall("Meta/Type/Filter"):
            if row.attrib["filterType"] == "boolean":
                continue
            choices = (await get(plex, row.attrib["key"])).xml
            for choice in choices:
                assert (await get(plex, choice.attrib["fastKey"])).keys, choice.attrib
                asked += 1
    assert asked > 120


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/library/sections/1/resolution", ["1080p", "480p", "4K", "576p", "720p"]),
        ("/library/sections/2/resolution?type=4", ["1080p", "4K", "720p"]),
        ("/library/sections/1/label", ["Family Night", "Staff Pick"]),
        ("/library/sections/2/label?type=2", ["Staff Pick"]),
        ("/library/sections/2/label?type=3", []),
        ("/library/sections/1/audioLanguage", ["Danish", "English", "French", "German", "Japanese", "Spanish"]),
        ("/library/sections/2/network?type=2", ["BBC One", "Netflix", "TV Tokyo"]),
        ("/library/sections/1/hdr", []),
    ],
)
async def test_filter_choices(plex: DemoPlex, target: str, expected: list[str]) -> None:
    assert [row.attrib["title"] for row in (await get(plex, target)).xml] == expected


async def test_a_query_that_cannot_be_read(plex: DemoPlex) -> None:
    assert (await get(plex, "/library/sections/1/all?push=1&year=1")).status == 400


async def test_pictures(plex: DemoPlex) -> None:
    for target, size, kind in (
        ("/library/metadata/104/thumb/123", (1000, 1500), "image/png"),
        ("/library/metadata/101/thumb/1?X-Plex-Token=ignored", (2000, 3000), "image/jpeg"),
        ("/library/metadata/208/thumb/1", (1920, 1080), "image/jpeg"),
        ("/library/metadata/101/art/1", (1920, 1080), "image/jpeg"),
    ):
        answer = await get(plex, target)
        assert (answer.status, answer.headers["content-type"]) == (200, kind)
        assert Image.open(io.BytesIO(answer.body)).size == size
    listed = (await get(plex, "/library/metadata/105/posters")).xml
    assert [row.attrib["selected"] for row in listed] == ["1", "0"]
    thumb = (await get(plex, "/library/metadata/105/thumb/1")).body
    assert [(await get(plex, row.attrib["key"])).body == thumb for row in listed] == [True, False]
    assert (await get(plex, "/library/metadata/105/clearLogo/1")).status == 404
    assert (await get(plex, "/library/metadata/105/file?url=nothing")).status == 404


async def test_sizes_of_libraries(plex: DemoPlex) -> None:
    rows = (await get(plex, "/media/providers?includeStorage=1")).xml.findall("MediaProvider/Feature/Directory")
    assert [row.attrib["id"] for row in rows] == ["1", "2", "3"]
    assert int(rows[0].attrib["storageTotal"]) == sum(media.size for key in range(101, 115) for media in plex.world.item(key).media)


async def test_gzip_for_those_who_take_it(plex: DemoPlex) -> None:
    plain = await get(plex, "/library/sections")
    packed = await get(plex, "/library/sections", Accept_Encoding="gzip, deflate")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"])
    assert packed.body == plain.body


async def test_under_a_path_prefix() -> None:
    async with DemoPlex(World.sample(), prefix="plex") as plex:
        assert plex.url.endswith("/plex")
        assert (await get(plex, "/library/sections")).xml.attrib["size"] == "2"
        assert (await get(plex, "")).xml.attrib["friendlyName"] == "Sidecar Demo"
        plex.prefix = ""
        assert (await get(plex, "/plexlibrary/sections")).status == 404


async def test_another_world_is_another_server(plex: DemoPlex) -> None:
    async with DemoPlex(World.sample("Attic"), token="other") as other:
        assert (await get(other, "/")).xml.attrib["friendlyName"] == "Attic"
        assert other.state.machine_identifier != plex.state.machine_identifier
        assert (await get(other, "/", token=False, X_Plex_Token=plex.token)).status == 401


async def test_hostile_titles_stay_well_formed(plex: DemoPlex) -> None:
    title = "<b>\"Tom & 'Jerry'\"</b>\n\x00\x1b\ud800é"
    plex.world.change(101, title=title, summary=title)
    shown = (await get(plex, "/library/metadata/101?skipRefresh=1")).xml[0].attrib["title"]
    assert shown == "<b>\"Tom & 'Jerry'\"</b>\né"


async def test_it_comes_back_on_its_port() -> None:
    plex = DemoPlex(World.sample())
    await plex.start()
    port = plex.port
    await plex.stop()
    await plex.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await plex.start()
    assert plex.port == port
    assert (await get(plex, "/")).status == 200
    await plex.stop()


async def test_everything_is_recorded(plex: DemoPlex) -> None:
    await get(plex, "/library/../library/sections?a=%41&b=", X_Extra="yes")
    await get(plex, "/library/metadata/101/posters", "POST", b"\xff\xd8picture")
    read, write = plex.requests
    assert (read.method, read.target) == ("GET", "/library/../library/sections?a=%41&b=")
    assert (read.path, read.query, read.params) == ("/library/../library/sections", "a=%41&b=", {"a": "A", "b": ""})
    assert read.headers["x-extra"] == "yes"
    assert (read.size, read.sha256) == (0, "")
    assert write.size == 9
    assert write.sha256 == hashlib.sha256(b"\xff\xd8picture").hexdigest()
    assert plex.writes == [write]
    assert (await get(plex, "/library/metadata/101/posters", "POST", bytes(MAX_UPLOAD + 1))).status == 413
    assert len(plex.requests) == 3
    plex.forget()
    assert (plex.requests, plex.writes, plex.mutations, plex.uploads) == ([], [], [], {})
