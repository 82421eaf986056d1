"""The data directory as one file, and back: ``backup`` and ``restore``.

A tar.gz of what cannot be made again: the database (copied by SQLite's means, so that a running daemon is not disturbed),
pictures, revisions, the gallery and the runs' logs. Caches and working directories are left out. Nothing in it is secret.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Final

from sidecar import __version__
from sidecar.errors import StoreError
from sidecar.sight import exists, is_closed, is_file, is_symlink
from sidecar.store import copy_database, schema_of

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
DATABASE: Final = "state.db"
LOGS: Final = (f"{DATABASE}-wal", f"{DATABASE}-shm")
"""SQLite's own, beside the database: without it they would be taken for the restored one's."""
FOLDERS: Final = ("blobs", "revisions", "gallery", "logs")
_MARGIN: Final = 64 * 1024**2
"""Bytes that must stay free on the disk after a restore."""


@dataclass(frozen=True, slots=True)
class Archived:
    """What a backup holds, or a restore brought back."""

    place: Path
    files: int
    size: int
    """Bytes of the files, before compression."""
    replaced: Path | None = None
    """Where a restore put what was there before."""


def backup(data: Path, to: Path) -> Archived:
    """Write the archive ``to``, whole or not at all, readable by its owner only. StoreError where that cannot be. Blocks."""
    if is_closed(data / DATABASE):
        raise StoreError(f"{data} may not be read by this user (uid {os.geteuid()}): do it as the user that the daemon runs as")
    if not is_file(data / DATABASE):
        raise StoreError(f"there is nothing to back up in {data}: it has no {DATABASE}")
    part = to.with_name(f".{to.name}.part")
    files = size = 0
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=to.parent) as scratch:
            copy = Path(scratch) / DATABASE
            copy_database(data / DATABASE, copy)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                # Pictures are compressed already: more effort would only take longer.
                with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1, format=tarfile.PAX_FORMAT) as tar:
                    about = {"format": FORMAT, "version": __version__, "made": datetime.now(UTC).isoformat(timespec="seconds")}
                    _put(tar, MANIFEST, json.dumps(about).encode())
                    tar.add(copy, DATABASE)
                    for path in _files(data):
                        with contextlib.suppress(FileNotFoundError):  # cleared away meanwhile
                            tar.add(path, path.relative_to(data).as_posix(), recursive=False)
                            files, size = files + 1, size + path.stat().st_size
                file.flush()
                os.fsync(file.fileno())
        part.replace(to)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"no backup could be written to {to}: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return Archived(to, files + 1, size)


def restore(archive: Path, data: Path, *, force: bool = False) -> Archived:
    """Bring back what :func:`backup` wrote into ``data``, which nobody may be working in: take its lock first.

    What is there already is an error, or with ``force`` moved to ``data/replaced-...``. Everything is unpacked and checked
    before anything is moved. StoreError where the archive is damaged, foreign or newer. Blocks.
    """
    there = [name for name in (DATABASE, *LOGS, *FOLDERS) if exists(data / name)]
    if DATABASE in there and not force:
        raise StoreError(f"{data} has data already. With --force it is moved aside and replaced")
    try:
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=data) as scratch:
            fresh = Path(scratch)
            files, size = _unpack(archive, fresh)
            _check(fresh, archive)
            replaced = _move_aside(data, there) if there else None
            for name in (DATABASE, *FOLDERS):
                if exists(fresh / name):
                    (fresh / name).replace(data / name)
    except (OSError, EOFError, tarfile.TarError, sqlite3.Error, ValueError) as error:
        raise StoreError(f"{archive} cannot be restored into {data}: {error}") from error
    return Archived(archive, files, size, replaced)


def _files(data: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((data / folder).rglob("*")):
            if is_file(path) and not is_symlink(path) and "tmp" not in path.relative_to(data).parts[1:2]:
                yield path


def _put(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = len(content), int(time.time())
    tar.addfile(info, io.BytesIO(content))


def _unpack(archive: Path, into: Path) -> tuple[int, int]:
    """Only plain files below known names, so that no archive can write elsewhere. ValueError for any other."""
    files = size = 0
    room = shutil.disk_usage(into).free - _MARGIN
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            place = _place(member.name, into)
            if member.isdir():
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            if member.islnk():  # pictures that the gallery shares with the store
                shared = _place(member.linkname, into)
                try:
                    os.link(shared, place)
                except OSError:
                    shutil.copyfile(shared, place)
            elif member.isfile():
                size += member.size
                if size > room:
                    raise ValueError(f"it needs more than the {max(0, room) // 1024**2} MiB that are free")
                source = tar.extractfile(member)
                assert source is not None
                _write(source, place, member)
            else:
                raise ValueError(f"it holds something else than files: {member.name}")
            files += 1
        while tar.fileobj and tar.fileobj.read(1024**2):
            pass  # to the end, where the checksum stands
    return files - 1, size


def _place(name: str, into: Path) -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name or "\\" in name:
        raise ValueError(f"a name in it is not allowed: {name!r}")
    if name not in (MANIFEST, DATABASE) and path.parts[0] not in FOLDERS:
        raise ValueError(f"it is no backup of kometa-sidecar: it holds {name!r}")
    return into / path


def _write(source: IO[bytes], place: Path, member: tarfile.TarInfo) -> None:
    with place.open("xb") as file:
        shutil.copyfileobj(source, file, 1024**2)
    if place.stat().st_size != member.size:
        raise ValueError(f"{member.name} is cut off")
    place.chmod(member.mode & 0o644 | 0o600)
    os.utime(place, (member.mtime, member.mtime))


def _check(fresh: Path, archive: Path) -> None:
    try:
        about = json.loads((fresh / MANIFEST).read_bytes())
        kind, version = about["format"], about["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"it is no backup of kometa-sidecar ({archive.name} has no {MANIFEST})") from error
    known, ours = schema_of(fresh / DATABASE)
    if kind != FORMAT or known > ours:
        raise ValueError(f"kometa-sidecar {version} wrote it, which is newer than this one: install that version")


def _move_aside(data: Path, names: list[str]) -> Path:
    aside = data / f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    aside.mkdir()
    for name in names:
        (data / name).replace(aside / name)
    return aside
