"""What Plex answered is asked for once, as long as it holds, and not a moment longer."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from sidecar.demo.plex import DemoPlex
from sidecar.demo.world import World
from sidecar.errors import PlexAway
from sidecar.gateway import Gateway, freshness
from sidecar.gateway.answers import MOST_KEPT, Recent
from sidecar.gateway.canonical import Canonical
from sidecar.gateway.scope import parse
from sidecar.model import Blob, Grant, PlexServer, Scope
from sidecar.tasks import Tasks
from tests.gateway.conftest import REAL, TOKEN, Bench, Heard, Library
from tests.gateway.upstream import Reply, Seen, Upstream

SCOPE = Scope(targets=frozenset({101, 104, 203}), visible=frozenset({101, 104, 201, 202, 203}), sections=frozenset({1, 2}))
READS = (
    "GET /",
    "GET /library/sections",
    "GET /library/sections/1/all?type=1&includeGuids=1",
    "GET /library/sections/1/resolution?type=1",
    "GET /library/metadata/101?includeGuids=1",
    "GET /library/metadata/104",
    "GET /library/metadata/101/thumb/1700000000",
)


@contextlib.asynccontextmanager
async def gateway_to(url: str, token: str, directory: Path, *, watched: bool = True, name: str = "g") -> AsyncIterator[Bench]:
    async def put(data: bytes, media_type: str = "") -> Blob:
        return Blob(sha256=hashlib.sha256(data).hexdigest(), size=len(data), media_type=media_type)

    tasks = Tasks()
    gateway = Gateway(
        socket=directory / f"{name}.sock", put_blob=put, cache_dir=directory / "cache", spawn=tasks.spawn if watched else None
    )
    gateway.set_servers([PlexServer(name="plex-0", url=url, token=SecretStr(token), timeout=5.0)])
    await gateway.start()
    grant = Grant(token=TOKEN, run_id="run", shard=0, scopes={"plex-0": SCOPE})
    gateway.open(grant, Heard())
    try:
        yield Bench(gateway, Heard(), {}, directory / f"{name}.sock", None, directory, grant)  # type: ignore[arg-type]
    finally:
        await tasks.close()
        await gateway.stop()


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(40):
        while not so():
            await asyncio.sleep(0.005)


def fresh_of(bench: Bench) -> freshness.Freshness:
    reads = bench.gateway.reads("plex-0")
    assert reads is not None
    return reads.freshness


async def ask_all(bench: Bench) -> list[bytes]:
    answers = [await bench.ask(line) for line in READS]
    assert [answer.status for answer in answers] == [200] * len(READS)
    return [answer.body for answer in answers]


async def test_read_once_while_nothing_changes_and_anew_after_a_change(directory: Path) -> None:
    world = World.sample()
    async with DemoPlex(world) as plex, gateway_to(plex.url, plex.token, directory) as bench:
        await until(lambda: fresh_of(bench).watched)
        first = await ask_all(bench)
        sent = bench.gateway.snapshot()["plex_sent"]
        assert sent >= len(READS)
        plex.forget()
        assert await ask_all(bench) == first
        assert plex.requests == []
        assert bench.gateway.snapshot()["plex_sent"] == sent
        assert bench.gateway.snapshot()["plex_hits"] >= len(READS)

        epoch = fresh_of(bench).epoch
        world.change(101, title="Another name", labels=["Watched"])
        await until(lambda: fresh_of(bench).epoch != epoch)
        (item,) = parse((await bench.ask("GET /library/metadata/101")).body)
        assert item.get("title") == "Another name"
        plex.forget()
        await bench.ask("GET /library/metadata/101/thumb/1700000000")
        assert plex.requests == [], "a picture of a given time stays what it is"


async def test_without_notifications_the_libraries_times_are_looked_at(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World.sample()
    async with DemoPlex(world) as plex, gateway_to(plex.url, plex.token, directory, watched=False) as bench:
        await ask_all(bench)
        plex.forget()
        await ask_all(bench)
        assert len(plex.requests) >= len(READS), "nobody vouches, so nothing is believed"
        await bench.gateway.check()
        await ask_all(bench)
        plex.forget()
        await bench.gateway.check()
        await ask_all(bench)
        assert plex.requests == []
        monkeypatch.setattr(freshness, "POLL", 0.0)
        await bench.gateway.check()
        await ask_all(bench)
        assert [request.target for request in plex.requests] == ["/library/sections"]
        world.change(101, title="Another name")
        await bench.gateway.check()
        (item,) = parse((await bench.ask("GET /library/metadata/101")).body)
        assert item.get("title") == "Another name"


async def test_a_look_vouches_for_a_while_only(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with DemoPlex(World.sample()) as plex, gateway_to(plex.url, plex.token, directory, watched=False) as bench:
        await bench.gateway.check()
        assert fresh_of(bench).epoch
        monkeypatch.setattr(freshness, "VOUCHED", 0.0)
        assert fresh_of(bench).epoch is None


@pytest.mark.parametrize("watched", [True, False])
async def test_a_restart_keeps_what_still_holds(directory: Path, watched: bool) -> None:
    world = World.sample()

    async def ready(bench: Bench) -> None:
        if watched:
            await until(lambda: fresh_of(bench).watched)
        await bench.gateway.check()

    async with DemoPlex(world) as plex:
        async with gateway_to(plex.url, plex.token, directory, watched=watched) as bench:
            await ready(bench)
            first = await ask_all(bench)
        plex.forget()
        async with gateway_to(plex.url, plex.token, directory, watched=watched) as bench:
            await ready(bench)
            plex.forget()
            assert await ask_all(bench) == first
            assert plex.requests == []
        world.change(104, title="Changed while nobody looked")
        async with gateway_to(plex.url, plex.token, directory, watched=watched) as bench:
            await ready(bench)
            (item,) = parse((await bench.ask("GET /library/metadata/104")).body)
            assert item.get("title") == "Changed while nobody looked"


async def test_a_change_that_was_heard_is_not_forgotten_by_a_restart(directory: Path) -> None:
    """Plex's time stamps may miss what its notifications told."""
    world = World.sample()
    async with DemoPlex(world) as plex:
        async with gateway_to(plex.url, plex.token, directory) as bench:
            await until(lambda: fresh_of(bench).watched)
            await ask_all(bench)
            epoch = fresh_of(bench).epoch
            library = world.libraries[1]
            before = library.changed, library.updated_at
            world.change(101, title="Another name")
            library.changed, library.updated_at = before
            await until(lambda: fresh_of(bench).epoch != epoch)
            await until(lambda: not list((directory / "cache" / "plex").glob("*.json")))
        async with gateway_to(plex.url, plex.token, directory) as bench:
            await until(lambda: fresh_of(bench).watched)
            (item,) = parse((await bench.ask("GET /library/metadata/101?includeGuids=1")).body)
            assert item.get("title") == "Another name"


