"""How often something may be tried."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from enum import Enum
from typing import Final

MAX_KEYS: Final = 4096
"""Callers remembered at once; the one seen longest ago goes first."""


class Limit:
    """A token bucket per key: ``burst`` at once, then one per ``seconds``."""

    def __init__(self, burst: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._seconds = seconds
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, key: str = "") -> float:
        """Seconds until ``key`` may try again; 0 where it may now. Takes nothing."""
        level = self._level(key)
        return 0.0 if level >= 1 else (1 - level) * self._seconds

    def take(self, key: str = "") -> None:
        """Count one try of ``key``."""
        self._buckets[key] = (max(0.0, self._level(key) - 1), self._clock())
        self._buckets.move_to_end(key)
        while len(self._buckets) > MAX_KEYS:
            self._buckets.popitem(last=False)

    def _level(self, key: str) -> float:
        level, then = self._buckets.get(key, (float(self._burst), self._clock()))
        return min(float(self._burst), level + (self._clock() - then) / self._seconds)


class Tried(Enum):
    """What became of a try."""

    RIGHT = "right"
    WRONG = "wrong"
    TOO_MANY = "too many"
    """It was wrong, or it was not even looked at: this caller was wrong too often."""


class Tries:
    """Slows guessing down, caller by caller, so that nobody can lock anybody else out.

    Who was wrong too often is still let in with the right token, but each further wrong one is held back, and only a few
    at a time are looked at: that bounds how fast one caller can guess, and leaves the owner a way in from the same address.
    """

    def __init__(
        self,
        *,
        burst: int = 5,
        seconds: float = 12,
        hold: float = 1.0,
        at_once: int = 4,
        in_all: int = 64,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``burst`` wrong tries are free, one more each ``seconds``. Beyond, a wrong one is held ``hold`` seconds;
        ``at_once`` of a caller and ``in_all`` of everybody may be held, the rest is refused unseen."""
        self._limit = Limit(burst, seconds, clock)
        self._hold = hold
        self._at_once = at_once
        self._in_all = in_all
        self._held: Counter[str] = Counter()

    def wait(self, caller: str) -> float:
        """Seconds until a wrong try of ``caller`` costs nothing again."""
        return self._limit.wait(caller)

    async def judge(self, caller: str, right: Callable[[], bool]) -> Tried:
        """``right`` says whether the try is; it may not be asked."""
        over = self._limit.wait(caller) > 0
        if over and (self._held[caller] >= self._at_once or self._held.total() >= self._in_all):
            return Tried.TOO_MANY
        if right():
            return Tried.RIGHT
        if not over:
            self._limit.take(caller)
            return Tried.WRONG
        self._held[caller] += 1
        try:
            await asyncio.sleep(self._hold)
        finally:
            self._held[caller] -= 1
            if not self._held[caller]:
                del self._held[caller]
        return Tried.TOO_MANY
