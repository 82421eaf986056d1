"""Is it alive, is it ready, and if not, why; and its figures.

GET healthz   200 while the loop turns
GET readyz    200, or 503 with reasons
GET metrics   for Prometheus; programs on this machine need no token
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC
from typing import Final

from aiohttp import hdrs, web

from sidecar.model import Health
from sidecar.web.auth import ENTRY
from sidecar.web.files import GalleryFiles

ADVISORY: Final = "notifications"
"""Parts whose name begins with this are shown to people, but renders do not need them."""


def readiness(health: Sequence[Health], *, published: bool, full: bool, redact: Callable[[str], str]) -> tuple[bool, dict[str, object]]:
    """Whether renders can be served now, and the answer of /readyz. ``full`` tells details, for those who may know them."""
    reasons: list[dict[str, object]] = []
    if not published:
        reasons.append({"part": "gallery", "detail": "nothing is published yet"})
    for part in health:
        if part.ok or part.part.startswith(ADVISORY):
            continue
        reason: dict[str, object] = {"part": part.part}
        if full:
            reason["detail"] = redact(part.detail)
            if part.since is not None:
                reason["since"] = part.since.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        reasons.append(reason)
    return not reasons, {"ready": not reasons, "reasons": reasons}


class Checks:
    """The handlers. ``alive`` and ``ready`` are open to everyone, and tell others than those who are let in no details."""

    def __init__(
        self,
        files: GalleryFiles,
        health: Callable[[], Sequence[Health]],
        redact: Callable[[str], str],
        metrics: Callable[[], Awaitable[bytes]] | None,
    ) -> None:
        self._files = files
        self._health = health
        self._redact = redact
        self._metrics = metrics

    def add_to(self, router: web.UrlDispatcher, base: str) -> None:
        router.add_get(f"{base}/healthz", self.alive)
        router.add_get(f"{base}/readyz", self.ready)
        if self._metrics is not None:
            router.add_get(f"{base}/metrics", self.metrics)

    async def alive(self, _: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def ready(self, request: web.Request) -> web.Response:
        published = await asyncio.to_thread(lambda: self._files.published)
        ready, body = readiness(self._health(), published=published, full=request[ENTRY].allowed, redact=self._redact)
        return web.Response(status=200 if ready else 503, text=json.dumps(body), content_type="application/json")

    async def metrics(self, _: web.Request) -> web.Response:
        assert self._metrics is not None
        # aiohttp takes no charset within content_type; Prometheus wants the version there.
        headers = {hdrs.CONTENT_TYPE: "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=await self._metrics(), headers=headers)
