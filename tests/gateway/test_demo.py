"""The gateway in front of the demo's Plex, whose writes take effect and whose mutating GETs really mutate."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from plexapi.exceptions import BadRequest, NotFound
from plexapi.server import PlexServer as PlexApi
from pydantic import SecretStr

from sidecar.demo.plex import DemoPlex
from sidecar.demo.world import World
from sidecar.gateway import Gateway
from sidecar.model import Blob, Grant, PlexServer, Scope
from tests.gateway import fuzz
from tests.gateway.conftest import TOKEN, Bench, Heard
from tests.gateway.test_capture import picture

TARGETS = frozenset({101, 102, 201, 203})
VISIBLE = frozenset({101, 102, 201, 202, 203})


@pytest.fixture
async def demo() -> AsyncIterator[DemoPlex]:
    async with DemoPlex(World.sample()) as plex:
        yield plex


@pytest.fixture
async def front(demo: DemoPlex, directory: Path) -> AsyncIterator[Bench]:
    blobs: dict[str, bytes] = {}

    async def put(data: bytes, media_type: str = "") -> Blob:
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return Blob(sha256=digest, size=len(data), media_type=media_type)

    gateway = Gateway(socket=directory / "g.sock", put_blob=put, cache_dir=directory / "cache", tcp_port=0)
    gateway.set_servers([PlexServer(name="plex-0", url=demo.url, token=SecretStr(demo.token), timeout=10.0)])
    await gateway.start()
    scope = Scope(targets=TARGETS, visible=VISIBLE, sections=frozenset({1, 2}))
    grant = Grant(token=TOKEN, run_id="run", shard=0, scopes={"plex-0": scope})
    sink = Heard()
    gateway.open(grant, sink)
    try:
        yield Bench(gateway, sink, blobs, directory / "g.sock", demo, directory, grant)  # type: ignore[arg-type]
    finally:
        await gateway.stop()


VARIANTS: dict[str, Callable[[str], str]] = {
    "as it is": lambda target: target,
    "slash at the end": lambda target: target.replace("?", "/?", 1) if "?" in target else target + "/",
    "two slashes": lambda target: "/" + target,
    "upper case": lambda target: target.upper(),
    "encoded": lambda target: target.replace("/", "/%" + f"{ord(target.split('/')[1][:1] or ':'):02x}", 1).replace(
        target.split("/")[1][:1] or ":", "", 1
    ),
    "through the library": lambda target: "/library/.." + target,
    "encoded dots": lambda target: "/library/%2e%2e" + target,
    "doubly encoded dots": lambda target: "/library/%252e%252e" + target,
    "path parameter": lambda target: target.replace("?", ";a=b?", 1) if "?" in target else target + ";a=b",
    "backslash": lambda target: target.replace("/", "\\"),
}


@pytest.mark.parametrize("target", fuzz.DANGEROUS)
async def test_gets_that_change_or_leak_never_get_there(front: Bench, demo: DemoPlex, target: str) -> None:
    stripped = "checkFiles" in target or "asyncAugment" in target  # these are let through without what makes them dangerous
    for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "get"):
        for name, change in VARIANTS.items():
            answer = await front.ask(f"{method} {change(target)}", body=b"" if method in ("POST", "PUT") else None)
            if stripped and answer.status == 200:
                assert name in ("as it is", "encoded"), name
                assert method in ("GET", "PUT"), method
                continue
            assert answer.status >= 400 or answer.status == 0, (method, name, answer.status)
    allowed = {"GET /library/metadata/101?skipRefresh=1"} if stripped else set()
    assert {f"{request.method} {request.target}" for request in demo.requests} <= allowed
    assert demo.mutations == []
    assert demo.writes == []


async def test_the_demo_plex_would_have_been_changed(demo: DemoPlex) -> None:
    """The silence above means something: asked directly, the same GETs change it."""
    async with aiohttp.ClientSession() as session:
        for target in fuzz.DANGEROUS:
            if "websockets" in target or "eventsource" in target:
                continue
            async with session.get(demo.url + target, headers={"X-Plex-Token": demo.token}) as response:
                await response.read()
    assert len({str(mutation) for mutation in demo.mutations}) >= 10


async def test_canary_and_fuzz(demo: DemoPlex, front: Bench) -> None:
    await front.gateway.canary()
    assert demo.requests == []


async def test_three_thousand_hostile_requests(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = await fuzz.run(3000, fuzz.SEED)
    with capsys.disabled():
        sys.stdout.write(
            f"\nfuzz: {verdict.requests} requests, seed {verdict.seed}: {verdict.seen} seen, {len(verdict.forbidden)} forbidden\n"
        )
    assert verdict.forbidden == []
    assert verdict.mutations == 0
    assert verdict.writes == 0
    assert verdict.seen > 50, "some must get through, or the fuzz tests nothing"


def _browse(url: str) -> dict[str, object]:
    """What python-plexapi sees and tries, as Kometa does."""
    server: Any = PlexApi(url, TOKEN, timeout=10)  # type: ignore[no-untyped-call]
    seen: dict[str, object] = {"name": server.friendlyName, "sections": [section.title for section in server.library.sections()]}
    movies, shows = server.library.section("Movies"), server.library.section("Shows")
    seen["movies"] = [movie.ratingKey for movie in movies.all()]
    seen["shows"] = [show.ratingKey for show in shows.all()]
    seen["episodes"] = [episode.ratingKey for episode in shows.search(libtype="episode")]
    seen["seasons of 201"] = [season.ratingKey for season in server.fetchItem(201).seasons()]
    seen["newer"] = sorted(movie.ratingKey for movie in movies.search(**{"year>>": 1900}))
    seen["none"] = [movie.ratingKey for movie in movies.search(title="no such film")]
    seen["resolutions"] = sorted(choice.title for choice in movies.listFilterChoices("resolution"))
    movie = server.fetchItem(101)
    movie.reload()
    seen["guids"] = bool(movie.guids)
    seen["posters"] = len(movie.posters())
    movie.uploadPoster(filepath=picture_file(url))
    movie.addLabel("Overlay")
    for forbidden in (
        movie.markPlayed,
        movie.delete,
        movies.update,
        movies.emptyTrash,
        lambda: movie.rate(5),
        movie.unmatch,
        movie.split,
        movies.analyze,
    ):
        with pytest.raises(BadRequest):
            forbidden()
    with pytest.raises(NotFound):
        server.fetchItem(103)
    return seen


def picture_file(url: str) -> str:
    path = Path("/tmp") / f"ks-upload-{url.rsplit(':', 1)[1]}.png"
    path.write_bytes(picture("PNG"))
    return str(path)


async def test_what_plexapi_sees_and_does(front: Bench, demo: DemoPlex) -> None:
    url = f"http://127.0.0.1:{front.gateway.port}"
    seen = await asyncio.to_thread(_browse, url)
    Path(picture_file(url)).unlink()
    assert seen["sections"] == ["Movies", "Shows"]
    assert seen["movies"] == [101, 102] or set(seen["movies"]) == {101, 102}  # type: ignore[call-overload]
    assert seen["shows"] == [201]
    assert seen["episodes"] == [203]
    assert seen["seasons of 201"] == [202]
    assert seen["newer"] == [101, 102]
    assert seen["none"] == []
    assert len(seen["resolutions"]) > 1  # type: ignore[arg-type]
    assert seen["guids"] is True
    assert seen["posters"]
    assert demo.writes == []
    assert demo.mutations == []
    assert TOKEN not in repr(demo.requests)
    (capture,) = front.sink.captures
    assert (capture.rating_key, capture.kind, front.blobs[capture.blob.sha256]) == (101, "poster", picture("PNG"))
    expected = [write.meaning for write in front.sink.writes if write.expected]
    assert expected == ["upload a poster for 101", "add label Overlay to 101"]
    assert len([write for write in front.sink.writes if not write.expected]) == 8
