"""What people see right now: keeps the gallery and the event stream in step with the runs and the parts' health.

Pages are published first, then the events that send browsers to fetch them. Publishing is coalesced: ten pictures that
come while one page is written make one more page, not ten.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from sidecar.errors import StoreError
from sidecar.model import EngineInfo, Health, Phase, Picture, Run, RunState
from sidecar.publish import GalleryView, RunBrief
from sidecar.review import Decision, RunReview, Standing

log = logging.getLogger(__name__)

HISTORY: Final = 300
"""Runs listed in the gallery's data; its first page shows the newest of them."""

_PHASES: Final = {
    "start": "starting Kometa",
    "connect": "reading Plex",
    "compile": "compiling the overlays",
    "draw": "drawing",
    "finish": "finishing",
}
"""Phases for people."""

PublishEvent = Callable[[str, Mapping[str, Any]], None]


class Site(Protocol):
    """See ``sidecar.publish.Gallery``."""

    @property
    def owes_thumbs(self) -> bool: ...

    def publish(self, view: GalleryView) -> None: ...

    def make_thumbs(self) -> None: ...


AGAIN: Final = 5.0
"""Seconds until pages that the disk refused are written again, unless somebody finds it well before."""


class Showcase:
    """The one holder of what is shown. All methods on the loop."""

    def __init__(
        self,
        site: Site,
        publish_event: PublishEvent,
        *,
        config_dir: str,
        watching: bool,
        at_once: PublishEvent = lambda _kind, _data: None,
    ) -> None:
        """``publish_event`` hears of what the pages show; ``at_once`` of the same as it happens, for whoever measures."""
        self._site = site
        self._at_once = at_once
        self._event = publish_event
        self._view = GalleryView(config_dir=config_dir, watching=watching)
        self._published: GalleryView | None = None
        self._health: dict[str, Health] = {}
        self._events: list[tuple[str, dict[str, Any]]] = []
        self._dirty = asyncio.Event()
        self._refused = ""
        """What was said of the disk when it refused the pages; empty where it took them."""
        self._room = asyncio.Event()
        """Somebody found the disk well."""
        self._publishing = asyncio.Lock()

    @property
    def view(self) -> GalleryView:
        return self._view

    @property
    def health(self) -> tuple[Health, ...]:
        return tuple(self._health.values())

    @property
    def newest(self) -> str:
        """The id of the newest run; empty where there is none."""
        current = self._view.current
        return max((*(brief.id for brief in self._view.history), *([current.id] if current else ())), default="")

    def restore(
        self,
        *,
        shown: Run | None,
        latest: Run | None,
        history: tuple[RunBrief, ...],
        reviews: Mapping[str, RunReview] | None = None,
        standings: Mapping[str, Standing] | None = None,
        last_batch: Sequence[Decision] = (),
    ) -> None:
        """Begin with what an earlier process left."""
        self._view = replace(
            self._view,
            shown=shown,
            latest=latest,
            history=history[:HISTORY],
            reviews=reviews or {},
            standings=standings or {},
            last_batch=tuple(last_batch),
        )
        self.touch()

    def engine(self, info: EngineInfo | None) -> None:
        if info != self._view.engine:
            self._view = replace(self._view, engine=info)
            self.touch()

    def scheduled(self, at: datetime | None) -> None:
        """When the schedule renders next, without an edit."""
        if at != self._view.next_render:
            self._view = replace(self._view, next_render=at)
            self.touch()

    def well(self, part: str, detail: str = "") -> bool:
        """``part`` works; True where it did not before."""
        if part == "disk":
            self._room.set()
        return self._set(Health(part=part, ok=True, detail=detail, since=datetime.now(UTC)))

    def away(self, part: str, detail: str) -> bool:
        """``part`` does not work, for the reason ``detail``; True where it did before."""
        return self._set(Health(part=part, ok=False, detail=detail, since=datetime.now(UTC)))

    def _set(self, health: Health) -> bool:
        old = self._health.get(health.part)
        if old is not None and (old.ok, old.detail) == (health.ok, health.detail):
            return False
        turned = old is not None and old.ok != health.ok
        if old is not None and old.ok == health.ok:
            health = replace(health, since=old.since)
        self._health[health.part] = health
        self._view = replace(self._view, health=self.health)
        if not health.ok or turned:
            (log.info if health.ok else log.warning)("%s: %s", health.part, health.detail or ("well" if health.ok else "away"))
        self.touch("health", {"part": health.part, "ok": health.ok, "detail": health.detail})
        return turned or (old is None and not health.ok)

    def begin(self, run: Run) -> None:
        self._view = replace(self._view, current=run)
        self.touch("run.started", {"run": run.id, "reason": run.reason, "targets": len(run.pictures)})

    def phase(self, run: Run, phase: Phase) -> None:
        self.touch(
            "run.phase",
            {"run": run.id, "phase": phase.name, "name": _PHASES.get(phase.name, phase.name), "shard": phase.shard, "detail": phase.detail},
        )

    def picture(self, run: Run, picture: Picture) -> None:
        self._view = replace(self._view, current=run)
        self.touch(
            "picture",
            {
                "run": run.id,
                "target": picture.target.id,
                "title": picture.target.label,
                "state": "quick" if picture.quick else picture.state.value,
            },
        )

    def end(self, run: Run) -> None:
        """``run`` is over: a good one is shown, another only banners above what was shown."""
        shown = run if run.state is RunState.DONE else self._view.shown
        # A superseded run says nothing about the config that is there now.
        latest = self._view.latest if run.state in (RunState.SUPERSEDED, RunState.CANCELLED) else run
        history = (RunBrief.of(run), *(brief for brief in self._view.history if brief.id != run.id))[:HISTORY]
        self._view = replace(self._view, current=None, shown=shown, latest=latest, history=history)
        self.touch(
            "run.ended",
            {"run": run.id, "state": run.state.value, "changed": list(run.changed), "errors": run.errors, "seconds": run.seconds},
        )

    def reviewed(self, review: RunReview) -> None:
        """A run was compared, and its own page says so."""
        edit = review.edit.brief if review.edit else None
        history = tuple(
            replace(brief, counts=review.counts, edit=edit) if brief.id == review.run_id else brief for brief in self._view.history
        )
        shown = {run.id for run in (self._view.shown, self._view.latest) if run is not None}
        reviews = {run_id: known for run_id, known in {**self._view.reviews, review.run_id: review}.items() if run_id in shown}
        self._view = replace(self._view, history=history, reviews=reviews)
        self.touch("run.reviewed", {"run": review.run_id, "counts": review.counts})

    def decided(self, standings: Mapping[str, Standing], last: Sequence[Decision], event: dict[str, Any]) -> None:
        """Somebody approved, rejected or took back."""
        self._view = replace(self._view, standings=standings, last_batch=tuple(last))
        self.touch("decided", event)

    def forgotten(self, runs: Collection[str]) -> None:
        """These runs are no longer kept."""
        gone = frozenset(runs)
        self._view = replace(self._view, history=tuple(brief for brief in self._view.history if brief.id not in gone))
        self.touch()

    def touch(self, kind: str = "", data: dict[str, Any] | None = None) -> None:
        """Something changed; with ``kind``, tell browsers once the pages show it."""
        if kind:
            self._events.append((kind, data or {}))
            self._at_once(kind, data or {})
        self._dirty.set()

    async def flush(self) -> None:
        """Publish what has not been published. StoreError where the disk refuses; what was not told stays to be told.

        Small pictures are made, and published, when there is nothing to tell and nobody draws.
        """
        async with self._publishing:
            self._dirty.clear()
            refused: StoreError | None = None
            try:
                while self._site.owes_thumbs and not self._events and self._view.current is None:
                    self._published = None
                    await asyncio.to_thread(self._site.make_thumbs)
            except StoreError as error:  # the pages do without
                refused = error
            events, self._events = self._events, []
            view = self._view
            try:
                if view is not self._published:  # a run's phase is told, and is on no page
                    await asyncio.to_thread(self._site.publish, view)
                    self._published = view
            except StoreError:
                self._events[:0] = events
                raise
            for kind, data in events:
                self._event(kind, data)
            if refused is not None:
                raise refused
            if self._site.owes_thumbs and self._view.current is None:
                self._dirty.set()

    async def serve(self) -> None:
        """Publish whenever something changed, until cancelled."""
        while True:
            await self._dirty.wait()
            self._room.clear()
            try:
                await self.flush()
            except StoreError as error:
                disk = self._health.get("disk")
                if disk is None or disk.ok:  # once: the words are of the file that happened to be the first
                    self._refused = str(error)
                    self.away("disk", self._refused)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN):
                        await self._room.wait()
                self._dirty.set()
            else:
                disk, said = self._health.get("disk"), self._refused
                self._refused = ""
                if said and disk is not None and disk.detail == said:  # else somebody else finds it wanting, and will take it back
                    self.well("disk")
