"""Looks whether Plex and the worker are there; what waited for them is rendered as soon as they are back."""

from __future__ import annotations

import asyncio
import logging
import time
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

    async def plex(self) -> None:
        """Watch every Plex server of the config, until cancelled."""
        pause = TENSE
        while True:
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
                end = time.monotonic() + pause
                while self._engine.info is None and time.monotonic() < end:  # noqa: ASYNC110 - it may come back by itself, and has no event for it
                    await asyncio.sleep(1)
                pause = min(pause * 2, CALM)
                continue
            self._showcase.engine(info)
            self._showcase.well("worker")
            self._recovered("worker")
            pause = TENSE
            while self._engine.info is not None:  # noqa: ASYNC110 - an engine has no event for its end
                await asyncio.sleep(1)
