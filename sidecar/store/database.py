"""One SQLite file, one connection, one thread: opening, checking, migrating, transactions, and errors in words.

WAL with ``synchronous=NORMAL`` survives a killed process with everything that was committed; a power cut may take the
last commits, never the file (https://www.sqlite.org/wal.html#performance_considerations). What must survive that too is
written under ``durable=True``.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from sidecar.errors import StoreError
from sidecar.model import Problem, Severity
from sidecar.store import care, mending
from sidecar.store.disk import disk_words
from sidecar.store.schema import MIGRATIONS

T = TypeVar("T")

_log = logging.getLogger(__name__)

BUSY: Final = 10.0
"""Seconds to wait for another process's transaction."""

HELD: Final = 5.0
"""Seconds that a daemon waits for whoever holds the lock at its start."""

BEFORE_MIGRATIONS: Final = 3
"""How many of the copies made before migrations are kept."""

_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Database:
    """All calls run one after the other in one thread of its own; none blocks the event loop."""

    def __init__(self, path: Path, *, shared: bool) -> None:
        self.path = path
        self.problems: tuple[Problem, ...] = ()
        """What was found and mended while opening."""
        self.rebuilt = False
        """Whether the file was damaged and is made of what could be saved; runs may be missing."""
        self._shared = shared
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="state")
        self._connection: sqlite3.Connection | None = None
        self._lock: int | None = None
        self._closed = False

    async def open(self) -> None:
        """Open or make the file. A damaged one is set aside and made anew from what can be saved; see ``problems``, ``rebuilt``."""
        try:
            await self._in_thread(self._open)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Safe to call twice."""
        if not self._closed:
            self._closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
            self._thread.shutdown(wait=False)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` outside a transaction."""
        return await self._in_thread(lambda: self._guard(work))

    async def write(self, work: Callable[[sqlite3.Connection], T], *, durable: bool = False) -> T:
        """Run ``work`` as one transaction: all of it, or nothing. ``durable`` also outlives a power cut."""

        def whole(connection: sqlite3.Connection) -> T:
            with _transaction(connection, durable=durable):
                return work(connection)

        return await self._in_thread(lambda: self._guard(whole))

    async def backup(self, *, keep: int | None = None, folder: Path | None = None) -> Path:
        """A checked copy of now, beside the work of others; see :func:`care.backup`. StoreError where it cannot be made."""
        return await asyncio.to_thread(self._backup, folder or self.path.parent / care.FOLDER, "", keep)

    async def tidy(self) -> care.Tidied:
        """Check and tidy; see :func:`care.tidy`. StoreError where it is damaged: the next start mends it."""
        return await self.read(lambda connection: care.tidy(connection, self.path))

    def _backup(self, folder: Path, name: str, keep: int | None) -> Path:
        try:
            return care.backup(self.path, folder, name=name, keep=keep)
        except OSError as error:
            raise StoreError(disk_words(error, f"a backup of the state in {folder}")) from error
        except sqlite3.Error as error:
            raise StoreError(f"no backup could be made in {folder}: {_words(error, self.path)}") from error

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._closed:
            raise StoreError("the state database is closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _guard(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            raise StoreError("the state database is closed")
        try:
            return work(self._connection)
        except sqlite3.Error as error:
            raise StoreError(_words(error, self.path)) from error

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._take_lock()
        except OSError as error:
            raise StoreError(disk_words(error, f"the state in {self.path.parent}")) from error
        try:
            if self._lock is not None and mending.finish(self.path):
                self.rebuilt = True  # an earlier start was cut off at the very end of it
            try:
                self._connection = _connect(self.path)
            except sqlite3.DatabaseError as error:
                if _code(error) not in _DAMAGE or self._lock is None:
                    raise
                self._begin_again(str(error))
            else:
                self._migrate(self._connection)
        except sqlite3.Error as error:
            raise StoreError(_words(error, self.path)) from error
        except OSError as error:
            raise StoreError(disk_words(error, f"the damaged state database {self.path}")) from error

    def _take_lock(self) -> None:
        """Two daemons on one data directory would undo each other's work: the second is told so.

        With ``shared`` the lock is taken where it is free; without it nothing is mended or migrated beneath its holder. Such a holder may
        be a command that soon ends, so that a daemon waits a little for it.
        """
        lock = os.open(self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock_within(lock, 0.0 if self._shared else HELD)
        except BlockingIOError:
            pid = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
            os.close(lock)
            if self._shared:
                return
            raise StoreError(
                f"another kometa-sidecar (process {pid or 'unknown'}) uses {self.path.parent}: stop it, or choose another data directory"
            ) from None
        self._lock = lock
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)

    def _migrate(self, connection: sqlite3.Connection) -> None:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version < len(MIGRATIONS) and self._lock is None:
            raise StoreError(f"{self.path} is of an older version, and a daemon works with it: restart the daemon first")
        if 0 < version < len(MIGRATIONS):
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
            place = self._backup(self.path.parent / care.FOLDER, f"before-schema-{len(MIGRATIONS)}-{stamp}", None)
            _log.info("the state database goes from schema %d to %d; as it was, it is kept in %s", version, len(MIGRATIONS), place)
        _migrate(connection, self.path)
        if 0 < version < len(MIGRATIONS):
            care.prune_special(self.path.parent / care.FOLDER, self.path.stem, keep=BEFORE_MIGRATIONS)

    def _begin_again(self, why: str) -> None:
        """The file is damaged: begin with the newest backup and what can still be read; the damaged one is kept aside.

        It stays under its own name, too, until all is there: a full disk or a kill in the middle loses nothing.
        """
        mended = mending.mend(self.path, lambda place: _fresh(place, self.path))
        self._connection = _connect(self.path)
        self.rebuilt = True
        begun = f"the backup {mended.origin.name}" if mended.origin else "an empty one"
        counts = f"{mended.rows['runs']} runs and {mended.rows['baselines']} approvals"
        problem = Problem(
            severity=Severity.ERROR,
            what=f"the state database was damaged ({why}); it was set aside as {mended.aside.name}. "
            f"Work goes on with {begun} and what could be read of the damaged one: {counts}",
            mend=f"look at the disk's health; delete {mended.aside} once nothing is missed",
            file=str(self.path),
            source="store",
        )
        _log.error("%s", problem.what)
        self.problems = (*self.problems, problem)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _lock_within(lock: int, seconds: float) -> None:
    """Lock the open file ``lock`` for this process alone. BlockingIOError where another one still has it after ``seconds``."""
    end = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.05)


