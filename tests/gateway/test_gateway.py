"""The gateway as a renderer meets it: raw HTTP over its unix socket, a recording Plex behind it."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import resource
import stat
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from pydantic import SecretStr

from sidecar.errors import CanaryFailed, GatewayError, PlexAway
from sidecar.gateway import Gateway, Limits, Mode
from sidecar.gateway import server as server_module
from sidecar.gateway.canonical import Canonical
from sidecar.gateway.plex import PlexClient
from sidecar.gateway.scope import EMPTY, parse
from sidecar.model import Blob, Grant, PlexServer, Scope, Severity
from tests.gateway.conftest import REAL, TOKEN, Bench, Heard, Library
from tests.gateway.conftest import parse as parse_answer
from tests.gateway.test_capture import picture, png
from tests.gateway.upstream import Reply, Upstream

PLEX = "http://plex-0.plex.invalid:32400"
OURS = f"Host: p\r\nConnection: close\r\nX-Sidecar-Grant: {TOKEN}\r\nX-Sidecar-Origin: {PLEX}\r\n"


# ── reads ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_reads_reach_plex_with_the_real_token_only(bench: Bench) -> None:
    answer = await bench.ask(
        f"GET /library/metadata/1?checkFiles=1&X-Plex-Token={TOKEN}", headers={"X-Plex-Token": TOKEN, "X-Plex-Product": "Kometa"}
    )
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/xml; charset=utf-8"
    assert b'ratingKey="1"' in answer.body
    (seen,) = bench.plex.requests
    assert seen.line == "GET /library/metadata/1?skipRefresh=1 HTTP/1.1"
    assert seen.header("X-Plex-Token") == REAL
    assert TOKEN not in str(seen)
    assert [value for name, value in seen.headers if name.lower() == "x-plex-token"] == [REAL]


async def test_only_known_headers_go_along(bench: Bench) -> None:
    odd = {
        "Cookie": "a=b",
        "X-Forwarded-For": "1.2.3.4",
        "X-Plex-Target-Client-Identifier": "tv",
        "Authorization": "Basic x",
        "Range": "bytes=0-1",
    }
    good = {"X-Plex-Language": "de", "Accept-Language": "de-DE,de;q=0.9", "X-Plex-Container-Start": "0", "X-Plex-Container-Size": "all"}
    await bench.ask("GET /library/metadata/1/posters", headers={**odd, **good})
    (seen,) = bench.plex.requests
    names = {name.lower() for name, _ in seen.headers}
    assert not names & {name.lower() for name in odd}
    assert names == {
        *("host", "accept", "accept-encoding", "user-agent", "x-plex-product", "x-plex-client-identifier", "x-plex-token"),
        *("x-plex-language", "accept-language", "x-plex-container-start"),
    }


async def test_listings_show_the_targets_only(bench: Bench) -> None:
    answer = await bench.ask(
        "GET /library/sections/1/all?includeGuids=1&type=1", headers={"X-Plex-Container-Start": "1", "X-Plex-Container-Size": "2"}
    )
    root = parse(answer.body)
    assert [item.get("ratingKey") for item in root] == ["2", "3"]
    assert (root.get("totalSize"), root.get("offset")) == ("3", "1")
    assert bench.plex.requests[-1].target == "/library/sections/1/all?includeGuids=1&type=1&skipRefresh=1"
    answer = await bench.ask("GET /library/sections/1/all?type=1&X-Plex-Container-Start=0&X-Plex-Container-Size=1")
    assert [item.get("ratingKey") for item in parse(answer.body)] == ["1"]
    assert "Container" not in bench.plex.requests[-1].target


async def test_children_are_cut_to_the_visible(bench: Bench, library: Library) -> None:
    inner = "".join(f'<Directory ratingKey="{key}" type="season"/>' for key in (2, 8))
    library.special["/library/metadata/1/children"] = Reply(f'<MediaContainer size="2">{inner}</MediaContainer>'.encode())
    answer = await bench.ask("GET /library/metadata/1/children")
    assert [item.get("ratingKey") for item in parse(answer.body)] == ["2"]


async def test_what_is_out_of_scope_does_not_exist(bench: Bench) -> None:
    assert (await bench.ask("GET /library/metadata/9")).status == 404
    assert (await bench.ask("GET /library/metadata/9/children")).body == EMPTY
    assert bench.plex.requests == []
    assert bench.sink.writes == []


async def test_pictures_are_streamed_as_they_come(bench: Bench, library: Library) -> None:
    data = bytes(range(256)) * 4096
    library.special["/library/metadata/1/thumb/17"] = Reply(
        data, headers={"Content-Type": "image/jpeg", "Set-Cookie": "a=b", "X-Plex-Protocol": "1"}
    )
    answer = await bench.ask(f"GET /library/metadata/1/thumb/17?X-Plex-Token={TOKEN}")
    assert answer.body == data
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-length"] == str(len(data))
    assert not {"set-cookie", "x-plex-protocol"} & answer.headers.keys()
    assert bench.plex.requests[0].line == "GET /library/metadata/1/thumb/17 HTTP/1.1"


async def test_compressed_pictures_stay_compressed(bench: Bench, library: Library) -> None:
    library.special["/library/metadata/1/thumb"] = Reply(gzip.compress(b"data"), headers={"Content-Encoding": "gzip"})
    answer = await bench.ask("GET /library/metadata/1/thumb", headers={"Accept-Encoding": "gzip, deflate, br"})
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(answer.body) == b"data"
    assert bench.plex.requests[0].header("Accept-Encoding") == "identity", "it was not asked for, but is passed on as it comes"


async def test_connections_to_plex_are_kept(bench: Bench) -> None:
    for _ in range(5):
        await bench.ask("GET /identity")
    assert bench.plex.connections == 1


def _resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


# ── who asks ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("token", "headers", "origin"),
    [
        (None, {}, PLEX),
        ("wrong", {}, PLEX),
        (TOKEN, {"X-Plex-Token": "another"}, PLEX),
        (TOKEN, {}, "http://plex-9.plex.invalid:32400"),
        (TOKEN, {}, "gopher://x"),
        (TOKEN, {}, ""),
    ],
)
async def test_without_a_grant_nothing_goes(bench: Bench, token: str | None, headers: dict[str, str], origin: str) -> None:
    answer = await bench.ask("GET /identity", token=token, headers=headers, origin=origin)
    assert answer.status == 403
    assert answer.text
    assert bench.plex.requests == []
    assert bench.gateway.snapshot()["refused"] == 1


@pytest.mark.parametrize("query", [f"X-Plex-Token={TOKEN}&X-Plex-Token=other", "x-plex-token=other", "X-Plex-Token=other"])
async def test_foreign_tokens_in_the_query(bench: Bench, query: str) -> None:
    assert (await bench.ask(f"GET /identity?{query}")).status == 403
    assert bench.plex.requests == []


async def test_two_grants_or_origins_at_once(bench: Bench) -> None:
    for name, value in (("X-Sidecar-Grant", TOKEN), ("X-Sidecar-Origin", PLEX)):
        head = f"GET /identity HTTP/1.1\r\n{OURS}{name}: {value}\r\n\r\n"
        assert parse_answer(await bench.raw(head.encode())).status == 403
    assert bench.plex.requests == []


async def test_a_grant_ends_with_its_run(bench: Bench) -> None:
    bench.gateway.close(TOKEN)
    bench.gateway.close(TOKEN)
    assert (await bench.ask("GET /identity")).status == 403
    assert bench.plex.requests == []
    assert bench.gateway.snapshot()["grants"] == 0


async def test_a_grant_opens_its_own_servers_only(bench: Bench) -> None:
    other = Grant(token="another-token-0123456789", run_id="b", shard=0, scopes={})
    bench.gateway.open(other, Heard())
    assert (await bench.ask("GET /identity", token=other.token)).status == 403
    assert bench.plex.requests == []


async def test_grants_must_be_capabilities(bench: Bench) -> None:
    with pytest.raises(ValueError, match="16"):
        bench.gateway.open(Grant(token="short", run_id="b", shard=0, scopes={}), Heard())
    with pytest.raises(ValueError, match="open already"):
        bench.gateway.open(bench.grant, Heard())


async def test_an_ended_run_hears_nothing_more(bench: Bench) -> None:
    """The grant is closed while its upload is still coming in."""
    reader, writer = await asyncio.open_unix_connection(str(bench.socket))
    data = picture("JPEG")
    head = f"POST /library/metadata/1/posters HTTP/1.1\r\n{OURS}"
    writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data[:10])
    await writer.drain()
    while not bench.gateway._runners[0].server.requests_count:  # type: ignore[union-attr]
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.1)  # the request is counted a moment before its grant is looked up
    bench.gateway.close(TOKEN)
    writer.write(data[10:])
    assert b"200 OK" in await reader.read()
    writer.close()
    assert bench.sink.captures == []
    assert bench.sink.writes == []


# ── writes ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("segment", ["posters", "arts", "clearLogos", "logos", "squareArts"])
async def test_uploads_are_kept_byte_for_byte(bench: Bench, segment: str) -> None:
    data = picture("WEBP", quality=80)
    answer = await bench.ask(f"POST /library/metadata/3/{segment}", body=data)
    assert (answer.status, answer.body) == (200, b"")
    (capture,) = bench.sink.captures
    assert (capture.run_id, capture.server, capture.rating_key) == ("run", "plex-0", 3)
    assert capture.kind == {"posters": "poster", "arts": "art", "clearLogos": "logo", "logos": "logo", "squareArts": "square_art"}[segment]
    assert bench.blobs[capture.blob.sha256] == data
    assert (capture.blob.media_type, capture.blob.width, capture.blob.height) == ("image/webp", 40, 60)
    (write,) = bench.sink.writes
    assert (write.answered, write.expected, write.method) == (200, True, "POST")
    assert bench.plex.requests == []


async def test_uploads_in_forms_chunks_and_music(bench: Bench) -> None:
    data = picture("PNG")
    form = b'--b\r\nContent-Disposition: form-data; name="f"; filename="x.png"\r\n\r\n' + data + b"\r\n--b--\r\n"
    await bench.ask("POST /library/metadata/1/posters", body=form, headers={"Content-Type": "multipart/form-data; boundary=b"})
    await bench.ask("POST /library/metadata/1/themes", body=b"ID3 music")
    head = f"POST /library/metadata/1/arts HTTP/1.1\r\n{OURS}"
    chunked = f"{head}Transfer-Encoding: chunked\r\n\r\n{len(data):x}\r\n".encode() + data + b"\r\n0\r\n\r\n"
    assert parse_answer(await bench.raw(chunked)).status == 200
    assert [(capture.kind, bench.blobs[capture.blob.sha256]) for capture in bench.sink.captures] == [
        ("poster", data),
        ("theme", b"ID3 music"),
        ("art", data),
    ]


@pytest.mark.parametrize("body", [b"", b"hello", png(30_000, 30_000)])
async def test_uploads_that_are_no_pictures(bench: Bench, body: bytes) -> None:
    answer = await bench.ask("POST /library/metadata/1/posters", body=body)
    assert answer.status == 403
    assert bench.sink.captures == []
    assert bench.sink.notes[0].severity is Severity.ERROR
    assert [write.expected for write in bench.sink.writes] == [False]


@pytest.mark.parametrize("line", ["POST /library/metadata/1/posters", "PUT /:/prefs?a=1"])
async def test_bodies_over_the_limit(bench: Bench, line: str) -> None:
    assert (await bench.ask(line, body=b"x" * 150_000)).status == 413
    assert bench.sink.captures == []
    assert bench.sink.writes[0].answered == 413


async def test_edits_are_believed_and_written_down(bench: Bench) -> None:
    line = f"PUT /library/sections/1/all?id=1&label.locked=1&label%5B0%5D.tag.tag=Overlay&type=1&X-Plex-Token={TOKEN}"
    answer = await bench.ask(line, body=b"")
    assert (answer.status, answer.body) == (200, b"")
    (write,) = bench.sink.writes
    assert write.meaning == "add label Overlay to 1"
    assert write.path == "/library/sections/1/all?id=1&label.locked=1&label%5B0%5D.tag.tag=Overlay&type=1"
    for line in ("PUT /:/prefs?DatabaseCacheSize=80", "PUT /library/metadata/1/refresh"):
        assert (await bench.ask(line)).status == 200
    assert all(write.expected for write in bench.sink.writes)
    assert bench.plex.requests == []
    assert bench.gateway.snapshot()["blocked"] == 3


async def test_other_writes_are_refused_and_written_down(bench: Bench) -> None:
    answer = await bench.ask("DELETE /library/metadata/1")
    assert answer.status == 403
    assert "change Plex" in answer.text
    (write,) = bench.sink.writes
    assert (write.meaning.split(" (")[0], write.answered, write.expected) == ("delete 1", 403, False)
    assert bench.plex.requests == []


async def test_a_run_gone_wild_does_not_fill_its_record(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.gateway.grants.MAX_BLOCKED", 3)
    for _ in range(5):
        await bench.ask("DELETE /library/metadata/1")
    assert len(bench.sink.writes) == 3


async def test_posters_by_address_of_plex(bench: Bench, library: Library) -> None:
    """How Kometa takes overlays off: it points Plex at one of Plex's own stored pictures."""
    data = picture("JPEG")
    library.special["/library/metadata/1/file"] = Reply(data)
    url = f"{PLEX}/library/metadata/1/file?url=upload%3A%2F%2Fposters%2Fabc&X-Plex-Token={TOKEN}"
    answer = await bench.ask("POST /library/metadata/1/posters?url=" + quote(url, safe=""), body=b"")
    assert answer.status == 200
    (capture,) = bench.sink.captures
    assert bench.blobs[capture.blob.sha256] == data
    assert capture.url == f"{PLEX}/library/metadata/1/file?url=upload%3A%2F%2Fposters%2Fabc&X-Plex-Token=[token]"
    (seen,) = bench.plex.requests
    assert seen.line == "GET /library/metadata/1/file?url=upload%3A%2F%2Fposters%2Fabc HTTP/1.1"
    assert TOKEN not in str(bench.sink)
    assert "by address" in bench.sink.writes[0].meaning


