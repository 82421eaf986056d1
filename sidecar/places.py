"""Where the daemon keeps what: the data directory's layout, and the short-lived runtime directory for sockets."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sidecar.errors import InUse, StoreError

log = logging.getLogger(__name__)

_ANNOUNCED: Final = "daemon.json"
_PICTURE: Final = 4 * 1024**2
"""Bytes; a poster's PNG takes less."""


@dataclass(frozen=True, slots=True)
class Places:
    """Paths below one data directory; nothing is made before it is needed."""

    data: Path
    runtime: Path
    """Sockets: its path must be short (a unix socket's is at most 107 bytes)."""
    locks: tuple[int, ...] = ()
    """Descriptors of open lock files: one daemon or command at a time works in a data directory (and in an exchange)."""
    exchange: Path | None = None
    """The directory shared with a worker that runs elsewhere (sidecar/engine/remote.py)."""

    def release(self) -> None:
        """Lets others have the data directory."""
        for lock in self.locks:
            os.close(lock)

    @property
    def gallery(self) -> Path:
        return self.data / "gallery"

    @property
    def blobs(self) -> Path:
        return self.data / "blobs"

    @property
    def database(self) -> Path:
        return self.data / "state.db"

    @property
    def revisions(self) -> Path:
        return self.data / "revisions"

    @property
    def work(self) -> Path:
        """Kometa's working directories; emptied at each start."""
        return (self.exchange or self.data) / "work"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def cache(self) -> Path:
        return self.data / "cache"

    @property
    def socket(self) -> Path:
        """The gateway's."""
        return (self.exchange / "gateway" if self.exchange else self.runtime) / "gateway.sock"

    @property
    def kometa(self) -> Path:
        """What a worker elsewhere told of its Kometa (sidecar/engine/catalogue.py)."""
        return self.cache / "kometa"

    def announce(self, url: str) -> None:
        """Say in the data directory where this daemon listens, for commands beside it. StoreError."""
        path = self.data / _ANNOUNCED
        spare = path.with_suffix(".part")
        try:
            spare.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n", encoding="utf-8")
            spare.replace(path)
        except OSError as error:
            raise StoreError(f"the data directory {self.data} cannot be written: {error.strerror or error}") from error

    def fall_silent(self) -> None:
        """Take back what :meth:`announce` said."""
        (self.data / _ANNOUNCED).unlink(missing_ok=True)

    def clear_work(self) -> None:
        """Empty ``work``; the directory itself may be a mount point of the worker's."""
        if self.work.is_dir():
            for path in self.work.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


def address_of(data: Path) -> str:
    """Where the daemon that works in ``data`` listens, ``http://127.0.0.1:8420/``; empty where none says so."""
    try:
        told = json.loads((data / _ANNOUNCED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    url = told.get("url") if isinstance(told, dict) else None
    return url if isinstance(url, str) and re.fullmatch(r"http://[^\s/?#@]+/", url) else ""


def open_places(data: Path, env: Mapping[str, str], exchange: Path | None = None) -> Places:
    """Make the directories, and take the data directory (and the exchange) for this process. StoreError where that cannot be.

    Sockets go below systemd's ``$RUNTIME_DIRECTORY`` or ``$XDG_RUNTIME_DIR``, else into a private directory in /tmp.
    """
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o750)
        if not os.access(data, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
        base = (env.get("RUNTIME_DIRECTORY") or "").split(":")[0] or env.get("XDG_RUNTIME_DIR")
        parent = base if base and len(base) < 60 and os.access(base, os.W_OK) else None
        runtime = Path(tempfile.mkdtemp(prefix="ks-", dir=parent or "/tmp"))  # noqa: S108 - mkdtemp makes it private
    except OSError as error:
        raise StoreError(f"the data directory {data} cannot be used: {error.strerror or error}. Choose another with --data") from error
    locks: list[int] = []
    try:
        locks.append(_lock(data))
        _clear(data)
        if exchange is not None:
            _lay_out(exchange)
            locks.append(_lock(exchange))
        return Places(data=data, runtime=runtime, locks=tuple(locks), exchange=exchange)
    except BaseException:
        for lock in locks:
            os.close(lock)
        runtime.rmdir()
        raise


_SCRATCH: Final = (".probe-*", ".salvage-*", ".restore-*")
"""What a killed process may have left half done in the data directory."""


def _clear(data: Path) -> None:
    for pattern in _SCRATCH:
        for path in data.glob(pattern):
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def try_write(data: Path) -> int:
    """Write a little into the data directory, as far as the disk itself; returns the bytes free there.

    OSError where it refuses, or has no room for a picture: what a moment ago held a temporary file is no room.
    """
    handle, name = tempfile.mkstemp(prefix=".probe-", dir=data)
    try:
        os.write(handle, b"can this be written?" * 256)
        try:
            os.posix_fallocate(handle, 0, _PICTURE)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # not every file system reserves
                raise
        os.fsync(handle)
        disk = os.fstatvfs(handle)
    finally:
        os.close(handle)
        Path(name).unlink(missing_ok=True)
    return disk.f_bavail * disk.f_frsize


def _lay_out(exchange: Path) -> None:
    """The exchange's directories. ``worker`` may be there already, and be the worker's own."""
    try:
        for name in ("gateway", "worker", "work"):
            (exchange / name).mkdir(parents=True, exist_ok=True, mode=0o750)
    except OSError as error:
        what = f"the exchange {exchange} cannot be used: {error.strerror or error}"
        raise StoreError(f"{what}. Give this user the right to write it, or choose another with engine.exchange") from error


def _lock(data: Path) -> int:
    """Takes the file ``lock`` in ``data``. The kernel lets go of it when the process ends, however it ends."""
    try:
        lock = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        what = f"the data directory {data} cannot be used: {error.strerror or error}"
        with contextlib.suppress(OSError):
            owner = (data / "lock").stat().st_uid
            if owner != os.geteuid():
                raise StoreError(
                    f"{what}. It was made by user {owner}, this is user {os.geteuid()}: give it to this one (chown -R)"
                ) from error
        raise StoreError(f"{what}. Choose another with --data") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
    except BlockingIOError:
        who = os.read(lock, 20).decode("ascii", "replace").strip()
        os.close(lock)
        raise InUse(
            f"another kometa-sidecar (process {who or 'unknown'}) works in {data}. Stop it, or choose another directory with --data"
        ) from None
    except OSError as error:  # a file system without locks, such as some network shares
        log.warning("the data directory %s cannot be locked: %s", data, error.strerror or error)
    return lock
