"""What the schedule asks for, done one after the other beside the renders; what each came to is kept over restarts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from sidecar.errors import SidecarError

log = logging.getLogger(__name__)

NOTE: Final = "chores"
"""The note in the state under which the last times are kept."""

Work = Callable[[], Awaitable[str]]
"""Does one chore; returns what it did, for people. SidecarError or OSError where it could not."""


class Notes(Protocol):
    """See ``sidecar.store.State``."""

    async def note(self, name: str, value: object) -> None: ...
    async def noted(self, name: str) -> object: ...


@dataclass(frozen=True, slots=True)
class Done:
    """A chore's last time. ``at``: when it began, ISO 8601 in UTC; ``says``: what it did, or what kept it from doing so."""

    at: str
    seconds: float
    ok: bool
    says: str


class Chores:
    """Takes names (:meth:`enqueue`), does the works of those names (:meth:`serve`). One that waits already is not taken twice."""

    def __init__(self, works: Mapping[str, Work], notes: Notes, *, silent: frozenset[str] = frozenset()) -> None:
        """``silent`` works are logged and kept only where they fail."""
        self._works = works
        self._notes = notes
        self._silent = silent
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._waiting: set[str] = set()
        self.done: dict[str, Done] = {}

    async def restore(self) -> dict[str, datetime]:
        """When each chore began last, as earlier processes kept it."""
        kept = await self._notes.noted(NOTE)
        for name, item in kept.items() if isinstance(kept, Mapping) else ():
            try:
                done = Done(at=str(item["at"]), seconds=float(item["seconds"]), ok=bool(item["ok"]), says=str(item["says"]))
                datetime.fromisoformat(done.at)
            except (KeyError, TypeError, ValueError):
                continue  # of another version: it runs at its next time
            if name in self._works:
                self.done[name] = done
        return {name: datetime.fromisoformat(done.at) for name, done in self.done.items()}

    def enqueue(self, name: str) -> None:
        """Have the work of that name done soon. KeyError where there is none."""
        self._works[name]
        if name not in self._waiting:
            self._waiting.add(name)
            self._queue.put_nowait(name)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def serve(self) -> None:
        """Do what comes, until cancelled."""
        while True:
            name = await self._queue.get()
            self._waiting.discard(name)
            await self.do(name)

    async def do(self, name: str) -> Done:
        """Do one work now. Never fails: what went wrong is in the answer, in the log and in the status."""
        at, begun = datetime.now(UTC), time.monotonic()
        ok = False
        try:
            says = await self._works[name]()
            ok = True
        except (SidecarError, OSError) as error:
            says = str(error)
        except Exception as error:  # one chore must not end the others; the log has the traceback
            log.exception("%s: a fault of the daemon", name)
            says = f"failed: {type(error).__name__}"
        done = Done(at=at.isoformat(timespec="seconds"), seconds=round(time.monotonic() - begun, 3), ok=ok, says=says)
        self.done[name] = done
        if not ok:
            log.warning("%s could not be done: %s", name, says)
        elif name not in self._silent:
            log.info("%s: %s", name, says)
        if not ok or name not in self._silent:
            await self._keep()
        return done

    async def _keep(self) -> None:
        try:
            await self._notes.note(NOTE, {name: asdict(done) for name, done in self.done.items()})
        except SidecarError as error:
            log.warning("what was done could not be noted: %s", error)
