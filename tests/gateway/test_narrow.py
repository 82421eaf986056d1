"""Listings that cost what the targets cost, and are never wrong for it."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from sidecar.demo.plex import DemoPlex
from sidecar.demo.world import World
from sidecar.gateway import Gateway, narrow
from sidecar.gateway.canonical import Canonical, canonicalise
from sidecar.gateway.narrow import narrowable, with_keys
from sidecar.gateway.scope import parse
from sidecar.model import Blob, Grant, PlexServer, Scope
from tests.gateway.conftest import TOKEN, Bench, Heard
from tests.gateway.upstream import Reply, Seen, Upstream


def canonical(query: str) -> Canonical:
    got = canonicalise("GET", f"/library/sections/1/all?{query}")
    assert isinstance(got, Canonical)
    return got


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("type=1", "1"),
        ("includeGuids=1&type=4", "4"),
        ("type=1&sort=titleSort&push=1&resolution=4k&or=1&resolution=1080&pop=1", "1"),
        ("type=1&push=1&push=1&a=1&pop=1&or=1&push=1&b=1&pop=1&pop=1&and=1&year%3E%3E=1990", "1"),
        ("", ""),
        ("includeGuids=1&label=Overlay", ""),
        ("type=18", None),
        ("type=1&type=2", None),
        ("type=1&limit=10", None),
        ("type=1&includeMeta=1", None),
        ("type=1&id=7", None),
        ("type=1&id!=7", None),
        ("type=4&episode.id=7", None),
        ("type=1&genre=1&or=1&genre=2", None),
        ("type=1&push=1&genre=1&pop=1&or=1&genre=2", None),
        ("type=1&push=1&genre=1", None),
        ("type=1&pop=1&or=1&push=1", None),
    ],
)
def test_which_listings_can_be_narrowed(query: str, number: str | None) -> None:
    assert narrowable(canonical(query)) == number


def test_the_filter_stands_before_everything() -> None:
    assert with_keys(canonical("type=1&a=b"), "id", (1, 3)).query_string == "id=1%2C3&type=1&a=b"


@asynccontextmanager
async def gateway_for(url: str, token: str, directory: Path, scope: Scope) -> AsyncIterator[Bench]:
    async def put(data: bytes, media_type: str = "") -> Blob:
        return Blob(sha256=hashlib.sha256(data).hexdigest(), size=len(data), media_type=media_type)

    gateway = Gateway(socket=directory / "g.sock", put_blob=put, cache_dir=directory / "cache")
    gateway.set_servers([PlexServer(name="plex-0", url=url, token=SecretStr(token), timeout=20.0)])
    await gateway.start()
    grant = Grant(token=TOKEN, run_id="run", shard=0, scopes={"plex-0": scope})
    sink = Heard()
    gateway.open(grant, sink)
    try:
        yield Bench(gateway, sink, {}, directory / "g.sock", None, directory, grant)  # type: ignore[arg-type]
    finally:
        await gateway.stop()


QUERIES = [
    "type=1",
    "type=1&includeGuids=1&sort=year%3Adesc",
    "type=1&push=1&resolution=4k&or=1&resolution=1080&pop=1",
    "type=1&year%3E%3E=1980&sort=rating%3Adesc",
    "type=1&title=no+such+film",
    "type=1&push=1&audienceRating%3E%3E=7&and=1&year%3C%3C=2015&pop=1",
    "type=1&limit=5&sort=year",
    "type=1&unwatched=1&or=1&year%3E%3E=2000",
    "includeGuids=1",
    "label=Overlay",
    "year%3E%3E=1980&sort=rating%3Adesc",
    "type=2",
    "type=3",
    "type=4&sort=index",
    "type=4&push=1&episode.resolution=1080&pop=1",
    "type=9",
]


MUSIC = ["", "type=8", "type=9", "type=8&sort=titleSort", "type=9&year%3E%3E=1900", "type=10"]


async def listings(bench: Bench, section: int, queries: list[str] = QUERIES) -> dict[str, list[tuple[str | None, ...]]]:
    found = {}
    for query in queries:
        answer = await bench.ask(f"GET /library/sections/{section}/all?{query}")
        assert answer.status == 200, (query, answer.text)
        found[query] = [
            (item.tag, *(item.get(name) for name in ("ratingKey", "title", "guid", "thumb", "librarySectionID")))
            for item in parse(answer.body)
        ]
    return found


async def test_narrowed_answers_are_the_whole_ones_cut(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every listing, once narrowed and once read whole and intersected: the same items in the same order."""
    scope = Scope(
        targets=frozenset({101, 104, 108, 203, 204, 206, 999}),
        visible=frozenset({101, 104, 108, 201, 202, 203, 204, 206, 999}),
        sections=frozenset({1, 2}),
    )
    async with DemoPlex(World.sample()) as plex:
        async with gateway_for(plex.url, plex.token, directory, scope) as bench:
            narrowed = [await listings(bench, section) for section in (1, 2)]
        assert any("id=101%2C104%2C108" in request.target for request in plex.requests)
        assert any("episode.id=" in request.target for request in plex.requests)
        assert plex.mutations == []
        monkeypatch.setattr(narrow, "narrowable", lambda _request: None)
        async with gateway_for(plex.url, plex.token, directory, scope) as bench:
            whole = [await listings(bench, section) for section in (1, 2)]
    assert narrowed == whole
    assert len(whole[0]["type=1"]) == 3
    assert whole[1]["type=4&sort=index"]


