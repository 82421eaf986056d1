"""Pictures by content: one file per sha256, written once, never changed.

``ROOT/ab/abcdef....webp``. A file under its own name is whole: bytes are written elsewhere on the same file system first,
then renamed. A crash at any moment leaves at most a file in ``ROOT/tmp``, which ``prune`` clears. Against a power cut files are
synced too (see ``Sync``); one that was not is not believed when the same bytes come again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import BinaryIO

from sidecar.errors import StoreError
from sidecar.model import Blob
from sidecar.store.disk import disk_words
from sidecar.store.pictures import Seen, look_at


class Sync(Enum):
    """When the disk must have a picture."""

    NOW = auto()
    LATER = auto()
    """At ``settle``, which comes before anything durable names it."""
    NEVER = auto()
    """Nothing durable ever does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What ``prune`` removed: number of files, and bytes."""

    files: int
    size: int


class Blobs:
    """The store's files. Safe to use from many tasks, and beside another process with the same ``root``."""

    def __init__(self, root: Path) -> None:
        """``root`` is made on the first write. Nothing is read or written here."""
        self.root = root
        self._lock = threading.Lock()
        """Keeps ``prune`` from taking a file that ``put`` just found to be there already."""
        self._settled: set[Path] = set()
        """What the disk is known to have; an earlier process may have ended before it made sure."""
        self._unsettled: set[Path] = set()

    async def put(self, data: bytes, media_type: str = "", *, sync: Sync = Sync.NOW) -> Blob:
        """Keep ``data``. The media type follows from its first bytes; ``media_type`` counts only where these say nothing.

        Nothing is decoded: a decompression bomb gets its width and height told, and it is the reader's to refuse it.
        StoreError where the disk is full, read-only or failing.
        """
        return await asyncio.to_thread(self._put, data, media_type, sync)

    async def settle(self) -> None:
        """Wait until the disk has all that was put with ``Sync.LATER``. StoreError where it is full or failing."""
        with self._lock:
            unsettled = set(self._unsettled)
        if unsettled:
            await asyncio.to_thread(self._settle, unsettled)

    def path(self, blob: Blob) -> Path:
        """Where ``blob`` lies; whether it does is not looked at."""
        return self.root / blob.sha256[:2] / blob.name

    def open(self, blob: Blob) -> BinaryIO:
        """The file, for reading. StoreError where it is gone. Blocks: not for the event loop."""
        try:
            return self.path(blob).open("rb")
        except OSError as error:
            raise StoreError(disk_words(error, f"the picture {blob.name}")) from error

    async def read(self, blob: Blob) -> bytes:
        """All of it. StoreError where it is gone, or its bytes are no longer those of its name."""
        return await asyncio.to_thread(self._read, blob)

    async def prune(self, keep: Collection[str], *, older_than: float = 3600.0) -> Pruned:
        """Remove what no sha256 in ``keep`` names, and left-overs of crashes, where the last ``put`` is ``older_than`` seconds ago.

        The age keeps safe what was put just now and is not yet in anybody's list.
        """
        return await asyncio.to_thread(self._prune, frozenset(keep), time.time() - older_than)

    def _put(self, data: bytes, media_type: str, sync: Sync) -> Blob:
        seen = look_at(data)
        if not seen.media_type and media_type and not media_type.startswith("image/"):
            seen = Seen(media_type=media_type)
        blob = Blob(
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
            media_type=seen.media_type or "application/octet-stream",
            width=seen.width,
            height=seen.height,
        )
        path = self.path(blob)
        try:
            if not self._touch(path, data):
                self._write(path, data)
            with self._lock:
                unsure = path not in self._settled
                if unsure and sync is Sync.LATER:
                    self._unsettled.add(path)
            if unsure and sync is Sync.NOW:
                self._settle({path})
        except OSError as error:
            raise StoreError(disk_words(error, f"a picture in {self.root}")) from error
        return blob

    def _settle(self, paths: set[Path]) -> None:
        try:
            for path in paths:
                with contextlib.suppress(FileNotFoundError):  # pruned meanwhile: nobody names it
                    _sync(path, os.O_RDONLY)
            for directory in {path.parent for path in paths} | {self.root}:
                _sync(directory, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            with self._lock:
                self._unsettled |= paths
            raise StoreError(disk_words(error, f"pictures in {self.root}")) from error
        with self._lock:
            self._unsettled -= paths
            self._settled |= paths

    def _touch(self, path: Path, data: bytes) -> bool:
        """Is it there? Read rather than believed: a power cut may have left another content under the name."""
        with self._lock:
            try:
                if path.stat().st_size != len(data) or path.read_bytes() != data:
                    return False
                os.utime(path)
            except FileNotFoundError:
                return False
            return True

    def _write(self, path: Path, data: bytes) -> None:
        spare = self.root / "tmp"
        spare.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(dir=spare)
        whole = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), 0o644)  # a plain file server may show the gallery's links to it
            with self._lock:
                whole.replace(path)
                self._settled.discard(path)
        except BaseException:
            with contextlib.suppress(OSError):
                whole.unlink()
            raise

    def _read(self, blob: Blob) -> bytes:
        try:
            data = self.path(blob).read_bytes()
        except OSError as error:
            raise StoreError(disk_words(error, f"the picture {blob.name}")) from error
        if hashlib.sha256(data).hexdigest() != blob.sha256:
            raise StoreError(f"the picture {self.path(blob)} is damaged: its bytes are not those it was stored with")
        return data

    def _prune(self, keep: frozenset[str], before: float) -> Pruned:
        files = size = 0
        try:
            for path in self.root.glob("*/*"):
                if path.parent.name != "tmp" and path.stem in keep:
                    continue
                with self._lock, contextlib.suppress(FileNotFoundError):
                    status = path.lstat()
                    if status.st_mtime < before:
                        path.unlink()
                        self._settled.discard(path)
                        files, size = files + 1, size + status.st_size
        except OSError as error:
            raise StoreError(disk_words(error, f"old pictures in {self.root}")) from error
        return Pruned(files=files, size=size)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
