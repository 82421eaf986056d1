"""Delivers what the store's outbox keeps: at least once, under one id, with growing pauses, given up in the end.

Each destination has a line of its own, in order. Where it does not answer, one letter is tried at a time, and the line rests in
between: an outage costs a handful of requests, however long the line.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from sidecar.errors import StoreError
from sidecar.letters import Closed, Letter
from sidecar.notify.sending import MOST_PATIENCE, Destination, Later, Refused, Sent, Shut

log = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 5.0
_LONGEST_PAUSE: Final = 3600.0
_LOOK_EVERY: Final = 5.0
"""Seconds between looks for letters that another process put in; a new letter of one's own is seen at once."""
_JUST_AFTER: Final = 0.05
"""Seconds added to a pause that a receiver asked for: its clock and ours differ."""
LEASE: Final = 300.0
"""Seconds after which a letter whose sender was not heard of again is handed out once more."""
_WORTH_TELLING: Final = 3
"""Failures in a row."""

Now = Callable[[], datetime]
Tell = Callable[[str, bool, str], None]
"""(destination, well, why not): called when a destination is closed, gives trouble, or is well again."""


class Mailbox(Protocol):
    """Where letters are kept: see ``sidecar.store.outbox.Outbox``."""

    async def claim(
        self, now: datetime | None = None, *, destination: str | None = None, limit: int = 10, lease: float = 120.0
    ) -> Sequence[Letter]: ...
    async def next_due(self, destination: str) -> datetime | None: ...
    async def settle(
        self,
        letter_id: str,
        *,
        sent: bool = False,
        retry_at: datetime | None = None,
        error: str = "",
        remote: str = "",
        count: bool = True,
    ) -> None: ...
    async def expire(self, destination: str, before: datetime, error: str) -> int: ...
    async def remote_of(self, destination: str, topic: str) -> str: ...
    async def close_destination(self, destination: str, why: str, mark: str) -> None: ...
    async def open_destination(self, destination: str) -> bool: ...
    async def closed_destinations(self) -> Mapping[str, Closed]: ...


class Courier:
    """One destination's line."""

    def __init__(
        self,
        mailbox: Mailbox,
        destination: Destination,
        *,
        give_up: timedelta,
        now: Now,
        luck: Callable[[], float],
        tell: Tell,
        hold_all: Callable[[str, datetime], None],
    ) -> None:
        self.destination = destination
        self.more = asyncio.Event()
        self.rest_until: datetime | None = None
        self.trouble = ""
        self._mailbox = mailbox
        self._give_up = give_up
        self._now = now
        self._luck = luck
        self._tell = tell
        self._hold_all = hold_all
        self._failures = 0

    async def step(self) -> float:
        """Send what is due, until nothing is or the destination wants a rest; returns the seconds until the next look."""
        name = self.destination.name
        while True:
            now = self._now()
            left = (self.rest_until - now).total_seconds() if self.rest_until is not None else 0.0
            if 0 < left <= MOST_PATIENCE + 1:  # longer than anybody asked for: the clock was set back
                return left
            closed = (await self._mailbox.closed_destinations()).get(name)
            if closed is not None and closed.mark == self.destination.mark:
                self._trouble(closed.why)
                await self._mailbox.expire(name, now - self._give_up, closed.why)
                return _LOOK_EVERY
            if closed is not None:
                await self._mailbox.open_destination(name)
                log.info("notifications to %s go out again: its address was changed", name)
            letters = await self._mailbox.claim(now, destination=name, limit=1, lease=LEASE)
            if not letters:
                due = await self._mailbox.next_due(name)
                return _LOOK_EVERY if due is None else min(_LOOK_EVERY, max(0.01, (due - now).total_seconds()))
            await self._deliver(letters[0])

    async def _deliver(self, letter: Letter) -> None:
        name = self.destination.name
        edit = await self._mailbox.remote_of(name, letter.topic) if self.destination.edits and letter.topic else ""
        try:
            sent = await self.destination.send(letter.id, letter.body, edit=edit)
        except Refused as error:
            log.error("notification refused: %s", error)
            await self._mailbox.settle(letter.id, error=str(error))
        except Shut as error:
            log.error("notifications to %s stop until it is mended: %s", name, error)
            await self._mailbox.close_destination(name, str(error), self.destination.mark)
            await self._mailbox.settle(letter.id, retry_at=self._now(), error=str(error), count=False)
            self._trouble(str(error))
        except Later as error:
            await self._later(letter, error)
        except Exception as error:  # one letter that was not foreseen (a template, say) must not stop the line
            log.exception("notification %s cannot be made", letter.id)
            await self._mailbox.settle(letter.id, error=f"{name}: it cannot be made: {type(error).__name__}")
        else:
            await self._arrived(letter, sent)

    async def _arrived(self, letter: Letter, sent: Sent) -> None:
        await self._mailbox.settle(letter.id, sent=True, remote=sent.remote)
        self._failures = 0
        self._trouble("")
        self.rest_until = self._now() + timedelta(seconds=sent.pause + _JUST_AFTER) if sent.pause > 0 else None

    async def _later(self, letter: Letter, error: Later) -> None:
        now = self._now()
        if now - letter.due > self._give_up:
            log.error("notification given up after %d attempts: %s", letter.attempts, error)
            await self._mailbox.settle(letter.id, error=str(error))
            return
        luck = self._luck()
        if error.asked and error.after > 0:  # the receiver is well: it said when, and knows better than any guess
            pause = again = error.after + _JUST_AFTER + luck * 0.2
        else:
            self._failures += 1
            again = max(error.after, pause_after(letter.attempts, luck))
            pause = max(error.after, pause_after(self._failures, luck))
            if self._failures >= _WORTH_TELLING:
                self._trouble(str(error))
            await self._mailbox.expire(self.destination.name, now - self._give_up, str(error))
        self.rest_until = now + timedelta(seconds=pause)
        if error.everywhere:
            self._hold_all(self.destination.kind, self.rest_until)
        log.warning("notification not delivered, again in %.1f s: %s", again, error)
        await self._mailbox.settle(letter.id, retry_at=now + timedelta(seconds=again), error=str(error), count=not error.asked)

    def _trouble(self, why: str) -> None:
        if why != self.trouble:
            self.trouble = why
            self._tell(self.destination.name, not why, why)


