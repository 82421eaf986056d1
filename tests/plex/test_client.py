from __future__ import annotations

import asyncio
import socket
import traceback

import pytest
from pydantic import SecretStr

from sidecar.demo import DemoPlex, World
from sidecar.errors import PlexAway, PlexError, PlexRefused
from sidecar.model import PlexServer
from sidecar.plex import PlexReader, Section
from sidecar.plex.transport import ReadOnlySession, Transport
from tests.plex.conftest import server_of


async def test_a_server_tells_who_it_is(plex: DemoPlex, reader: PlexReader) -> None:
    facts = await reader.facts()
    assert facts.name == plex.world.name
    assert facts.version == "1.41.3.9314-a0bfb8370"
    assert facts.machine_identifier == plex.state.machine_identifier


async def test_sections_by_title(plex: DemoPlex, reader: PlexReader) -> None:
    sections = await reader.sections()
    assert {title: (section.key, section.type) for title, section in sections.items()} == {
        "Movies": (1, "movie"),
        "Shows": (2, "show"),
        "Music": (3, "artist"),
    }
    assert isinstance(sections["Movies"], Section)
    assert sections["Movies"].uuid == plex.world.libraries[1].uuid


async def test_metadata_is_full_and_moves_nothing(plex: DemoPlex, reader: PlexReader) -> None:
    element = await reader.metadata(101)
    assert element.get("title") == plex.world.items[101].title
    assert element.find("Media/Part/Stream") is not None
    assert element.find("Guid") is not None
    [request] = [request for request in plex.requests if "metadata" in request.path]
    assert request.params["skipRefresh"] == "1"


async def test_items_come_in_the_order_of_the_keys_and_the_missing_are_left_out(plex: DemoPlex, reader: PlexReader) -> None:
    found = await reader.items([103, 9999, 101, 103])
    assert [element.get("ratingKey") for element in found] == ["103", "101"]
    assert await reader.items([9999]) == []
    assert await reader.items([]) == []
    with pytest.raises(PlexError, match="no item 9999"):
        await reader.metadata(9999)


async def test_many_items_are_few_requests() -> None:
    async with DemoPlex(World.sized(100)) as plex:
        reader = PlexReader(server_of(plex))
        assert len(await reader.items(range(101, 201))) == 100
        assert len(plex.requests) == 3
        await reader.close()


async def test_listings_are_filtered_sorted_and_bounded(plex: DemoPlex, reader: PlexReader) -> None:
    listing = await reader.listing(1, {"type": "1", "sort": "year"}, size=3)
    assert len(listing.items) == 3
    assert listing.total == len(plex.world.libraries[1].items)
    assert listing.items[0].get("title") == "The Quiet Cartographer"
    second = await reader.listing(1, {"type": "1", "sort": "year"}, size=3, start=3)
    assert {item.get("ratingKey") for item in second.items}.isdisjoint({item.get("ratingKey") for item in listing.items})
    assert (await reader.listing(99, {"type": "1"}, size=3)).total == 0


async def test_filter_choices_and_unknown_filters(reader: PlexReader) -> None:
    assert "4k" in await reader.choices(1, "resolution", 1)
    assert await reader.choices(1, "nonsense", 1) == []


async def test_children_and_leaves(plex: DemoPlex, reader: PlexReader) -> None:
    seasons = await reader.children(201, size=100)
    assert [item.get("type") for item in seasons.items] == ["season"] * 2
    leaves = await reader.children(201, leaves=True, size=100)
    assert [item.get("type") for item in leaves.items] == ["episode"] * 8
    assert len((await reader.children(201, leaves=True, size=3)).items) == 3
    assert (await reader.children(9999, size=3)).items == ()


async def test_art_by_key_and_by_path(plex: DemoPlex, reader: PlexReader) -> None:
    data = await reader.art(101)
    assert data[:3] == b"\xff\xd8\xff"
    path = (await reader.metadata(101)).get("thumb", "")
    assert await reader.art(path) == data


@pytest.mark.parametrize(
    "path",
    [
        "/:/scrobble?key=101",
        "/library/metadata/101/thumb/1?url=http://x",
        "/library/metadata/101/../../../:/scrobble",
        "http://elsewhere.invalid/x.jpg",
        "//elsewhere.invalid/library/metadata/1/thumb/1",
        "/library/sections/1/refresh",
        "",
    ],
)
async def test_art_is_read_from_picture_paths_only(plex: DemoPlex, reader: PlexReader, path: str) -> None:
    with pytest.raises(PlexError, match="picture"):
        await reader.art(path)
    assert plex.requests == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"])
