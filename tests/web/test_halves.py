"""Requests that never come whole must hold neither a connection nor a handler."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.web.site import Site, raw, running
from tests.web.test_hooks import SECRET
from tests.web.test_hooks import Asked as Hooked


@pytest.mark.parametrize("half", [b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"\r\n"])
async def test_a_request_whose_head_does_not_come_is_ended(site_files: Path, half: bytes) -> None:
    async with running(Site(site_files, idle=0.3)) as site:
        whole = f"GET /latest.json HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\n\r\n".encode()
        for before in (b"", whole):
            reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
            writer.write(before + half)
            async with asyncio.timeout(40):
                assert (await reader.read()).count(b"HTTP/1.1 200") == bool(before)
            writer.close()
            await writer.wait_closed()


JSON, FORM, PARTS = "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"


@pytest.mark.parametrize(
    ("path", "kind", "body", "more"),
    [
        ("api/v1/approve", JSON, b'{"run":', ""),
        ("api/v1/approve", JSON, b"", ""),
        ("login", FORM, b"token=a", ""),
        ("hooks/render", JSON, b"{", f"Authorization: Bearer {SECRET}\r\n"),
        (f"hooks/{SECRET}/plex", PARTS, b'--b\r\nContent-Disposition: form-data; name="payload"\r\n\r\n{', ""),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_request_whose_body_does_not_come_is_ended(
    site_files: Path, path: str, kind: str, body: bytes, more: str, chunked: bool
) -> None:
    size = "Transfer-Encoding: chunked" if chunked else "Content-Length: 1000"
    sent = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") if chunked else body
    async with running(Site(site_files, idle=0.3), patience=0.3, hook_secret=SecretStr(SECRET), asking=Hooked()) as site:
        head = f"POST /{path} HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nContent-Type: {kind}\r\n{size}\r\n{more}\r\n"
        status, whole = await raw(site.port, head.encode() + sent)
    assert status == 408, whole
    assert "Connection: close" in whole
    assert "The body did not come in time." in whole


async def test_what_is_done_with_a_whole_body_may_take_longer(site_files: Path) -> None:
    async with running(Site(site_files, idle=0.3), patience=0.2, hold=0.6, token=SecretStr("right")) as site:
        statuses = []
        for _ in range(7):  # from the sixth on, wrong tokens are held
            body = b"token=wrong"
            about = f"Host: 127.0.0.1:{site.port}\r\nConnection: close\r\nContent-Type: {FORM}\r\nContent-Length: {len(body)}"
            head = f"POST /login HTTP/1.1\r\n{about}\r\n\r\n"
            statuses.append((await raw(site.port, head.encode() + body))[0])
    assert statuses == [403] * 5 + [429] * 2
