"""What bounds a child besides the deadline of its job: silence, and memory. Its parent looks, a few times a second.

The memory is watched from outside and not bounded by the kernel (RLIMIT_AS, RLIMIT_DATA): Kometa catches what a refused allocation
raises, leaves an overlay out and uploads the picture without it. A child that takes too much is ended instead, and said.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TICK = 0.25
"""Seconds between two looks."""

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What each child of a job may have; None is no bound."""

    phase_deadline: float | None = None
    """Seconds without a sign of progress: a phase, an item, a line of the log."""
    memory: int | None = None
    """Bytes of memory of its own, what it shares with the worker by fork counted as well."""

    @property
    def any(self) -> bool:
        return self.phase_deadline is not None or self.memory is not None

    def passed(self, pid: int, silent: float, phase: tuple[str, str]) -> tuple[str, str, str] | None:
        """The name of the limit that the child ``pid`` passed, the outcome and what to tell; None while it is within all.

        ``silent`` is for how many seconds it has said nothing; ``phase`` the one it is in, and where in it.
        """
        if self.phase_deadline is not None and silent >= self.phase_deadline:
            name, where = phase
            place = f"{name} ({where})" if where else name
            return "phase_deadline", "deadline", f"no progress for {self.phase_deadline:g} s in the phase {place}"
        if self.memory is not None and (used := memory(pid)) > self.memory:
            return "memory", "crashed", f"it took {used // MIB} MiB of memory and may have {self.memory // MIB} MiB"
        return None


def memory(pid: int) -> int:
    """Bytes of memory that a process holds besides its files' (proc(5), statm); 0 where that cannot be told."""
    try:
        _size, resident, shared, *_ = map(int, Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return 0
    return max(0, resident - shared) * os.sysconf("SC_PAGE_SIZE")
