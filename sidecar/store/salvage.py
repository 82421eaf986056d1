"""What a damaged database still gives: the newest sound backup, and every row that can be read."""

from __future__ import annotations

import contextlib
import errno
import logging
import shutil
import sqlite3
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

from sidecar.store import care

_log = logging.getLogger(__name__)

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""What is no fault of the file that is read: to be tried again once it is mended."""
_ORDER: Final = ("meta", "blobs", "runs", "pictures", "reviews")
"""These first, as others refer to them."""


def from_backup(folder: Path, stem: str, place: Path) -> Path | None:
    """Copy the newest sound backup of ``STEM.db`` to ``place``; returns which, or None where there is none. OSError: no room for it."""
    for path in care.every(folder, stem) if folder.is_dir() else ():
        with contextlib.suppress(sqlite3.Error):
            with contextlib.closing(sqlite3.connect(path)) as found:
                if not care.is_sound(found):
                    continue
            try:
                shutil.copyfile(path, place)
            except OSError as error:
                if error.errno in _NO_ROOM:
                    raise
                continue  # it cannot be read: an older one may be
            return path
    return None


def rows_of(damaged: Path, into: sqlite3.Connection) -> Counter[str]:
    """Copy every readable row of ``damaged`` over those of ``into``, in one transaction of the caller's; table -> rows.

    What can be read is newer than any backup. Only tables and columns that both know; a row that would break a rule of the
    schema is left out. The damaged file is not touched: SQLite would merge its write-ahead log into it. OSError or sqlite3.Error
    where there is no room for them.
    """
    taken: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(dir=damaged.parent, prefix=".salvage-") as scratch:
        copy = Path(scratch) / "copy.db"
        for end in ("", "-wal"):
            try:
                shutil.copyfile(f"{damaged}{end}", f"{copy}{end}")
            except OSError as error:
                if error.errno in _NO_ROOM:
                    raise
                _log.warning("of the damaged database %s%s could not be read: %s", damaged, end, error.strerror or error)
        with contextlib.closing(sqlite3.connect(copy)) as source:
            with contextlib.suppress(sqlite3.Error):  # a page that cannot be read need not end the reading of all
                source.execute("PRAGMA cell_size_check=ON")
            for table in _tables(into):
                taken[table] += _rows(source, into, table)
    return +taken


def _tables(connection: sqlite3.Connection) -> list[str]:
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
    return sorted(names, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]


def _rows(source: sqlite3.Connection, into: sqlite3.Connection, table: str) -> int:
    try:
        theirs = set(_columns(source, table))
    except sqlite3.Error:
        return 0
    shared = [name for name in _columns(into, table) if name in theirs]
    if not shared:
        return 0
    columns = ", ".join(f'"{name}"' for name in shared)
    # Not REPLACE: that would delete a run first, and with it what refers to it.
    fresh = ", ".join(f'"{name}" = excluded."{name}"' for name in shared)
    values = ", ".join("?" * len(shared))
    put = f'INSERT INTO "{table}" ({columns}) VALUES ({values}) ON CONFLICT DO UPDATE SET {fresh}'  # noqa: S608 - names from the schema
    count = 0
    try:
        rows = source.execute(f'SELECT {columns} FROM "{table}"')  # noqa: S608 - likewise
    except sqlite3.Error:
        return 0
    while True:
        try:
            row = rows.fetchone()
        except sqlite3.Error:
            return count  # from here on the table cannot be read
        if row is None:
            return count
        with contextlib.suppress(sqlite3.IntegrityError):
            count += max(0, into.execute(put, row).rowcount)
