"""Decides what is told to whom: runs and outages become letters, one per destination that wants to know.

    run or outage -> Message -> rules of each destination -> letter in the outbox -> courier

Silent when nothing changed. A failure is told once, and its end once. Edits of one editing session are one message: where
the receiver can change a message it is changed; elsewhere the first edit is told at once and the rest together when the session
is over. Programs (kind webhook) get every event by itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, Protocol

from sidecar.errors import StoreError
from sidecar.letters import Letter, LetterState, NewLetter
from sidecar.model import Run, RunState, Severity
from sidecar.notify import session
from sidecar.notify.message import Teller
from sidecar.notify.outbox import Mailbox, Now, Outbox, Tell
from sidecar.notify.payload import Message
from sidecar.notify.sending import Destination, Later, Refused, Shut
from sidecar.notify.subscription import Subscription
from sidecar.review import RunReview

log = logging.getLogger(__name__)

GRACE: Final = timedelta(seconds=30)
"""Plex or the worker must be away for this long to be worth a message; a worker that died over a render has as long to make it again."""
PATIENCE: Final = 300.0
"""Seconds that a run's comparison may take; after that it is told of without."""
AGAIN: Final = 5.0
"""Seconds until what the disk refused is tried again."""
_STANDING: Final = "notifications"
_TOLD: Final = 50

OutagePart = Literal["plex", "worker"]


class Post(Mailbox, Protocol):
    """The store's outbox and notes."""

    async def post(
        self, letters: Sequence[NewLetter], *, notes: Mapping[str, object] | None = None, now: datetime | None = None
    ) -> int: ...
    async def withdraw(self, destination: str, topic: str, why: str, now: datetime | None = None) -> int: ...
    async def last_letter(self, destination: str, *, topic: str | None = None, event: str | None = None) -> Letter | None: ...
    async def noted(self, name: str) -> object: ...
    async def letters(self, state: LetterState | None = None, limit: int = 100, *, destination: str | None = None) -> Sequence[Letter]: ...
    async def counts(self) -> Mapping[tuple[str, LetterState], int]: ...
    async def replay(self, letter_ids: Sequence[str] | None = None, now: datetime | None = None) -> int: ...
    async def reclaim(self) -> int: ...


