"""What Plex shows now of each target, beside what the preview shows: read after a run where Plex's poster is another one.

Nothing is asked while posters stay: their paths in Plex change with them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sidecar.errors import PlexError, StoreError
from sidecar.model import Blob, PictureState, Run
from sidecar.plex import PlexReader
from sidecar.store import Blobs, State

log = logging.getLogger(__name__)


class Site(Protocol):
    """See ``sidecar.publish.Gallery``. Blocking."""

    def publish_plex(self, shown: Mapping[str, Blob]) -> None: ...


class PlexNow:
    """One daemon's. ``submit`` a run that ended; ``serve`` does the work."""

    def __init__(
        self,
        *,
        state: State,
        blobs: Blobs,
        readers: Callable[[], Mapping[str, PlexReader]],
        site: Site,
        tell: Callable[[str, dict[str, Any]], None],
    ) -> None:
        """``tell`` is given the event ``plex.shown`` once the gallery has it."""
        self._state = state
        self._blobs = blobs
        self._readers = readers
        self._site = site
        self._tell = tell
        self._run: Run | None = None
        self._more = asyncio.Event()

    def submit(self, run: Run) -> None:
        """Look at the targets of ``run``, soon."""
        self._run = run
        self._more.set()

    async def serve(self) -> None:
        """Publish what is known, then look whenever a run ended, until cancelled."""
        try:
            await self._publish({target: blob for target, (_, blob) in (await self._state.plex_art()).items()})
        except (StoreError, OSError) as error:
            log.warning("what Plex shows cannot be published: %s", error)
        while True:
            await self._more.wait()
            self._more.clear()
            try:
                if self._run is not None:
                    await self.look(self._run)
            except (StoreError, OSError) as error:
                log.warning("what Plex shows cannot be kept: %s", error)

    async def look(self, run: Run) -> int:
        """Read the posters that changed since they were looked at; returns how many. StoreError."""
        known = await self._state.plex_art()
        shown: dict[str, tuple[str, Blob]] = {}
        new = 0
        for picture in run.pictures:
            target = picture.target
            old = known.get(target.id)
            if picture.state is PictureState.GONE or not target.thumb:
                continue
            if old is not None and old[0] == target.thumb:
                shown[target.id] = old
                continue
            reader = self._readers().get(target.server)
            try:
                art = await reader.art(target.thumb) if reader else None
            except PlexError as error:
                log.warning("what Plex shows of %s could not be read: %s", target.label, error)
                art = None
            if art is not None:
                shown[target.id] = (target.thumb, await self._blobs.put(art))
                new += 1
            elif old is not None:
                shown[target.id] = old
        if new or shown.keys() != known.keys():
            await self._state.keep_plex_art(shown)
            await self._publish({target: blob for target, (_, blob) in shown.items()})
            self._tell("plex.shown", {"run": run.id, "changed": new})
        return new

    async def _publish(self, shown: Mapping[str, Blob]) -> None:
        await asyncio.to_thread(self._site.publish_plex, shown)
