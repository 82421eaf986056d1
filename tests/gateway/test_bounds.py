"""A renderer that runs wild: half-sent requests, too many connections, uploads, notes; and what numbers alone must not open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from sidecar.gateway import Gateway, Limits, grants
from sidecar.gateway.canonical import Canonical, canonicalise
from sidecar.gateway.grants import Lease
from sidecar.gateway.policy import Verdict, View, judge
from sidecar.gateway.scope import cut
from sidecar.model import Blob, Grant, PlexServer, Problem, Scope, Severity
from tests.gateway.conftest import REAL, TOKEN, Bench, Heard, Library
from tests.gateway.test_capture import picture
from tests.gateway.upstream import Upstream

SCOPE = Scope(targets=frozenset({1}), visible=frozenset({1}), sections=frozenset({1}))
GRANT = Grant(token=TOKEN, run_id="run", shard=0, scopes={"plex-0": SCOPE})
HEAD = f"Host: p\r\nX-Sidecar-Grant: {TOKEN}\r\nX-Sidecar-Origin: http://plex-0.plex.invalid:32400\r\n"
READ = f"GET /identity HTTP/1.1\r\n{HEAD}\r\n".encode()


async def _put(data: bytes, media_type: str) -> Blob:
    return Blob(sha256="0" * 64, size=len(data), media_type=media_type)


@asynccontextmanager
async def _gateway(directory: Path, **limits: float) -> AsyncIterator[tuple[Gateway, Upstream, Heard]]:
    async with Upstream(Library()) as plex:
        bounds = Limits(stop_seconds=0.2, **limits)  # type: ignore[arg-type]  # ints among them
        gateway = Gateway(socket=directory / "g.sock", put_blob=_put, cache_dir=directory / "c", tcp_port=0, limits=bounds)
        gateway.set_servers([PlexServer(name="plex-0", url=plex.url, token=SecretStr(REAL), timeout=5.0)])
        await gateway.start()
        sink = Heard()
        gateway.open(GRANT, sink)
        try:
            yield gateway, plex, sink
        finally:
            await gateway.stop()


async def _until_closed(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(40):
        return await reader.read()


@pytest.mark.parametrize("before", [b"", READ])
@pytest.mark.parametrize("half", [b"", b"GET /identity HTTP/1.1\r\nHost: p\r\n", b"\r\n"])
async def test_a_request_whose_head_does_not_come_is_ended(directory: Path, before: bytes, half: bytes) -> None:
    async with _gateway(directory, idle_seconds=0.3) as (gateway, _, _):
        assert gateway.port
        for connect in (asyncio.open_unix_connection(str(directory / "g.sock")), asyncio.open_connection("127.0.0.1", gateway.port)):
            reader, writer = await connect
            writer.write(before + half)
            answer = await _until_closed(reader)
            assert answer.count(b"HTTP/1.1") == bool(before)
            writer.close()


@pytest.mark.parametrize("method", ["POST /library/metadata/1/posters", "PUT /library/metadata/1"])
async def test_a_body_that_does_not_come_is_ended(directory: Path, method: str) -> None:
    async with _gateway(directory, body_seconds=0.2) as (_, plex, sink):
        reader, writer = await asyncio.open_unix_connection(str(directory / "g.sock"))
        writer.write(f"{method} HTTP/1.1\r\n{HEAD}Content-Length: 1000\r\n\r\nhalf".encode())
        assert (await _until_closed(reader)).startswith(b"HTTP/1.1 408")
        writer.close()
        assert (sink.captures, plex.requests) == ([], [])
        assert "did not come in time" in sink.writes[0].meaning


async def test_bodies_wait_for_their_turn(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one grant so many are in memory at a time; one that hangs takes no turn for longer than it has to come."""
    monkeypatch.setattr(grants, "AT_ONCE", 1)
    async with _gateway(directory, body_seconds=1.0) as (gateway, _, sink):
        gateway.close(TOKEN)
        gateway.open(GRANT, sink)
        _, slow = await asyncio.open_unix_connection(str(directory / "g.sock"))
        slow.write(f"POST /library/metadata/1/posters HTTP/1.1\r\n{HEAD}Content-Length: 1000\r\n\r\nhalf".encode())
        lease = gateway._grants.find(TOKEN)
        assert lease
        while not lease.bodies.locked():
            await asyncio.sleep(0.01)
        slow.close()
        reader, writer = await asyncio.open_unix_connection(str(directory / "g.sock"))
        data = picture("PNG")
        writer.write(
            f"POST /library/metadata/1/posters HTTP/1.1\r\n{HEAD}Connection: close\r\nContent-Length: {len(data)}\r\n\r\n".encode()
        )
        writer.write(data)
        assert (await _until_closed(reader)).startswith(b"HTTP/1.1 200")
        writer.close()
        assert len(sink.captures) == 1