@pytest.mark.parametrize(
    "url",
    [
        f"{PLEX}/:/scrobble?key=1",
        f"{PLEX}/library/metadata/9/thumb/1",
        f"{PLEX}/library/sections",
        "/library/metadata/1/../../:/scrobble",
        "http://evil.example/x.png",
        "http://127.0.0.1/x.png",
        "file:///etc/passwd",
        "http://[::1",
        "http://[::1]/x.png",
        "http://a_b.example/x.png",
        "nonsense",
        "",
    ],
)
async def test_posters_by_an_address_that_may_not_be_asked(bench: Bench, url: str) -> None:
    """Kometa goes on as on a real Plex; nothing is captured, and the run says why."""
    answer = await bench.ask("POST /library/metadata/1/posters?url=" + quote(url, safe=""), body=b"")
    assert answer.status == 200
    assert bench.sink.captures == []
    assert bench.plex.requests == []
    assert "could not be fetched" in bench.sink.notes[0].what
    assert bench.sink.writes[0].answered == 200


# ── other hosts ──────────────────────────────────────────────────────────────────────────────────────────


async def test_other_hosts(bench: Bench, directory: Path) -> None:
    async with Upstream(
        lambda seen: Reply(picture("PNG") if "png" in seen.target else b"{}", headers={"Content-Type": "application/json"})
    ) as host:
        gateway = Gateway(
            socket=directory / "h.sock",
            put_blob=bench.gateway._handler._writes._put_blob,
            cache_dir=directory / "other",
            host_map={"image.tmdb.org": host.url, "api.themoviedb.org": host.url},
            limits=Limits(upload=1000),
        )
        await gateway.start()
        grant = Grant(
            token=TOKEN,
            run_id="run",
            shard=0,
            scopes={"plex-0": Scope(targets=frozenset({1}), visible=frozenset({1}), sections=frozenset())},
            hosts=frozenset({"image.tmdb.org", "api.themoviedb.org"}),
        )
        gateway.set_servers([PlexServer(name="plex-0", url=bench.plex.url, token=SecretStr(REAL))])
        gateway.open(grant, bench.sink)
        bench.socket = directory / "h.sock"
        try:
            answer = await bench.ask("GET /3/configuration", origin="https://api.themoviedb.org")
            assert (answer.status, answer.body) == (200, b"{}")
            await bench.ask("GET /3/configuration", origin="https://api.themoviedb.org")
            assert len(host.requests) == 1
            answer = await bench.ask("POST /3/list", origin="https://api.themoviedb.org", body=b"{}")
            assert answer.status == 403
            assert bench.sink.writes[-1].path == "https://api.themoviedb.org/3/list"
            assert bench.sink.writes[-1].expected is False
            answer = await bench.ask("GET /x", origin="https://evil.example")
            assert answer.status == 403
            assert [note.source for note in bench.sink.notes] == ["egress", "egress"]
            await bench.ask("GET /y", origin="https://evil.example")
            assert len(bench.sink.notes) == 2, "told once"
            answer = await bench.ask("POST /", origin="https://graphql.anilist.co", body=b"x" * 2000)
            assert answer.status == 413
            answer = await bench.ask("POST /library/metadata/1/posters?url=https%3A%2F%2Fimage.tmdb.org%2Fa.png%3Fb%3D1", body=b"")
            assert answer.status == 200
            assert bench.sink.captures[0].url == "https://image.tmdb.org/a.png?b=1"
            assert host.requests[-1].target == "/a.png?b=1"
            host.answer = lambda seen: Reply(b"", status=404)
            await bench.ask("POST /library/metadata/1/posters?url=https%3A%2F%2Fimage.tmdb.org", body=b"")
            assert "image.tmdb.org answered 404" in bench.sink.notes[-1].what
            assert len(bench.sink.captures) == 1
        finally:
            await gateway.stop()
    assert bench.plex.requests == []