async def test_a_library_of_any_size_costs_the_same(directory: Path) -> None:
    scope = Scope(targets=frozenset({101, 102, 103}), visible=frozenset({101, 102, 103}), sections=frozenset({1, 2}))
    costs = []
    for movies in (30, 1500):
        async with DemoPlex(World.sized(movies)) as plex, gateway_for(plex.url, plex.token, directory, scope) as bench:
            for query in (
                "type=1&includeGuids=1",
                "type=1&year%3E%3E=1950",
                "type=1&sort=titleSort&push=1&resolution=4k&or=1&resolution=1080&pop=1",
                "title=X&type=18",
            ):
                answer = await bench.ask(f"GET /library/sections/1/all?{query}")
                assert answer.status == 200
            costs.append([re.sub(r"\d{10}", "T", request.target) for request in plex.requests])
    assert costs[0] == costs[1]
    assert len(costs[0]) == 6


async def test_music_is_cut_like_the_rest(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Artists and albums: narrowed and whole answers agree, children and leaves are those in scope."""
    world = World.sample(music=True)
    artist = next(item for item in world.items.values() if item.type == "artist")
    album, *others = artist.children
    track = world.items[album].children[0]
    seen = frozenset({artist.rating_key, album, track})
    scope = Scope(targets=frozenset({artist.rating_key, album}), visible=seen, sections=frozenset({3}))
    async with DemoPlex(world) as plex:
        async with gateway_for(plex.url, plex.token, directory, scope) as bench:
            narrowed = await listings(bench, 3, MUSIC)
            children = parse((await bench.ask(f"GET /library/metadata/{artist.rating_key}/children")).body)
            leaves = parse((await bench.ask(f"GET /library/metadata/{artist.rating_key}/allLeaves")).body)
            assert (await bench.ask("GET /library/sections/1/all?type=1")).status == 403
        monkeypatch.setattr(narrow, "narrowable", lambda _request: None)
        async with gateway_for(plex.url, plex.token, directory, scope) as bench:
            assert await listings(bench, 3, MUSIC) == narrowed
        assert plex.mutations == []
    assert [row[1] for row in narrowed["type=8"]] == [row[1] for row in narrowed[""]] == [str(artist.rating_key)]
    assert [row[1] for row in narrowed["type=9"]] == [str(album)]
    assert [item.get("ratingKey") for item in children] == [str(album)], others
    assert {item.get("ratingKey") for item in leaves} == {str(track)}


class Stubborn:
    """A Plex with movies 1..n of section 1 that does what a test says to filters by rating key."""

    def __init__(self, how: str, movies: int = 20) -> None:
        self.how = how
        self.movies = movies

    def __call__(self, seen: Seen) -> Reply:
        path, _, query = seen.target.partition("?")
        keys = list(range(1, self.movies + 1))
        where = "" if self.how == "no section" else ' librarySectionID="1"'
        if path.startswith("/library/metadata/"):
            if self.how == "gone":
                return Reply(b"", status=404)
            keys = [key for key in keys if str(key) in path.split("/")[3].split(",")]
        elif asked := re.search(r"\bid=([0-9%C]*)", query):
            wanted = [int(key) for key in asked[1].split("%2C")]
            if self.how == "unknown field":
                return Reply(b"", status=400)
            if self.how == "garbage":
                return Reply(b"?")
            keys = {"first only": wanted[:1], "ignored": keys}.get(self.how, wanted)
        start = int(seen.header("X-Plex-Container-Start") or 0)
        size = int(seen.header("X-Plex-Container-Size") or 1000)
        items = "".join(f'<Video ratingKey="{key}" type="movie"/>' for key in keys[start : start + size])
        return Reply(f'<MediaContainer size="0" totalSize="{len(keys)}"{where}>{items}</MediaContainer>'.encode())


SCOPE = Scope(targets=frozenset({3, 7}), visible=frozenset({3, 7}), sections=frozenset({1}))


@pytest.mark.parametrize("how", ["honest", "first only", "ignored", "unknown field", "garbage", "no section"])
async def test_a_plex_that_does_not_filter_by_rating_key_is_read_whole(directory: Path, how: str) -> None:
    async with Upstream(Stubborn(how)) as plex, gateway_for(plex.url, "token", directory, SCOPE) as bench:
        for _ in range(2):
            answer = await bench.ask("GET /library/sections/1/all?type=1&year=1999")
            assert [item.get("ratingKey") for item in parse(answer.body)] == ["3", "7"]
        assert bench.sink.notes == []
        last = plex.requests[-1].target
        assert ("id=" in last) == (how == "honest")
        probes = [seen for seen in plex.requests if seen.target.startswith("/library/metadata/")]
        assert len(probes) == 1, "found out once"


async def test_targets_that_are_gone(directory: Path) -> None:
    async with Upstream(Stubborn("gone")) as plex, gateway_for(plex.url, "token", directory, SCOPE) as bench:
        answer = await bench.ask("GET /library/sections/1/all?type=1")
        assert len(parse(answer.body)) == 0
        assert len(plex.requests) == 1


async def test_many_targets_are_read_whole(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrow, "MOST", 1)
    async with Upstream(Stubborn("honest")) as plex, gateway_for(plex.url, "token", directory, SCOPE) as bench:
        answer = await bench.ask("GET /library/sections/1/all?type=1")
        assert len(parse(answer.body)) == 2
        assert "id=" not in plex.requests[-1].target


async def test_scopes_are_found_out_in_batches_and_forgotten(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrow, "BATCH", 1)
    async with Upstream(Stubborn("honest")) as plex, gateway_for(plex.url, "token", directory, SCOPE) as bench:
        await bench.ask("GET /library/sections/1/all?type=1")
        assert [seen.target.partition("?")[0] for seen in plex.requests[:2]] == ["/library/metadata/3", "/library/metadata/7"]
        levels = bench.gateway._handler._reading._levels
        assert (len(levels._found), len(levels._asked)) == (1, 1)
        monkeypatch.setattr(narrow, "REMEMBERED", 0.0)
        before = len(plex.requests)
        await bench.ask("GET /library/sections/1/all?type=1")
        assert len(plex.requests) == before + 4
        assert (len(levels._found), len(levels._asked)) == (1, 1)


async def test_shards_find_out_once(directory: Path) -> None:
    async with Upstream(Stubborn("honest")) as plex, gateway_for(plex.url, "token", directory, SCOPE) as bench:
        await asyncio.gather(*(bench.ask("GET /library/sections/1/all?type=1") for _ in range(5)))
        assert len([seen for seen in plex.requests if seen.target.startswith("/library/metadata/")]) == 1
        assert len(plex.requests) == 1 + 1 + 5


@dataclass(frozen=True)
class _Server:
    who: str
    word: str | None


async def test_a_listing_of_a_library_in_which_nothing_is_visible() -> None:
    async def read(_request: Canonical) -> bytes:
        return b'<MediaContainer librarySectionID="2"><Video ratingKey="1" type="movie"/></MediaContainer>'

    scope = Scope(targets=frozenset({1}), visible=frozenset({1}), sections=frozenset({1, 2}))
    server = _Server("a server", None)
    assert await narrow.Levels().narrowed(canonical("includeGuids=1"), server, 1, scope, read) == narrow.Narrowed(())
