"""When what is due: cron expressions over APScheduler, the only module that knows it. Jobs only enqueue; ``pipeline.chores`` works.

What happens to a time that passed unnoticed is chosen, not left to chance:

- several passed (the machine slept): they become one (``coalesce``);
- a nightly job is made up for until ``GRACE`` later, a probe is not: late, it says nothing (``misfire_grace_time``);
- the daemon was off: what is overdue by its last time runs ``CATCH_UP`` after the start;
- the clock jumped: timers run on the monotonic clock, so it is compared with the wall's each ``LOOK`` seconds.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from tzlocal import get_localzone

log = logging.getLogger(__name__)

GRACE: Final = 12 * 3600
"""Seconds by which a nightly job may be late and still be made up for."""
FLEETING: Final[Mapping[str, int]] = {"health": 30}
"""Jobs with another grace: late, they are left out, and they are not caught up with after a start."""
CATCH_UP: Final = 60.0
"""Seconds after the start until what was missed while the daemon was off."""
LOOK: Final = 60.0
"""Seconds between looks at the clock."""
JUMP: Final = 2.0
"""Seconds that the wall clock may drift from the monotonic one between two looks: NTP slews 0.03 at most."""

_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")


def zone_of(name: str) -> tzinfo:
    """The time zone of that IANA name; empty for the machine's own. ValueError where there is none."""
    try:
        return ZoneInfo(name) if name else get_localzone()
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        if not name:
            log.warning("the machine's time zone cannot be told (%s); times are in UTC", error)
            return UTC
        raise ValueError(f"there is no time zone {name}; they are named like Europe/Berlin") from error


def cron(expression: str, zone: tzinfo = UTC) -> CronTrigger:
    """A trigger for ``minute hour day month weekday``; weekdays as in crontab: 0 and 7 are Sunday. ValueError with the reason."""
    fields = expression.split()
    if len(fields) != 5:
        raise ValueError("a cron expression has five fields: minute hour day month weekday, like '30 4 * * *'")
    minute, hour, day, month, weekday = fields
    if day != "*" and weekday != "*":
        raise ValueError("give the day of the month or the weekday: cron would take either of both, which is seldom meant")
    try:
        return CronTrigger(minute=minute, hour=hour, day=day, month=month, day_of_week=_weekdays(weekday), timezone=zone)
    except (ValueError, TypeError) as error:
        raise ValueError(f"not a cron expression: {str(error).splitlines()[0]}") from error


def _weekdays(field: str) -> str:
    """APScheduler counts from Monday (its issue 286), crontab from Sunday: each range is spelt out by names."""
    named: list[str] = []
    for part in field.lower().split(","):
        found = re.fullmatch(r"(?:([0-7])(?:-([0-7]))?|(\*))(?:/([1-7]))?", part)
        if found is None:
            named.append(part)  # names, and what APScheduler shall refuse
            continue
        first, last, every, step = found.groups()
        low, high = (0, 6) if every else (int(first), int(last or (6 if step else first)))
        if low > high:
            raise ValueError(f"the weekdays {part} run backwards")
        if every and not step:
            return "*"
        named += [_DAYS[day] for day in range(low, high + 1, int(step or 1))]
    return ",".join(dict.fromkeys(named))


class Schedule:
    """Calls ``enqueue(name)`` on the loop whenever the job ``name`` is due. ``jobs``: name -> cron expression; empty ones are off."""

    def __init__(
        self,
        jobs: Mapping[str, str],
        enqueue: Callable[[str], None],
        *,
        time_zone: str = "",
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._zone = zone_of(time_zone)
        self._enqueue = enqueue
        self._wall = wall
        self._steady = steady
        self._triggers = {name: cron(expression, self._zone) for name, expression in jobs.items() if expression}
        self._scheduler = AsyncIOScheduler(
            timezone=self._zone,
            executors={"default": DebugExecutor()},  # calls the job in place: it only enqueues
            job_defaults={"coalesce": True, "max_instances": 1},
        )

    @property
    def time_zone(self) -> str:
        return str(self._zone)

    def start(self, last: Mapping[str, datetime] | None = None) -> None:
        """Begin. ``last``: when each job ran last, as far as it is known."""
        now = self._now()
        for name, trigger in self._triggers.items():
            due = trigger.get_next_fire_time(None, now)
            if last and name in last and name not in FLEETING:
                missed = trigger.get_next_fire_time(None, last[name] + timedelta(seconds=1))
                if missed is not None and missed <= now:
                    due = now + timedelta(seconds=CATCH_UP)
            self._scheduler.add_job(
                self._enqueue,
                trigger,
                args=(name,),
                id=name,
                name=name,
                next_run_time=due,
                misfire_grace_time=FLEETING.get(name, GRACE),
            )
        self._scheduler.start()

    def stop(self) -> None:
        """End; safe to call twice."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def next_runs(self) -> dict[str, datetime | None]:
        """Job -> when it is due next, in the schedule's time zone."""
        return {name: job.next_run_time if (job := self._scheduler.get_job(name)) else None for name in self._triggers}

    async def watch_clock(self) -> None:
        """Look for jumps of the clock, until cancelled."""
        offset = self._wall() - self._steady()
        while True:
            await asyncio.sleep(LOOK)
            offset = self.look(offset)

    def look(self, offset: float) -> float:
        """One look: ``offset`` is the wall clock less the steady one before; returns it as it is now."""
        fresh = self._wall() - self._steady()
        jump = fresh - offset
        if abs(jump) <= JUMP:
            return fresh
        log.warning("the clock jumped by %+.0f s: the schedule is set anew", jump)
        if jump < 0:  # a time set by the clock that was ahead lies too far off
            for name, trigger in self._triggers.items():
                self._scheduler.modify_job(name, next_run_time=trigger.get_next_fire_time(None, self._now()))
        self._scheduler.wakeup()  # what became due meanwhile
        return fresh

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall(), self._zone)