# ── Plex ill ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("reply", "status", "word"),
    [
        (Reply(b"", status=401), 401, "refused the token"),
        (Reply(b"", status=403), 401, "refused the token"),
        (Reply(b"", status=500), 503, "answered 500"),
        (Reply(b"<Response code='503'/>", status=503), 503, "maintenance"),
        (Reply(b"", status=302, headers={"Location": "http://127.0.0.1:1/"}), 502, "elsewhere"),
        (Reply(b"", status=204), 502, "no answer to a read"),
        (Reply(b"not xml"), 502, "XML"),
        (Reply(b"<html></html>"), 502, "MediaContainer"),
        (Reply(b"<MediaContainer>" + b"x" * 600_000), 502, "more than"),
        (Reply(gzip.compress(b"x" * 600_000), headers={"Content-Encoding": "gzip"}), 502, "more than"),
        (Reply(b"not gzip", headers={"Content-Encoding": "gzip"}), 502, "wrongly compressed"),
        (Reply(gzip.compress(b"<MediaContainer/>")[:-9], headers={"Content-Encoding": "gzip"}), 502, "broke off"),
        (Reply(b"xx", headers={"Content-Encoding": "br"}), 502, "encoding"),
        (Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<Media", then_close=True), 502, "broke off"),
        (Reply(raw=b"nonsense\r\n\r\n", then_close=True), 502, "not HTTP"),
        (Reply(raw=b"", then_close=True), 503, "closed the connection"),
    ],
)
async def test_a_plex_that_is_ill(bench: Bench, library: Library, reply: Reply, status: int, word: str) -> None:
    library.special["/library/metadata/1"] = reply
    answer = await bench.ask("GET /library/metadata/1")
    assert answer.status == status
    assert word in answer.text
    assert [note.source for note in bench.sink.notes] == ["plex"]
    assert REAL not in str(bench.sink) + answer.text
    assert bench.gateway.snapshot()["plex_failures"] == 1
    assert len(bench.plex.requests) <= 2


