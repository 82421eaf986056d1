"""What this user can see of the file system, without an error for what lies out of sight.

``Path.is_file`` and its kin raise PermissionError for a path below a directory that may not be entered (until Python 3.14, which
answers as these do). A path that somebody wrote into a config, or a link in it, may lead anywhere.
"""

from __future__ import annotations

import os
from pathlib import Path


def is_file(path: Path) -> bool:
    """Whether there is a regular file, links followed."""
    return os.path.isfile(path)  # noqa: PTH113 - see above


def is_dir(path: Path) -> bool:
    """Whether there is a directory, links followed."""
    return os.path.isdir(path)  # noqa: PTH112 - see above


def is_symlink(path: Path) -> bool:
    """Whether there is a link."""
    return os.path.islink(path)  # noqa: PTH114 - see above


def is_socket(path: Path) -> bool:
    """Whether there is a unix socket, links followed."""
    try:
        return path.is_socket()
    except OSError:
        return False


def exists(path: Path) -> bool:
    """Whether there is anything, links followed."""
    return os.path.exists(path)  # noqa: PTH110 - see above


def is_closed(path: Path) -> bool:
    """Whether this user may not even look whether there is anything."""
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return False
