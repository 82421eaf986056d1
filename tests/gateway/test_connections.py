"""Connections that are kept, and those that must not be."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from yarl import URL

from sidecar.gateway import connections
from sidecar.gateway.connections import Connections, CutOff
from sidecar.gateway.http1 import NotHttp, TooLong
from tests.gateway.upstream import Reply, Upstream


@pytest.fixture
async def plex() -> AsyncIterator[Upstream]:
    async with Upstream(lambda seen: Reply(seen.target.encode())) as upstream:
        yield upstream


@pytest.fixture
async def kept(plex: Upstream) -> AsyncIterator[Connections]:
    made = Connections(URL(plex.url), {"X-Plex-Token": "t"}, verify=True, connect=5.0, silence=5.0, total=10.0)
    yield made
    await made.close()


async def test_one_connection_carries_many_reads(plex: Upstream, kept: Connections) -> None:
    for number in range(5):
        answer = await kept.get(f"/{number}", {"x-plex-language": "de"}, most=100)
        assert answer.body == f"/{number}".encode()
    assert plex.connections == 1
    assert plex.requests[0].headers == [("Host", f"127.0.0.1:{plex.port}"), ("X-Plex-Token", "t"), ("x-plex-language", "de")]


async def test_reads_at_the_same_time_have_connections_of_their_own(plex: Upstream, kept: Connections) -> None:
    plex.answer = lambda seen: Reply(seen.target.encode(), wait=0.05)
    answers = await asyncio.gather(*(kept.get(f"/{number}", {}, most=100) for number in range(connections.MOST + 8)))
    assert [answer.body for answer in answers] == [f"/{number}".encode() for number in range(connections.MOST + 8)]
    assert plex.connections == connections.MOST


async def test_whoever_waits_for_a_connection_waits_no_longer_than_for_an_answer(
    plex: Upstream, kept: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_turn", asyncio.Semaphore(0))
    monkeypatch.setattr(kept, "_total", 0.2)
    with pytest.raises(TimeoutError):
        await kept.get("/1", {}, most=100)
    assert plex.requests == []


@pytest.mark.parametrize("raw", [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx", b"HTTP/1.1 200 OK\r\n\r\nx"])
async def test_a_connection_that_is_said_to_end_is_not_used_again(plex: Upstream, kept: Connections, raw: bytes) -> None:
    plex.answer = lambda seen: Reply(raw=raw, then_close=True)
    for _ in range(2):
        assert (await kept.get("/", {}, most=100)).body == b"x"
    assert plex.connections == 2


async def test_what_comes_unasked_is_nobodys_answer(plex: Upstream, kept: Connections) -> None:
    """A second answer, sent along or later, must not become that of the next read."""
    true = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue"
    false = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfalse"
    plex.answer = lambda seen: Reply(raw=true + false)
    assert (await kept.get("/1", {}, most=100)).body == b"true"
    plex.answer = lambda seen: Reply(raw=true)
    assert (await kept.get("/2", {}, most=100)).body == b"true"
    for writer in plex._writers:
        writer.write(false)
    await asyncio.sleep(0.05)
    plex.answer = lambda seen: Reply(b"mine")
    assert (await kept.get("/3", {}, most=100)).body == b"mine"
    assert plex.connections == 3


async def test_connections_that_ended_while_idle_are_no_error(plex: Upstream, kept: Connections) -> None:
    await kept.get("/1", {}, most=100)
    for writer in plex._writers:
        writer.close()
    await asyncio.sleep(0.05)
    assert (await kept.get("/2", {}, most=100)).body == b"/2"


async def test_what_is_cut_off_is_asked_again_once_and_only_before_the_first_byte(plex: Upstream, kept: Connections) -> None:
    plex.answer = lambda seen: Reply(raw=b"", then_close=True)
    with pytest.raises(CutOff) as none:
        await kept.get("/", {}, most=100)
    assert not none.value.begun
    assert len(plex.requests) == 2
    plex.answer = lambda seen: Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", then_close=True)
    with pytest.raises(CutOff) as some:
        await kept.get("/", {}, most=100)
    assert some.value.begun
    assert len(plex.requests) == 3


async def test_garbage_and_length_end_the_connection(plex: Upstream, kept: Connections) -> None:
    plex.answer = lambda seen: Reply(raw=b"garbage")
    with pytest.raises(NotHttp):
        await kept.get("/", {}, most=100)
    plex.answer = lambda seen: Reply(b"x" * 101)
    with pytest.raises(TooLong):
        await kept.get("/", {}, most=100)
    plex.answer = lambda seen: Reply(b"x")
    await kept.get("/", {}, most=100)
    assert plex.connections == 3


async def test_silence(plex: Upstream, kept: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_silence", 0.1)
    plex.answer = lambda seen: Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    with pytest.raises(TimeoutError):
        await kept.get("/", {}, most=100)


async def test_trickling_is_no_silence_but_ends_too() -> None:
    sent = 0

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            sent += 1
            await asyncio.sleep(0.05)
        writer.close()

    async with await asyncio.start_server(trickle, "127.0.0.1", 0) as server:
        made = Connections(
            URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), {}, verify=True, connect=5.0, silence=0.2, total=0.6
        )
        with pytest.raises(TimeoutError):
            await made.get("/", {}, most=5000)
        assert sent > 5
        await asyncio.sleep(0.1)


async def test_a_reader_that_goes_away_leaves_no_answer_to_others(plex: Upstream, kept: Connections) -> None:
    plex.answer = lambda seen: Reply(b"first", wait=0.2)
    task = asyncio.create_task(kept.get("/1", {}, most=100))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    plex.answer = lambda seen: Reply(b"second")
    assert (await kept.get("/2", {}, most=100)).body == b"second"
    await asyncio.sleep(0.25)
    assert (await kept.get("/2", {}, most=100)).body == b"second"


async def test_idle_connections_end(plex: Upstream, kept: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "KEPT", 0.2)
    await kept.get("/1", {}, most=100)
    await asyncio.sleep(0.1)
    plex.answer = lambda seen: Reply(b"", wait=0.05)
    await asyncio.gather(kept.get("/2", {}, most=100), kept.get("/3", {}, most=100))
    async with asyncio.timeout(40):
        while plex._writers:
            await asyncio.sleep(0.05)
    await kept.get("/4", {}, most=100)
    assert plex.connections >= 3


async def test_the_close_ends_connections_in_use_too(plex: Upstream, kept: Connections) -> None:
    await kept.get("/1", {}, most=100)
    plex.answer = lambda seen: Reply(b"x", wait=30.0)
    task = asyncio.create_task(kept.get("/2", {}, most=100))
    async with asyncio.timeout(40):
        while len(plex.requests) < 2:
            await asyncio.sleep(0.01)
    await kept.close()
    with pytest.raises(CutOff):
        await task


async def test_after_the_close_none_is_kept(plex: Upstream, kept: Connections) -> None:
    await kept.close()
    for _ in range(2):
        assert (await kept.get("/1", {}, most=100)).status == 200
    assert plex.connections == 2


async def test_nobody_there() -> None:
    made = Connections(URL("http://127.0.0.1:9"), {}, verify=True, connect=5.0, silence=5.0, total=5.0)
    with pytest.raises(OSError, match=r"9|refused"):
        await made.get("/", {}, most=1)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 127.0.0.1, with its key, signed by itself."""
    place = tmp_path_factory.mktemp("tls") / "both.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout"
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    made = subprocess.run([*command.split(), "-"], capture_output=True, check=True, timeout=60)
    place.write_bytes(made.stdout)
    return place


@pytest.mark.parametrize(("verify", "trusted"), [(False, False), (True, True), (True, False)])
async def test_tls(certificate: Path, monkeypatch: pytest.MonkeyPatch, verify: bool, trusted: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        url = URL(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        made = Connections(url, {}, verify=verify, connect=5.0, silence=5.0, total=10.0)
        if verify and not trusted:
            with pytest.raises(ssl.SSLError):
                await made.get("/", {}, most=100)
        else:
            for _ in range(2):
                assert (await made.get("/", {}, most=100)).body == b"ok"
        await made.close()


async def test_silence_between_two_reads_ends_nothing(plex: Upstream) -> None:
    made = Connections(URL(plex.url), {}, verify=True, connect=5.0, silence=0.3, total=5.0)
    for _ in range(2):
        assert (await made.get("/2", {}, most=100)).status == 200
        await asyncio.sleep(0.4)
    assert plex.connections == 1
    await made.close()
