"""What the daemon does for itself: the schedule's chores, their status, and the figures that /metrics reads."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import stat
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sidecar.engine import Engine
from sidecar.errors import StoreError
from sidecar.gateway import Gateway
from sidecar.memory import give_back
from sidecar.metrics import Figures
from sidecar.model import Change
from sidecar.pipeline import Pipeline
from sidecar.pipeline.chores import Chores
from sidecar.pipeline.housekeeping import Housekeeping
from sidecar.pipeline.showcase import Showcase
from sidecar.places import try_write
from sidecar.publish import recall
from sidecar.schedule import Schedule
from sidecar.settings import ScheduleSettings
from sidecar.store import State
from sidecar.tasks import Spawn
from sidecar.web import Events

log = logging.getLogger(__name__)

LETTERS_KEPT: Final = timedelta(days=30)
"""How long delivered and given-up notifications can be looked at."""
LITTLE_SPACE: Final = 200 * 1024**2
"""Bytes free below which it is told."""
REST: Final = 10.0
"""Seconds after a run until its memory is given back: its pictures are compared first, and another may follow."""
PARTS: Final = ("state.db", "gallery", "blobs", "revisions", "logs", "cache", "backups")
"""Of the data directory."""
ASIDE: Final = 14 * 86_400.0
"""Seconds for which nothing is cleared away after a database was damaged, unless it is deleted before."""


def _set_aside(data: Path) -> Path | None:
    """A damaged database that was set aside not long ago: its runs and approvals may name pictures that nothing else does."""
    return next((path for path in sorted(data.glob("state.db.damaged-*")) if path.stat().st_ctime > time.time() - ASIDE), None)


def _sizes(data: Path) -> dict[str, int]:
    """Bytes in each part of the data directory; files that two parts share (pictures) count for the first alone."""
    seen: set[tuple[int, int]] = set()
    sizes = dict.fromkeys(PARTS, 0)
    for part in PARTS:
        place = data / part
        for path in [place] if place.is_file() else place.rglob("*"):
            with contextlib.suppress(OSError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode) and (status.st_dev, status.st_ino) not in seen:
                    seen.add((status.st_dev, status.st_ino))
                    sizes[part] += status.st_size
    return sizes


async def recall_runs(state: State, gallery: Path) -> int:
    """After a database was lost: keep the runs that only the gallery has; returns how many."""
    count = 0
    for run in await asyncio.to_thread(lambda: list(recall(gallery))):
        if await state.run(run.id) is None:
            await state.save_run(run)
            count += 1
    if count:
        log.warning("%d runs were read back from the gallery", count)
    return count


class Upkeep:
    """Built by ``app`` of parts that are there; :meth:`start` begins the schedule. What each chore returns is for people."""

    def __init__(
        self,
        settings: ScheduleSettings,
        *,
        data: Path,
        state: State,
        gateway: Gateway,
        engine: Engine,
        pipeline: Pipeline,
        housekeeping: Housekeeping,
        showcase: Showcase,
        events: Events,
    ) -> None:
        self._settings = settings
        self._data = data
        self._state = state
        self._gateway = gateway
        self._engine = engine
        self._pipeline = pipeline
        self._housekeeping = housekeeping
        self._showcase = showcase
        self._events = events
        self._spawn: Spawn | None = None
        self._sizes: dict[str, int] = {}
        self._resting: asyncio.Task[Any] | None = None
        works = {
            "drift": self._drift,
            "retention": self._retention,
            "cache": self._prune_caches,
            "maintenance": self._maintain,
            "health": self._probe,
        }
        self.chores = Chores(works, state, silent=frozenset({"health", "retention"}))
        self.schedule = Schedule(settings.jobs, self.chores.enqueue, time_zone=settings.time_zone)

    async def start(self, spawn: Spawn) -> None:
        """Do chores when they are due, until the tasks are cancelled and :meth:`stop`."""
        self._spawn = spawn
        spawn(self.chores.serve(), "chores")
        spawn(self.schedule.watch_clock(), "clock")
        self.schedule.start(await self.chores.restore())
        self._showcase.scheduled(self.schedule.next_runs().get("drift"))

    def stop(self) -> None:
        """Safe to call twice."""
        self.schedule.stop()

    def heard(self, kind: str) -> None:
        """An event of the daemon: when a run has ended, its memory is given back once nothing is rendered."""
        if kind == "run.ended" and self._spawn is not None and (self._resting is None or self._resting.done()):
            self._resting = self._spawn(self._rest(), "memory")

    async def _rest(self) -> None:
        await asyncio.sleep(REST)
        if not self._pipeline.busy:  # else the run in progress ends with another event
            await asyncio.to_thread(give_back)

    def status(self) -> dict[str, object]:
        """For the API and the page: the time zone, and each job's expression, next time and last outcome."""
        due = self.schedule.next_runs()
        jobs = []
        for name, expression in self._settings.jobs.items():
            at, last = due.get(name), self.chores.done.get(name)
            jobs.append(
                {"job": name, "cron": expression or None, "next": at.isoformat() if at else None, "last": asdict(last) if last else None}
            )
        return {"time_zone": self.schedule.time_zone, "jobs": jobs}

    async def figures(self) -> Figures:
        """What /metrics reads."""
        return Figures(
            gateway=self._gateway.snapshot(),
            health=self._showcase.health,
            queue={"change": int(self._pipeline.waiting), "render": int(self._pipeline.busy), "chores": self.chores.waiting},
            outbox={(destination, state.value): count for (destination, state), count in (await self._state.counts()).items()},
            worker_starts=self._engine.starts,
            listeners=self._events.listeners,
            chores={name: (datetime.fromisoformat(done.at), done.ok) for name, done in self.chores.done.items()},
            data=self._data,
            sizes=self._sizes,
        )

    async def _drift(self) -> str:
        self._pipeline.submit(Change(reason="drift", seen=time.monotonic()))
        self._showcase.scheduled(self.schedule.next_runs().get("drift"))
        return "asked for a render"

    async def _retention(self) -> str:
        self._sizes = await asyncio.to_thread(_sizes, self._data)
        if aside := await asyncio.to_thread(_set_aside, self._data):
            return f"nothing was cleared away while {aside.name} may yet be needed"
        await self._housekeeping.round()
        return "old runs were cleared away"

    async def _prune_caches(self) -> str:
        answers, size = await self._gateway.prune()
        return f"{answers} unused answers forgotten, {size:,} bytes"

    async def _maintain(self) -> str:
        await self._state.forget_letters(datetime.now(UTC) - LETTERS_KEPT)
        try:
            done = await self._state.tidy()
        except StoreError as error:
            self._showcase.away("database", str(error))  # shown until a check passes, or a restart mends it
            raise
        if any(part.part == "database" for part in self._showcase.health):
            self._showcase.well("database")
        says = f"the database is sound, {done.size:,} bytes ({done.freed:,} freed)"
        keep = self._settings.backups
        return f"{says}; backup {(await self._state.backup(keep=keep)).name}" if keep else says

    async def _probe(self) -> str:
        try:
            free = await asyncio.to_thread(try_write, self._data)
        except OSError as error:
            says = f"the data directory {self._data} cannot be written: {error.strerror or error}"
            self._showcase.away("disk", says)
            raise StoreError(says) from error
        self._showcase.well("disk")
        self._pipeline.recovered("disk")
        if free < LITTLE_SPACE:
            log.warning("only %d MiB are free for %s", free // 1024**2, self._data)
        return f"{free // 1024**2} MiB free; the worker is {'there' if self._engine.info else 'away'}"
