"""Copies of the database, its check and its tidying. Everything here blocks: for threads."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sidecar.store.schema import MIGRATIONS

FOLDER: Final = "backups"
"""Beside the database."""
_SLACK: Final = 0.25
"""Share of unused pages above which the file is written anew: it is at least so much too large."""


@dataclass(frozen=True, slots=True)
class Tidied:
    """What :func:`tidy` found and did."""

    size: int
    """Bytes of the file afterwards."""
    freed: int


def backup(database: Path, folder: Path, *, name: str = "", keep: int | None = None) -> Path:
    """A whole, checked copy of ``database`` as it is now, also while others write it; returns its place.

    With ``keep``, all but the newest so many of the regular backups go (those under a ``name`` stay).
    OSError or sqlite3.Error where it cannot be made; nothing is left of it then.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")[:-3]
    place = folder / f"{database.stem}-{name or stamp}.db"
    part = place.with_suffix(".part")
    for stale in folder.glob(f"{database.stem}-*.part*"):  # of a process that was killed
        stale.unlink(missing_ok=True)
    try:
        copy(database, part)
        part.replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    if keep is not None:
        for old in regular(folder, database.stem)[keep:] if keep else []:
            old.unlink(missing_ok=True)
    return place


def copy(database: Path, to: Path) -> None:
    """Copies by SQLite's own means: a consistent moment, whatever is being written. The copy needs no other file."""
    to.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(database)) as source, contextlib.closing(sqlite3.connect(to)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")
        if not is_sound(target):
            raise sqlite3.DatabaseError("the copy is not sound")
    handle = os.open(to, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def regular(folder: Path, stem: str) -> list[Path]:
    """The dated backups of ``STEM.db``, newest first."""
    return sorted(folder.glob(f"{stem}-[0-9]*T[0-9]*.db"), reverse=True)


def prune_special(folder: Path, stem: str, *, keep: int) -> None:
    """Remove all but the newest ``keep`` of the named backups, those made before migrations."""
    for old in [path for path in every(folder, stem) if path not in set(regular(folder, stem))][keep:]:
        old.unlink(missing_ok=True)


def every(folder: Path, stem: str) -> list[Path]:
    """All backups of ``STEM.db``, those made before a migration too, newest first by when they were made."""
    return sorted(folder.glob(f"{stem}-*.db"), key=lambda path: path.stat().st_mtime, reverse=True)


def schema_of(database: Path) -> tuple[int, int]:
    """The schema of a database file, and the newest one that is known here. sqlite3.DatabaseError where it is not sound."""
    with contextlib.closing(sqlite3.connect(f"file:{quote(str(database))}?mode=rw", uri=True)) as found:
        if not is_sound(found):
            raise sqlite3.DatabaseError("its database is damaged")
        return int(found.execute("PRAGMA user_version").fetchone()[0]), len(MIGRATIONS)


def is_sound(connection: sqlite3.Connection) -> bool:
    """Whether every page and index is as it should be. Reads the whole file."""
    return [row[0] for row in connection.execute("PRAGMA integrity_check(1)")] == ["ok"]


def tidy(connection: sqlite3.Connection, path: Path) -> Tidied:
    """Check, bring the query planner's figures up to date, give unused space back. sqlite3.DatabaseError: it is damaged."""
    with contextlib.closing(sqlite3.connect(path)) as fresh:  # reads the disk, not what the other holds in memory
        sound = is_sound(fresh)
    if not sound:
        damage = sqlite3.DatabaseError("the nightly check found damage")
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage
    before = path.stat().st_size
    connection.execute("PRAGMA optimize")
    unused, pages = (int(connection.execute(f"PRAGMA {what}").fetchone()[0]) for what in ("freelist_count", "page_count"))
    if pages and unused / pages > _SLACK:
        connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    size = path.stat().st_size
    return Tidied(size=size, freed=max(0, before - size))


@dataclass(frozen=True, slots=True)
class Glance:
    """What can be told of a database without opening it for work."""

    schema: int
    known: int
    """The newest schema that is known here."""
    chores: str
    """The note of that name: JSON, or empty."""
    closed: dict[str, str]
    """Notification destination that is sent nothing -> why."""


def glance(database: Path) -> Glance:
    """Look at a database beside a daemon that works with it. sqlite3.DatabaseError where it is damaged."""
    schema, known = schema_of(database)
    with contextlib.closing(sqlite3.connect(f"file:{quote(str(database))}?mode=rw", uri=True)) as found:
        note = found.execute("SELECT value FROM meta WHERE name = 'chores'").fetchone()
        tables = {row[0] for row in found.execute("SELECT name FROM sqlite_master")}
        closed = dict(found.execute("SELECT destination, why FROM closed").fetchall()) if "closed" in tables else {}
    return Glance(schema=schema, known=known, chores=str(note[0]) if note else "", closed=closed)
