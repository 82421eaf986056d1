"""What is told to whom: silence, one message per failure and recovery, sessions, outages, rules, what a crash left."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sidecar.errors import StoreError
from sidecar.letters import LetterState, NewLetter
from sidecar.model import Problem, Run, RunState, Severity
from sidecar.notify import Notifier, Quiet, Rules, Subscription
from sidecar.notify.sending import Later, Refused, Sent, Shut
from sidecar.review import FileEdit, RunReview
from sidecar.store import State
from tests.notify.kit import START, TELLER, Clock, review_of, run, target

ALL = frozenset(
    {"preview.changed", "preview.failed", "preview.recovered", "plex.down", "plex.up", "worker.down", "worker.up", "preview.unchanged"}
)
USUAL = ALL - {"preview.unchanged"}


@dataclass
class Friend:
    """A destination in this process: what it was sent, in order. ``trouble`` is raised instead, once each."""

    name: str = "friend"
    kind: str = "discord"
    edits: bool = True
    mark: str = "m"
    got: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)

    async def send(self, letter_id: str, body: Mapping[str, Any], *, edit: str = "") -> Sent:
        if self.trouble:
            raise self.trouble.pop(0)
        self.got.append((letter_id, dict(body), edit))
        return Sent(remote=str(len(self.got)) if self.edits else "")

    async def close(self) -> None:
        """Nothing is held."""

    @property
    def events(self) -> list[str]:
        return [body["event"] for _, body, _ in self.got]


class House:
    """A notifier with friends, on a clock moved by hand."""

    def __init__(self, state: State, clock: Clock, *friends: Friend, rules: Rules | None = None, told: list[Any] | None = None) -> None:
        self.clock = clock
        self.reviews: dict[str, RunReview] = {}
        chosen = rules or Rules(events=USUAL)
        subscriptions = [
            Subscription(destination=each, rules=chosen, pause=timedelta(minutes=10), give_up=timedelta(days=1)) for each in friends
        ]
        heard = told if told is not None else []
        self.notifier = Notifier(
            state,
            subscriptions,
            TELLER,
            review=self._review,
            now=clock.now,
            luck=lambda: 0.5,
            tell=lambda name, well, why: heard.append((name, well, why)),
        )

    async def _review(self, run: Run) -> RunReview | None:
        return self.reviews.get(run.id)

    async def end(self, run: Run, *, after: float = 1.0, review: RunReview | None = None) -> None:
        self.clock.forward(after)
        if review is not None:
            self.reviews[run.id] = review
        await self.notifier.run_ended(run)
        await self.notifier.outbox.step()

    async def health(self, part: str, well: bool, detail: str = "no answer", *, after: float = 1.0) -> None:
        self.clock.forward(after)
        self.notifier.heard(part, well, detail)
        await self.notifier.settle_inbox()
        await self.notifier.outbox.step()

    async def wait(self, seconds: float) -> None:
        self.clock.forward(seconds)
        await self.notifier.outbox.step()


async def test_nothing_changed_is_nothing_told(state: State, clock: Clock) -> None:
    friend = Friend()
    house = House(state, clock, friend)
    for number, ended in enumerate((RunState.DONE, RunState.SUPERSEDED, RunState.CANCELLED)):
        await house.end(run(number, ended, changed=(101,) if number else ()))
    assert friend.got == []
    asked = Friend("asked")
    await House(state, clock, asked, rules=Rules(events=ALL)).end(run(9))
    assert asked.events == ["preview.unchanged"]


async def test_a_run_is_told_once(state: State, clock: Clock) -> None:
    friend = Friend()
    house = House(state, clock, friend)
    for _ in range(3):
        await house.end(run(1, changed=(101,)))
    assert len(friend.got) == 1


def died(number: int, what: str = "the worker went away in the middle of a render") -> Run:
    """A run whose worker died; the daemon renders it again by itself."""
    return replace(run(number, RunState.FAILED), problems=(Problem(severity=Severity.ERROR, what=what, source="worker"),))


@pytest.mark.parametrize("kind", ["discord", "webhook"])
async def test_a_failure_that_mended_itself_at_once_is_not_told(state: State, clock: Clock, kind: str) -> None:
    friend = Friend(kind=kind)
    house = House(state, clock, friend)
    await house.end(died(1))
    await house.end(died(2), after=2.0)
    await house.end(run(3, changed=(101,)), after=5.0)
    await house.wait(3600)
    assert friend.events == ["preview.changed"]


async def test_a_failure_that_does_not_mend_itself_is_told_though_late(state: State, clock: Clock) -> None:
    friend = Friend()
    house = House(state, clock, friend)
    for number in (1, 2, 3):
        await house.end(died(number), after=2.0)
    assert friend.events == []
    await house.wait(30)
    assert friend.events == ["preview.failed"]
    await house.end(run(4, changed=(101,)))
    assert friend.events == ["preview.failed", "preview.recovered"]


async def test_a_fault_of_the_config_after_a_dead_worker_is_told_at_once(state: State, clock: Clock) -> None:
    friend = Friend()
    house = House(state, clock, friend)
    await house.end(died(1))
    await house.end(run(2, RunState.INVALID, problem="bad indentation"))
    await house.wait(60)
    assert [(event, body["run"]["state"]) for event, (_, body, _) in zip(friend.events, friend.got, strict=True)] == [
        ("preview.failed", "invalid")
    ]


async def test_a_dead_worker_after_a_failure_that_was_told_does_not_hide_the_recovery(state: State, clock: Clock) -> None:
    friend = Friend()
    house = House(state, clock, friend)
    await house.end(run(1, RunState.INVALID, problem="bad indentation"))
    await house.end(died(2))
    await house.end(run(3, changed=(101,)))
    await house.wait(60)
    assert friend.events == ["preview.failed", "preview.recovered"]


async def test_one_message_per_failure_and_one_on_recovery(state: State, clock: Clock) -> None:
    friend = Friend()
    house = House(state, clock, friend)
    await house.end(run(1, RunState.FAILED, problem="no such image"))
    await house.end(run(2, RunState.FAILED, problem="no such image"))
    await house.end(run(3, RunState.INVALID, problem="bad indentation"))
    await house.end(run(4, RunState.DONE, changed=(101,)))
    await house.end(run(5, RunState.DONE))
    assert [(event, edit) for event, (_, _, edit) in zip(friend.events, friend.got, strict=True)] == [
        ("preview.failed", ""),
        ("preview.failed", "1"),  # another fault: the message is changed
        ("preview.recovered", ""),
    ]
    assert friend.got[2][1]["targets"][0]["title"] == "Film 101 (1995)", "what the mended run changed stands in the same message"


async def test_a_failure_outlives_a_restart(state: State, clock: Clock) -> None:
    first = Friend()
    await House(state, clock, first).end(run(1, RunState.FAILED, problem="x"))
    later = Friend()
    house = House(state, clock, later)
    await house.end(run(2, RunState.FAILED, problem="x"))
    await house.end(run(3))
    assert later.events == ["preview.recovered"]


async def test_programs_hear_of_everything_by_itself(state: State, clock: Clock) -> None:
    program = Friend(kind="webhook", edits=False)
    house = House(state, clock, program)
    await house.end(run(1, RunState.FAILED, problem="x"))
    await house.end(run(2, changed=(101,)))
    await house.end(run(3, changed=(102,)))
    await house.end(run(4, changed=(103,)))
    assert program.events == ["preview.failed", "preview.recovered", "preview.changed", "preview.changed", "preview.changed"]
    assert [body["session"]["number"] for _, body, _ in program.got[2:]] == [1, 2, 3]
    assert len({body["session"]["id"] for _, body, _ in program.got[2:]}) == 1
    assert [[each["id"] for each in body["targets"]] for _, body, _ in program.got[2:]] == [["101"], ["102"], ["103"]]


async def test_ten_edits_are_one_message_that_is_edited(state: State, clock: Clock) -> None:
    friend = Friend()
    house = House(state, clock, friend)
    for number in range(10):
        edited = run(number, changed=(101,) if number % 2 else (102,))
        lines = [FileEdit(path="overlays/my.yml", kind="changed", added=1, removed=1, diff=f"--- a\n+++ b\n-old {number}\n+new {number}")]
        await house.end(edited, after=60, review=review_of(edited, reference=str(number - 2) if number > 1 else "first", files=lines))
    assert [edit for _, _, edit in friend.got] == ["", *(str(number) for number in range(1, 10))]
    last = friend.got[-1][1]
    assert last["session"]["number"] == 10
    assert sorted(each["id"] for each in last["targets"]) == ["101", "102"], "all that the session changed"
    assert last["title"] == "2 posters changed"
    (file,) = last["edit"]["files"]
    assert (file["added"], file["removed"], file["lines"]) == (10, 10, ["-old 9", "+new 9"])
    await house.end(run(11, changed=(101,)), after=601)
    assert friend.got[-1][2] == "", "a pause ends the session"
    assert friend.got[-1][1]["session"]["number"] == 1


async def test_an_edit_taken_back_is_said_to_be(state: State, clock: Clock) -> None:
    friend = Friend()
    house = House(state, clock, friend)
    there, back = run(1, changed=(101,), look="new"), run(2, changed=(101,), look="old")
    await house.end(there, review=review_of(there, reference="old"))
    await house.end(back, review=review_of(back, reference="new"))
    assert friend.got[-1][1]["title"] == "Back to what it was before these edits"
    assert friend.got[-1][1]["targets"] == []


async def test_where_nothing_can_be_edited_the_rest_comes_at_the_end(state: State, clock: Clock) -> None:
    friend = Friend(kind="ntfy", edits=False)
    house = House(state, clock, friend)
    for number in range(10):
        await house.end(run(number, changed=(101 + number % 3,)), after=60)
    assert len(friend.got) == 1
    await house.wait(590)
    assert len(friend.got) == 1
    await house.wait(15)
    assert len(friend.got) == 2
    assert friend.got[1][1]["session"]["number"] == 10
    assert len(friend.got[1][1]["targets"]) == 3
    assert (await state.counts())["friend", LetterState.DROPPED] == 8


async def test_an_endless_session_is_told_in_parts(state: State, clock: Clock) -> None:
    friend = Friend(kind="ntfy", edits=False)
    house = House(state, clock, friend)
    for number in range(60):
        await house.end(run(number, changed=(101,)), after=540)  # nine hours without a pause of ten minutes
    assert len(friend.got) >= 5


async def test_a_message_that_was_not_sent_yet_is_overtaken(state: State, clock: Clock) -> None:
    friend = Friend(trouble=[Later("friend: HTTP 503")])
    house = House(state, clock, friend)
    await house.end(run(1, changed=(101,)))
    await house.end(run(2, changed=(102,)), after=0.1)
    await house.end(run(3, changed=(103,)), after=0.1)
    await house.wait(60)
    numbers = [body["session"]["number"] for _, body, _ in friend.got]
    assert numbers == [1, 3], "the one that was tried keeps its place, the one between is in the last"
    assert friend.got[1][2] == "1"
    assert len(friend.got[1][1]["targets"]) == 3


async def test_outages_are_told_when_they_last(state: State, clock: Clock) -> None:
    friend = Friend()
    house = House(state, clock, friend)
    await house.health("plex", False)
    await house.health("plex", True, after=10)
    await house.wait(60)
    assert friend.got == [], "ten seconds are no news"
    await house.health("worker", False, "it died")
    await house.health("worker", False, "it died again", after=20)
    await house.wait(20)
    await house.health("worker", True, after=280)
    await house.health("config", False)
    await house.health("worker", True)
    assert friend.events == ["worker.down", "worker.up"]
    assert friend.got[0][1]["outage"]["detail"] == "it died"
    assert friend.got[1][1]["text"] == "It was away for 5 min."


async def test_an_outage_outlives_a_restart(state: State, clock: Clock) -> None:
    friend = Friend()
    house = House(state, clock, friend)
    await house.health("plex", False)
    await house.wait(31)
    again = Friend()
    restarted = House(state, clock, again)
    await restarted.health("plex", False)
    await restarted.health("plex", True)
    assert (friend.events, again.events) == (["plex.down"], ["plex.up"])


async def test_rules(state: State, clock: Clock) -> None:
    shows = [target(101), target(201, title="Dark", library="Shows"), target(202, title="Lost", library="Shows")]
    only = Friend("only")
    house = House(state, clock, only, rules=Rules(events=USUAL, libraries=frozenset({"Shows"}), minimum_pictures=2, minimum_percent=1.0))
    await house.end(run(1, targets=shows, changed=(101,)))
    assert only.got == [], "another library"
    one = run(2, targets=shows, changed=(101, 201))
    await house.end(one, review=review_of(one, reference="x"))
    assert only.got == [], "one picture of this library is too few"
    faint = run(3, targets=shows, changed=(201, 202))
    await house.end(faint, review=review_of(faint, reference="x", fraction=0.005))
    assert only.got == [], "half a percent is too little"
    enough = run(4, targets=shows, changed=(101, 201, 202))
    await house.end(enough, review=review_of(enough, reference="x", fraction=0.02))
    (_, body, _) = only.got[0]
    assert [each["library"] for each in body["targets"]] == ["Shows", "Shows"]
    assert body["title"] == "2 posters changed"
    assert "Heat" not in body["text"]


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-03-01T21:59:00+01:00", None),
        ("2026-03-01T22:00:00+01:00", "2026-03-02T07:00:00+01:00"),
        ("2026-03-02T06:59:59+01:00", "2026-03-02T07:00:00+01:00"),
        ("2026-03-02T07:00:00+01:00", None),
        ("2026-03-28T23:00:00+01:00", "2026-03-29T07:00:00+02:00"),  # the clock goes forward: an hour less
        ("2026-10-24T23:00:00+02:00", "2026-10-25T07:00:00+01:00"),  # and back: an hour more
        ("2026-03-01T22:30:00+00:00", "2026-03-02T07:00:00+01:00"),
    ],
)
def test_quiet_hours(now: str, until: str | None) -> None:
    quiet = Quiet(start=time(22), end=time(7), zone=BERLIN)
    assert quiet.until(datetime.fromisoformat(now)) == (datetime.fromisoformat(until) if until else None)


def test_quiet_hours_within_a_day() -> None:
    quiet = Quiet(start=time(9), end=time(17), zone=BERLIN)
    assert quiet.until(datetime(2026, 3, 1, 8, 0, tzinfo=BERLIN)) is None
    assert quiet.until(datetime(2026, 3, 1, 16, 0, tzinfo=BERLIN)) == datetime(2026, 3, 1, 17, 0, tzinfo=BERLIN)


async def test_the_night_is_told_in_the_morning(state: State, clock: Clock) -> None:
    friend = Friend()
    quiet = Quiet(start=time(11), end=time(13), zone=BERLIN, let_through=frozenset({"worker.down"}))  # START is 13:00 there
    clock.at = START - timedelta(hours=1)
    house = House(state, clock, friend, rules=Rules(events=USUAL, quiet=quiet))
    await house.end(run(1, changed=(101,)))
    await house.end(run(2, RunState.FAILED, problem="x"))
    await house.end(run(3, changed=(102,)))
    await house.health("worker", False)
    await house.wait(40)
    assert friend.events == ["worker.down"]
    clock.at = START
    await house.wait(1)
    assert friend.events == ["worker.down", "preview.changed"]
    assert sorted(each["id"] for each in friend.got[1][1]["targets"]) == ["101", "102"]


async def test_a_closed_destination_says_so_and_comes_back(state: State, clock: Clock) -> None:
    told: list[Any] = []
    friend = Friend(trouble=[Shut("friend: gone (HTTP 404)")])
    house = House(state, clock, friend, told=told)
    await house.end(run(1, RunState.FAILED, problem="x"))
    await house.end(run(2))
    assert friend.got == []
    assert told == [("friend", False, "friend: gone (HTTP 404)")]
    (status,) = (await house.notifier.status())["destinations"]
    assert (status["well"], status["closed"], status["pending"]) == (False, "friend: gone (HTTP 404)", 2)

    assert await house.notifier.test("friend") == {"friend": ""}
    await house.wait(1)
    assert friend.events == ["test", "preview.failed", "preview.recovered"], "what waited is sent once it works again"
    assert told[-1] == ("friend", True, "")


async def test_another_address_opens_it_again(state: State, clock: Clock) -> None:
    friend = Friend(trouble=[Shut("gone")])
    await House(state, clock, friend).end(run(1, changed=(101,)))
    moved = Friend(mark="another")
    await House(state, clock, moved).wait(1)
    assert moved.events == ["preview.changed"]
    assert await state.closed_destinations() == {}


async def test_a_test_tells_what_is_wrong(state: State, clock: Clock) -> None:
    one, two = Friend("one", trouble=[Refused("one: HTTP 400")]), Friend("two")
    house = House(state, clock, one, two)
    assert await house.notifier.test() == {"one": "one: HTTP 400", "two": ""}
    with pytest.raises(KeyError):
        await house.notifier.test("three")
    assert await state.letters() == []


async def test_what_cannot_be_made_stops_nobody(state: State, clock: Clock) -> None:
    friend = Friend(trouble=[ZeroDivisionError("a template")])
    house = House(state, clock, friend)
    await house.end(run(1, RunState.FAILED, problem="x"))
    await house.end(run(2))
    assert friend.events == ["preview.recovered"]
    assert (await state.counts())["friend", LetterState.DEAD] == 1


async def test_runs_that_a_crash_kept_from_being_told_are_told_at_the_next_start(state: State, clock: Clock) -> None:
    friend = Friend()
    house = House(state, clock, friend)
    await house.notifier.catch_up([run(2, changed=(101,)), run(1, changed=(101,))])
    await house.notifier.settle_inbox()
    await house.wait(1)
    assert friend.got == [], "at the very first start there is nothing to catch up with"
    stopped = Problem(severity=Severity.ERROR, what="the daemon stopped before this run ended", source="pipeline")
    cut = Run(id=run(5).id, state=RunState.FAILED, reason="edit", started=START, problems=(stopped,))
    await house.notifier.catch_up([cut, run(4, changed=(102,)), run(3, RunState.FAILED, problem="x"), run(2), run(1)])
    await house.notifier.settle_inbox()
    await house.wait(1)
    assert friend.events == ["preview.failed", "preview.recovered"]


class FullDisk:
    """A mailbox whose disk is full, so many times."""

    def __init__(self, state: State, times: int) -> None:
        self._state = state
        self.times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)

    async def post(self, letters: Sequence[NewLetter], *, notes: Mapping[str, object] | None = None, now: datetime | None = None) -> int:
        if self.times:
            self.times -= 1
            raise StoreError("the disk is full")
        return await self._state.post(letters, notes=notes, now=now)


async def test_a_full_disk_loses_nothing(state: State, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.notify.notifier.AGAIN", 0.01)
    friend = Friend()
    house = House(FullDisk(state, 2), clock, friend)  # type: ignore[arg-type]  # stands in for the state
    await house.end(run(1, changed=(101,)))
    await house.wait(1)
    assert friend.events == ["preview.changed"]


async def test_a_library_is_found_among_ever_so_many_changes(state: State, clock: Clock) -> None:
    """A message lists fifty; the rules look at all."""
    friend = Friend()
    house = House(state, clock, friend, rules=Rules(events=USUAL, libraries=frozenset({"Shows"}), minimum_pictures=2))
    targets = [target(number) for number in range(100, 170)] + [target(number, library="Shows") for number in (901, 902)]
    await house.end(run(1, changed=[int(each.id) for each in targets], targets=targets))
    assert friend.events == ["preview.changed"]
    ((_, body, _),) = friend.got
    assert (body["title"], [each["id"] for each in body["targets"]], body["more_targets"]) == ("2 posters changed", ["901", "902"], 0)
    everyone = Friend("everyone")
    house = House(state, clock, everyone)
    await house.end(run(2, changed=[int(each.id) for each in targets], targets=targets))
    assert (len(everyone.got[0][1]["targets"]), everyone.got[0][1]["more_targets"]) == (50, 22)


async def test_a_full_disk_changes_no_order(state: State, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be kept is kept before what came after it: else Plex would be back before it was away, and stay so."""
    monkeypatch.setattr("sidecar.notify.notifier.AGAIN", 0.01)
    friend = Friend()
    house = House(FullDisk(state, 1), clock, friend)  # type: ignore[arg-type]  # stands in for the state
    house.notifier.heard("plex", False, "no answer")
    house.notifier.heard("plex", True, "")
    for _ in range(3):
        await house.notifier.settle_inbox()
    await house.wait(60)
    assert friend.events == []
    assert (await state.noted("notifications"))["away"] == {}  # type: ignore[index]