async def test_after_a_heard_change_the_next_check_makes_it_last(directory: Path) -> None:
    world = World.sample()
    async with DemoPlex(world) as plex:
        async with gateway_to(plex.url, plex.token, directory) as bench:
            await until(lambda: fresh_of(bench).watched)
            epoch = fresh_of(bench).epoch
            world.change(101, title="Another name")
            await until(lambda: fresh_of(bench).epoch != epoch)
            epoch = fresh_of(bench).epoch
            await bench.gateway.check()
            assert fresh_of(bench).epoch == epoch
            await ask_all(bench)
        async with gateway_to(plex.url, plex.token, directory) as bench:
            await until(lambda: fresh_of(bench).watched)
            assert fresh_of(bench).epoch == epoch
            plex.forget()
            await ask_all(bench)
            assert plex.requests == []


async def test_readers_at_the_same_time_ask_once(directory: Path) -> None:
    class Slow(Library):
        def __call__(self, seen: Seen) -> Reply:
            reply = super().__call__(seen)
            return replace(reply, wait=0.2) if "metadata" in seen.target else reply

    slow = Slow()
    slow.special["/library/metadata/101/thumb"] = Reply(b"picture", wait=0.2, headers={"Content-Type": "image/jpeg"})
    async with Upstream(slow) as plex, gateway_to(plex.url, REAL, directory, watched=False) as bench:
        await bench.gateway.check()
        plex.requests.clear()
        answers = await asyncio.gather(*(bench.ask("GET /library/metadata/101") for _ in range(8)))
        pictures = await asyncio.gather(*(bench.ask("GET /library/metadata/101/thumb") for _ in range(8)))
        assert {answer.body for answer in answers} == {answers[0].body}
        assert {(answer.body, answer.headers["content-type"]) for answer in pictures} == {(b"picture", "image/jpeg")}
        assert [seen.target for seen in plex.requests] == ["/library/metadata/101?skipRefresh=1", "/library/metadata/101/thumb"]