@pytest.mark.parametrize(
    ("reply", "status", "word"),
    [
        (Reply(b"", status=302, headers={"Location": "http://169.254.169.254/"}), 502, "elsewhere"),
        (Reply(b"", status=500), 503, "500"),
        (Reply(raw=b"nonsense\r\n\r\n", then_close=True), 502, "not HTTP"),
        (Reply(raw=b"", then_close=True), 503, "closed the connection"),
        (Reply(b"", wait=1.5), 503, "in time"),
    ],
)
async def test_a_plex_that_is_ill_when_asked_for_a_picture(bench: Bench, library: Library, reply: Reply, status: int, word: str) -> None:
    bench.gateway.set_servers([PlexServer(name="plex-0", url=bench.plex.url, token=SecretStr(REAL), timeout=0.5)])
    library.special["/library/metadata/1/thumb"] = reply
    answer = await bench.ask("GET /library/metadata/1/thumb")
    assert answer.status == status
    assert word in answer.text
    assert [note.source for note in bench.sink.notes] == ["plex"]


async def test_a_picture_whose_rest_does_not_come(bench: Bench, library: Library) -> None:
    bench.gateway.set_servers([PlexServer(name="plex-0", url=bench.plex.url, token=SecretStr(REAL), timeout=0.5)])
    library.special["/library/metadata/1/thumb"] = Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    answer = await bench.ask("GET /library/metadata/1/thumb")
    assert answer.body == b"half", "cut off, so that nobody takes it for whole"
    assert ["the rest of its answer in time" in note.what for note in bench.sink.notes] == [True]


