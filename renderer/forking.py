"""The fork itself: a child of the warm worker for one order, with two pipes back."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from renderer import cage, run
from renderer.warm import Kometa


class Forker:
    """Makes children of this process. Called by the server, which owns what is open here."""

    def __init__(self, kometa: Kometa, guard: cage.Guard) -> None:
        self._kometa = kometa
        self._guard = guard

    def __call__(self, order: run.Order, leave: Callable[[], None]) -> tuple[int, int, int]:
        """Fork. In the parent: pid, report pipe, output pipe. In the child: ``leave``, then the run; never returns."""
        parent = os.getpid()
        report, report_in = os.pipe()
        try:
            output, output_in = os.pipe()
        except OSError:
            os.close(report)
            os.close(report_in)
            raise
        try:
            pid = os.fork()
        except OSError:
            for descriptor in (report, report_in, output, output_in):
                os.close(descriptor)
            raise
        if pid == 0:
            try:
                os.setpgid(0, 0)  # a group of its own: cancel kills whatever it starts
                cage.die_with(parent)
                leave()
                os.close(report)
                os.close(output)
                run.child(self._kometa, self._guard, order, report_in, output_in)
            finally:
                os._exit(70)
        os.close(report_in)
        os.close(output_in)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # here too: cancel may come before the child's first step
        return pid, report, output