class Notifier:
    """One daemon's. ``await start()`` once, ``serve()`` for as long as it runs."""

    def __init__(
        self,
        mailbox: Post,
        subscriptions: Sequence[Subscription],
        teller: Teller,
        *,
        review: Callable[[Run], Awaitable[RunReview | None]] | None = None,
        now: Now = lambda: datetime.now(UTC),
        luck: Callable[[], float] | None = None,
        tell: Tell = lambda _name, _well, _why: None,
    ) -> None:
        """``review`` gives a good run's comparison, made where there is none yet. ``tell`` hears of trouble with destinations."""
        self._mailbox = mailbox
        self._subscriptions = {each.destination.name: each for each in subscriptions}
        self._teller = teller
        self._review = review or _none
        self._now = now
        lines = {name: (each.destination, each.give_up) for name, each in self._subscriptions.items()}
        self.outbox = Outbox(mailbox, lines, now=now, tell=tell, **({"luck": luck} if luck else {}))
        self._inbox: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._turn = asyncio.Lock()

    # ── what happened ────────────────────────────────────────────────────────────────────────────────────

    def ended(self, run: Run) -> None:
        """``run`` ended; told by :meth:`serve`, once it is compared."""
        self._inbox.put_nowait(lambda: self.run_ended(run))

    async def run_ended(self, run: Run) -> None:
        """Tell of ``run``. A run is told once. Where the disk refuses, it is tried again until it does not."""
        if run.state not in (RunState.DONE, RunState.FAILED, RunState.INVALID):
            return
        review = None
        if run.state is RunState.DONE and run.changed:
            try:
                async with asyncio.timeout(PATIENCE):
                    review = await self._review(run)
            except Exception:  # whatever the comparison met, the run is told of
                log.exception("run %s is told of without a comparison", run.id)
        await self._kept(lambda: self._run_ended(run, review))

    def heard(self, part: str, well: bool, detail: str) -> None:
        """Plex or the worker was seen to be well or away; told by :meth:`serve`. Other parts are passed over."""
        if part in ("plex", "worker"):
            name: OutagePart = "plex" if part == "plex" else "worker"
            at = self._now()
            self._inbox.put_nowait(lambda: self._kept(lambda: self._health(name, well, detail, at)))

    async def catch_up(self, runs: Sequence[Run]) -> None:
        """Call at start, with the newest runs, newest first: those that ended but were not told before the daemon died are told."""
        standing = await self._standing()
        told = standing.get("told", [])
        ended = [run for run in runs if run.state in (RunState.DONE, RunState.FAILED, RunState.INVALID) and not _cut_off(run)]
        if not told:
            await self._mailbox.post([], notes={_STANDING: {**standing, "told": [run.id for run in ended][:_TOLD]}})
            return
        missed = []
        for run in ended:
            if run.id in told:
                break
            missed.append(run)
        for run in reversed(missed):
            self.ended(run)

    # ── the work ─────────────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """What an earlier process was sending when it died is due again. StoreError."""
        await self._mailbox.reclaim()

    async def serve(self) -> None:
        """Tell and deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.outbox.serve(), name="notify: outbox")
            group.create_task(self._read_inbox(), name="notify: inbox")

    async def close(self) -> None:
        """Let go of the connections."""
        for each in self._subscriptions.values():
            await each.destination.close()

    async def settle_inbox(self) -> None:
        """Deal with what was heard so far."""
        while not self._inbox.empty():
            await self._inbox.get_nowait()()

    async def _read_inbox(self) -> None:
        while True:
            work = await self._inbox.get()
            try:
                await work()
            except Exception:  # one event that was not foreseen must not silence all that come after it
                log.exception("an event could not be told")

    async def _kept(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do ``work``; where the disk refuses, again until it is done. What comes after it waits: the order tells what is so now."""
        told = False
        while True:
            try:
                async with self._turn:
                    await work()
            except StoreError as error:
                if not told:
                    log.error("a notification could not be kept, and is tried again: %s", error)
                told = True
                await asyncio.sleep(AGAIN)
            else:
                break
        self.outbox.wake()

    async def _standing(self) -> dict[str, Any]:
        """What people were told last: ``failure``, ``away`` (by part) and the runs ``told``."""
        found = await self._mailbox.noted(_STANDING)
        return dict(found) if isinstance(found, dict) else {}

    async def _run_ended(self, run: Run, review: RunReview | None) -> None:
        standing = await self._standing()
        told = [each for each in standing.get("told", []) if isinstance(each, str)]
        if run.id in told:
            return
        failure = standing.get("failure")
        letters: list[NewLetter] = []
        if run.state is not RunState.DONE:
            mark = _mark(run)
            if failure is None or failure["mark"] != mark:
                now = self._now()
                topic = failure["topic"] if failure else f"failure:{run.id}"
                first = failure is None or now < datetime.fromisoformat(failure.get("hushed") or now.isoformat())
                hushed = now + GRACE if _is_made_again(run) else None
                letters = self._failure(self._teller.failed(run), topic, first=first, hold=hushed)
                failure = {"topic": topic, "mark": mark, "hushed": hushed.isoformat() if hushed and first else None}
        else:
            recovered = None
            if failure is not None:
                recovered = self._teller.recovered(run, review)
            changed = self._teller.changed(run, review) if run.changed else None
            unchanged = self._teller.unchanged(run) if not run.changed and failure is None else None
            for name, each in self._subscriptions.items():
                letters += await self._good(name, each, failure, recovered, changed, unchanged)
            failure = None
        standing |= {"failure": failure, "told": [run.id, *told][:_TOLD]}
        await self._mailbox.post(letters, notes={_STANDING: standing}, now=self._now())

    def _failure(self, message: Message, topic: str, *, first: bool, hold: datetime | None) -> list[NewLetter]:
        """``first``: nobody was told of this failure yet. ``hold``: it may be over by then, and is not told before."""
        now = self._now()
        letters = []
        for each in self._subscriptions.values():
            wanted = each.rules.wanted(message)
            if wanted is None:
                continue
            later = now + each.pause if not first and not each.program and not each.destination.edits else None
            letters.append(each.letter(wanted, topic, now=now, hold=later or hold, overtakes=not each.program))
        return letters

    async def _good(
        self,
        name: str,
        each: Subscription,
        failure: Mapping[str, str] | None,
        recovered: Message | None,
        changed: Message | None,
        unchanged: Message | None,
    ) -> list[NewLetter]:
        now = self._now()
        letters = []
        told = False
        if recovered is not None and failure is not None:
            gone = await self._mailbox.withdraw(name, failure["topic"], "the preview works again", now)
            unheard = gone > 0 and await self._mailbox.last_letter(name, topic=failure["topic"]) is None
            wanted = each.rules.wanted(recovered)
            if wanted is not None and not unheard:
                letters.append(each.letter(wanted, f"recovered:{wanted.id}", now=now))
                told = not each.program  # people need not read the same twice
        if changed is not None and not told and (wanted := each.rules.wanted(changed)) is not None:
            letters.append(await self._changed(name, each, wanted))
        if unchanged is not None and (wanted := each.rules.wanted(unchanged)) is not None:
            letters.append(each.letter(wanted, f"unchanged:{wanted.id}", now=now))
        return letters

    async def _changed(self, name: str, each: Subscription, message: Message) -> NewLetter:
        now = self._now()
        last = await self._mailbox.last_letter(name, event="preview.changed")
        before = session.parsed(last.body) if last is not None else None
        if last is None or before is None or before.session is None or not session.goes_on(last, each.pause, now):
            first = session.begin(message)
            return each.letter(first, session.topic(message, now), now=now, overtakes=not each.program)
        if each.program:
            return each.letter(session.follow(before, message), last.topic, now=now)
        hold = None
        if not each.destination.edits:
            hold = min(now + each.pause, session.end(last.topic, each.pause))
        return each.letter(session.merge(before, message), last.topic, now=now, hold=hold, overtakes=True)

    async def _health(self, part: OutagePart, well: bool, detail: str, at: datetime) -> None:
        standing = await self._standing()
        away = dict(standing.get("away") or {})
        known = away.get(part)
        letters: list[NewLetter] = []
        if well and known is not None:
            since = datetime.fromisoformat(known["since"])
            message = self._teller.back(part, since, at)
            for name, each in self._subscriptions.items():
                gone = await self._mailbox.withdraw(name, known["topic"], "it is over already", self._now())
                wanted = each.rules.wanted(message)
                if wanted is not None and not gone:
                    letters.append(each.letter(wanted, f"back:{message.id}", now=self._now()))
            away.pop(part)
        elif not well and known is None:
            message = self._teller.outage(part, detail, at)
            topic = f"away:{message.id}"
            for each in self._subscriptions.values():
                wanted = each.rules.wanted(message)
                if wanted is not None:
                    letters.append(each.letter(wanted, topic, now=self._now(), hold=at + GRACE))
            away[part] = {"since": at.isoformat(), "topic": topic}
        else:
            return
        await self._mailbox.post(letters, notes={_STANDING: {**standing, "away": away}}, now=self._now())

    # ── for people ───────────────────────────────────────────────────────────────────────────────────────

    async def status(self, limit: int = 50) -> dict[str, Any]:
        """The destinations, how they are, and the newest letters; without any address or text."""
        counts = await self._mailbox.counts()
        closed = await self._mailbox.closed_destinations()
        destinations = []
        for name, each in self._subscriptions.items():
            shut = closed.get(name)
            shut = shut if shut is not None and shut.mark == each.destination.mark else None
            destinations.append(
                {
                    "name": name,
                    "kind": each.destination.kind,
                    "well": not shut and not self.outbox.couriers[name].trouble,
                    "closed": shut.why if shut else None,
                    "closed_since": shut.since.isoformat() if shut else None,
                    "trouble": self.outbox.couriers[name].trouble or None,
                    **{state.value: counts.get((name, state), 0) for state in LetterState},
                }
            )
        return {"destinations": destinations, "letters": [brief(letter) for letter in await self._mailbox.letters(limit=limit)]}

    async def replay(self, letter_ids: Sequence[str] | None = None) -> int:
        """Send dead letters again; None: all of them. Returns how many."""
        count = await self._mailbox.replay(letter_ids, self._now())
        self.outbox.hurry()
        return count

    async def test(self, name: str = "") -> dict[str, str]:
        """Send a test to ``name``, or to all, now and past the outbox; by name, what went wrong, or empty. KeyError for an unknown one.

        A closed destination that takes it is open again.
        """
        chosen = {name: self._subscriptions[name]} if name else self._subscriptions
        return {each: await self._test(each, subscription.destination) for each, subscription in chosen.items()}

    async def _test(self, name: str, destination: Destination) -> str:
        now = self._now()
        message = self._teller.test(f"{now:%Y%m%dT%H%M%S%f}", now)
        try:
            await destination.send(f"{message.id}:{name}", message.plain())
        except (Refused, Later, Shut) as error:
            return str(error)
        await self._mailbox.open_destination(name)
        self.outbox.hurry(name)
        return ""