async def test_a_picture_of_a_plex_that_is_away(bench: Bench) -> None:
    bench.gateway.set_servers([PlexServer(name="plex-0", url="http://127.0.0.1:9", token=SecretStr(REAL), timeout=5.0)])
    answer = await bench.ask("GET /library/metadata/1/thumb")
    assert (answer.status, "not reachable" in answer.text) == (503, True)


@pytest.mark.parametrize("token", ["a\r\nX-Plex-Token: b", "a\0", "a\u2028"])
async def test_a_token_that_no_header_can_hold(bench: Bench, token: str) -> None:
    with pytest.raises(GatewayError, match="token of Plex server plex-0"):
        bench.gateway.set_servers([PlexServer(name="plex-0", url=bench.plex.url, token=SecretStr(token), timeout=5.0)])


async def test_what_plex_does_not_have(bench: Bench, library: Library) -> None:
    library.special["/library/metadata/1"] = Reply(b"", status=404)
    assert (await bench.ask("GET /library/metadata/1")).status == 404
    assert bench.sink.notes == []


@pytest.mark.parametrize("encoding", ["gzip", "identity", ""])
async def test_compressed_xml_is_read(bench: Bench, library: Library, encoding: str) -> None:
    data = b'<MediaContainer size="0" friendlyName="x"/>'
    body = gzip.compress(data) if encoding == "gzip" else data
    library.special["/"] = Reply(body, headers={"Content-Encoding": encoding} if encoding else {})
    assert b'friendlyName="x"' in (await bench.ask("GET /")).body


