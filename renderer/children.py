"""A child as its parent sees it, and the system calls about it."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
from collections import deque
from dataclasses import dataclass, field

from renderer.protocol import Decoder

READ = 64 * 1024
"""Bytes taken from a pipe at once."""

RANK = ("finished", "failed", "crashed", "deadline", "cancelled")
"""Outcomes, the worst last: a job's is the worst of its shards'."""

_FRAMES = ('  File "', "    ", "Current thread", "Thread 0x", "Extension modules")
"""Lines of a traceback that say where, not what: not kept to explain a crash."""


@dataclass
class Child:
    """One shard's process, as its parent sees it."""

    shard: int
    pid: int = 0
    report: int = -1
    output: int = -1
    started: float = 0.0
    decoder: Decoder = field(default_factory=Decoder)
    result: tuple[str, str] | None = None
    partial: bytes = b""
    printed: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    prints: int = 0
    heard: float = 0.0
    """When it last said something (time.monotonic)."""
    phase: tuple[str, str] = ("start", "")
    """Where it is, and where in there."""
    limit: str = ""
    """The limit that it was ended for."""
    ended: bool = False

    def lines(self, data: bytes) -> list[str]:
        """Lines completed by ``data`` from stdout or stderr (empty: its end). The last ones are kept to explain a crash."""
        *whole, self.partial = (self.partial + data).split(b"\n")
        if not data or len(self.partial) > READ:
            whole, self.partial = [*whole, self.partial], b""
        texts = [text for line in whole if (text := line.decode("utf-8", "replace").rstrip()[:4000])]
        self.printed += [text for text in texts if not text.startswith(_FRAMES)]
        return texts

    def conclude(self, how: str, ending: str) -> tuple[str, str]:
        """Outcome and detail, for good. ``how`` the process ended; ``ending`` is why it was killed, if it was."""
        printed = list(self.printed)[-3:]
        outcome, detail = self.result or ((ending, "") if ending else ("crashed", " / ".join([how, *printed])))
        if outcome not in RANK:
            outcome, detail = "crashed", f"unknown outcome {outcome}"
        elif outcome == "failed" and not detail:
            detail = " / ".join(["Kometa left before its end", *printed])
        self.result = outcome, detail
        return self.result


def take(descriptor: int) -> bytes | None:
    """What can be read now; empty at the end, None where there is nothing yet."""
    try:
        return os.read(descriptor, READ)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def readable(descriptor: int) -> bool:
    with selectors.DefaultSelector() as once:
        once.register(descriptor, selectors.EVENT_READ)
        return bool(once.select(0))


def kill(pid: int) -> None:
    """End a child and whatever it started. Only for a pid that is not reaped yet."""
    for send in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            send(pid, signal.SIGKILL)


def reap(pid: int) -> str | None:
    """Take in a child that ended, and end whatever it started; how it ended, None while it runs."""
    try:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        kill(pid)  # not reaped yet: its group's number is still its own
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return "it ended unseen"
    return how_ended(status)


def reap_orphans() -> None:
    """Take in what ended of the processes that came to this one, the first of its container, when their parents died."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def how_ended(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"the child left with status {code}"
    try:
        return f"the child was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"the child was ended by signal {-code}"
