"""What ``doctor`` says of the state: the database, its backups, the schedule's last outcomes, closed destinations."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sidecar.settings import ScheduleSettings
from sidecar.sight import exists, is_closed, is_file
from sidecar.store import glance

OLD: Final = 3 * 86_400.0
"""Seconds after which a backup is old."""

Told = tuple[str, str, str, str]
"""Part, ok or warn or fail, what is so, and how to mend it."""


def look(data: Path, schedule: ScheduleSettings) -> Iterator[Told]:
    """Reads only; a daemon may be at work. Blocks."""
    place = data / "state.db"
    if is_closed(place):  # told by doctor, of the whole directory
        return
    if not is_file(place):
        yield "state", "ok", "no database yet: it is made at the first start", ""
        return
    try:
        seen = glance(place)
    except (sqlite3.Error, OSError) as error:
        mend = "restart the daemon: it is set aside, and made anew from the newest backup and what can be read; look at the disk's health"
        yield "state", "fail", f"the database {place} cannot be read: {error}", mend
        return
    if seen.schema > seen.known:
        yield "state", "fail", f"{place} was written by a newer kometa-sidecar", "install that version, or restore a backup of before"
        return
    older = (
        f"; the next start brings it from schema {seen.schema} to {seen.known}, and backs it up before" if seen.schema < seen.known else ""
    )
    yield "state", "ok", f"the database is sound, {place.stat().st_size / 1024**2:.1f} MiB{older}", ""
    yield from _aside(data)
    yield _backups(data, schedule)
    yield from _chores(seen.chores)
    for destination, why in seen.closed.items():
        yield "notify", "warn", f"{destination} is sent nothing: {why}", "mend its address, then: kometa-sidecar notifications test"


def _aside(data: Path) -> Iterator[Told]:
    for path in sorted(data.glob("state.db.damaged-*")):
        if not path.name.endswith(("-wal", "-shm")):
            yield "state", "warn", f"a damaged database was set aside: {path.name}", "delete it once nothing is missed; check the disk"


def _backups(data: Path, schedule: ScheduleSettings) -> Told:
    if not schedule.maintenance or not schedule.backups:
        return "backups", "warn", "the nightly backup of the database is off", "set schedule.maintenance and schedule.backups"
    newest = max((path.stat().st_mtime for path in (data / "backups").glob("state-*.db")), default=0.0)
    age = time.time() - newest
    if newest and age < OLD:
        return "backups", "ok", f"the newest backup of the database is {age / 3600:.0f} h old", ""
    begun = (data / "lock").stat().st_ctime if exists(data / "lock") else time.time()
    if not newest and time.time() - begun < OLD:
        return "backups", "ok", "no backup of the database yet: the first is made in the night", ""
    return "backups", "warn", "there is no backup of the database of the last three days", "look at the log for 'maintenance'"


def _chores(note: str) -> Iterator[Told]:
    try:
        kept = json.loads(note) if note else {}
        failed = {str(name): str(item["says"]) for name, item in kept.items() if not item["ok"]}
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    for name, says in failed.items():
        yield "schedule", "warn", f"{name} failed the last time: {says}", "mend that; it is tried again at its next time"