class Outbox:
    """The couriers of all destinations."""

    def __init__(
        self,
        mailbox: Mailbox,
        destinations: Mapping[str, tuple[Destination, timedelta]],
        *,
        now: Now = lambda: datetime.now(UTC),
        luck: Callable[[], float] = random.random,
        tell: Tell = lambda _name, _well, _why: None,
    ) -> None:
        """``destinations``: by name, with how long a letter to it is tried. ``luck`` draws jitter, 0 to 1."""
        self.couriers = {
            name: Courier(mailbox, destination, give_up=give_up, now=now, luck=luck, tell=tell, hold_all=self._hold)
            for name, (destination, give_up) in destinations.items()
        }

    def wake(self) -> None:
        """A letter was put in."""
        for courier in self.couriers.values():
            courier.more.set()

    def hurry(self, name: str = "") -> None:
        """A person asks: rest no longer (by default none of them)."""
        for courier in self.couriers.values():
            if name in ("", courier.destination.name):
                courier.rest_until = None
                courier.more.set()

    async def step(self) -> float:
        """One step of each courier, one after the other; returns the seconds until the next. For tests and for the command line."""
        return min([await courier.step() for courier in self.couriers.values()], default=_LOOK_EVERY)

    async def serve(self) -> None:
        """Deliver until cancelled; a destination that hangs keeps nobody else waiting."""
        async with asyncio.TaskGroup() as group:
            for name, courier in self.couriers.items():
                group.create_task(_serve(courier), name=f"notify: {name}")

    def _hold(self, kind: str, until: datetime) -> None:
        for courier in self.couriers.values():
            if courier.destination.kind == kind and (courier.rest_until is None or courier.rest_until < until):
                courier.rest_until = until


async def _serve(courier: Courier) -> None:
    while True:
        courier.more.clear()
        try:
            pause = await courier.step()
        except StoreError as error:
            log.error("notifications to %s wait: %s", courier.destination.name, error)
            pause = _LOOK_EVERY
        except Exception:  # what was not foreseen for one destination must not stop the others
            log.exception("notifications to %s wait", courier.destination.name)
            pause = _LOOK_EVERY
        try:
            async with asyncio.timeout(pause):
                await courier.more.wait()
        except TimeoutError:
            pass


def pause_after(attempts: int, luck: float) -> float:
    """Seconds to wait after that many attempts: doubling, capped, the upper half drawn by ``luck`` (0 to 1)."""
    full = min(_FIRST_PAUSE * 2.0 ** min(attempts - 1, 20), _LONGEST_PAUSE)
    return full * (0.5 + luck / 2)
