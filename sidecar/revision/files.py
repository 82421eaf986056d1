"""Reads files that others may be writing: bounded, regular files only, and never a torn one."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from sidecar.errors import ConfigError, StillChanging
from sidecar.model import Problem, Severity

TRIES: Final = 8
PAUSE: Final = 0.05
"""Seconds between tries."""
QUIET_NS: Final = 20_000_000
"""Nanoseconds without a change before a file is read. The kernel stamps files by its tick (4 ms at 250 Hz, 10 at 100): what
is written within the tick of the last change does not move the stamp."""
RACY: Final = 2.0
"""Seconds: a file changed this recently may change again without its mtime moving, so its hash is not remembered."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one revision may hold."""

    file_size: int = 64 * 1024**2
    """Bytes of one file."""
    total_size: int = 1024**3
    """Bytes of all files together."""
    files: int = 20_000


@dataclass(slots=True)
class HashMemory:
    """Remembers files' hashes by identity, size and time of change, so that assets are not read again for each save."""

    known: dict[tuple[int, int, int, int, int], str] = field(default_factory=dict)
    most: int = 100_000

    def get(self, status: os.stat_result) -> str | None:
        return self.known.get(_identity(status))

    def put(self, status: os.stat_result, sha256: str) -> None:
        if time.time() - max(status.st_mtime, status.st_ctime) > RACY:
            if len(self.known) >= self.most:
                self.known.clear()
            self.known[_identity(status)] = sha256


def _identity(status: os.stat_result) -> tuple[int, int, int, int, int]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def read_bytes(path: Path, *, most: int, name: str) -> bytes:
    """The file's bytes, whole: the same before and after. FileNotFoundError, or ConfigError where it cannot be had."""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE)
        with _open(path, name) as file:
            before, rested = _look(file)
            _refuse_large(before.st_size, most, name)
            raw = file.read(most + 1)
            _refuse_large(len(raw), most, name)
            if rested and _settled(before, file, path) and len(raw) == before.st_size:
                return raw
    raise _restless(name)


def copy(path: Path, to: Path, *, most: int, name: str) -> tuple[str, int]:
    """Copy the file, whole, to ``to`` (which must not exist); its sha256 and size. Errors as :func:`read_bytes`."""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE)
        digest, size = hashlib.sha256(), 0
        with _open(path, name) as file, to.open("wb") as out:
            before, rested = _look(file)
            while chunk := file.read(1024 * 1024):
                size += len(chunk)
                _refuse_large(size, most, name)
                digest.update(chunk)
                out.write(chunk)
            if rested and _settled(before, file, path) and size == before.st_size:
                return digest.hexdigest(), size
    raise _restless(name)


def _open(path: Path, name: str) -> BinaryIO:
    try:
        # O_NONBLOCK: opening a FIFO must not hang; it is refused below
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _refused(name, f"it cannot be read: {os.strerror(error.errno or 0)}", "Check the file's owner and rights.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _refused(name, "it is not a regular file", "Name a file, not a directory, device or pipe.")
    return os.fdopen(descriptor, "rb")


def _look(file: BinaryIO) -> tuple[os.stat_result, bool]:
    """The file's status, and whether its last change lies far enough back to be told from one under way; waits for that once."""
    status = os.fstat(file.fileno())
    # abs: a change in the future, by a clock that was set back, is none under way either.
    if (age := abs(time.time_ns() - status.st_ctime_ns)) < QUIET_NS:
        time.sleep((QUIET_NS - age) / 1e9)
        status = os.fstat(file.fileno())
    return status, abs(time.time_ns() - status.st_ctime_ns) >= QUIET_NS


def _settled(before: os.stat_result, file: BinaryIO, path: Path) -> bool:
    try:
        now, there = os.fstat(file.fileno()), path.stat()
    except OSError:
        return False
    return _identity(before) == _identity(now) and (there.st_dev, there.st_ino) == (now.st_dev, now.st_ino)


def _refuse_large(size: int, most: int, name: str) -> None:
    if size > most:
        raise _refused(name, f"it has more than {most:,} bytes", "Make it smaller, or raise limits.file_size in sidecar.yml.")


def _restless(name: str) -> StillChanging:
    return StillChanging([_problem(name, "it keeps changing while it is read", "Wait for the program that writes it to finish.")])


def _refused(name: str, what: str, mend: str) -> ConfigError:
    return ConfigError([_problem(name, what, mend)])


def _problem(name: str, what: str, mend: str) -> Problem:
    return Problem(severity=Severity.ERROR, what=what, mend=mend, file=name, source="config")
