"""One Plex server's reads, each sent once: what was read before and still holds is not asked for again."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from weakref import WeakValueDictionary

from sidecar.gateway.answers import MOST_KEPT, Answers, Spawn
from sidecar.gateway.cache import Entry
from sidecar.gateway.canonical import Canonical, canonicalise
from sidecar.gateway.capture import NotAPicture, identify
from sidecar.gateway.fresh import PICTURE, SETTLED, max_age, stamp
from sidecar.gateway.freshness import Freshness
from sidecar.gateway.plex import PlexClient, passed_on
from sidecar.gateway.scope import Garbled, parse

HIT: Final = "plex_hits"

NAMES: Final = 2_000
"""Questions, of at most 8,000 characters each, whose keys are remembered."""


@dataclass(frozen=True, slots=True)
class Key:
    """Where an answer is kept, and for how many seconds it is believed."""

    name: str
    age: float = field(compare=False)


class PlexReads:
    """Reads of one server through its cache."""

    def __init__(
        self, client: PlexClient, answers: Answers, freshness: Freshness, count: Callable[[str], None], spawn: Spawn | None
    ) -> None:
        self.client = client
        self.freshness = freshness
        self._answers = answers
        self._count = count
        self._spawn = spawn
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._name = lru_cache(maxsize=NAMES)(_name)
        server = client.server
        self.who = f"{server.url}\n{hashlib.sha256(server.token.get_secret_value().encode()).hexdigest()}"
        """Says which server this is, and whose token is used."""

    @property
    def word(self) -> str | None:
        """As ``who``, and the server's epoch; None while nobody vouches for that."""
        epoch = self.freshness.epoch
        return f"{self.who}\n{epoch}" if epoch else None

    def key(self, request: Canonical, headers: Mapping[str, str]) -> Key | None:
        """The place of the answer to a read; None where it cannot be kept. Headers that do not reach Plex do not count."""
        epoch = self.freshness.epoch
        if epoch is None:
            return None
        age = max_age(request, gapless=time.time() - self.freshness.since if self.freshness.watched else 0.0)
        if age <= 0:
            return None
        along = tuple(sorted(passed_on(headers).items())) if headers else ()
        return Key(self._name(self.who, epoch, request.target, along), age)

    def picture_key(self, request: Canonical) -> Key | None:
        """As ``key``. A picture whose address carries the time of its last change outlives changes of other things."""
        at = stamp(request)
        if at is not None and time.time() - at > SETTLED and self.freshness.epoch is not None:
            return Key(hashlib.sha256(f"{self.who}\n{request.target}".encode()).hexdigest(), PICTURE)
        return self.key(request, {})

    async def read(self, request: Canonical, headers: Mapping[str, str]) -> bytes:
        """As :meth:`PlexClient.read`, from the cache where that still holds. Of readers at the same time one asks."""
        return (await self.dated(request, headers)).body

    async def dated(self, request: Canonical, headers: Mapping[str, str], key: Key | None = None) -> Entry:
        """As ``read``, with the time it was asked for. ``key``: its place, where that was looked up already."""
        key = key or self.key(request, headers)
        asked = time.time()
        if key is None:
            return Entry(200, (), await self.client.read(request, headers), asked)
        known = self._answers.at_hand(key.name, key.age)
        if known is None:
            async with self.alone(key):
                known = await self.recall(key)
                if known is None:
                    asked = time.time()
                    entry = Entry(200, (), await self.client.read(request, headers), asked)
                    if len(entry.body) <= MOST_KEPT:
                        await self.keep(key, entry)
                    return entry
        self._count(HIT)
        return known

    def through(self, question: str, ask: Callable[[], bytes | None]) -> bytes | None:
        """What ``ask`` answers to ``question`` (path and query), or what it answered before, where that still holds.

        For the daemon's own reads. Blocks: for threads. None, which is no answer, is not kept; errors are passed on.
        """
        request = canonicalise("GET", question)
        key = self.key(request, {}) if isinstance(request, Canonical) else None
        if key is None:
            return ask()
        known = self._answers.recall(key.name, key.age)
        if known is not None:
            self._count(HIT)
            return known.body
        asked = time.time()
        data = ask()
        if data is not None and len(data) <= MOST_KEPT and _sound(data):
            self._answers.keep(key.name, Entry(200, (), data, asked))
        return data

    def alone(self, key: Key) -> asyncio.Lock:
        """To be held while asking: whoever wants the same answer waits, and finds it kept."""
        lock = self._locks.get(key.name)
        if lock is None:
            lock = self._locks[key.name] = asyncio.Lock()
        return lock

    async def recall(self, key: Key) -> Entry | None:
        """What is kept under ``key``, from memory or disk."""
        known = self._answers.at_hand(key.name, key.age)
        if known is None and self._answers.holds(key.name):
            known = await asyncio.to_thread(self._answers.recall, key.name, key.age)
        return known

    async def forget(self, request: Canonical, headers: Mapping[str, str]) -> None:
        """Not to believe again what was answered to a read: it is garbled."""
        key = self.key(request, headers)
        if key is not None:
            await self._answers.forget(key.name)

    async def keep(self, key: Key, entry: Entry) -> None:
        """Keeps an answer; on disk beside the work."""
        await self._answers.keep_beside(key.name, entry, self._spawn)


def _name(who: str, epoch: str, target: str, along: tuple[tuple[str, str], ...]) -> str:
    said = "".join(f"\n{name}:{value}" for name, value in along)
    return hashlib.sha256(f"{who}\n{epoch}\n{target}{said}".encode()).hexdigest()


def _sound(data: bytes) -> bool:
    """Whether an answer is what it should be, XML of Plex's or a picture: what a server says while it starts is not kept."""
    try:
        parse(data)
    except Garbled:
        try:
            identify(data, "poster")
        except NotAPicture:
            return False
    return True
