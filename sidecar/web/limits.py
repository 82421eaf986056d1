"""How often something may be tried."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MAX_KEYS: Final = 1024
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
