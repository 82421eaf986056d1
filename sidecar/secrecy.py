"""Keeps this process's secrets from others of the same user, the worker above all: it knows Plex's token, they need not."""

from __future__ import annotations

import ctypes
import logging
import os
import sys

log = logging.getLogger(__name__)

_PR_SET_DUMPABLE = 4


def seal() -> bool:
    """Close /proc/PID/environ, mem, fd, root and core dumps to everybody but root (prctl(2), PR_SET_DUMPABLE); False where it cannot be.

    A worker that this process starts is not affected: executing a program opens its own again.
    """
    if not sys.platform.startswith("linux"):
        return False
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        log.warning("other processes of this user can look into this one: %s", os.strerror(ctypes.get_errno()))
        return False
    return True