async def test_failures_are_not_kept(directory: Path) -> None:
    library = Library()
    async with Upstream(library) as plex, gateway_to(plex.url, REAL, directory, watched=False) as bench:
        await bench.gateway.check()
        for path in ("/library/metadata/101", "/library/metadata/101/thumb"):
            library.special[path] = Reply(b"", status=404)
            assert (await bench.ask(f"GET {path}")).status == 404
            library.special[path] = Reply(b"abc", headers={"Content-Length": "6"}, then_close=True)
            broken = await bench.ask(f"GET {path}")
            assert (broken.status, broken.body) in ((502, b"the answer of Plex (plex-0) broke off"), (200, b"abc"), (200, b""), (0, b""))
            library.special[path] = Reply(b'<MediaContainer size="0"/>')
            assert b"<MediaContainer size" in (await bench.ask(f"GET {path}")).body


async def test_a_picture_that_the_renderer_did_not_wait_for_is_not_kept(directory: Path) -> None:
    library = Library()
    body = b"x" * 4_000_000
    library.special["/library/metadata/101/thumb"] = Reply(body)
    async with Upstream(library) as plex, gateway_to(plex.url, REAL, directory, watched=False) as bench:
        await bench.gateway.check()
        _reader, writer = await asyncio.open_unix_connection(str(bench.socket))
        writer.write(
            b"GET /library/metadata/101/thumb HTTP/1.1\r\nHost: plex\r\nX-Sidecar-Origin: http://plex-0.plex.invalid:32400\r\n"
            b"X-Sidecar-Grant: " + TOKEN.encode() + b"\r\n\r\n"
        )
        await until(lambda: any("thumb" in seen.target for seen in plex.requests))
        writer.transport.abort()
        assert (await bench.ask("GET /library/metadata/101/thumb")).body == body
        assert (await bench.ask("GET /library/metadata/101/thumb")).body == body


async def test_what_is_too_long_or_random_is_not_kept(directory: Path) -> None:
    library = Library()
    times = MOST_KEPT // 65_536 + 1
    library.special["/library/metadata/101/thumb"] = Reply(b"x" * 65_536, times=times, headers={"Content-Length": str(times * 65_536)})
    library.special["/library/metadata/104/thumb"] = Reply(b"x", headers={"Content-Encoding": "gzip"})
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * times + b"0\r\n\r\n"
    library.special["/library/metadata/203/thumb"] = Reply(raw=endless)
    async with Upstream(library) as plex, gateway_to(plex.url, REAL, directory, watched=False) as bench:
        await bench.gateway.check()
        for line in (
            "GET /library/metadata/101/thumb",
            "GET /library/metadata/104/thumb",
            "GET /library/metadata/203/thumb",
            "GET /library/sections/1/all?type=1&sort=random",
        ):
            await bench.ask(line)
            plex.requests.clear()
            assert (await bench.ask(line)).status == 200
            assert plex.requests, line


async def test_other_tokens_and_other_questions_share_nothing(directory: Path) -> None:
    async with Upstream(Library(movies=300)) as plex:
        async with gateway_to(plex.url, REAL, directory, watched=False) as bench:
            await bench.gateway.check()
            await bench.ask("GET /library/metadata/101")
            plex.requests.clear()
            await bench.ask("GET /library/metadata/101", headers={"X-Plex-Language": "de"})
            assert len(plex.requests) == 1
        async with gateway_to(plex.url, "another-token", directory, watched=False, name="h") as bench:
            await bench.gateway.check()
            plex.requests.clear()
            await bench.ask("GET /library/metadata/101")
            assert [seen.header("X-Plex-Token") for seen in plex.requests] == ["another-token"]


