"""A damaged database is made anew, beside the damaged one, and takes its place when it is whole. Blocks: for threads.

state.db                     damaged, and in its place until the very end
state.db.damaged-STAMP*      the same file and its log, under the name that stays
state.db.mending             the newest sound backup, and every row that can be read; of a process that was cut off: begun again
state.db.mended              the same, whole and on the disk; only the renaming is missing
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sidecar.store import care, salvage

_ENDS: Final = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Mended:
    """What :func:`mend` did."""

    aside: Path
    """Where the damaged file is kept."""
    origin: Path | None
    """The backup that was begun with."""
    rows: Counter[str]
    """Table -> rows read from the damaged file."""


def mend(path: Path, fresh: Callable[[Path], sqlite3.Connection]) -> Mended:
    """Make ``path`` anew. ``fresh`` opens a place as a database of today's schema, whatever (a backup, or nothing) lies there.

    OSError or sqlite3.Error where it cannot be done now: ``path`` is as it was then, and it can be tried again.
    """
    aside = _keep_aside(path)
    place = _beside(path, "mending")
    for end in (*_ENDS, "-journal"):
        Path(f"{place}{end}").unlink(missing_ok=True)
    origin = salvage.from_backup(path.parent / care.FOLDER, path.stem, place)
    with contextlib.closing(fresh(place)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        rows = salvage.rows_of(aside, connection)
        connection.execute("COMMIT")
    _sync(place)
    place.replace(_beside(path, "mended"))
    _sync(path.parent)
    finish(path)
    return Mended(aside, origin, rows)


def finish(path: Path) -> bool:
    """Put a database that is whole, but was not yet put there, into its place; False where there is none. OSError."""
    whole = _beside(path, "mended")
    if not whole.exists():
        return False
    for end in ("-wal", "-shm"):  # of the damaged file: SQLite would take them for the new one's
        Path(f"{path}{end}").unlink(missing_ok=True)
    _sync(path.parent)
    whole.replace(path)
    _sync(path.parent)
    return True


def _keep_aside(path: Path) -> Path:
    """A second name for the damaged file and its log; the one that an earlier attempt gave it, where there was one."""
    for known in path.parent.glob(f"{path.name}.damaged-*"):
        if known.samefile(path):
            return known
    aside = _beside(path, f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    for end in ("-wal", "-shm", ""):  # the file itself last: with it all is there
        with contextlib.suppress(FileNotFoundError):
            _second_name(Path(f"{path}{end}"), Path(f"{aside}{end}"))
    return aside


def _second_name(path: Path, other: Path) -> None:
    try:
        other.hardlink_to(path)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without hard links
        part = other.with_name(f"{other.name}.part")
        shutil.copyfile(path, part)
        part.replace(other)


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.name}.{what}")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
