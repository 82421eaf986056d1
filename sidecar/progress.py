"""Progress for people on standard error: a live status on a terminal, plain lines elsewhere. Standard output stays for results."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from rich.console import Console
from rich.status import Status

from sidecar.model import Problem, Severity

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "dim"}


class Progress:
    """Says what is going on. Safe to call from the loop: it only writes short lines."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._console = Console(file=stream or sys.stderr, highlight=False, soft_wrap=True)
        self._quiet = quiet
        self._status: Status | None = None
        self._begun = time.monotonic()
        self._last = ""

    def step(self, text: str) -> None:
        """A longer step begins (or its wording changes)."""
        if self._quiet or text == self._last:
            return
        self._last = text
        if not self._console.is_terminal:
            self._console.print(f"[{time.monotonic() - self._begun:6.1f} s] {text}", markup=False)
        elif self._status is None:
            self._status = self._console.status(text)
            self._status.start()
        else:
            self._status.update(text)

    def say(self, text: str, style: str = "", *, always: bool = False) -> None:
        """A line that stays. ``always``: also for those who want no progress."""
        if always or not self._quiet:
            self._console.print(text, style=style or None, markup=False)

    def problem(self, problem: Problem) -> None:
        """A problem as ``severity file:line: what``, with its remedy on the next line."""
        where = f"{problem.place}: " if problem.place else ""
        wrong = problem.severity is Severity.ERROR
        self.say(f"{problem.severity.value:7} {where}{problem.what}", _STYLES[problem.severity], always=wrong)
        if problem.mend:
            self.say(f"        → {problem.mend}", "dim", always=wrong)

    def done(self) -> None:
        """The steps are over: the live status disappears."""
        if self._status is not None:
            self._status.stop()
            self._status = None
        self._last = ""