def _connect(path: Path) -> sqlite3.Connection:
    """A checked connection. DatabaseError with a code of ``_DAMAGE`` where the file is no sound database."""
    connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
        _check(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _fresh(place: Path, path: Path) -> sqlite3.Connection:
    """A database of today's schema in ``place``, to be filled in one transaction; ``path`` is what messages call it."""
    connection = sqlite3.connect(place, isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA foreign_keys=ON")
        _migrate(connection, path)
        # Of a backup's letters nobody knows whether they were sent since; what can be read of the damaged file does.
        words = "it was waiting in a backup: whether it was sent is not known"
        connection.execute("UPDATE outbox SET state = 'dead', error = ? WHERE state IN ('pending', 'claimed')", (words,))
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection) -> None:
    found = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
    if found != ["ok"]:
        damage = sqlite3.DatabaseError(str(found[0]) if found else "it cannot be checked")
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path} was written by a newer kometa-sidecar (schema {version}, this one knows {len(MIGRATIONS)}): "
            "install that version again, or choose another data directory"
        )
    for number in range(version, len(MIGRATIONS)):
        with _transaction(connection, durable=True):
            for statement in _statements(MIGRATIONS[number]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")


def _statements(script: str) -> Iterator[str]:
    """``executescript`` commits what is open; a migration must be one transaction, so its statements run one by one."""
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            yield text
            text = ""


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, *, durable: bool) -> Iterator[None]:
    connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _code(error: sqlite3.Error) -> int:
    """The primary result code; the extended ones keep it in their low byte (https://www.sqlite.org/rescode.html)."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _words(error: sqlite3.Error, path: Path) -> str:
    match _code(error):
        case sqlite3.SQLITE_FULL:
            why = "the disk is full: free some space, or lower what is kept"
        case sqlite3.SQLITE_READONLY:
            why = "it is read-only: check the mount, and the owner of the data directory"
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            why = f"it cannot be opened: check that uid {os.getuid()} may write in {path.parent}"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            why = f"another process has kept it locked for {BUSY:g} s: is a backup or another kometa-sidecar running?"
        case sqlite3.SQLITE_IOERR:
            why = "the disk reports an input/output error: look at the system's log and the free space"
        case code if code in _DAMAGE:
            why = "it is damaged: restart, and it is set aside and made anew from the newest backup and what can be read"
        case _:
            why = str(error)
    return f"the state database {path}: {why}"
