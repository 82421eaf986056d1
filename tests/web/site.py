"""A running server on a free port: its gallery a real directory, its runs in a real database, its logs real files."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientTimeout, CookieJar, web

from sidecar import reviewing
from sidecar.backend import Archive
from sidecar.logs import Redactor
from sidecar.model import Health, Problem, Run
from sidecar.pipeline.runlog import RunLogs
from sidecar.pipeline.showcase import Showcase
from sidecar.publish import Gallery
from sidecar.settings import Destination, ReviewSettings, Settings
from sidecar.store import Blobs, State
from sidecar.telling import Desk, notifier_of
from sidecar.web import Events, make_app, make_runner

TIMEOUT = ClientTimeout(total=10)


@dataclass
class Asked:
    """What people asked the daemon for."""

    renders: int = 0
    cancels: int = 0
    rendering: bool = False

    def render_now(self) -> None:
        self.renders += 1

    async def cancel(self) -> bool:
        self.cancels += 1
        was, self.rendering = self.rendering, False
        return was


@dataclass
class Site:
    """The server and what is behind it."""

    gallery: Path
    events: Events = field(default_factory=Events)
    asked: Asked = field(default_factory=Asked)
    telling: Desk = field(default_factory=Desk)
    parts: list[Health] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    redact: Redactor = field(default_factory=Redactor)
    doing: dict[str, object] = field(default_factory=dict)
    """What differs in /api/v1/status from an idle daemon that never rendered."""
    current: Run | None = None
    """The run in progress, as it is now."""
    notifications: Sequence[Destination] = ()
    """The settings' destinations."""
    port: int = 0
    idle: float = 75.0
    data: Path = Path()
    _state: State | None = None
    _logs: RunLogs | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def state(self) -> State:
        assert self._state is not None
        return self._state

    @property
    def logs(self) -> RunLogs:
        assert self._logs is not None
        return self._logs

    def status(self) -> Mapping[str, object]:
        idle = {
            "version": "1.2.3",
            "config": "config",
            "engine": None,
            "engine_version": None,
            "rendering": None,
            "waiting": False,
            "shown": None,
            "latest": None,
            "polling": False,
            "health": [{"part": part.part, "ok": part.ok, "detail": part.detail} for part in self.parts],
            "gateway": {"forwarded": 7},
        }
        return {**idle, **self.doing}

    async def open(self) -> None:
        self.data = Path(tempfile.mkdtemp(prefix="data-", dir=self.gallery.parent))
        self._state = await State.open(self.data / "state.db")
        self.blobs = Blobs(self.data / "blobs")
        self._stack = contextlib.AsyncExitStack()
        self._stack.push_async_callback(self.state.close)
        gallery = Gallery(self.data / "gallery", self.blobs.path)
        self.showcase = Showcase(gallery, self._tell, config_dir="config", watching=True)
        self.reviews, comparer = reviewing.build(
            ReviewSettings.model_validate({}),
            state=self.state,
            blobs=self.blobs,
            gallery=gallery,
            showcase=self.showcase,
            revisions=self.data / "revisions",
            redact=self.redact,
        )
        self._stack.callback(comparer.close)
        self._logs = RunLogs(self.data / "logs", self.redact)
        chosen = Settings.model_validate({"data": self.data, "notifications": self.notifications})
        self.telling.notifier = notifier_of(chosen, self.state, self.blobs, self.redact, self.url)
        self._stack.push_async_callback(self.telling.notifier.close)

    def _tell(self, kind: str, data: Mapping[str, Any]) -> None:
        self.events.publish(kind, data)

    async def close(self) -> None:
        await self._stack.aclose()

    def session(self) -> ClientSession:
        return ClientSession(self.url, timeout=TIMEOUT, cookie_jar=CookieJar(unsafe=True))

    async def get(self, path: str, status: int = 200, **more: Any) -> Any:
        """The JSON at ``path`` below /api/v1."""
        return await self.ask("GET", path, status, **more)

    async def ask(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        async with self.session() as client, client.request(method, f"/api/v1{path}", **more) as answer:
            assert answer.content_type == "application/json"
            body = await answer.json()
            assert answer.status == status, body
            return body


@asynccontextmanager
async def running(site: Site, **settings: object) -> AsyncIterator[Site]:
    """Serve ``site`` until the block ends."""
    await site.open()
    try:
        source = Archive(
            state=site.state,
            logs=site.logs,
            status=site.status,
            health=lambda: site.parts,
            problems=lambda: site.notes,
            current=lambda: site.current,
        )
        app = make_app(
            gallery=site.gallery,
            events=site.events,
            source=source,
            actions=site.asked,
            reviewing=site.reviews,
            telling=site.telling,
            redact=site.redact,
            **{"hold": 0.01, **settings},  # type: ignore[arg-type]
        )
        runner = make_runner(app, idle=site.idle)
        await runner.setup()
        try:
            listener = web.TCPSite(runner, "127.0.0.1", site.port, reuse_address=True)
            await listener.start()
            site.port = runner.addresses[0][1]
            yield site
        finally:
            await runner.cleanup()
    finally:
        await site.close()


async def raw(port: int, request: bytes) -> tuple[int, str]:
    """Status and whole answer to bytes that no client library would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(40):
            answer = (await reader.read()).decode("utf-8", "replace")
    finally:
        writer.close()
        await writer.wait_closed()
    return int(answer.split(" ", 2)[1]), answer
