"""Plex's answers, kept in memory and on disk. A key names the server, the state it was in and the question."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, Protocol, TypeVar

from sidecar.gateway.cache import DiskCache, Entry

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_KEPT: Final = 16 * 1024 * 1024
"""Bytes of one answer; what is longer is passed on and not kept."""


LATER: Final = 1.0
"""Seconds without another answer after which those kept are written to disk..."""
BURST: Final = 10
"""...and how many such spans are waited for at most."""
UNWRITTEN: Final = 64 * 1024 * 1024
"""Bytes that may wait to be written, should the disk stand still; what comes then is held in memory only."""


class Spawn(Protocol):
    """Starts a background task under a name."""

    def __call__(self, coroutine: Coroutine[Any, Any, Any], name: str, /) -> asyncio.Task[Any]: ...


class Recent(Generic[T]):
    """The most recently used values, up to so many bytes. Thread-safe."""

    def __init__(self, most: int, weigh: Callable[[T], int]) -> None:
        self._most = most
        self._weigh = weigh
        self._held: OrderedDict[Any, T] = OrderedDict()
        self._weight = 0
        self._lock = threading.Lock()

    def get(self, key: object) -> T | None:
        """The value under ``key``, used just now."""
        with self._lock:
            value = self._held.get(key)
            if value is not None:
                self._held.move_to_end(key)
            return value

    def put(self, key: object, value: T) -> None:
        """Holds a value; those not used for longest go."""
        with self._lock:
            before = self._held.pop(key, None)
            self._weight += self._weigh(value) - (0 if before is None else self._weigh(before))
            self._held[key] = value
            while self._weight > self._most:
                _, old = self._held.popitem(last=False)
                self._weight -= self._weigh(old)

    def drop(self, key: object) -> None:
        """Holds the value under ``key`` no longer."""
        with self._lock:
            value = self._held.pop(key, None)
            self._weight -= 0 if value is None else self._weigh(value)


def _weight(entry: Entry) -> int:
    return len(entry.body) + sum(len(name) + len(value) for name, value in entry.headers) + 300


class Answers:
    """A memory before a :class:`DiskCache`. What is kept is at hand at once; the disk gets it beside the answering."""

    def __init__(self, disk: DiskCache, *, memory: int) -> None:
        self._disk = disk
        self._recent: Recent[Entry] = Recent(memory, _weight)
        self._unwritten: dict[str, Entry] = {}
        self._writing = False
        self._kept = 0
        self._waiting = 0

    def at_hand(self, key: str, max_age: float) -> Entry | None:
        """The answer under ``key``, if memory has it and it is at most ``max_age`` seconds old."""
        entry = self._recent.get(key)
        return entry if entry is not None and 0 <= time.time() - entry.stored <= max_age else None

    def recall(self, key: str, max_age: float) -> Entry | None:
        """Likewise, from the disk too. Blocks: for threads."""
        entry = self.at_hand(key, max_age)
        if entry is None:
            entry = self._disk.get(key, max_age)
            if entry is not None:
                self._recent.put(key, entry)
        return entry

    def holds(self, key: str) -> bool:
        """Whether the disk may have an answer under ``key``: worth a thread."""
        return key in self._disk

    def keep(self, key: str, entry: Entry) -> None:
        """Keeps an answer, on disk too. Blocks: for threads. A full disk is told and costs only the cache."""
        self._recent.put(key, entry)
        try:
            self._disk.put(key, entry)
        except OSError as error:
            log.warning("an answer of Plex could not be kept: %s", error.strerror or error)

    async def keep_beside(self, key: str, entry: Entry, spawn: Spawn | None) -> None:
        """Keeps an answer at once in memory, and on disk without the caller waiting for it (``spawn`` None: waiting)."""
        self._recent.put(key, entry)
        before = self._unwritten.get(key)
        more = len(entry.body) - (len(before.body) if before else 0)
        if self._waiting + more > UNWRITTEN:
            return
        self._unwritten[key] = entry
        self._waiting += more
        self._kept += 1
        if spawn is None:
            await self.flush()
        elif not self._writing:
            self._writing = True
            spawn(self._flush_later(), "plex cache")

    async def forget(self, key: str) -> None:
        """Forgets an answer that turned out to be none."""
        self._recent.drop(key)
        before = self._unwritten.pop(key, None)
        self._waiting -= len(before.body) if before else 0
        await asyncio.to_thread(self._disk.forget, key)

    async def _flush_later(self) -> None:
        """Writes once the burst of reads is over: files are not what a render should wait for."""
        try:
            for _ in range(BURST):
                before = self._kept
                await asyncio.sleep(LATER)
                if self._kept == before:
                    break
        finally:
            self._writing = False
        await self.flush()

    async def flush(self) -> None:
        """Writes what only memory has yet."""
        while self._unwritten:
            batch = dict(self._unwritten)
            await asyncio.to_thread(self._write, batch)
            for key, entry in batch.items():  # not before: where this is cancelled, the next flush writes them
                if self._unwritten.get(key) is entry:
                    del self._unwritten[key]
                    self._waiting -= len(entry.body)

    def _write(self, batch: dict[str, Entry]) -> None:
        for key, entry in batch.items():
            self.keep(key, entry)