async def _none(_: Run) -> RunReview | None:
    return None


def brief(letter: Letter) -> dict[str, Any]:
    """A letter without its text."""
    return {
        "id": letter.id,
        "destination": letter.destination,
        "event": letter.event,
        "title": letter.body.get("title", ""),
        "state": letter.state.value,
        "attempts": letter.attempts,
        "created": letter.created.isoformat(),
        "next_try": letter.next_try.isoformat() if letter.state in (LetterState.PENDING, LetterState.CLAIMED) else None,
        "error": letter.error or None,
    }


def _mark(run: Run) -> str:
    """The same for runs that fail in the same way."""
    errors = sorted({f"{p.file}:{p.line}: {p.what}" for p in run.problems if p.severity is Severity.ERROR})
    return hashlib.sha256("\n".join([run.state.value, *errors]).encode()).hexdigest()[:16]


def _is_made_again(run: Run) -> bool:
    """The worker died over it: as soon as there is another, the run is made again, without anybody's doing."""
    return run.state is RunState.FAILED and any(problem.source == "worker" for problem in run.problems)


def _cut_off(run: Run) -> bool:
    """The daemon stopped in the middle of it: that is no failure of the preview."""
    return run.state is RunState.FAILED and any(problem.source == "pipeline" for problem in run.problems)
