"""A run's log as it is written, for one listener."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final, Self

from sidecar.model import LogLine
from sidecar.web.api import answers
from sidecar.web.api.shapes import Redact, dump
from sidecar.web.api.source import Source
from sidecar.web.events import Event

OVER: Final = "end"
"""Id of the last event: who comes back with it is told to stay away."""

BATCH: Final = 200
"""Lines taken at once. Nothing is queued beyond: a slow listener reads later what the log keeps anyway."""

PAUSE: Final = 0.1
"""Seconds in which a burst of lines gathers."""


class Following(AsyncIterator[Event]):
    """``line`` events with the line's number as id, then one ``end``. May be cancelled while it waits, and asked again."""

    def __init__(self, source: Source, run_id: str, after: int, wanted: Callable[[LogLine], bool], redact: Redact) -> None:
        self._source = source
        self._run = run_id
        self._after = after
        self._wanted = wanted
        self._redact = redact
        self._queue: deque[Event] = deque()
        self._over = False

    def __aiter__(self) -> Self:
        return self

    def close(self) -> None:
        """Take no more."""
        self._over = True
        self._queue.clear()

    async def __anext__(self) -> Event:
        while not self._queue:
            if self._over:
                raise StopAsyncIteration
            await self._fill()
        return self._queue.popleft()

    async def _fill(self) -> None:
        lines, seen, live = await self._source.log(self._run, after=self._after, limit=BATCH, wanted=self._wanted)
        for number, line in lines:
            self._queue.append(Event(str(number), "line", dump(answers.line(number, line), self._redact).decode()))
        if seen > self._after:
            self._after = seen
        elif live:
            await self._source.log_grown(self._run, self._after)
            await asyncio.sleep(PAUSE)
        else:
            self._queue.append(Event(OVER, "end", "{}"))
            self._over = True
