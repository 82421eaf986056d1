"""A renderer that means harm, a Plex that answers anything, hosts that lie: what the second review tried."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from sidecar.demo.plex import DemoPlex
from sidecar.demo.world import World
from sidecar.gateway import Gateway, Limits, egress, grants, scope
from sidecar.gateway.admit import admit
from sidecar.gateway.cache import DiskCache, Entry
from sidecar.gateway.canonical import Canonical
from sidecar.gateway.capture import NotAPicture, identify, unwrap
from sidecar.gateway.egress import Mode
from sidecar.gateway.fresh import fingerprint
from sidecar.gateway.pace import asked_patience
from sidecar.gateway.scope import Garbled, Page, cut_listing
from sidecar.gateway.wire import Bodies
from sidecar.model import Blob, Grant, PlexServer, Scope
from tests.gateway.conftest import REAL, TOKEN, Bench, Heard, Library
from tests.gateway.test_capture import picture
from tests.gateway.test_egress import ask, origin
from tests.gateway.test_egress import egress as outside
from tests.gateway.test_reads import fresh_of, gateway_to, until
from tests.gateway.upstream import Reply, Seen, Upstream

SEEN = Scope(targets=frozenset({1}), visible=frozenset({1}), sections=frozenset({1}))
GRANT = Grant(token=TOKEN, run_id="run", shard=0, scopes={"plex-0": SEEN})
HEAD = f"Host: p\r\nX-Sidecar-Grant: {TOKEN}\r\nX-Sidecar-Origin: http://plex-0.plex.invalid:32400\r\n"
DEEP = b'<MediaContainer size="1" authToken="x">' + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</MediaContainer>"


# ── uploads ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_jpeg_of_fill_bytes_is_not_looked_through() -> None:
    """Looking for the size took seconds, in which nothing else was answered."""
    plain = picture("JPEG")
    with pytest.raises(NotAPicture):
        identify(plain[:2] + b"\xff" * 1_000_000 + plain[2:], "poster")
    with pytest.raises(NotAPicture):
        identify(plain[:2] + b"\xff\x01" * 1_000_000 + plain[2:], "poster")


def test_a_form_of_a_million_parts_is_not_taken_apart() -> None:
    part = b"\r\n--a\r\nContent-Disposition: form-data\r\n\r\nx"
    end = b'\r\n--a\r\nContent-Disposition: form-data; filename="x"\r\n\r\nfile\r\n--a--'
    assert unwrap((part * 5 + end)[2:], "multipart/form-data; boundary=a") == b"file"
    with pytest.raises(NotAPicture):
        unwrap((part * 500 + end)[2:], "multipart/form-data; boundary=a")


async def test_uploads_that_are_still_being_kept_count_too(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow disk any number of bodies was in memory at a time."""
    monkeypatch.setattr(grants, "AT_ONCE", 2)
    held, most = 0, 0
    go = asyncio.Event()

    async def put(data: bytes, media_type: str) -> Blob:
        nonlocal held, most
        held += 1
        most = max(most, held)
        await go.wait()
        held -= 1
        return Blob(sha256="0" * 64, size=len(data), media_type=media_type)

    gateway = Gateway(socket=directory / "g.sock", put_blob=put, cache_dir=directory / "c", limits=Limits(stop_seconds=0.2))
    gateway.set_servers([PlexServer(name="plex-0", url="http://127.0.0.1:9", token=SecretStr(REAL), timeout=5.0)])
    await gateway.start()
    sink = Heard()
    gateway.open(GRANT, sink)
    data = picture("PNG")

    async def upload() -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(directory / "g.sock"))
        head = f"POST /library/metadata/1/posters HTTP/1.1\r\n{HEAD}Connection: close\r\nContent-Length: {len(data)}\r\n\r\n"
        writer.write(head.encode() + data)
        answer = await reader.read()
        writer.close()
        return answer

    try:
        uploads = [asyncio.create_task(upload()) for _ in range(6)]
        await asyncio.sleep(0.3)
        go.set()
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in await asyncio.gather(*uploads))
        assert most == 2
        assert len(sink.captures) == 6
    finally:
        await gateway.stop()


async def test_bodies_for_other_hosts_are_short(bench: Bench) -> None:
    for size, status in ((70_000, 413), (60_000, 403)):
        assert (await bench.ask("POST /", origin="https://graphql.anilist.co", body=b"x" * size)).status == status


