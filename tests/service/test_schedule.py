"""Cron expressions, time zones, what was missed, and a clock that jumps."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.errors import SettingsError
from sidecar.schedule import CATCH_UP, Schedule, cron, zone_of
from sidecar.settings import load_settings

BERLIN = ZoneInfo("Europe/Berlin")


def fires(expression: str, start: datetime, count: int) -> list[datetime]:
    trigger = cron(expression, start.tzinfo or UTC)
    found: list[datetime] = []
    previous, now = None, start
    while len(found) < count:
        previous = trigger.get_next_fire_time(previous, now)
        assert previous is not None
        found.append(previous)
        now = previous
    return found


@given(st.integers(0, 7))
def test_weekdays_are_counted_as_in_crontab(day: int) -> None:
    """0 and 7 are Sunday, unlike in APScheduler 3."""
    [at] = fires(f"0 0 * * {day}", datetime(2026, 11, 21, 1, tzinfo=UTC), 1)
    assert at.isoweekday() % 7 == day % 7


@pytest.mark.parametrize(
    ("field", "days"),
    [("1-5", [1, 2, 3, 4, 5]), ("0,6", [0, 6]), ("mon-fri", [1, 2, 3, 4, 5]), ("*/2", [0, 2, 4, 6]), ("5-7", [0, 5, 6]), ("4/2", [4, 6])],
)
def test_ranges_of_weekdays(field: str, days: list[int]) -> None:
    week = fires(f"0 0 * * {field}", datetime(2026, 11, 21, 1, tzinfo=UTC), len(days))
    assert sorted(at.isoweekday() % 7 for at in week) == days


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("4 30 * *", "five fields"),
        ("", "five fields"),
        ("61 * * * *", "not a cron expression"),
        ("x * * * *", "not a cron expression"),
        ("0 0 1 * 1", "the day of the month or the weekday"),
        ("0 0 * * 6-2", "run backwards"),
        ("0 0 * * 9", "not a cron expression"),
    ],
)
def test_a_wrong_expression_is_named_with_its_place(expression: str, words: str, tmp_path: object) -> None:
    with pytest.raises(ValueError, match=words):
        cron(expression)
    if expression:
        with pytest.raises(SettingsError, match=words) as caught:
            load_settings(None, {}, {"data": str(tmp_path), "schedule": {"drift": expression}})
        assert "schedule.drift" in str(caught.value)
        assert "crontab" in caught.value.problems[0].mend


def test_off_and_wrong_time_zones(tmp_path: object) -> None:
    settings = load_settings(None, {}, {"data": str(tmp_path), "schedule": {"drift": "off", "health": False}})
    assert [name for name, expression in settings.schedule.jobs.items() if not expression] == ["drift", "health"]
    with pytest.raises(SettingsError, match="there is no time zone Mars/Olympus"):
        load_settings(None, {}, {"data": str(tmp_path), "schedule": {"time_zone": "Mars/Olympus"}})
    assert zone_of("").utcoffset(datetime.now()) is not None  # noqa: DTZ005 - the machine's own zone


def test_nights_over_a_change_to_summer_time_and_back() -> None:
    """The local hour stays, each night has one, whatever the offset does."""
    for start in (datetime(2026, 3, 27, 12, tzinfo=BERLIN), datetime(2026, 10, 23, 12, tzinfo=BERLIN)):
        nights = fires("30 4 * * *", start, 4)
        assert [(at.hour, at.minute) for at in nights] == [(4, 30)] * 4
        assert len({at.date() for at in nights}) == 4
        assert len({at.utcoffset() for at in nights}) == 2


class Wall:
    """A wall clock that is set by hand; the scheduler's own stays the machine's."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


async def test_jobs_only_enqueue_and_many_missed_become_one() -> None:
    heard: list[str] = []
    schedule = Schedule({"drift": "* * * * *", "health": "* * * * *", "cache": ""}, heard.append, time_zone="Europe/Berlin")
    schedule.start()
    try:
        assert set(schedule.next_runs()) == {"drift", "health"}
        # as if the machine had slept for an hour: sixty times passed
        for name in ("drift", "health"):
            schedule._scheduler.modify_job(name, next_run_time=datetime.now(UTC) - timedelta(hours=1))
        await asyncio.sleep(0.1)
        assert sorted(heard) in (["drift"], ["drift", "health"])  # a probe only where its minute began less than 30 s ago
        due = schedule.next_runs()["drift"]
        assert due is not None
        assert timedelta() < due - datetime.now(UTC) <= timedelta(minutes=1)
    finally:
        schedule.stop()
        schedule.stop()
        await asyncio.sleep(0)


