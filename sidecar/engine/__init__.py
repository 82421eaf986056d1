"""Who draws: each engine takes a RenderJob and has its pictures uploaded to the gateway under the job's tokens.

``process``, ``container`` and ``socket`` differ only in who starts the worker; ``draft`` is built in and never Kometa's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sidecar.model import EngineEvent, EngineInfo, Outcome, RenderJob

Report = Callable[[EngineEvent], None]
"""Takes an engine's events as they come; called on the loop, must not block."""


class Engine(Protocol):
    """A renderer. One render at a time; the pipeline sees to that."""

    @property
    def starts(self) -> int:
        """How often a worker was started: all but the first were restarts."""
        ...

    @property
    def info(self) -> EngineInfo | None:
        """Who draws, once started; None before, and while the worker is away."""

    async def check(self) -> None:
        """Make sure that an idle worker answers; one that does not is given up, and had anew. Returns when that is known."""

    async def turned(self) -> None:
        """Returns at the next time that a worker is there or away again."""

    async def start(self) -> EngineInfo:
        """Get ready to render. EngineMissing, EngineMismatch or EngineAway where that cannot be."""

    async def render(self, job: RenderJob, report: Report) -> Outcome:
        """Render ``job``. Cancelling this task cancels the render within a second. EngineAway where the worker dies."""
        ...

    async def stop(self) -> None:
        """End the worker. Safe to call twice, or before start."""