async def test_each_grant_sees_its_own_part_of_what_is_kept(directory: Path) -> None:
    async with DemoPlex(World.sample()) as plex, gateway_to(plex.url, plex.token, directory, watched=False) as bench:
        await bench.gateway.check()
        other = Scope(targets=frozenset({102}), visible=frozenset({102}), sections=frozenset({1}))
        bench.gateway.open(Grant(token=TOKEN + "-two", run_id="run", shard=1, scopes={"plex-0": other}), Heard())
        line = "GET /library/sections/1/all?type=1"
        for _ in range(2):
            keys = [
                {item.get("ratingKey") for item in parse((await bench.ask(line, token=token)).body)} for token in (TOKEN, TOKEN + "-two")
            ]
            assert keys == [{"101", "104"}, {"102"}]


async def test_a_plex_that_is_away_vouches_for_nothing(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshness, "POLL", 0.0)
    monkeypatch.setattr("sidecar.gateway.plex.AWAY_FOR", 0.0)
    async with DemoPlex(World.sample()) as plex, gateway_to(plex.url, plex.token, directory, watched=False) as bench:
        await bench.gateway.check()
        await ask_all(bench)
        plex.fail("down")
        await bench.gateway.check()
        assert fresh_of(bench).epoch is None
        assert (await bench.ask("GET /library/metadata/101")).status == 503
        plex.heal()
        await bench.gateway.check()
        plex.forget()
        await ask_all(bench)
        assert plex.requests == [], "nothing changed meanwhile, as the time stamps say"


async def test_notifications_come_back_after_plex_was_away(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshness, "RETRY", (0.01, 0.05))
    monkeypatch.setattr("sidecar.gateway.plex.AWAY_FOR", 0.0)
    world = World.sample()
    plex = DemoPlex(world)
    await plex.start()
    async with gateway_to(plex.url, plex.token, directory) as bench:
        await until(lambda: fresh_of(bench).watched)
        await plex.stop()
        await until(lambda: not fresh_of(bench).watched)
        assert fresh_of(bench).epoch is None
        async with DemoPlex(world, port=plex.port, token=plex.token):
            await until(lambda: fresh_of(bench).watched)


