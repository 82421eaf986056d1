"""The pictures beside Kometa's uploads: the art that it drew on, and a quick look at what it is about to upload."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Final

from sidecar import revision as revisions
from sidecar.errors import PlexError
from sidecar.model import Blob, QuickPicture, Revision, Target
from sidecar.pipeline import workfiles
from sidecar.pipeline.plan import Plan
from sidecar.store import Blobs, Sync

log = logging.getLogger(__name__)

MOST_QUICK: Final = 8 * 1024 * 1024
"""Bytes of a quick picture."""
MOST_ART: Final = 64 * 1024 * 1024
"""Bytes of the art under one."""
_JPEG: Final = b"\xff\xd8\xff"


class Art:
    """Reads them from Kometa's working directories (below ``work``) and from Plex, and keeps them in ``blobs``."""

    def __init__(self, blobs: Blobs, work: Path) -> None:
        self._blobs = blobs
        self._work = work

    async def before(self, plan: Plan, target: Target, home: Path) -> Blob | None:
        """The art that Kometa drew on: its own backup of this run, else the asset, else what Plex shows."""
        try:
            data = await asyncio.to_thread(self._drawn_on, plan.revision, target, home)
        except OSError as error:
            log.warning("the art under %s could not be read: %s", target.label, error)
            data = None
        return await self.of_plex(plan, target) if data is None else await self._blobs.put(data, sync=Sync.LATER)

    def _drawn_on(self, revision: Revision, target: Target, home: Path) -> bytes | None:
        """The original that Kometa kept in ``home`` before it drew, or the asset that it drew on instead."""
        for library in revision.libraries:
            if (library.server, library.name) == (target.server, target.library):
                folder = home / "config" / "overlays" / f"{library.key} Original Posters"
                for suffix in (".png", ".jpg", ".webp"):
                    path = folder / f"{target.rating_key}{suffix}"
                    if path.is_file():
                        return workfiles.read(self._work, path, MOST_ART)
        asset = revisions.asset_poster(revision, target)
        return asset.read_bytes() if asset is not None else None

    async def of_plex(self, plan: Plan, target: Target) -> Blob | None:
        """What Plex shows; None where it does not say."""
        reader = plan.readers.get(target.server)
        if reader is None or not target.thumb:
            return None
        try:
            return await self._blobs.put(await reader.art(target.thumb), sync=Sync.LATER)
        except PlexError as error:
            log.warning("the poster of %s could not be read from Plex: %s", target.label, error)
            return None

    async def quick(self, home: Path, picture: QuickPicture) -> Blob | None:
        """The look that a worker left in ``home``; None where it is no JPEG."""
        try:
            data = await asyncio.to_thread(workfiles.read, self._work, home / picture.place, MOST_QUICK)
        except OSError as error:
            log.debug("a quick picture could not be read: %s", error)
            return None
        return await self._blobs.put(data, sync=Sync.NEVER) if data.startswith(_JPEG) else None