async def test_so_many_connections_at_a_time(directory: Path) -> None:
    async with _gateway(directory, connections=3):
        held = [await asyncio.open_unix_connection(str(directory / "g.sock")) for _ in range(3)]
        for reader, writer in held:
            writer.write(READ)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        reader, writer = await asyncio.open_unix_connection(str(directory / "g.sock"))
        assert await _until_closed(reader) == b""
        writer.close()
        held[0][1].close()
        async with asyncio.timeout(40):
            while True:
                reader, writer = await asyncio.open_unix_connection(str(directory / "g.sock"))
                writer.write(READ)
                try:
                    if (await reader.readline()).startswith(b"HTTP/1.1 200"):
                        break
                except ConnectionError:
                    pass
                writer.close()
                await asyncio.sleep(0.01)
        for _, each in (*held, (reader, writer)):
            each.close()


async def test_so_many_uploads_of_a_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grants, "MAX_UPLOADS", 2)
    answers = [await bench.ask("POST /library/metadata/1/posters", body=picture("PNG")) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 507]
    assert len(bench.sink.captures) == 2
    assert "more uploads than a run can have" in bench.sink.notes[0].what


def test_so_many_bytes_and_notes_and_so_long_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = Heard()
    lease = Lease(GRANT, sink)
    assert lease.takes(grants.MAX_UPLOADED - 1)
    assert not lease.takes(2)
    assert lease.takes(1)
    monkeypatch.setattr(grants, "MAX_NOTES", 3)
    for number in range(5):
        lease.note(Problem(severity=Severity.WARNING, what=f"a request to h{number}.example was refused", source="egress"))
    assert len(sink.notes) == 3
    lease.blocked(server="plex-0", method="PUT", path="/" + "a" * 9_000, meaning="m" * 9_000, answered=200, expected=True)
    assert (len(sink.writes[0].path), len(sink.writes[0].meaning)) == (grants.LONGEST, grants.LONGEST)


@pytest.mark.parametrize(
    "stored", ["upload://posters/../../Preferences.xml", "upload://..", "metadata://./x", "upload:///etc", "upload://a//b"]
)
def test_stored_pictures_lie_in_their_folder(stored: str) -> None:
    good = canonicalise("GET", "/library/metadata/1/file?url=upload%3A%2F%2Fposters%2Fcom.plexapp.agents.x_0a1b")
    assert isinstance(good, Canonical)
    assert isinstance(judge(good, SCOPE), Verdict)
    assert not isinstance(judge(Canonical("GET", good.segments, (("url", stored),)), SCOPE), Verdict)


@pytest.mark.parametrize("own", [True, False])
def test_collections_of_other_libraries_are_not_shown(own: bool) -> None:
    """They are asked for by number alone."""

    def answer(section: int) -> bytes:
        said = f'librarySectionID="{section}"'
        return (
            f'<MediaContainer size="1"{"" if own else " " + said}>'
            f'<Directory ratingKey="500" type="collection" title="Private"{" " + said if own else ""}/></MediaContainer>'
        ).encode()

    assert cut(answer(1), View.ITEMS, SCOPE) == answer(1)
    assert b"Private" not in cut(answer(2), View.ITEMS, SCOPE)
