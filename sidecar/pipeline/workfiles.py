"""Reads what a worker left in its working directories. The worker is not trusted: a link there may lead anywhere."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def read(root: Path, path: Path, most: int) -> bytes:
    """The ordinary file ``path``, which lies below ``root``, of ``most`` bytes at most. OSError for anything else.

    No link is followed below ``root``, not even one that is made meanwhile: the file that was opened is asked where it lies.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode) or about.st_size > most:
            raise OSError(f"{path.name} is no file of at most {most} bytes")
        opened = Path(f"/proc/self/fd/{handle}")
        real = opened.readlink() if opened.is_symlink() else path.resolve()
        if real != root.resolve() / path.relative_to(root):
            raise OSError(f"{path.name} lies elsewhere")
        return file.read(most)
