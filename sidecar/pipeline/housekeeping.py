"""Keeps the data directory from growing for ever: old runs, and what only they held, go."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from sidecar import revision as revisions
from sidecar.publish import Gallery
from sidecar.store import Blobs, State

RUNS: Final = 300
"""Runs kept; the newest good one is among them or kept besides."""


class Housekeeping:
    """Forgets runs beyond the newest ``keep``, then revisions, logs, pages and pictures that no remaining run or baseline holds."""

    def __init__(self, *, state: State, blobs: Blobs, gallery: Gallery, revisions: Path, logs: Path, keep: int = RUNS) -> None:
        self._state = state
        self._blobs = blobs
        self._gallery = gallery
        self._revisions = revisions
        self._logs = logs
        self._keep = keep

    async def round(self) -> None:
        """One round. StoreError or OSError where the disk refuses."""
        newest = await self._state.runs(limit=self._keep)
        good = await self._state.last_good()
        kept = {run.id: run for run in (*newest, *((good,) if good else ()))}
        if len(newest) == self._keep:
            while old := [run.id for run in await self._state.runs(limit=500, before=newest[-1].id) if run.id not in kept]:
                await self._state.forget_runs(old)
        await asyncio.to_thread(self._clear, {run.revision for run in kept.values()}, set(kept))
        # Pictures of a render in progress are younger than the hour that prune leaves alone.
        used = await self._state.blobs_in_use()
        await self._blobs.prune(used)
        await asyncio.to_thread(self._gallery.prune, set(kept), used)

    def _clear(self, held: set[str], runs: set[str]) -> None:
        revisions.prune(self._revisions, held)
        for path in self._logs.glob("*.jsonl"):
            if path.stem not in runs:
                path.unlink(missing_ok=True)