# ── a renderer that does not read ────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def pictures(directory: Path, **limits: float) -> AsyncIterator[Gateway]:
    """A gateway to a Plex with large pictures, kept as long as its libraries' times stand still."""
    big = b"\xff\xd8" + b"x" * 4_000_000

    def answer(seen: Seen) -> Reply:
        return Reply(big, headers={"Content-Type": "image/jpeg"}) if "/thumb" in seen.target else Library()(seen)

    async with Upstream(answer) as plex:
        bounds = Limits(stop_seconds=0.2, **limits)  # type: ignore[arg-type]  # ints among them
        gateway = Gateway(
            socket=directory / "g.sock",
            put_blob=lambda data, kind: asyncio.sleep(0, Blob(sha256="0" * 64, size=1, media_type="")),
            cache_dir=directory / "c",
            limits=bounds,
        )
        gateway.set_servers([PlexServer(name="plex-0", url=plex.url, token=SecretStr(REAL), timeout=60.0)])
        await gateway.start()
        gateway.open(GRANT, Heard())
        await gateway.check()
        try:
            yield gateway
        finally:
            await gateway.stop()


async def test_a_renderer_that_does_not_read_keeps_no_picture_from_others(directory: Path) -> None:
    """Whoever asked for the same picture after one that did not read its answer waited for ever, in later runs too."""
    async with pictures(directory, answer_seconds=0.5):
        line = f"GET /library/metadata/1/thumb/1700000000 HTTP/1.1\r\n{HEAD}\r\n".encode()
        reader, writer = await asyncio.open_unix_connection(str(directory / "g.sock"), limit=1000)
        writer.write(line)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        other_reader, other = await asyncio.open_unix_connection(str(directory / "g.sock"))
        other.write(line.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        async with asyncio.timeout(15):
            assert len(await other_reader.read()) > 4_000_000
        other.close()
        writer.close()


async def test_a_renderer_that_does_not_read_a_kept_answer_is_let_go(directory: Path) -> None:
    """Each held a connection, and so all of them, for as long as it lived."""
    async with pictures(directory, answer_seconds=0.5) as gateway:
        line = f"GET /library/metadata/1/thumb/1700000000 HTTP/1.1\r\n{HEAD}Connection: close\r\n\r\n".encode()
        for _ in range(2):
            reader, writer = await asyncio.open_unix_connection(str(directory / "g.sock"))
            writer.write(line)
            assert len(await reader.read()) > 4_000_000
            writer.close()
        reader, writer = await asyncio.open_unix_connection(str(directory / "g.sock"), limit=1000)
        writer.write(line)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        async with asyncio.timeout(40):
            while any(gateway._runners[0].server.connections):  # type: ignore[union-attr]
                await asyncio.sleep(0.05)
        writer.close()


async def test_a_picture_is_not_waited_for_for_long(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for it first may not read; the next asks for itself."""
    monkeypatch.setattr("sidecar.gateway.reading.TURN", 0.1)
    async with pictures(directory):
        line = f"GET /library/metadata/1/thumb/1700000000 HTTP/1.1\r\n{HEAD}\r\n".encode()
        reader, writer = await asyncio.open_unix_connection(str(directory / "g.sock"), limit=1000)
        writer.write(line)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        other_reader, other = await asyncio.open_unix_connection(str(directory / "g.sock"))
        other.write(line.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert len(await other_reader.read()) > 4_000_000
        other.close()
        writer.close()


async def test_a_turn_that_does_not_come_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others of the same run hold all turns."""
    lease = bench.gateway._grants.find(TOKEN)
    assert lease
    lease.bodies = asyncio.Semaphore(0)
    monkeypatch.setattr(bench.gateway._handler._writes, "_bodies", Bodies(1000, 0.1))
    assert (await bench.ask("PUT /library/metadata/1?title.value=x", body=b"")).status == 408


# ── a Plex that answers anything ─────────────────────────────────────────────────────────────────────────


async def test_xml_without_a_bottom(bench: Bench, library: Library, directory: Path) -> None:
    """It ended the listening to Plex for good, and a run by an error of Python's own."""
    with pytest.raises(Garbled):
        fingerprint(DEEP)
    library.special["/library/metadata/1"] = Reply(DEEP)
    answer = await bench.ask("GET /library/metadata/1")
    assert (answer.status, bench.gateway.snapshot()["plex_failures"]) == (502, 1)
    library.special["/library/sections"] = Reply(DEEP)
    assert (await bench.ask("GET /library/sections")).status == 502
    await bench.gateway.check()
    reads = bench.gateway.reads("plex-0")
    assert reads
    assert reads.freshness.epoch is None


async def test_a_listing_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page one item more, of a million million."""
    monkeypatch.setattr(scope, "PAGES", 50)
    asked = 0

    async def source(start: int, size: int) -> bytes:
        nonlocal asked
        asked += 1
        return b'<MediaContainer size="1" totalSize="999999999999"><Video ratingKey="1" type="movie"/></MediaContainer>'

    with pytest.raises(Garbled, match="end"):
        await cut_listing(source, SEEN, Page())
    assert asked == 50


async def test_a_change_ends_what_is_kept_before_the_disk_is_asked(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a disk stood still, answers were given of which it was known that they hold no longer."""
    slow = asyncio.Event()
    real = asyncio.to_thread

    async def stuck(work, /, *more):  # type: ignore[no-untyped-def]
        if work.__name__ == "_forget":
            await slow.wait()
        return await real(work, *more)

    world = World.sample()
    async with DemoPlex(world) as plex, gateway_to(plex.url, plex.token, directory) as bench:
        await until(lambda: fresh_of(bench).watched)
        epoch = fresh_of(bench).epoch
        monkeypatch.setattr("sidecar.gateway.freshness.asyncio.to_thread", stuck)
        world.change(101, title="Another name")
        await until(lambda: fresh_of(bench).epoch != epoch)
        slow.set()


async def test_a_change_heard_while_the_state_is_saved(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file would have vouched, after a restart, for what was known not to hold."""
    world = World.sample()
    async with DemoPlex(world) as plex, gateway_to(plex.url, plex.token, directory) as bench:
        await until(lambda: fresh_of(bench).watched)
        fresh = fresh_of(bench)
        world.change(101, title="One")
        await until(lambda: not fresh._print)
        real = asyncio.to_thread

        async def change_before(work, /, *more):  # type: ignore[no-untyped-def]
            if work.__name__ == "_save":
                epoch = fresh.epoch
                world.change(101, title="Two")
                await until(lambda: fresh.epoch != epoch)
            return await real(work, *more)

        monkeypatch.setattr("sidecar.gateway.freshness.asyncio.to_thread", change_before)
        await bench.gateway.check()
        monkeypatch.undo()
        assert not fresh._file.exists()
        await bench.gateway.check()
        assert fresh._file.exists()


# ── other hosts ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [
        b'{"query": "mutation { a }", "query": "{ a }"}',
        b'{"query": "{ a }", "variables": {"a": 1, "a": 2}}',
        b'{"query": "{ a }", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_graphql_that_two_readers_could_read_in_two_ways(body: bytes) -> None:
    assert admit("POST", origin("https://graphql.anilist.co"), "/", body, {"graphql.anilist.co"}, ())
    assert not admit("POST", origin("https://graphql.anilist.co"), "/", json.dumps({"query": "{ a }"}).encode(), {"graphql.anilist.co"}, ())


@pytest.mark.parametrize("said", ["\xb2", "9" * 5000, "Mon, 01 Jan 0001 00:00:00 -0000", "x", "Mon, 99 Foo 2020 00:00:00 GMT"])
def test_no_answer_to_how_long_to_wait_is_an_error(said: str) -> None:
    assert (asked_patience({"retry-after": said}) or 0.0) >= 0.0


async def test_a_replayed_run_sees_the_failures_of_the_recorded_one(tmp_path: Path) -> None:
    replies = [Reply(b"broken", status=503)] * egress.ATTEMPTS
    async with Upstream(lambda seen: replies.pop() if replies else Reply(b"mended")) as host:
        async with outside(tmp_path, {"api.themoviedb.org": host.url}, mode=Mode.RECORD) as bench:
            recorded = await bench.fetch(ask())
        assert recorded.status == 503
        seen = len(host.requests)
        async with outside(tmp_path, {"api.themoviedb.org": host.url}, mode=Mode.REPLAY) as bench:
            replayed = await bench.fetch(ask())
            assert (replayed.status, replayed.body) == (503, b"broken")
            assert "answered 503" in bench.notes[0].what
        assert len(host.requests) == seen
    async with outside(tmp_path, {"api.themoviedb.org": "http://127.0.0.1:9"}, mode=Mode.RECORD) as bench:
        assert (await bench.fetch(ask("/gone"))).status == 502
    async with outside(tmp_path, {"api.themoviedb.org": "http://127.0.0.1:9"}, mode=Mode.REPLAY) as bench:
        assert (await bench.fetch(ask("/gone"))).status == 502


def test_headers_count_for_what_the_cache_holds(tmp_path: Path) -> None:
    """Empty bodies with long headers were free."""
    cache = DiskCache(tmp_path, max_bytes=100_000)
    cache.open()
    for number in range(100):
        cache.put(f"{number:064x}", Entry(200, (("link", "x" * 8000),), b""))
    assert len(cache) < 20
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 100_000
    size = cache.size
    cache.open()
    assert cache.size == size


# ── readers at the same time, some of whom go ────────────────────────────────────────────────────────────


@pytest.mark.parametrize("gone", [0, 1, 2], ids=["who asks goes", "who waits goes", "the last goes"])
async def test_readers_who_go_take_nothing_from_those_who_wait(bench: Bench, gone: int) -> None:
    """Of three readers of the same answer one is cancelled: the others get it, asked for once more at most."""
    go = asyncio.Event()
    library = bench.plex.answer

    await bench.gateway.check()
    reads = bench.gateway.reads("plex-0")
    assert reads
    bench.plex.requests.clear()
    bench.plex.answer = lambda seen: Reply(library(seen).body, wait=0.0 if go.is_set() else 0.3)
    question = Canonical("GET", ("library", "metadata", "1"))
    readers = [asyncio.create_task(reads.read(question, {})) for _ in range(3)]
    async with asyncio.timeout(40):
        while not bench.plex.requests:
            await asyncio.sleep(0.01)
    go.set()
    readers[gone].cancel()
    got = await asyncio.gather(*readers, return_exceptions=True)
    assert isinstance(got.pop(gone), asyncio.CancelledError)
    assert got[0] == got[1]
    assert isinstance(got[0], bytes)
    assert b'title="M1"' in got[0]
    assert len(bench.plex.requests) == (2 if gone == 0 else 1)


async def test_shards_share_a_failure_too(tmp_path: Path) -> None:
    """Four shards that asked a silent host for the same waited for it one after the other."""
    async with Upstream(lambda seen: Reply(b"", wait=30.0)) as host:
        async with outside(tmp_path, {"api.themoviedb.org": host.url}, timeout=0.5) as bench:
            answers = await asyncio.gather(*(bench.fetch(ask()) for _ in range(4)))
        assert [answer.status for answer in answers] == [504] * 4
        assert len(host.requests) == 1


async def test_who_asks_another_host_may_go(tmp_path: Path) -> None:
    async with Upstream(lambda seen: Reply(b"mine", wait=0.3)) as host, outside(tmp_path, {"api.themoviedb.org": host.url}) as bench:
        tasks = [asyncio.create_task(bench.fetch(ask())) for _ in range(3)]
        async with asyncio.timeout(40):
            while not host.requests:
                await asyncio.sleep(0.01)
        tasks[0].cancel()
        got = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(got[0], asyncio.CancelledError)
        assert [entry.body for entry in got[1:] if isinstance(entry, Entry)] == [b"mine", b"mine"]
        assert bench.egress._asking == {}


async def test_a_refusal_is_not_shared(tmp_path: Path) -> None:
    """It may be for the key of the run that asked first."""
    async with (
        Upstream(lambda seen: Reply(b"no", status=401, wait=0.1)) as host,
        outside(tmp_path, {"api.themoviedb.org": host.url}) as bench,
    ):
        answers = await asyncio.gather(bench.fetch(ask()), bench.fetch(ask()))
        assert [answer.status for answer in answers] == [401, 401]
        assert len(host.requests) == 2


async def test_a_recording_that_is_too_long_is_told(tmp_path: Path) -> None:
    async with (
        Upstream(lambda seen: Reply(seen.target.encode() * 500)) as host,
        outside(tmp_path, {"api.themoviedb.org": host.url}, mode=Mode.RECORD) as bench,
    ):
        for number in range(30):
            assert (await bench.fetch(ask(f"/3/movie/{number}"))).status == 200
        assert "the recording is full" in bench.notes[-1].what


async def test_a_renderer_that_resets_its_connection_is_no_error_of_ours(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with pictures(directory):
        reader, writer = await asyncio.open_unix_connection(str(directory / "g.sock"), limit=1000)
        writer.write(f"GET /library/metadata/1/thumb HTTP/1.1\r\n{HEAD}\r\n".encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.2)
        writer.transport.abort()  # with much of it unread: to the other end that is a reset
        await asyncio.sleep(0.2)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
