"""Files of the gallery: replaced atomically, linked where the disk allows it."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from sidecar.errors import StoreError

_NO_LINK: Final = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES, errno.ENOSYS})
"""``link(2)`` cannot here: another file system, one without links, or too many of them."""


def write_atomic(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Put ``data`` at ``path`` so that a reader sees the old file or the new one. ``durable`` also outlives a power cut.

    StoreError where the disk refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                os.fchmod(file.fileno(), 0o644)  # mkstemp makes 0600: a file server runs as another user
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:  # also when cancelled: never leave a part behind
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError(f"The gallery cannot be written: {path}: {error.strerror}") from error


def link_or_copy(source: Path, path: Path, sha256: str) -> None:
    """Make ``path`` hold what ``source`` holds, by hard link where possible. An existing ``path`` with the content ``sha256`` stays.

    Any other content is replaced: a power cut may have left a name without its bytes, and the store writes such a picture anew, as
    another file. FileNotFoundError where ``source`` is missing, StoreError where the disk refuses.
    """
    try:
        if path.exists():
            if not source.exists() or path.samefile(source) or hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
                return
            path.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        # The file itself, not a symlink to it: a gallery is copied and served without the store.
        os.link(source.resolve(strict=True), path)
    except FileExistsError:
        return
    except OSError as error:
        if error.errno == errno.ENOENT and not source.exists():
            raise FileNotFoundError(source) from error
        if error.errno not in _NO_LINK:
            raise StoreError(f"The gallery cannot be written: {path}: {error.strerror}") from error
        _copy(source, path)


def _copy(source: Path, path: Path) -> None:
    temporary = path.with_name(f".{path.name}.part")
    try:
        shutil.copyfile(source, temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"The gallery cannot be written: {path}: {error.strerror}") from error


def hashed_name(name: str, data: bytes) -> str:
    """``page.css`` -> ``page.1a2b3c4d5e.css``: a name that changes with its content may be cached for ever."""
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}.{hashlib.sha256(data).hexdigest()[:10]}{dot}{suffix}"
