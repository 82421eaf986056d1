"""Requests that never come whole must not hold a connection."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.web.site import Site, running


@pytest.mark.parametrize("half", [b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"\r\n"])
async def test_a_request_whose_head_does_not_come_is_ended(site_files: Path, half: bytes) -> None:
    async with running(Site(site_files, idle=0.3)) as site:
        whole = f"GET /latest.json HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\n\r\n".encode()
        for before in (b"", whole):
            reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
            writer.write(before + half)
            async with asyncio.timeout(20):
                assert (await reader.read()).count(b"HTTP/1.1 200") == bool(before)
            writer.close()
            await writer.wait_closed()