def test_the_session_sends_nothing_but_get(method: str) -> None:
    session = ReadOnlySession(PlexServer(name="plex-0", url="http://127.0.0.1:9", token=SecretStr("hush")))
    with pytest.raises(PlexError, match="only read"):
        session.request(method, "http://127.0.0.1:9/library")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:10/", "https://127.0.0.1:9/", "http://elsewhere.invalid/", "http://127.0.0.1:9/?X-Plex-Token=hush"]
)
def test_the_session_asks_its_own_server_only_and_keeps_tokens_out_of_addresses(url: str) -> None:
    session = ReadOnlySession(PlexServer(name="plex-0", url="http://127.0.0.1:9", token=SecretStr("hush")))
    with pytest.raises(PlexError):
        session.get(url)


def test_a_path_must_be_a_path() -> None:
    transport = Transport(PlexServer(name="plex-0", url="http://127.0.0.1:9", token=SecretStr("hush")))
    with pytest.raises(PlexError, match="no path"):
        transport.xml("@elsewhere.invalid/")


async def test_the_token_goes_in_a_header(plex: DemoPlex, reader: PlexReader) -> None:
    await reader.facts()
    [request] = plex.requests
    assert request.headers["x-plex-token"] == plex.token
    assert "x-plex-client-identifier" not in request.headers
    assert "cookie" not in request.headers


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("down", PlexAway, "not reachable"),
        ("unauthorized", PlexRefused, "token"),
        ("maintenance", PlexAway, "maintenance"),
        ("error", PlexAway, "500"),
        ("truncated", PlexAway, "XML|broke off"),
        ("bad_gzip", PlexAway, "broke off"),
        ("garbage", PlexAway, "XML"),
        ("entity_bomb", PlexAway, "XML"),
        ("redirect", PlexAway, "sends elsewhere"),
    ],
)
async def test_an_ill_server_is_a_typed_error_without_the_token_and_recovers(
    plex: DemoPlex, reader: PlexReader, kind: str, error: type[PlexError], words: str
) -> None:
    plex.fail(kind)
    for call in (reader.facts, reader.sections, lambda: reader.metadata(101), lambda: reader.listing(1, {"type": "1"}, size=2)):
        with pytest.raises(error, match=words) as caught:
            await call()
        shown = "".join(traceback.format_exception(caught.value))
        assert plex.token not in shown
    plex.heal()
    assert (await reader.facts()).name


async def test_a_slow_and_a_trickling_server_are_given_up(plex: DemoPlex) -> None:
    reader = PlexReader(server_of(plex, timeout=0.3))
    plex.fail("slow", seconds=5.0)
    with pytest.raises(PlexAway, match=r"within 0\.3 s"):
        await reader.facts()
    plex.heal()
    plex.fail("trickle", seconds=0.02)
    with pytest.raises(PlexAway, match=r"within 0\.3 s"):
        await reader.facts()
    await reader.close()


async def test_nobody_there(unused_port: int) -> None:
    reader = PlexReader(PlexServer(name="plex-0", url=f"http://127.0.0.1:{unused_port}", token=SecretStr("hush-hush")))
    with pytest.raises(PlexAway, match="Connection refused") as caught:
        await reader.facts()
    assert "hush" not in str(caught.value)
    named = PlexReader(PlexServer(name="plex-0", url="http://me:pass-word@plex.invalid:32400/x", token=SecretStr("hush-hush")))
    with pytest.raises(PlexAway, match=r"http://plex\.invalid:32400/x") as caught:
        await named.facts()
    assert "pass-word" not in str(caught.value)


async def test_a_wrong_token_is_refused(plex: DemoPlex) -> None:
    reader = PlexReader(server_of(plex, token="wrong-token-of-mine"))
    with pytest.raises(PlexRefused) as caught:
        await reader.sections()
    assert "wrong-token-of-mine" not in str(caught.value)
    await reader.close()


async def test_a_server_below_a_path() -> None:
    async with DemoPlex(World.sample(), prefix="/plex") as plex:
        reader = PlexReader(server_of(plex))
        assert set(await reader.sections()) == {"Movies", "Shows"}
        assert await reader.art(101)
        await reader.close()


async def test_many_calls_at_once(plex: DemoPlex, reader: PlexReader) -> None:
    found = await asyncio.gather(*(reader.metadata(key) for key in range(101, 115)), *(reader.facts() for _ in range(6)))
    assert len(found) == 20


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