async def test_what_was_missed_while_off_is_caught_up_once() -> None:
    now = datetime.now(UTC)
    long_ago = now - timedelta(days=3)
    jobs = {"drift": "30 4 * * *", "maintenance": "40 5 * * *", "health": "*/5 * * * *"}
    schedule = Schedule(jobs, lambda _: None, time_zone="UTC")
    schedule.start({"drift": long_ago, "health": long_ago, "maintenance": now})
    try:
        due = {name: at - now for name, at in schedule.next_runs().items() if at}
        assert abs(due["drift"].total_seconds() - CATCH_UP) < 5
        assert due["maintenance"] > timedelta(minutes=2) or now.hour == 5
        assert due["health"] <= timedelta(minutes=5)
    finally:
        schedule.stop()
        await asyncio.sleep(0)


async def test_a_clock_that_was_ahead_and_is_set_back() -> None:
    """Without a look at the clock the job would wait until the wrong day comes."""
    wall = Wall()
    wall.ahead = 10 * 86_400.0
    schedule = Schedule({"drift": "30 4 * * *"}, lambda _: None, time_zone="UTC", wall=wall)
    schedule.start()
    try:
        before = schedule.next_runs()["drift"]
        assert before is not None
        assert before > datetime.now(UTC) + timedelta(days=9)
        offset = wall() - time.monotonic()
        wall.ahead = 0.0
        schedule.look(offset)
        after = schedule.next_runs()["drift"]
        assert after is not None
        assert after <= datetime.now(UTC) + timedelta(days=1)
        assert schedule.look(wall() - time.monotonic()) == pytest.approx(wall() - time.monotonic(), abs=1)
    finally:
        schedule.stop()
        await asyncio.sleep(0)


async def test_a_clock_that_is_set_forward_wakes_what_became_due() -> None:
    heard: list[str] = []
    wall = Wall()
    schedule = Schedule({"drift": "30 4 * * *"}, heard.append, time_zone="UTC", wall=wall)
    schedule.start()
    try:
        await asyncio.sleep(0.05)  # its timer is set
        # the timer runs on the monotonic clock: it still waits for a time that has passed by the wall
        store = schedule._scheduler._jobstores["default"]
        job = store.lookup_job("drift")
        job._modify(next_run_time=datetime.now(UTC) - timedelta(seconds=5))
        store.update_job(job)
        await asyncio.sleep(0.1)
        assert heard == []
        offset = wall() - time.monotonic()
        wall.ahead = 3600.0
        schedule.look(offset)
        await asyncio.sleep(0.1)
        assert heard == ["drift"]
    finally:
        schedule.stop()
        await asyncio.sleep(0)


def fired(expression: str, zone: str, begin: datetime, hours: int) -> list[str]:
    """When a job is run, as the scheduler goes about it: it wakes a little late, and asks again until a time lies ahead."""
    trigger = cron(expression, ZoneInfo(zone))
    now, due, times = begin, trigger.get_next_fire_time(None, begin.astimezone(ZoneInfo(zone))), []
    while due is not None and due.astimezone(UTC) < begin + timedelta(hours=hours):
        now = max(now, due.astimezone(UTC) + timedelta(milliseconds=3))
        times.append(due.isoformat()[5:])
        following = trigger.get_next_fire_time(due, now.astimezone(ZoneInfo(zone)))
        assert following is None or following.astimezone(UTC) > due.astimezone(UTC), f"{times} and again: the scheduler would never end"
        due = following
    return times


def test_the_night_with_an_hour_twice_and_the_one_without() -> None:
    autumn, spring = datetime(2026, 10, 24, 22, 30, 0, 5, tzinfo=UTC), datetime(2027, 3, 27, 23, 30, 0, 5, tzinfo=UTC)
    assert fired("10 * * * *", "Europe/Berlin", autumn, 5) == [
        "10-25T01:10:00+02:00",
        "10-25T02:10:00+02:00",
        "10-25T02:10:00+01:00",
        "10-25T03:10:00+01:00",
        "10-25T04:10:00+01:00",
    ]
    assert len(fired("*/5 * * * *", "Europe/Berlin", autumn, 5)) == 60
    assert len(fired("*/5 * * * *", "Europe/Berlin", spring, 5)) == 60
    assert [time[:5] for time in fired("30 2 * * *", "Europe/Berlin", autumn, 60)][-2:] == ["10-26", "10-27"]
    assert [time[:5] for time in fired("30 2 * * *", "Europe/Berlin", spring, 60)] == ["03-28", "03-29", "03-30"]
    # begun, or woken, within the second of the two hours
    assert fired("10 * * * *", "Europe/Berlin", datetime(2026, 10, 25, 1, 5, 0, 5, tzinfo=UTC), 1)[0] == "10-25T02:10:00+01:00"
    assert len(fired("*/5 * * * *", "America/New_York", datetime(2026, 11, 1, 4, 0, 0, 5, tzinfo=UTC), 5)) == 60
    assert len(fired("*/5 * * * *", "Australia/Lord_Howe", datetime(2027, 4, 3, 12, 0, 0, 5, tzinfo=UTC), 5)) == 60
