"""A running server on a free port, its gallery a real directory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import ClientSession, ClientTimeout, CookieJar, web

from sidecar.model import Health
from sidecar.web import Events, make_app

TIMEOUT = ClientTimeout(total=10)


@dataclass
class Asked:
    """What people asked the daemon for."""

    renders: int = 0

    def render_now(self) -> None:
        self.renders += 1


@dataclass
class Site:
    """The server and what is behind it."""

    gallery: Path
    events: Events = field(default_factory=Events)
    asked: Asked = field(default_factory=Asked)
    parts: list[Health] = field(default_factory=list)
    past: list[Mapping[str, object]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def runs(self, limit: int, before: str) -> Sequence[Mapping[str, object]]:
        return [run for run in self.past if not before or str(run["id"]) < before][:limit]

    def session(self) -> ClientSession:
        return ClientSession(self.url, timeout=TIMEOUT, cookie_jar=CookieJar(unsafe=True))


@asynccontextmanager
async def running(site: Site, **settings: object) -> AsyncIterator[Site]:
    """Serve ``site`` until the block ends."""
    app = make_app(
        gallery=site.gallery,
        events=site.events,
        status=lambda: {"state": "idle"},
        health=lambda: site.parts,
        runs=site.runs,
        actions=site.asked,
        **settings,  # type: ignore[arg-type]
    )
    runner = web.AppRunner(app, shutdown_timeout=2)
    await runner.setup()
    try:
        listener = web.TCPSite(runner, "127.0.0.1", 0)
        await listener.start()
        site.port = runner.addresses[0][1]
        yield site
    finally:
        await runner.cleanup()


async def raw(port: int, request: bytes) -> tuple[int, str]:
    """Status and whole answer to bytes that no client library would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(10):
            answer = (await reader.read()).decode("utf-8", "replace")
    finally:
        writer.close()
        await writer.wait_closed()
    return int(answer.split(" ", 2)[1]), answer
