"""The API under /api/v1, and health. Errors have one shape: ``{"error": {"code", "message"}}``.

GET  api/v1/status   what the daemon is doing
GET  api/v1/runs     ?limit=1..200&before=RUN: {"runs": [newest first], "next": RUN or null}
GET  api/v1/events   server-sent events (see ``events``)
POST api/v1/render   202: asks for a render now
GET  healthz         200 while the loop turns
GET  readyz          200, or 503 with reasons
GET  metrics         for Prometheus; programs on this machine need no token
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

from aiohttp import hdrs, web

from sidecar.model import Health
from sidecar.web.auth import Door, Entry
from sidecar.web.errors import answer
from sidecar.web.events import Events, Subscription
from sidecar.web.files import GalleryFiles
from sidecar.web.health import readiness
from sidecar.web.limits import Limit

STALLED: Final = 30.0
"""Seconds that a listener may take to accept what it is sent before it is let go."""

RETRY_MS: Final = 1000
"""How soon a browser that lost the stream tries again."""


class Actions(Protocol):
    """What people may ask the daemon for. Called on the loop; must not block."""

    def render_now(self) -> None:
        """Render the config as it is, also where nothing changed."""


class Api:
    """The handlers."""

    def __init__(
        self,
        *,
        files: GalleryFiles,
        events: Events,
        status: Callable[[], Mapping[str, object]],
        health: Callable[[], Sequence[Health]],
        runs: Callable[[int, str], Awaitable[Sequence[Mapping[str, object]]]],
        actions: Actions,
        metrics: Callable[[], Awaitable[bytes]] | None = None,
        door: Door,
        heartbeat: float,
        max_listeners: int,
    ) -> None:
        self._files = files
        self._events = events
        self._status = status
        self._health = health
        self._runs = runs
        self._actions = actions
        self._metrics = metrics
        self._door = door
        self._heartbeat = heartbeat
        self._max_listeners = max_listeners
        self._renders = Limit(burst=6, seconds=5)

    def add_to(self, router: web.UrlDispatcher, base: str) -> None:
        router.add_get(f"{base}/api/v1/status", self.status)
        router.add_get(f"{base}/api/v1/runs", self.runs)
        router.add_get(f"{base}/api/v1/events", self.stream, allow_head=False)
        router.add_post(f"{base}/api/v1/render", self.render)
        router.add_get(f"{base}/healthz", self.alive)
        router.add_get(f"{base}/readyz", self.ready)
        if self._metrics is not None:
            router.add_get(f"{base}/metrics", self.metrics)

    async def status(self, _: web.Request) -> web.Response:
        return _json(self._status())

    async def runs(self, request: web.Request) -> web.Response:
        limit = request.query.get("limit", "50")
        if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit[:9]) <= 200):
            return answer(400, "bad_limit", "limit is a number from 1 to 200.", "api/")
        page = await self._runs(int(limit), request.query.get("before", ""))
        return _json({"runs": list(page), "next": page[-1].get("id") if len(page) == int(limit) else None})

    async def render(self, _: web.Request) -> web.Response:
        if (wait := self._renders.wait()) > 0:
            return answer(429, "too_many_renders", "A render was asked for just now.", "api/", {hdrs.RETRY_AFTER: str(int(wait) + 1)})
        self._renders.take()
        self._actions.render_now()
        return _json({"asked": True}, 202)

    async def alive(self, _: web.Request) -> web.Response:
        return _json({"alive": True})

    async def ready(self, request: web.Request) -> web.Response:
        published = await asyncio.to_thread(lambda: self._files.published)
        ready, body = readiness(self._health(), published=published, full=self._door.entry(request) is not Entry.REFUSED)
        return _json(body, 200 if ready else 503)

    async def metrics(self, _: web.Request) -> web.Response:
        assert self._metrics is not None
        # aiohttp takes no charset within content_type; Prometheus wants the version there.
        headers = {hdrs.CONTENT_TYPE: "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=await self._metrics(), headers=headers)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        if self._events.listeners >= self._max_listeners:
            return answer(503, "too_many_listeners", "Too many pages are open.", "api/", {hdrs.RETRY_AFTER: "30"})
        response = web.StreamResponse(
            headers={
                hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8",
                hdrs.CACHE_CONTROL: "no-store",
                "X-Accel-Buffering": "no",  # nginx would hold events back
            }
        )
        with self._events.subscribe(request.headers.get("Last-Event-ID", "")) as listener:
            await response.prepare(request)
            with contextlib.suppress(ConnectionError, TimeoutError):  # it went away, or does not read
                await self._feed(response, listener)
        return response

    async def _feed(self, response: web.StreamResponse, listener: Subscription) -> None:
        await response.write(f"retry: {RETRY_MS}\n\n".encode())
        while True:
            try:
                async with asyncio.timeout(self._heartbeat):
                    event = await anext(listener)
            except TimeoutError:
                frame = b": still here\n\n"
            except StopAsyncIteration:
                return
            else:
                frame = event.frame()
            async with asyncio.timeout(STALLED):
                await response.write(frame)


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(status=status, text=json.dumps(value, default=str), content_type="application/json")