async def test_a_plex_that_is_away_is_told_at_once_and_once(bench: Bench, directory: Path) -> None:
    bench.gateway.set_servers([PlexServer(name="plex-0", url="http://127.0.0.1:9", token=SecretStr(REAL), timeout=5.0)])
    for _ in range(3):
        assert (await bench.ask("GET /identity")).status == 503
    assert [note.what for note in bench.sink.notes] == ["Plex (plex-0) is not reachable"]
    assert bench.gateway.snapshot()["plex_sent"] == 1, "for a moment it is not even asked"


async def test_a_plex_that_comes_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.gateway.plex.AWAY_FOR", 0.0)
    answer = bench.plex.answer
    bench.plex.answer = lambda seen: Reply(raw=b"", then_close=True)
    assert (await bench.ask("GET /identity")).status == 503
    bench.plex.answer = answer
    assert (await bench.ask("GET /identity")).status == 200


async def test_a_connection_that_plex_had_closed_is_no_error(bench: Bench) -> None:
    answer, replies = bench.plex.answer, [Reply(raw=b"", then_close=True)]
    bench.plex.answer = lambda seen: replies.pop() if replies else answer(seen)
    assert (await bench.ask("GET /identity")).status == 200
    assert bench.sink.notes == []


async def test_a_plex_that_speaks_no_tls(bench: Bench) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        bench.gateway.set_servers([PlexServer(name="plex-0", url=url, token=SecretStr(REAL), timeout=5.0)])
        assert (await bench.ask("GET /identity")).status == 503
        bench.gateway.set_servers([PlexServer(name="plex-0", url=url, token=SecretStr(REAL), timeout=6.0)])
        assert (await bench.ask("GET /library/metadata/1/thumb")).status == 503
    assert [("verify_ssl" in note.what) for note in bench.sink.notes] == [True]
    assert bench.plex.requests == []


async def test_the_last_line_of_defence(bench: Bench) -> None:
    """Even a verdict gone wrong could not make the client write."""
    client = bench.gateway._servers["plex-0"]
    with pytest.raises(GatewayError, match="only reads"):
        await client.read(Canonical("PUT", ("identity",)), {})
    assert bench.plex.requests == []


@pytest.mark.parametrize("started", [False, True])
async def test_a_plex_that_is_slow(bench: Bench, library: Library, started: bool) -> None:
    bench.gateway.set_servers([PlexServer(name="plex-0", url=bench.plex.url, token=SecretStr(REAL), timeout=0.1)])
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<Media"
    library.special["/identity"] = Reply(raw=half) if started else Reply(b"", wait=3)
    assert (await bench.ask("GET /identity")).status == 503
    assert "in time" in bench.sink.notes[0].what


async def test_a_picture_that_breaks_off_is_no_whole_picture(bench: Bench, library: Library) -> None:
    library.special["/library/metadata/1/thumb/1"] = Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", then_close=True)
    answer = await bench.ask("GET /library/metadata/1/thumb/1")
    assert answer.headers.get("content-length", "100") == "100"
    assert len(answer.body) < 100
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"
    library.special["/library/metadata/1/thumb/2"] = Reply(raw=chunked, then_close=True)
    raw = await bench.raw(f"GET /library/metadata/1/thumb/2 HTTP/1.1\r\n{OURS}\r\n".encode())
    assert not raw.endswith(b"0\r\n\r\n")


