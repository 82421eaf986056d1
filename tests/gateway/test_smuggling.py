"""Requests that two readers read in two ways, sent as raw bytes: refused, and Plex sees nothing of them."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.errors import StoreError
from sidecar.model import Blob
from tests.gateway.conftest import REAL, TOKEN, Bench, parse
from tests.gateway.test_capture import picture

OURS = f"X-Sidecar-Grant: {TOKEN}\r\nX-Sidecar-Origin: http://plex-0.plex.invalid:32400\r\n"
POSTERS = "POST /library/metadata/1/posters HTTP/1.1\r\n"
HEAD = "Host: p\r\nConnection: close\r\n" + OURS
PUT = f"PUT /:/scrobble?key=1 HTTP/1.1\r\n{HEAD}\r\n"

RAW = {
    "two lengths": f"{POSTERS}{HEAD}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "length and chunks": f"{POSTERS}{HEAD}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{PUT}",
    "chunks in disguise": f"{POSTERS}{HEAD}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks twice": f"{POSTERS}{HEAD}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad chunk": f"{POSTERS}{HEAD}Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    "folded header": f"GET /identity HTTP/1.1\r\n{HEAD}X-A: b\r\n c\r\n\r\n",
    "space before colon": f"GET /identity HTTP/1.1\r\n{HEAD}Content-Length : 3\r\n\r\nabc",
    "header without a name": f"GET /identity HTTP/1.1\r\n{HEAD}: x\r\n\r\n",
    "nul in a header": f"GET /identity HTTP/1.1\r\n{HEAD}X-A: b\0c\r\n\r\n",
    "body on a read": f"GET /identity HTTP/1.1\r\n{HEAD}Content-Length: {len(PUT)}\r\n\r\n{PUT}",
    "chunked read": f"GET /identity HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "websocket": f"GET /:/websockets/notifications HTTP/1.1\r\nHost: p\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{OURS}\r\n",
    "upgrade of a good read": f"GET /identity HTTP/1.1\r\nHost: p\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{OURS}\r\n",
    "h2c": f"GET /identity HTTP/1.1\r\nHost: p\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n{OURS}\r\n",
    "http 2 by word": f"GET /identity HTTP/2.0\r\n{HEAD}\r\n",
    "http 2 by preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http 1.0": f"GET /identity HTTP/1.0\r\n{HEAD}\r\n",
    "http 0.9": "GET /identity\r\n\r\n",
    "connect": f"CONNECT plex:32400 HTTP/1.1\r\n{HEAD}\r\n",
    "absolute form": f"GET http://plex:32400/identity HTTP/1.1\r\n{HEAD}\r\n",
    "asterisk": f"OPTIONS * HTTP/1.1\r\n{HEAD}\r\n",
    "override": f"GET /identity HTTP/1.1\r\n{HEAD}X-HTTP-Method-Override: PUT\r\n\r\n",
    "override by query": f"GET /identity?_method=PUT HTTP/1.1\r\n{HEAD}\r\n",
    "expect": f"{POSTERS}{HEAD}Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    "odd expect": f"{POSTERS}{HEAD}Expect: something\r\nContent-Length: 3\r\n\r\nabc",
    "two hosts": f"GET /identity HTTP/1.1\r\n{HEAD}Host: q\r\n\r\n",
    "lower case": f"get /identity HTTP/1.1\r\n{HEAD}\r\n",
    "tab in the line": f"GET /identity\t HTTP/1.1\r\n{HEAD}\r\n",
    "space in the address": f"GET /identity x HTTP/1.1\r\n{HEAD}\r\n",
    "raw bytes in the address": f"GET /identity\xff HTTP/1.1\r\n{HEAD}\r\n",
    "nul in the address": f"GET /ident\0ity HTTP/1.1\r\n{HEAD}\r\n",
    "fragment": f"GET /identity#/../:/scrobble HTTP/1.1\r\n{HEAD}\r\n",
    "backslash": f"GET /library\\..\\:\\scrobble HTTP/1.1\r\n{HEAD}\r\n",
    "encoded response split": f"GET /identity%0d%0aX: HTTP/1.1\r\n{HEAD}\r\n",
    "long address": f"GET /{'a' * 12_000} HTTP/1.1\r\n{HEAD}\r\n",
    "endless address": f"GET /{'a' * 40_000} HTTP/1.1\r\n{HEAD}\r\n",
    "endless header": f"GET /identity HTTP/1.1\r\n{HEAD}X-A: {'a' * 40_000}\r\n\r\n",
    "garbage": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("name", sorted(RAW))
async def test_refused(bench: Bench, name: str) -> None:
    reader, writer = await asyncio.open_unix_connection(str(bench.socket))
    try:
        writer.write(RAW[name].encode("latin-1"))
        first = await asyncio.wait_for(reader.readline(), 10) if name not in ("garbage",) else b""
    except ConnectionError:
        first = b""
    finally:
        writer.close()
    status = parse(first + b"\r\n").status
    assert status == 0 or 400 <= status < 600, first
    assert bench.plex.requests == []
    assert bench.sink.captures == []
    assert REAL not in str(bench.sink)


@pytest.mark.parametrize("name", ["http 0.9", "bare line feeds"])
async def test_lenient_readings(bench: Bench, name: str) -> None:
    """What a parser may take or leave: taken, it is judged like any other request."""
    data = {"http 0.9": "GET /:/scrobble?key=1\n\n", "bare line feeds": f"GET /:/scrobble?key=1 HTTP/1.1\n{HEAD}\n".replace("\r\n", "\n")}[
        name
    ]
    reader, writer = await asyncio.open_unix_connection(str(bench.socket))
    writer.write(data.encode())
    first = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    assert parse(first + b"\r\n").status in (0, 400, 403, 505)
    assert bench.plex.requests == []


async def test_malformed_requests_leave_no_grant_in_the_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    await bench.raw(RAW["two lengths"].encode())
    assert "a malformed request was refused" in caplog.text
    assert TOKEN not in caplog.text


async def test_faults_of_our_own_are_logged(bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(data: bytes, media_type: str) -> Blob:
        raise StoreError("no space left")

    monkeypatch.setattr(bench.gateway._handler._writes, "_put_blob", full)
    answer = await bench.ask("POST /library/metadata/1/posters", body=picture("PNG"))
    assert answer.status == 507
    assert bench.sink.notes[0].what == "an upload could not be kept: no space left"
    monkeypatch.setattr(bench.gateway._handler._writes, "_put_blob", None)
    assert (await bench.ask("POST /library/metadata/1/posters", body=picture("PNG"))).status == 500
    assert "TypeError" in caplog.text


async def test_pipelined_requests_are_judged_each(bench: Bench) -> None:
    good = f"GET /identity HTTP/1.1\r\nHost: p\r\n{OURS}\r\n"
    bad = f"GET /:/scrobble?key=1 HTTP/1.1\r\n{HEAD}\r\n"
    raw = await bench.raw((good + bad).encode())
    assert raw.count(b"HTTP/1.1 200") == 1
    assert raw.count(b"HTTP/1.1 403") == 1
    assert [seen.target for seen in bench.plex.requests] == ["/identity"]


async def test_what_was_refused_for_its_form_is_in_the_record(bench: Bench) -> None:
    await bench.raw(f"GET /library/../:/scrobble?key=1&X-Plex-Token={TOKEN} HTTP/1.1\r\n{HEAD}\r\n".encode())
    await bench.raw(RAW["override"].encode())
    paths = [(write.path, write.expected, write.answered) for write in bench.sink.writes]
    assert paths == [("/library/../:/scrobble?key=1&X-Plex-Token=[token]", False, 403), ("/identity", False, 403)]
    assert "dot segment" in bench.sink.writes[0].meaning
    assert bench.gateway.snapshot()["refused"] == 2
