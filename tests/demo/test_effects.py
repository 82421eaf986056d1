"""Requests that change a Plex server change this one, and are told."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import pytest

from sidecar.demo import DemoPlex
from tests.demo.client import get

MUTATING_GETS = [
    "/library/sections/all/refresh",
    "/library/sections/1/refresh?force=1",
    "/library/sections/1/refresh?path=%2Fmedia",
    "/:/scrobble?key=101&identifier=com.plexapp.plugins.library",
    "/:/unscrobble?key=101&identifier=com.plexapp.plugins.library",
    "/:/rate?key=101&identifier=com.plexapp.plugins.library&rating=8",
    "/:/progress?key=101&identifier=com.plexapp.plugins.library&time=60000&state=stopped",
    "/:/timeline?ratingKey=101&key=%2Flibrary%2Fmetadata%2F101&time=60000&state=playing&duration=1",
    "/status/sessions/terminate?sessionId=1&reason=x",
    "/security/token?type=delegation&scope=all",
    "/security/resources?source=x",
    "/player/playback/playMedia?key=101",
    "/video/:/transcode/universal/start.m3u8?path=x",
    "/audio/:/transcode/universal/start.mp3?path=x",
    "/video/:/transcode/universal/stop?session=1",
    "/library/metadata/101?asyncAugmentMetadata=1&skipRefresh=1",
    "/library/metadata/101?checkFiles=1&skipRefresh=1",
    "/library/metadata/101?asyncCheckFiles=1&skipRefresh=1",
    "/library/metadata/101?asyncRefreshLocalMediaAgent=1&skipRefresh=1",
    "/library/metadata/101?asyncRefreshAnalysis=1&skipRefresh=1",
    "/library/metadata/101",
    "/library/metadata/101/subtitles?url=http%3A%2F%2F127.0.0.1%2Fx.srt",
    "/library/metadata/101/refresh",
    "/playQueues/1?own=1",
    "/photo/:/transcode?url=http%3A%2F%2F127.0.0.1%2F&width=1&height=1",
    "/services/ultrablur/colors?url=http%3A%2F%2F127.0.0.1%2F",
    "/log?message=x&level=3&source=x",
    "/log/networked?minutes=1",
    "/diagnostics/databases",
    "/diagnostics/logs",
    "/services/browse/L2V0Yw==",
    "/library/sections/1/emptyTrash",
    "/library/sections/1/optimize",
    "/library/sections/1/match",
    "/library/sections/1/unmatch",
    "/library/sections/1/edit?name=x",
    "/library/optimize?async=1",
    "/media/grabbers/devices/discover",
    "/:/prefs/set?DatabaseCacheSize=1",
]

CLEAN_GETS = [
    "/",
    "/identity",
    "/:/prefs",
    "/library",
    "/library/sections",
    "/library/sections/1/all?type=1&includeGuids=1",
    "/library/sections/1/resolution",
    "/library/metadata/101?skipRefresh=1",
    "/library/metadata/101,203?skipRefresh=1&checkFiles=0",
    "/library/metadata/201/children",
    "/library/metadata/101/posters",
    "/library/metadata/101/subtitles",
    "/library/metadata/102/thumb/1",
    "/playQueues/1",
    "/photo/:/transcode",
    "/hubs/search?query=salt",
    "/playlists",
    "/status/sessions",
    "/butler",
    "/nowhere",
]


@pytest.mark.parametrize("target", MUTATING_GETS)
async def test_gets_that_change_or_leak(demo_plex: DemoPlex, target: str) -> None:
    await get(demo_plex, target)
    assert len(demo_plex.mutations) == 1
    assert demo_plex.writes == []
    assert str(demo_plex.mutations[0])


@pytest.mark.parametrize("target", CLEAN_GETS)
async def test_gets_that_do_not(demo_plex: DemoPlex, target: str) -> None:
    before = {key: item.updated_at for key, item in demo_plex.world.items.items()}
    await get(demo_plex, target)
    await get(demo_plex, target, "HEAD")
    assert demo_plex.mutations == []
    assert {key: item.updated_at for key, item in demo_plex.world.items.items()} == before


SCROBBLE = "key=101&identifier=com.plexapp.plugins.library"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", f"/:/scrobble?{SCROBBLE}"),
        ("HEAD", f"/:/scrobble?{SCROBBLE}"),
        ("OPTIONS", f"/:/scrobble?{SCROBBLE}"),
        ("PUT", f"/:/scrobble?{SCROBBLE}"),
        ("GET", f"/:/Scrobble?{SCROBBLE}"),
        ("GET", f"/:/scrobble/?{SCROBBLE}"),
        ("GET", f"//:/scrobble?{SCROBBLE}"),
        ("GET", f"/library/../:/scrobble?{SCROBBLE}"),
        ("GET", f"/library/%2e%2e/:/scrobble?{SCROBBLE}"),
        ("GET", f"/library%2f..%2f:%2fscrobble?{SCROBBLE}"),
        ("GET", f"/%3a/scrobble?{SCROBBLE}"),
        ("GET", f"/:\\scrobble?{SCROBBLE}"),
        ("GET", f"/:/scrobble;x=1?{SCROBBLE}"),
    ],
)
async def test_tricks_that_reach_it_work(demo_plex: DemoPlex, method: str, target: str) -> None:
    """The demo is lenient, so that a gateway that lets a trick through is found out."""
    await get(demo_plex, target, method)
    assert [mutation.kind for mutation in demo_plex.mutations] == ["scrobble"]
    assert demo_plex.world.item(101).view_count == 3


async def test_method_overrides_are_obeyed(demo_plex: DemoPlex) -> None:
    await get(demo_plex, "/library/metadata/101", X_HTTP_Method_Override="DELETE")
    assert 101 not in demo_plex.world.items
    await get(demo_plex, "/library/metadata/102?_method=DELETE")
    assert 102 not in demo_plex.world.items


async def test_nothing_happens_without_the_token(demo_plex: DemoPlex) -> None:
    for target in MUTATING_GETS:
        assert (await get(demo_plex, target, token=False)).status == 401
    assert (await get(demo_plex, "/library/metadata/101", "DELETE", token=False)).status == 401
    assert demo_plex.mutations == []


async def test_play_state(demo_plex: DemoPlex) -> None:
    await get(demo_plex, "/:/scrobble?key=201&identifier=x")
    assert {leaf.view_count for leaf in demo_plex.world.leaves(demo_plex.world.item(201))} == {1, 2}
    await get(demo_plex, "/:/unscrobble?key=%2Flibrary%2Fmetadata%2F201&identifier=x")
    assert {leaf.view_count for leaf in demo_plex.world.leaves(demo_plex.world.item(201))} == {0}
    await get(demo_plex, "/:/rate?key=101&rating=7.5")
    assert demo_plex.world.item(101).user_rating == 7.5
    await get(demo_plex, "/:/rate?key=101&rating=-1", "PUT")
    assert demo_plex.world.item(101).user_rating is None
    await get(demo_plex, "/:/timeline?ratingKey=101&time=5000&state=paused")
    assert demo_plex.world.item(101).view_offset == 5000
    assert (await get(demo_plex, "/:/scrobble?key=999")).status == 404


async def test_a_stale_item_is_looked_at_once(demo_plex: DemoPlex) -> None:
    for _ in range(2):
        await get(demo_plex, "/library/metadata/101,102")
    assert [(mutation.kind, mutation.target) for mutation in demo_plex.mutations] == [("refresh_stale", "101"), ("refresh_stale", "102")]


async def test_uploads_raw_and_multipart(demo_plex: DemoPlex) -> None:
    poster = demo_plex.world.picture(demo_plex.world.item(104))[0]
    assert (await get(demo_plex, "/library/metadata/101/posters", "POST", poster)).status == 200
    stamp = demo_plex.world.item(101).updated_at
    shown = await get(demo_plex, f"/library/metadata/101/thumb/{stamp}")
    assert (shown.body, shown.headers["content-type"]) == (poster, "image/png")
    form = (
        b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        b"\xff\xd8\x00\r\n\xff\r\n--frontier--\r\n"
    )
    kind = "multipart/form-data; boundary=frontier"
    await get(demo_plex, "/library/metadata/101/arts", "POST", form, Content_Type=kind)
    assert demo_plex.uploads == {101: [poster, b"\xff\xd8\x00\r\n\xff"]}
    assert (await get(demo_plex, "/library/metadata/101/art/1")).body == b"\xff\xd8\x00\r\n\xff"
    assert hashlib.sha256(poster).hexdigest() in demo_plex.mutations[0].detail
    assert demo_plex.world.item(101).updated_at > stamp
    assert (await get(demo_plex, "/library/metadata/101/posters", "POST", b"")).status == 400


async def test_upload_by_url_and_selection(demo_plex: DemoPlex) -> None:
    base = f"{demo_plex.url}/library/metadata/105/file?url="
    posters = (await get(demo_plex, "/library/metadata/105/posters")).xml
    second = posters[1].attrib["ratingKey"]
    wanted = (await get(demo_plex, posters[1].attrib["key"])).body
    await get(demo_plex, f"/library/metadata/105/posters?url={quote(base + quote(second, safe=''), safe='')}", "POST")
    assert (await get(demo_plex, "/library/metadata/105/thumb/1")).body == wanted
    assert demo_plex.uploads == {}
    first = posters[0].attrib["ratingKey"]
    await get(demo_plex, f"/library/metadata/105/poster?url={quote(first, safe='')}", "PUT")
    assert (await get(demo_plex, "/library/metadata/105/thumb/1")).body == (await get(demo_plex, posters[0].attrib["key"])).body
    assert [mutation.kind for mutation in demo_plex.mutations] == ["upload", "select"]
    listed = (await get(demo_plex, "/library/metadata/105/posters")).xml
    assert [row.attrib["selected"] for row in listed] == ["0", "1", "0"]
    await get(demo_plex, "/library/metadata/105/posters?url=http%3A%2F%2Fart.invalid%2Fa.jpg", "POST")
    assert (await get(demo_plex, "/library/metadata/105/thumb/1")).body.startswith(b"\xff\xd8")


async def test_tag_and_field_edits(demo_plex: DemoPlex) -> None:
    section = "/library/sections/1/all?type=1&"
    await get(demo_plex, f"{section}id=111&label.locked=1&label%5B0%5D.tag.tag=Staff+Pick&label%5B1%5D.tag.tag=Overlay", "PUT")
    item = demo_plex.world.item(111)
    assert item.tags["label"] == ("Staff Pick", "Overlay")
    assert item.locked == {"label"}
    await get(demo_plex, f"{section}id=111&label.locked=0&label%5B%5D.tag.tag-=Staff%2520Pick", "PUT")
    assert item.tags["label"] == ("Overlay",)
    assert item.locked == frozenset()
    await get(demo_plex, f"{section}id=104,111&label%5B0%5D.tag.tag=New", "PUT")
    assert (demo_plex.world.item(104).tags["label"], item.tags["label"]) == (("Family Night", "New"), ("Overlay", "New"))
    await get(demo_plex, f"{section}id=111&title.value=Renamed&title.locked=1&year.value=1990", "PUT")
    assert (item.title, item.year, item.locked) == ("Renamed", 1990, {"title"})
    await get(demo_plex, "/library/metadata/111?summary.value=Short", "PUT")
    assert item.summary == "Short"
    assert [mutation.kind for mutation in demo_plex.mutations] == ["edit"] * 6
    assert len(demo_plex.writes) == 5


async def test_other_writes(demo_plex: DemoPlex) -> None:
    await get(demo_plex, "/:/prefs?DatabaseCacheSize=512&unknown=1", "PUT")
    assert demo_plex.state.prefs["DatabaseCacheSize"] == "512"
    await get(demo_plex, "/library/metadata/103/refresh", "PUT")
    await get(demo_plex, "/library/collections?type=1&title=x&smart=0&sectionId=1", "POST")
    await get(demo_plex, "/library/sections/1", "DELETE")
    await get(demo_plex, "/library/metadata/103", "DELETE")
    assert [mutation.kind for mutation in demo_plex.mutations] == ["prefs", "refresh", "act", "act", "delete"]
    assert (await get(demo_plex, "/library/metadata/103?skipRefresh=1")).status == 404
