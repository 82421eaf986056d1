"""Keeps the C library from holding on to what pictures took: after a run it is of use to others."""

from __future__ import annotations

import ctypes
import gc
from typing import Final

_M_ARENA_MAX: Final = -8
"""malloc.h: how many heaps there are at most. Of any but the first, malloc_trim gives the end back never."""


def one_heap() -> bool:
    """Have all threads share one heap; before there are threads. False where the C library knows no such thing (musl, macOS)."""
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1))
    except (OSError, AttributeError):
        return False


def give_back() -> bool:
    """Collect what nobody holds and return free pages to the system; False where that cannot be. Blocks for milliseconds."""
    gc.collect()
    try:
        trim = ctypes.CDLL(None).malloc_trim  # malloc_trim(3)
    except (OSError, AttributeError):
        return False
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    trim(0)
    return True