async def test_a_comparison_that_fails_keeps_nothing_back(state: State, clock: Clock) -> None:
    friend = Friend()
    house = House(state, clock, friend)

    async def broken(_: Run) -> RunReview | None:
        raise ZeroDivisionError("a picture")

    house.notifier._review = broken
    await house.end(run(1, changed=(101,)))
    assert friend.events == ["preview.changed"]


async def test_a_receiver_that_refuses_for_now_and_says_no_time_is_asked_ever_less_often(state: State, clock: Clock) -> None:
    friend = Friend(trouble=[Later("friend: HTTP 429", asked=True) for _ in range(6)])
    house = House(state, clock, friend)
    await house.notifier.run_ended(run(1, RunState.FAILED, problem="x"))
    pauses = []
    while not friend.got:
        pause = await house.notifier.outbox.step()
        pauses.append(round(pause))
        clock.forward(pause)
    assert pauses[:6] == [4, 8, 15, 30, 60, 120]


async def test_a_clock_that_is_set_back_stops_nobody(state: State, clock: Clock) -> None:
    friend = Friend(trouble=[Later("friend: HTTP 503", 60.0)])
    house = House(state, clock, friend)
    await house.end(run(1, RunState.FAILED, problem="x"))
    clock.at -= timedelta(days=400)
    await house.end(run(2))
    assert friend.events == ["preview.recovered"], "what was to be tried later waits for its time, what is new does not"
    clock.at += timedelta(days=400)
    await house.wait(120)
    assert friend.events == ["preview.recovered", "preview.failed"]


async def test_it_serves_until_it_is_stopped(state: State) -> None:
    """The real clock, the real loop: an event heard is a message sent, and one that fails stops no other."""
    friend, other = Friend("friend", trouble=[RuntimeError("unforeseen")]), Friend("other")
    house = House(state, Clock(datetime.now(UTC)), friend, other)
    house.notifier._inbox.put_nowait(lambda: house.reviews["nothing"])  # type: ignore[arg-type,return-value]  # raises KeyError
    task = asyncio.create_task(house.notifier.serve())
    house.notifier.ended(run(1, RunState.FAILED, problem="x"))
    async with asyncio.timeout(40):
        while not other.got or not await state.letters(LetterState.DEAD):
            await asyncio.sleep(0.01)
        house.notifier.ended(run(2))
        while not friend.got:
            await asyncio.sleep(0.01)
    assert friend.events == ["preview.recovered"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
