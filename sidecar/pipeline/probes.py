"""Looks whether Plex and the worker are there; what waited for them is rendered as soon as they are back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from sidecar.engine import Engine
from sidecar.errors import EngineError, PlexError
from sidecar.pipeline.plan import Planner
from sidecar.pipeline.showcase import Showcase

log = logging.getLogger(__name__)

CALM: Final = 30.0
"""Seconds between looks while all is well."""
TENSE: Final = 2.0
"""Seconds to the next look after a part was found away; doubles up to CALM."""


class Probes:
    """Runs beside the pipeline. ``recovered(part)`` is called when a part is well and something may wait for it."""

    def __init__(self, planner: Planner, engine: Engine, showcase: Showcase, recovered: Callable[[str], None]) -> None:
        self._planner = planner
        self._engine = engine
        self._showcase = showcase
        self._recovered = recovered
        self._alarmed = asyncio.Event()

    def alarm(self) -> None:
        """Somebody else found Plex away: look soon, and often."""
        self._alarmed.set()

    async def plex(self) -> None:
        """Watch every Plex server of the config, until cancelled."""
        pause = TENSE
        while True:
            if await self._alarm_within(pause):
                pause = TENSE
                await asyncio.sleep(pause)
            try:
                for reader in list(self._planner.readers.values()):
                    await reader.ping()
            except PlexError as error:
                self._showcase.away("plex", str(error))
                pause = min(pause * 2, CALM)
                continue
            pause = CALM
            if self._planner.readers:
                self._showcase.well("plex")
                self._recovered("plex")

    async def worker(self) -> None:
        """Keep the engine started, until cancelled."""
        pause = TENSE
        while True:
            try:
                info = self._engine.info or await self._engine.start()
            except EngineError as error:
                self._showcase.engine(None)
                self._showcase.away("worker", str(error))
                await self._turned(pause)  # it may come back by itself
                pause = min(pause * 2, CALM)
                continue
            self._showcase.engine(info)
            self._showcase.well("worker")
            self._recovered("worker")
            pause = TENSE
            while self._engine.info is not None:
                await self._turned(CALM)
                await self._engine.check()
            await asyncio.sleep(1)  # the engine gets it back by itself; and one that dies at once must not keep us busy

    async def _alarm_within(self, seconds: float) -> bool:
        """Wait so long, or until :meth:`alarm`, which is told of once."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._alarmed.wait()
        alarmed = self._alarmed.is_set()
        self._alarmed.clear()
        return alarmed

    async def _turned(self, most: float) -> None:
        """Wait until the worker comes or goes, and at most so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most):
                await self._engine.turned()
