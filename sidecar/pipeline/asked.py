"""What others ask for, through hooks: a render of all, of a library or of an item. What comes in a burst is rendered together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Final, Protocol

from sidecar.errors import NotThere
from sidecar.model import Change, Target

QUIET: Final = 3.0
"""Seconds without another ask after which the render begins: Plex tells of each episode of a season by itself."""
LONGEST: Final = 30.0
"""Seconds after the first ask at most."""


class Chooser(Protocol):
    """Who knows what is previewed: see ``Planner``."""

    @property
    def libraries(self) -> Collection[str]:
        """Those with overlay files, of the last config that could be read; empty before there is one."""
        ...

    @property
    def targets(self) -> Collection[Target]:
        """Of the last plan."""
        ...

    async def want(self, rating_key: int) -> None:
        """Preview that item too from now on. StoreError."""


class Asks:
    """One daemon's. All methods on the loop; ``serve`` does the work."""

    def __init__(self, chooser: Chooser, submit: Callable[[Change], None], *, quiet: float = QUIET, longest: float = LONGEST) -> None:
        self._chooser = chooser
        self._submit = submit
        self._quiet = quiet
        self._longest = longest
        self._more = asyncio.Event()
        self._first: float | None = None
        self._all = False
        self._libraries: set[str] = set()
        self._why = ""

    def everything(self) -> None:
        """Render all, also where nothing changed."""
        self._all = True
        self._ask("a hook asked")

    def library(self, name: str) -> None:
        """Render that library, also where nothing changed. NotThere where it has no overlay files."""
        known = self._chooser.libraries
        if known and name not in known:
            raise NotThere(f"there is no library {name} with overlay files")
        self._libraries.add(name)
        self._ask("a hook asked")

    async def item(self, rating_key: int, library: str = "") -> bool:
        """Render that item's library; one that is not among the targets becomes one. False where its library is known to have none.

        StoreError.
        """
        known = self._chooser.libraries
        if known and library and library not in known:
            return False
        shown = next((target.library for target in self._chooser.targets if target.rating_key == rating_key), None)
        await self._chooser.want(rating_key)
        if shown is not None:
            self._libraries.add(shown)
        self._ask("a hook asked")
        return True

    def plex_changed(self) -> None:
        """Kometa has run for good: what Plex shows is another. Rendered where that makes a difference."""
        self._ask("Kometa ran")

    def _ask(self, why: str) -> None:
        if self._first is None:
            self._first = time.monotonic()
        self._why = why
        self._more.set()

    async def serve(self) -> None:
        """Hand bursts on to the pipeline, until cancelled."""
        while True:
            await self._more.wait()
            while (left := self._left()) > 0:
                self._more.clear()
                try:
                    async with asyncio.timeout(min(self._quiet, left)):
                        await self._more.wait()
                except TimeoutError:
                    break
            self._more.clear()
            self._hand_on()

    def _left(self) -> float:
        """Seconds that the burst may still last."""
        return self._longest - (time.monotonic() - self._first) if self._first is not None else 0.0

    def _hand_on(self) -> None:
        everything, libraries = self._all, tuple(sorted(self._libraries))
        self._all, self._libraries, self._first = False, set(), None
        if everything or libraries:
            self._submit(Change(reason="request", seen=time.monotonic(), libraries=() if everything else libraries))
        else:
            self._submit(Change(reason=self._why, seen=time.monotonic()))