async def test_a_renderer_that_goes_away_while_a_picture_streams(bench: Bench, library: Library) -> None:
    library.special["/library/metadata/1/thumb/1"] = Reply(b"x" * 30_000_000)
    _, writer = await asyncio.open_unix_connection(str(bench.socket))
    writer.write(
        f"GET /library/metadata/1/thumb/1 HTTP/1.1\r\nHost: p\r\nX-Sidecar-Grant: {TOKEN}\r\nX-Sidecar-Origin: {PLEX}\r\n\r\n".encode()
    )
    while not bench.gateway.snapshot()["forwarded"]:
        await asyncio.sleep(0.001)
    writer.transport.abort()
    assert (await bench.ask("GET /identity")).status == 200
    assert bench.sink.notes == []


async def test_memory_stays_flat_while_a_long_body_streams(bench: Bench, library: Library) -> None:
    """100 MiB through the gateway: the process grows by a few buffers, not by the body."""
    length = 100 * 1024 * 1024
    chunk = b"x" * (1024 * 1024)
    library.special["/library/metadata/1/thumb/1"] = Reply(chunk, headers={"Content-Length": str(length)}, times=100)
    reader, writer = await asyncio.open_unix_connection(str(bench.socket))
    writer.write(f"GET /library/metadata/1/thumb/1 HTTP/1.1\r\n{OURS}\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    before, most, got = _resident(), 0, 0
    while data := await reader.read(1 << 20):
        got += len(data)
        most = max(most, _resident())
    writer.close()
    assert got == length
    assert most - before < 30 * 1024 * 1024


async def test_a_plex_that_trickles_is_given_up(bench: Bench) -> None:
    """Each byte comes in time, the whole never does."""

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        with contextlib.suppress(OSError):
            while not writer.is_closing():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)

    async with await asyncio.start_server(trickle, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        client = PlexClient(PlexServer(name="plex-0", url=url, token=SecretStr(REAL), timeout=0.1), max_body=1_000_000, connect_timeout=0.1)
        with pytest.raises(PlexAway, match="in time"):
            await client.read(Canonical("GET", ("identity",)), {})
        await client.stop()
        await asyncio.sleep(0.03)  # lets the server's side see it and end


async def test_a_path_prefix_is_kept(bench: Bench) -> None:
    bench.gateway.set_servers([PlexServer(name="plex-0", url=bench.plex.url + "/behind/proxy/", token=SecretStr(REAL))])
    await bench.ask("GET /library/metadata/1,3?X-Plex-Token=" + TOKEN)
    assert bench.plex.requests[0].target == "/behind/proxy/library/metadata/1,3?skipRefresh=1"


# ── life ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_servers_change_while_it_runs(bench: Bench) -> None:
    client = bench.gateway._servers["plex-0"]
    bench.gateway.set_servers([client.client.server])
    assert bench.gateway._servers["plex-0"] is client, "an unchanged server keeps its connections"
    bench.gateway.set_servers([])
    assert (await bench.ask("GET /identity")).status == 403
    with pytest.raises(GatewayError):
        bench.gateway.set_servers([PlexServer(name="plex-0", url="plex.local:32400", token=SecretStr(REAL))])


async def test_the_socket_is_the_owners_only_and_goes(bench: Bench) -> None:
    assert stat.S_IMODE(bench.socket.stat().st_mode) == 0o600
    await bench.gateway.stop()
    assert not bench.socket.exists()
    await bench.gateway.stop()


async def test_a_place_that_cannot_be_had(bench: Bench, directory: Path) -> None:
    (directory / "file").write_text("")
    for where in (directory / "file" / "g.sock", directory / ("long" * 40)):
        gateway = Gateway(socket=where, put_blob=bench.gateway._handler._writes._put_blob, cache_dir=directory / "c")
        with pytest.raises(GatewayError, match="cannot listen"):
            await gateway.start()


async def test_modes_and_recordings_go_together(directory: Path) -> None:
    async def put(data: bytes, media_type: str = "") -> Blob:
        return Blob(sha256=hashlib.sha256(data).hexdigest(), size=len(data), media_type=media_type)

    with pytest.raises(GatewayError, match="recording"):
        Gateway(socket=directory / "x", put_blob=put, cache_dir=directory, mode=Mode.REPLAY)
    with pytest.raises(GatewayError, match="recording"):
        Gateway(socket=directory / "x", put_blob=put, cache_dir=directory, recording=directory)


async def test_canary(bench: Bench) -> None:
    before = bench.gateway.snapshot()
    await bench.gateway.canary()
    assert bench.plex.requests == []
    assert bench.gateway.snapshot() == before


async def test_a_canary_that_is_let_through_stops_the_daemon(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "CANARY", ("GET /library/sections",))
    with pytest.raises(CanaryFailed, match="answered 200"):
        await bench.gateway.canary()
    assert bench.gateway.snapshot()["grants"] == 1


async def test_a_canary_that_reaches_plex_although_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = bench.gateway._probe

    async def leaky(server: str, token: str, line: str, expected: int) -> None:
        await probe(server, token, line, expected)
        await probe(server, token, "GET /library", 200)

    monkeypatch.setattr(bench.gateway, "_probe", leaky)
    with pytest.raises(CanaryFailed, match="as it should"):
        await bench.gateway.canary()

    async def leaky_later(server: str, token: str, line: str, expected: int) -> None:
        await probe(server, token, line, expected)
        if expected == 403:
            await probe(server, token, "GET /library", 200)

    monkeypatch.setattr(bench.gateway, "_probe", leaky_later)
    with pytest.raises(CanaryFailed, match="let a write through"):
        await bench.gateway.canary()


async def test_a_canary_without_a_gateway(bench: Bench) -> None:
    await bench.gateway.stop()
    with pytest.raises(CanaryFailed, match="could not be made"):
        await bench.gateway.canary()


# ── a stock Kometa over the loopback port ────────────────────────────────────────────────────────────────


async def test_over_the_port_the_plex_token_is_the_grant(bench: Bench) -> None:
    base = f"http://127.0.0.1:{bench.gateway.port}"
    async with aiohttp.ClientSession() as session:
        for kwargs in ({"headers": {"X-Plex-Token": TOKEN}}, {"params": {"X-Plex-Token": TOKEN}}):
            async with session.get(f"{base}/library/metadata/1", **kwargs) as response:  # type: ignore[arg-type]
                assert response.status == 200
        for kwargs in (
            {},
            {"headers": {"X-Plex-Token": "wrong"}},
            {"headers": {"X-Plex-Token": TOKEN}, "params": {"X-Plex-Token": "other"}},
            {"headers": {"X-Plex-Token": TOKEN, "X-Sidecar-Grant": TOKEN}},
            {"headers": {"X-Plex-Token": TOKEN, "X-Sidecar-Origin": PLEX}},
        ):
            async with session.get(f"{base}/library/metadata/1", **kwargs) as response:  # type: ignore[arg-type]
                assert response.status == 403
        url = f"{base}/library/metadata/1/file?url=upload%3A%2F%2Fposters%2Fabc&X-Plex-Token={TOKEN}"
        async with session.post(f"{base}/library/metadata/1/posters", params={"url": url}, headers={"X-Plex-Token": TOKEN}) as response:
            assert response.status == 200
    assert [seen.target.partition("?")[0] for seen in bench.plex.requests] == ["/library/metadata/1"] * 2 + ["/library/metadata/1/file"]
    assert {seen.header("X-Plex-Token") for seen in bench.plex.requests} == {REAL}


async def test_what_is_remembered_of_a_verdict_is_no_other_grants(bench: Bench) -> None:
    """The same address again and again: each grant sees what is its own, and every refusal is told."""
    other = Scope(targets=frozenset({2}), visible=frozenset({2}), sections=frozenset({2}))
    bench.gateway.open(replace(bench.grant, token="another-grant-token", scopes={"plex-0": other}), Heard())
    bench.gateway.open(replace(bench.grant, token="the-same-scope-once-more"), Heard())
    statuses = {TOKEN: (200, 404, 200, 403), "the-same-scope-once-more": (200, 404, 200, 403), "another-grant-token": (404, 404, 403, 200)}
    lines = ("metadata/1", "metadata/9", "sections/1/all?type=1", "sections/2/all?type=1")
    for _ in range(3):
        for token, wanted in statuses.items():
            got = [(await bench.ask(f"GET /library/{line}", token=token)).status for line in lines]
            assert tuple(got) == wanted
    assert len(bench.sink.writes) == 3
    for _ in range(2):
        assert (await bench.ask("GET /:/scrobble?key=1&x=" + "a" * 1_000)).status == 403
    assert len(bench.sink.writes) == 5
    assert not [seen for seen in bench.plex.requests if "scrobble" in seen.target]
