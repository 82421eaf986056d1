"""Pictures by content: one file per sha256, written once, never changed.

``ROOT/ab/abcdef....webp``. A file under its own name is whole: bytes are written and synced elsewhere on the same file
system first, then renamed. A crash at any moment leaves at most a file in ``ROOT/tmp``, which ``prune`` clears.
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
from pathlib import Path
from typing import BinaryIO

from sidecar.errors import StoreError
from sidecar.model import Blob
from sidecar.store.disk import disk_words
from sidecar.store.pictures import Seen, look_at


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

    async def put(self, data: bytes, media_type: str = "") -> Blob:
        """Keep ``data``. The media type follows from its first bytes; ``media_type`` counts only where these say nothing.

        Nothing is decoded: a decompression bomb gets its width and height told, and it is the reader's to refuse it.
        StoreError where the disk is full, read-only or failing.
        """
        return await asyncio.to_thread(self._put, data, media_type)

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

    def _put(self, data: bytes, media_type: str) -> Blob:
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
            if not self._touch(path, len(data)):
                self._write(path, data)
        except OSError as error:
            raise StoreError(disk_words(error, f"a picture of {len(data)} bytes in {self.root}")) from error
        return blob

    def _touch(self, path: Path, size: int) -> bool:
        with self._lock:
            try:
                if path.stat().st_size != size:
                    return False
                os.utime(path)
            except FileNotFoundError:
                return False
            return True

    def _write(self, path: Path, data: bytes) -> None:
        spare = self.root / "tmp"
        spare.mkdir(parents=True, exist_ok=True)
        made = not path.parent.exists()
        path.parent.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(dir=spare)
        whole = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), 0o644)  # a plain file server may show the gallery's links to it
                os.fsync(file.fileno())
            with self._lock:
                whole.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                whole.unlink()
            raise
        _sync_directory(path.parent)
        if made:
            _sync_directory(self.root)

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
                        files, size = files + 1, size + status.st_size
        except OSError as error:
            raise StoreError(disk_words(error, f"old pictures in {self.root}")) from error
        return Pruned(files=files, size=size)


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