@pytest.mark.parametrize("status", ["HTTP/1.1 302 Found\r\nLocation: {}", "HTTP/1.1 401 Unauthorized", "HTTP/1.1 200 OK", "HTTP/1.1 500 X"])
async def test_notifications_that_are_not_to_be_had(directory: Path, monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    """Nothing follows a redirect with the token in hand; the time stamps do instead."""
    monkeypatch.setattr(freshness, "RETRY", (0.01, 0.05))
    async with Upstream(lambda _seen: Reply(b"")) as elsewhere:
        library = Library()
        head = status.format(f"{elsewhere.url}/:/websockets/notifications")
        library.special["/:/websockets/notifications"] = Reply(raw=f"{head}\r\nContent-Length: 0\r\n\r\n".encode())
        async with Upstream(library) as plex, gateway_to(plex.url, REAL, directory) as bench:
            await until(lambda: sum("websockets" in seen.target for seen in plex.requests) >= 3)
            assert not fresh_of(bench).watched
            assert elsewhere.requests == []
            await bench.gateway.check()
            assert fresh_of(bench).epoch


async def test_a_plex_that_notifies_but_does_not_answer(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshness, "RETRY", (0.01, 0.05))
    async with DemoPlex(World.sample()) as plex:
        plex.fail("garbage", path="/library/sections")
        async with gateway_to(plex.url, plex.token, directory) as bench:
            await until(lambda: sum("websockets" in request.target for request in plex.requests) >= 2)
            assert not fresh_of(bench).watched


async def test_a_server_that_is_replaced_is_no_longer_listened_to(directory: Path) -> None:
    async with DemoPlex(World.sample()) as one, DemoPlex(World.sample("Two")) as two, gateway_to(one.url, one.token, directory) as bench:
        await until(lambda: fresh_of(bench).watched)
        old = fresh_of(bench)
        bench.gateway.set_servers([PlexServer(name="plex-0", url=two.url, token=SecretStr(two.token), timeout=5.0)])
        await until(lambda: fresh_of(bench).watched and not old.watched)
        assert b"Two" in (await bench.ask("GET /")).body


async def test_the_daemons_own_reads(directory: Path) -> None:
    asked: list[str] = []

    def answer() -> bytes | None:
        asked.append("asked")
        return b"<MediaContainer/>" if len(asked) < 9 else None

    async with DemoPlex(World.sample()) as plex, gateway_to(plex.url, plex.token, directory, watched=False) as bench:
        reads = bench.gateway.reads("plex-0")
        assert reads
        through: Callable[[str], Awaitable[bytes | None]] = lambda question: asyncio.to_thread(reads.through, question, answer)  # noqa: E731 (short)
        assert await through("/library/metadata/101") == b"<MediaContainer/>"
        assert await through("/library/metadata/101") == b"<MediaContainer/>"
        assert len(asked) == 2, "nobody vouches"
        await bench.gateway.check()
        for _ in range(3):
            assert await through("/library/metadata/101") == b"<MediaContainer/>"
        assert len(asked) == 3
        for _ in range(2):
            assert await through("/library/../x") == b"<MediaContainer/>"
        assert len(asked) == 5
        asked.extend(["asked"] * 9)
        assert await through("/library/metadata/404") is None
        assert await through("/library/metadata/404") is None
        assert len(asked) == 16


async def test_a_full_disk_costs_only_the_cache(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with DemoPlex(World.sample()) as plex, gateway_to(plex.url, plex.token, directory, watched=False) as bench:
        await bench.gateway.check()
        cache = directory / "cache" / "plex"
        for folder in ("content", "index"):
            (cache / folder).rmdir()
            (cache / folder).write_text("no directory")
        first = await ask_all(bench)
        assert await ask_all(bench) == first
        assert "could not be kept" in caplog.text


async def test_the_state_on_a_disk_that_takes_nothing(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with DemoPlex(World.sample()) as plex:
        async with gateway_to(plex.url, plex.token, directory, watched=False) as bench:
            file = freshness.place(directory / "cache" / "plex", bench.gateway.reads("plex-0").client)  # type: ignore[union-attr]
            file.mkdir()
            await bench.gateway.check()
            await ask_all(bench)
        assert "could not be kept" in caplog.text


def test_memory_holds_what_was_used_last() -> None:
    recent: Recent[bytes] = Recent(10, len)
    recent.put("a", b"1234")
    recent.put("b", b"1234")
    assert recent.get("a") == b"1234"
    recent.put("c", b"1234")
    assert recent.get("b") is None
    assert recent.get("a") == b"1234"
    recent.put("a", b"12345678")
    assert recent.get("c") is None
    recent.put("d", b"x" * 11)
    assert recent.get("d") is None


async def test_old_answers_are_asked_for_again(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with DemoPlex(World.sample()) as plex, gateway_to(plex.url, plex.token, directory, watched=False) as bench:
        await bench.gateway.check()
        await ask_all(bench)
        plex.forget()
        now, mono = time.time(), time.monotonic()
        monkeypatch.setattr(freshness, "VOUCHED", 1e6)
        monkeypatch.setattr(time, "time", lambda: now + 3600)
        monkeypatch.setattr(time, "monotonic", lambda: mono + 3600)
        await ask_all(bench)
        assert len(plex.requests) >= len(READS) - 1


async def test_errors_of_the_daemons_reads_are_passed_on(directory: Path) -> None:
    def fail() -> bytes | None:
        raise PlexAway("away")

    async with DemoPlex(World.sample()) as plex, gateway_to(plex.url, plex.token, directory, watched=False) as bench:
        await bench.gateway.check()
        reads = bench.gateway.reads("plex-0")
        assert reads
        with pytest.raises(PlexAway):
            await asyncio.to_thread(reads.through, "/library/metadata/101", fail)


async def test_reads_of_other_parts_of_the_gateway(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Upstream(Library()) as plex, gateway_to(plex.url, REAL, directory, watched=False) as bench:
        await bench.gateway.check()
        reads = bench.gateway.reads("plex-0")
        assert reads
        question = Canonical("GET", ("library", "metadata", "101"))
        assert await reads.read(question, {}) == await reads.read(question, {})
        assert len([seen for seen in plex.requests if "metadata" in seen.target]) == 1
        monkeypatch.setattr("sidecar.gateway.reads.MOST_KEPT", 10)
        other = Canonical("GET", ("library", "metadata", "104"))
        assert await reads.read(other, {}) == await reads.read(other, {})
        assert len([seen for seen in plex.requests if "104" in seen.target]) == 2
        assert await asyncio.to_thread(reads.through, "/library/metadata/203", lambda: b"more than ten bytes")
        assert await asyncio.to_thread(reads.through, "/library/metadata/203", lambda: None) is None
        assert bench.gateway.reads("plex-9") is None


async def test_many_changes_in_a_row(directory: Path) -> None:
    world = World.sample()
    async with DemoPlex(world) as plex, gateway_to(plex.url, plex.token, directory) as bench:
        await until(lambda: fresh_of(bench).watched)
        epochs = {fresh_of(bench).epoch}
        for socket in plex._sockets:
            await socket.send_bytes(b"no text")
        for number in range(3):
            world.change(101, title=f"Name {number}")
            await until(lambda: fresh_of(bench).epoch not in epochs)
            epochs.add(fresh_of(bench).epoch)
        assert len(epochs) == 4


async def test_what_is_kept_is_on_disk_soon(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only at the end: a kill -9 must not cost all of it."""
    monkeypatch.setattr("sidecar.gateway.answers.LATER", 0.01)
    async with DemoPlex(World.sample()) as plex, gateway_to(plex.url, plex.token, directory) as bench:
        await until(lambda: fresh_of(bench).watched)
        for _ in range(2):
            await ask_all(bench)
        await until(lambda: len(list((directory / "cache" / "plex" / "index").iterdir())) >= len(READS))


async def test_a_renderer_may_keep_what_is_vouched_for(directory: Path) -> None:
    """The word is the same while nothing changes, for the same scope; what may be kept says for how long."""
    world = World.sample()
    other = {"plex-0": replace(SCOPE, targets=frozenset({101}))}
    async with DemoPlex(world) as plex, gateway_to(plex.url, plex.token, directory) as bench:
        assert (bench.gateway.word({"plex-0": SCOPE}) == "") == (fresh_of(bench).epoch is None)
        await until(lambda: fresh_of(bench).watched)
        word = bench.gateway.word({"plex-0": SCOPE})
        assert word
        assert word == bench.gateway.word({"plex-0": SCOPE})
        assert word != bench.gateway.word(other)
        assert bench.gateway.word({"plex-0": SCOPE, "plex-9": SCOPE}) == "", "of an unknown server nobody can tell"
        for _ in range(2):
            answer = await bench.ask("GET /library/sections/1/all?type=1")
            assert 0 < int(answer.headers["x-sidecar-keep"]) <= 6 * 3600
        for line in (
            "GET /library/sections/1/all?type=1&sort=random",
            "GET /library/metadata/101/thumb/1700000000",
            "GET /library/metadata/999",
        ):
            assert "x-sidecar-keep" not in (await bench.ask(line)).headers
        world.change(101, title="Another name")
        await until(lambda: bench.gateway.word({"plex-0": SCOPE}) != word)
    async with DemoPlex(world) as plex, gateway_to(plex.url, plex.token, directory, watched=False) as bench:
        assert bench.gateway.word({"plex-0": SCOPE}) == "", "nobody vouches"
        await bench.gateway.check()
        assert bench.gateway.word({"plex-0": SCOPE}) not in ("", word)
        assert "x-sidecar-keep" in (await bench.ask("GET /library/sections/1/all?type=1")).headers


async def test_a_gap_in_the_notifications_is_bridged_by_time_stamps_and_these_for_a_while_only(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that no time stamp tells, made while nobody listened, must not be believed away for six hours."""
    world = World.sample()
    async with DemoPlex(world) as plex:
        async with gateway_to(plex.url, plex.token, directory) as bench:
            await until(lambda: fresh_of(bench).watched)
            await bench.ask("GET /library/metadata/101?includeGuids=1")
            word = bench.gateway.word({"plex-0": SCOPE})
        library = world.libraries[1]
        before = library.changed, library.updated_at
        world.change(101, title="Another name")
        library.changed, library.updated_at = before
        later = time.time() + 20 * 60
        monkeypatch.setattr(time, "time", lambda: later)
        async with gateway_to(plex.url, plex.token, directory) as bench:
            await until(lambda: fresh_of(bench).watched)
            assert bench.gateway.heard_since("plex-0") == later
            assert bench.gateway.word({"plex-0": SCOPE}) != word
            (item,) = parse((await bench.ask("GET /library/metadata/101?includeGuids=1")).body)
            assert item.get("title") == "Another name"
    async with DemoPlex(world) as plex, gateway_to(plex.url, plex.token, directory, watched=False) as bench:
        assert bench.gateway.heard_since("plex-0") is None


@pytest.mark.parametrize("line", ["GET /library/metadata/101?includeGuids=1", "GET /library/sections/1/all?type=1"])
async def test_an_answer_is_as_old_as_what_it_is_made_of(directory: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """Else it would be believed for its time by the cache, for as long again when cut, and once more by the renderer."""
    async with DemoPlex(World.sample()) as plex:
        async with gateway_to(plex.url, plex.token, directory, watched=False) as bench:
            await bench.gateway.check()
            assert (await bench.ask(line)).headers["x-sidecar-keep"] == "900"
        later = time.time() + 600
        monkeypatch.setattr(time, "time", lambda: later)
        async with gateway_to(plex.url, plex.token, directory, watched=False) as bench:  # cut anew, of what the disk has
            await bench.gateway.check()
            for _ in range(2):
                assert 290 <= int((await bench.ask(line)).headers["x-sidecar-keep"]) <= 300
            clock, passed = time.monotonic(), 290.0
            monkeypatch.setattr(time, "time", lambda: later + passed)
            monkeypatch.setattr(time, "monotonic", lambda: clock + passed)
            monkeypatch.setattr(freshness, "VOUCHED", 1e6)
            plex.forget()
            await bench.ask(line)
            assert plex.requests == []
            passed = 310.0
            await bench.ask(line)
            assert plex.requests, "it is 15 minutes old by now"


async def test_the_state_of_a_server_is_the_same_until_it_changes(directory: Path) -> None:
    world = World.sample()
    async with DemoPlex(world) as plex, gateway_to(plex.url, plex.token, directory) as bench:
        await until(lambda: fresh_of(bench).watched)
        state = bench.gateway.state("plex-0")
        assert state
        assert state == bench.gateway.state("plex-0")
        assert bench.gateway.state("plex-9") == ""
        assert bench.gateway.heard_since("plex-9") is None
        assert bench.gateway.outside[1] == 86_400.0
        world.change(101, title="Another name")
        await until(lambda: bench.gateway.state("plex-0") != state)


async def test_answers_that_nobody_used_are_forgotten(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with DemoPlex(World.sample()) as plex, gateway_to(plex.url, plex.token, directory, watched=False) as bench:
        await bench.gateway.check()
        await ask_all(bench)
        assert await bench.gateway.prune() == (0, 0)
        later = time.time() + 8 * 86_400
        monkeypatch.setattr(time, "time", lambda: later)
        answers, size = await bench.gateway.prune()
        assert answers > 0
        assert size > 0


async def test_a_place_stays_the_same_while_it_grows_older(directory: Path) -> None:
    """For hours after the start answers were cut anew at each read: their place held the time for which they may be believed."""
    async with DemoPlex(World.sample()) as plex, gateway_to(plex.url, plex.token, directory) as bench:
        await until(lambda: fresh_of(bench).watched)
        fresh_of(bench).since -= 3600.0
        reads = bench.gateway.reads("plex-0")
        assert reads
        first = reads.key(Canonical("GET", ("identity",)), {})
        await asyncio.sleep(0.01)
        second = reads.key(Canonical("GET", ("identity",)), {})
        assert first
        assert second
        assert (first == second, first.age == second.age) == (True, False)
