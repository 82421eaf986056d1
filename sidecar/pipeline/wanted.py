"""Items that hooks named: previewed besides the chosen ones, the newest few of them, for a while, also after a restart."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

from sidecar.errors import StoreError

log = logging.getLogger(__name__)

NOTE: Final = "wanted"
"""The note in the state under which they are kept."""


class Notes(Protocol):
    """See ``sidecar.store.State``."""

    async def note(self, name: str, value: object) -> None: ...
    async def noted(self, name: str) -> object: ...


class Wanted:
    """One daemon's."""

    def __init__(self, notes: Notes, *, most: int, lifetime: float, now: Callable[[], float] = time.time) -> None:
        """``most`` items, each for ``lifetime`` seconds since it was named last. ``now``: seconds since the epoch."""
        self._notes = notes
        self._most = most
        self._lifetime = lifetime
        self._now = now
        self._since: dict[int, float] | None = None
        """Rating key -> when it was named last, oldest first; None before the notes were read."""

    async def add(self, rating_key: int) -> None:
        """From now on, that one too. A disk that refuses is told in the log: it is wanted until the next restart then."""
        since = await self._known()
        since.pop(rating_key, None)
        since[rating_key] = self._now()
        self._trim(since)
        try:
            await self._notes.note(NOTE, [[key, at] for key, at in since.items()])
        except StoreError as error:
            log.warning("what a hook asked for is forgotten with the next restart: %s", error)

    async def keys(self) -> tuple[int, ...]:
        """Rating keys, named longest ago first."""
        since = await self._known()
        self._trim(since)
        return tuple(since)

    async def _known(self) -> dict[int, float]:
        if self._since is None:
            kept = await self._notes.noted(NOTE)
            pairs = [pair for pair in kept if isinstance(pair, list) and len(pair) == 2] if isinstance(kept, list) else []
            self._since = {int(key): float(at) for key, at in pairs}
        return self._since

    def _trim(self, since: dict[int, float]) -> None:
        now = self._now()
        for key, at in list(since.items()):
            if at > now:  # the clock was set back
                since[key] = now
            elif now - at > self._lifetime:
                del since[key]
        for key in list(since)[: max(0, len(since) - self._most)]:
            del since[key]
