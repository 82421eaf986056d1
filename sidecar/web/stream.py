"""Server-sent events over HTTP: signs of life while nothing happens, and an end for who does not read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, Protocol

from aiohttp import hdrs, web

from sidecar.web.errors import answer
from sidecar.web.events import Event

STALLED: Final = 30.0
"""Seconds that a listener may take to accept what it is sent before it is let go."""

RETRY_MS: Final = 1000
"""How soon a browser that lost the stream tries again."""


class Feed(Protocol):
    """What is sent. ``__anext__`` may be cancelled and called again without losing anything."""

    async def __anext__(self) -> Event: ...

    def close(self) -> None: ...


class Stream:
    """All open streams of a server; there is a most for their number."""

    def __init__(self, *, heartbeat: float, most: int) -> None:
        """``heartbeat``: seconds between signs of life."""
        self._heartbeat = heartbeat
        self._most = most
        self._open = 0

    async def serve(self, request: web.Request, begin: Callable[[], Feed]) -> web.StreamResponse:
        """Send what ``begin`` gives, until it ends or the listener goes away."""
        if self._open >= self._most:
            return answer(503, "too_many_listeners", "Too many pages are open.", "api/", {hdrs.RETRY_AFTER: "30"})
        response = web.StreamResponse(
            headers={
                hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8",
                hdrs.CACHE_CONTROL: "no-store",
                "X-Accel-Buffering": "no",  # nginx would hold events back
            }
        )
        self._open += 1
        try:
            with contextlib.closing(begin()) as feed:
                await response.prepare(request)
                with contextlib.suppress(ConnectionError, TimeoutError):  # it went away, or does not read
                    await self._feed(response, feed)
        finally:
            self._open -= 1
        return response

    async def _feed(self, response: web.StreamResponse, feed: Feed) -> None:
        await response.write(f"retry: {RETRY_MS}\n\n".encode())
        while True:
            try:
                async with asyncio.timeout(self._heartbeat):
                    event = await feed.__anext__()
            except TimeoutError:
                frame = b": still here\n\n"
            except StopAsyncIteration:
                return
            else:
                frame = event.frame()
            async with asyncio.timeout(STALLED):
                await response.write(frame)
