"""``python -m sidecar.demo``: for people, and for harnesses in other languages."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import urllib.request


async def test_it_says_where_it_is_and_serves() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sidecar.demo", "--movies", "25", "--music", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
        assert line["libraries"] == {"Movies": 25, "Shows": 3, "Music": 2}

        def ask(url: str) -> bytes:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return bytes(answer.read())

        sections = await asyncio.to_thread(ask, f"{line['plex']}/library/sections?X-Plex-Token={line['token']}")
        assert b'title="Movies"' in sections
        assert b"secure_base_url" in await asyncio.to_thread(ask, line["hosts"]["api.themoviedb.org"] + "/3/configuration")
    finally:
        process.send_signal(signal.SIGINT)
        _, trouble = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0
    assert trouble == b""
