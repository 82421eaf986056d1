"""Delivers what the store's outbox keeps: at least once, under one id, with growing pauses, given up in the end."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from sidecar.notify.webhook import Later, Refused

log = logging.getLogger(__name__)

GIVE_UP_AFTER: Final = timedelta(days=1)
_FIRST_PAUSE: Final = 5.0
_LONGEST_PAUSE: Final = 3600.0
_LOOK_EVERY: Final = 5.0
"""Seconds between looks for letters whose pause is over; a new letter is seen at once."""


class Letter(Protocol):
    """What the mailbox hands out: see ``sidecar.store.outbox.Letter``."""

    @property
    def id(self) -> str: ...
    @property
    def destination(self) -> str: ...
    @property
    def body(self) -> Mapping[str, object]: ...
    @property
    def attempts(self) -> int: ...
    @property
    def created(self) -> datetime: ...


class Mailbox(Protocol):
    """Where letters are kept: see ``sidecar.store.outbox.Outbox``."""

    async def enqueue(self, destination: str, body: Mapping[str, object], *, letter_id: str = "") -> str: ...
    async def claim(self, now: datetime | None = None, *, limit: int = 10, lease: float = 120.0) -> Sequence[Letter]: ...
    async def settle(self, letter_id: str, *, sent: bool = False, retry_at: datetime | None = None, error: str = "") -> None: ...


class Destination(Protocol):
    """Someone to tell: see ``sidecar.notify.webhook.Webhook``."""

    @property
    def name(self) -> str: ...
    async def send(self, identifier: str, body: Mapping[str, Any]) -> None: ...


class Outbox:
    """Hands letters to their destinations until each is delivered, refused or a day old."""

    def __init__(self, mailbox: Mailbox, destinations: Sequence[Destination]) -> None:
        self._mailbox = mailbox
        self._destinations = {destination.name: destination for destination in destinations}
        self._more = asyncio.Event()

    async def post(self, message: Mapping[str, Any]) -> None:
        """Keep ``message`` for every destination. It is sent by :meth:`serve`, also after a crash."""
        for name in self._destinations:
            await self._mailbox.enqueue(name, message, letter_id=f"{message['id']}:{name}")
        self._more.set()

    async def serve(self) -> None:
        """Deliver until cancelled."""
        while True:
            self._more.clear()
            while await self.deliver():
                pass
            try:
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._more.wait()
            except TimeoutError:
                pass

    async def deliver(self) -> int:
        """Try the letters that are due, once each; returns how many were tried."""
        letters = await self._mailbox.claim()
        for letter in letters:
            await self._deliver(letter)
        return len(letters)

    async def _deliver(self, letter: Letter) -> None:
        destination = self._destinations.get(letter.destination)
        if destination is None:
            await self._mailbox.settle(letter.id, error="this destination is no longer in the settings")
            return
        try:
            await destination.send(letter.id, letter.body)
        except Refused as error:
            log.error("notification refused: %s", error)
            await self._mailbox.settle(letter.id, error=str(error))
        except Later as error:
            now = datetime.now(UTC)
            if now - letter.created > GIVE_UP_AFTER:
                log.error("notification given up after %d attempts: %s", letter.attempts, error)
                await self._mailbox.settle(letter.id, error=str(error))
                return
            pause = max(error.after, pause_after(letter.attempts, random.random()))  # noqa: S311 - jitter, not a secret
            log.warning("notification not delivered, again in %.0f s: %s", pause, error)
            await self._mailbox.settle(letter.id, retry_at=now + timedelta(seconds=pause), error=str(error))
        else:
            await self._mailbox.settle(letter.id, sent=True)


def pause_after(attempts: int, luck: float) -> float:
    """Seconds to wait after that many attempts: doubling, capped, the upper half drawn by ``luck`` (0 to 1)."""
    full = min(_FIRST_PAUSE * 2.0 ** min(attempts - 1, 20), _LONGEST_PAUSE)
    return full * (0.5 + luck / 2)
