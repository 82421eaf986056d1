"""What a failing disk means, in words."""

from __future__ import annotations

import errno
import os


def disk_words(error: OSError, what: str) -> str:
    """One line for people: what could not be read or written, why, and how to mend it."""
    match error.errno:
        case errno.ENOSPC:
            why = "the disk is full: free some space, or lower what is kept"
        case errno.EDQUOT:
            why = "the disk quota is used up: free some space, or raise the quota"
        case errno.EROFS:
            why = "the file system is read-only: mount it writable, or choose another data directory"
        case errno.EACCES | errno.EPERM:
            why = f"this user (uid {os.getuid()}) may not: check the owner and the permissions of the data directory"
        case errno.ENOENT:
            why = "it is not there: was the data directory emptied or moved?"
        case errno.EIO:
            why = "the disk reports an input/output error: look at the system's log"
        case errno.EMFILE | errno.ENFILE:
            why = "too many files are open: raise the limit (ulimit -n)"
        case _:
            why = error.strerror or str(error)
    return f"cannot read or write {what}: {why}"
