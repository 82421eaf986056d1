"""Keeps the data directory from growing for ever: old runs, and what only they held, go. Baselines never do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from sidecar import revision as revisions
from sidecar.model import RunState
from sidecar.publish import Gallery
from sidecar.store import Blobs, RunWeight, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long runs are kept; None: without limit."""

    runs: int = 300
    age: float | None = None
    """Seconds since the run began."""
    size: int | None = None
    """Bytes of all runs' pictures; one that several runs show counts once."""


def too_old(runs: Sequence[RunWeight], keep: Keep, now: float) -> list[str]:
    """Ids of the runs to forget, of all ``runs``, newest first. The newest good one and those in progress stay. Pure."""
    good = next((run.id for run in runs if run.state is RunState.DONE), "")
    gone, total = [], 0
    for number, run in enumerate(runs):
        total += run.size
        late = keep.age is not None and now - run.started > keep.age
        heavy = keep.size is not None and total > keep.size  # from here on all are: the newest are kept, not the smallest
        if (number >= keep.runs or late or heavy) and run.id != good and run.state.final:
            gone.append(run.id)
    return gone


class Housekeeping:
    """Forgets runs as ``keep`` says, then revisions, logs, pages and pictures that no remaining run or baseline holds."""

    def __init__(
        self,
        *,
        state: State,
        blobs: Blobs,
        gallery: Gallery,
        revisions: Path,
        logs: Path,
        keep: Keep,
        forgot: Callable[[Collection[str]], None],
    ) -> None:
        """``forgot`` is told which runs went, once they did."""
        self._state = state
        self._blobs = blobs
        self._gallery = gallery
        self._revisions = revisions
        self._logs = logs
        self._keep = keep
        self._forgot = forgot

    async def round(self) -> None:
        """One round. StoreError or OSError where the disk refuses."""
        runs = await self._state.weights()
        old = too_old(runs, self._keep, time.time())
        for start in range(0, len(old), 500):
            await self._state.forget_runs(old[start : start + 500])
        gone = frozenset(old)
        kept = [run for run in runs if run.id not in gone]
        await asyncio.to_thread(self._clear, {run.revision for run in kept}, {run.id for run in kept})
        # Pictures of a render in progress are younger than the hour that prune leaves alone.
        used = await self._state.blobs_in_use()
        await self._blobs.prune(used)
        targets = await self._state.target_ids()
        await asyncio.to_thread(self._gallery.prune, {run.id for run in kept}, used, targets=targets)
        if gone:
            self._forgot(gone)

    def _clear(self, held: set[str], runs: set[str]) -> None:
        revisions.prune(self._revisions, held)
        for path in self._logs.glob("*.jsonl"):
            if path.stem not in runs:
                path.unlink(missing_ok=True)
