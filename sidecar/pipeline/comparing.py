"""Compares a run's pictures with what was approved, or with the last good run's: off the loop, after they are shown.

Comparing must never delay a render: it has two threads of its own, at a lower priority than everything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sidecar import compare
from sidecar import revision as revisions
from sidecar.errors import StoreError
from sidecar.model import Blob, Picture, PictureState, Run, Target
from sidecar.review import Against, Box, Comparison, Edit, ReviewStatus, RunReview, Standing, TargetReview
from sidecar.store import Blobs, State

log = logging.getLogger(__name__)

THREADS: Final = 2
REMEMBERED: Final = 4000
"""Comparisons kept in memory: a changed picture that nobody approves is the same in the next run."""
NICE: Final = 10
"""Added to the threads' nice value."""
MOST_RUNS: Final = 5
"""Runs that are read for what overlays a reference bore."""

Overlays = tuple[Mapping[str, object], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What counts as a change: see ``ReviewSettings``."""

    threshold: float = 0.0001
    """A fraction of a picture's pixels."""
    sensitivity: float = 0.1
    rules: tuple[compare.Rule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reference:
    blob: Blob
    against: Against
    run_id: str
    engine: str


class Comparer:
    """Makes reviews. Nothing is stored but masks."""

    def __init__(self, *, state: State, blobs: Blobs, revisions: Path, redact: Callable[[str], str], measures: Measures) -> None:
        self._state = state
        self._blobs = blobs
        self._revisions = revisions
        self._redact = redact
        self._measures = measures
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="compare", initializer=_stand_back)
        self._told: set[str] = set()
        """Overlays of which was said that their place is not known."""
        self._known: OrderedDict[tuple[str, str, tuple[Box, ...]], Comparison] = OrderedDict()

    def close(self) -> None:
        """What is being compared is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def review(self, run: Run) -> RunReview:
        """``run`` as it compares now. StoreError where the store fails."""
        await asyncio.to_thread(self._forget_lost)
        previous_id = await self._state.newest_good(before=run.id)
        previous = await self._state.run(previous_id) if previous_id else None
        standings = await self._state.standings()
        last = {picture.target.id: picture for picture in previous.pictures} if previous else {}
        references = {picture.target.id: await self._reference(run, picture, previous, last, standings) for picture in run.pictures}
        bearing = await self._overlays(references, previous)
        in_use = any(standing.baseline for standing in standings.values())
        reviews = await asyncio.gather(
            *(
                self._target(picture, references[picture.target.id], bearing.get(picture.target.id, ()), in_use=in_use)
                for picture in run.pictures
            )
        )
        groups = compare.alike(_changes(run, reviews, bearing))
        member = {target: group.id for group in groups for target in group.targets}
        return RunReview(
            run_id=run.id,
            at=datetime.now(UTC),
            previous=previous_id,
            targets=tuple(replace(review, group=member.get(review.target, "")) for review in reviews),
            groups=groups,
            edit=await self._edit(previous, run),
        )

    async def differs(self, picture: Picture, baseline: Blob) -> bool:
        """Whether ``picture`` is further from ``baseline`` than its target's threshold."""
        shown = picture.shown
        if shown is None or shown.sha256 == baseline.sha256:
            return False
        threshold, ignored = self._limits(picture.target, shown, picture.overlays)
        comparison = await self._compare(baseline, shown, ignored)
        return comparison is None or comparison.fraction > threshold

    async def _reference(
        self, run: Run, picture: Picture, previous: Run | None, last: Mapping[str, Picture], standings: Mapping[str, Standing]
    ) -> _Reference | None:
        target = picture.target.id
        standing = standings.get(target)
        if standing is not None and standing.baseline is not None:
            return _Reference(
                blob=standing.baseline.blob, against=Against.BASELINE, run_id=standing.baseline.run_id, engine=standing.baseline.engine
            )
        blob = last[target].shown if target in last else None
        if blob is not None and previous is not None:
            return _Reference(blob=blob, against=Against.PREVIOUS, run_id=previous.id, engine=_engine(previous))
        blob = await self._state.last_after(target, before=run.id)  # it failed the last time, or was not asked for
        return _Reference(blob=blob, against=Against.PREVIOUS, run_id="", engine="") if blob else None

    async def _overlays(self, references: Mapping[str, _Reference | None], previous: Run | None) -> dict[str, Overlays]:
        """What each reference bore, by target, as far as its run is still known and told it."""
        runs = {previous.id: previous} if previous else {}
        wanted = sorted({reference.run_id for reference in references.values() if reference and reference.run_id} - set(runs))
        for run_id in wanted[-MOST_RUNS:]:
            run = await self._state.run(run_id)
            if run is not None:
                runs[run_id] = run
        pictures = {run_id: {picture.target.id: picture for picture in run.pictures} for run_id, run in runs.items()}
        found = {}
        for target, reference in references.items():
            picture = pictures.get(reference.run_id, {}).get(target) if reference else None
            if picture is not None:
                found[target] = picture.overlays
        return found

    async def _target(self, picture: Picture, reference: _Reference | None, bore: Overlays, *, in_use: bool) -> TargetReview:
        target, shown = picture.target, picture.shown
        review = TargetReview(
            target=target.id,
            status=ReviewStatus.NEW,
            shown=shown,
            reference=reference.blob if reference else None,
            against=reference.against if reference else None,
            reference_run=reference.run_id if reference else "",
            reference_engine=reference.engine if reference else "",
        )
        if picture.state is PictureState.GONE:
            return replace(review, status=ReviewStatus.GONE, shown=None)
        if shown is None:
            return replace(review, status=ReviewStatus.FAILED)
        threshold, ignored = self._limits(target, shown, (*picture.overlays, *bore))
        review = replace(review, threshold=threshold, ignored=ignored)
        if reference is None:
            return review
        comparison = await self._compare(reference.blob, shown, ignored)
        changed = comparison is None or comparison.fraction > threshold
        if reference.against is Against.PREVIOUS and in_use:
            status = ReviewStatus.NEW  # others have baselines: this one waits for its first
        elif changed:
            status = ReviewStatus.CHANGED
        else:
            status = ReviewStatus.REUSED if picture.state is PictureState.REUSED else ReviewStatus.UNCHANGED
        return replace(review, status=status, comparison=comparison)

    def _limits(self, target: Target, shown: Blob, overlays: Iterable[Mapping[str, object]]) -> tuple[float, tuple[Box, ...]]:
        overlays = list(overlays)
        for name in compare.unplaced(target, overlays, self._measures.rules):
            if name not in self._told:
                self._told.add(name)
                log.warning(
                    "review.rules: Kometa does not tell where overlay %s lies, since it depends on the item's text; "
                    "leave its place out by ignore: [[x, y, width, height]]",
                    name,
                )
        size = (shown.width, shown.height)
        return compare.limits_of(target, size, overlays, self._measures.rules, self._measures.threshold)

    async def _compare(self, old: Blob, new: Blob, ignored: tuple[Box, ...]) -> Comparison | None:
        """None, with a log line, where a picture cannot be read."""
        if old.sha256 == new.sha256:
            return Comparison(fraction=0.0, pixels=0)
        key = (old.sha256, new.sha256, ignored)
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            return known
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, self._differ, old, new, ignored)
        except compare.Unreadable as error:
            log.warning("pictures %s and %s cannot be compared: %s", old.name, new.name, error)
            return None
        comparison = Comparison(
            fraction=found.fraction,
            pixels=found.pixels,
            boxes=found.boxes,
            mask=await self._blobs.put(found.mask) if found.mask else None,
            print=found.print,
            resized=found.resized,
        )
        self._known[key] = comparison
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return comparison

    def _forget_lost(self) -> None:
        """A mask that no kept run shows may have been cleared away."""
        for key, known in list(self._known.items()):
            if known.mask is not None and not self._blobs.path(known.mask).exists():
                del self._known[key]

    def _differ(self, old: Blob, new: Blob, ignored: tuple[Box, ...]) -> compare.Difference:
        return compare.compare(self._blobs.path(old), self._blobs.path(new), ignored=ignored, sensitivity=self._measures.sensitivity)

    async def _edit(self, previous: Run | None, run: Run) -> Edit | None:
        if previous is None:
            return None
        try:
            return await asyncio.to_thread(revisions.edit_between, self._revisions, previous.revision, run.revision, self._redact)
        except OSError as error:
            raise StoreError(f"revisions cannot be read: {error.strerror or error}") from error


def _changes(run: Run, reviews: Sequence[TargetReview], bearing: Mapping[str, Overlays]) -> list[compare.Change]:
    changes = []
    for picture, review in zip(run.pictures, reviews, strict=True):
        shown, comparison = review.shown, review.comparison
        if shown is not None and comparison is not None and review.status in (ReviewStatus.CHANGED, ReviewStatus.NEW) and comparison.pixels:
            known = picture.target.id in bearing and (picture.overlays or bearing[picture.target.id])
            changes.append(
                compare.Change(
                    target=review.target,
                    shape="landscape" if shown.width > shown.height else "square" if shown.width == shown.height else "portrait",
                    print=comparison.print,
                    delta=compare.delta_of(bearing[picture.target.id], picture.overlays) if known else (),
                )
            )
    return changes


def _engine(run: Run) -> str:
    return run.engine.kind if run.engine else ""


def _stand_back() -> None:
    """Linux schedules threads, not processes: only this one becomes nicer. Where that is not allowed it works as it is."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + NICE)
