"""How often one host is asked, and when it is left alone because it asked for that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

RATES: Final[Mapping[str, float]] = {"api.themoviedb.org": 40.0, "api.mdblist.com": 5.0, "api.trakt.tv": 3.0, "api.jikan.moe": 1.0}
"""Requests per second and host; every other host: 10."""
PER_HOST: Final = 6
MAX_WAIT: Final = 10.0
"""Seconds. A host that asks for more patience (Retry-After) is given up for this request, and for others until then..."""
LONGEST_REST: Final = 900.0
"""...but for these seconds at most: one wrong header must not take a host away for good."""


@dataclass(slots=True)
class Pace:
    """One host's share: so many at once, so many a second."""

    gap: float
    at_once: asyncio.Semaphore
    next: float = 0.0
    rest_until: float = 0.0

    @property
    def rest(self) -> float:
        """Seconds for which the host asked to be left alone from now on."""
        return max(0.0, self.rest_until - time.monotonic())

    async def turn(self) -> bool:
        """Waits for this request's turn; whether it may go out. False, at once, where the host is to be left alone for long."""
        if self.rest <= MAX_WAIT:
            now = time.monotonic()
            due = max(self.next, self.rest_until)
            self.next = max(now, due) + self.gap
            if due > now:
                await asyncio.sleep(due - now)
        return self.rest <= MAX_WAIT


def asked_patience(headers: Mapping[str, str]) -> float | None:
    """Seconds for which a host asks to be left alone (RFC 9110, 10.2.3); None where it does not. Names in lower case."""
    said = headers.get("retry-after", "")
    if said.isascii() and said.isdigit():
        return float(said)
    if said:
        try:
            return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
        except (ValueError, OverflowError):
            pass
    return None
