"""What the API asks the daemon. Everything is called on the loop; what is not ``async`` must not block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from sidecar.model import Health, LogLine, Problem, Run, RunBrief, RunState


class Source(Protocol):
    """What there is to know. StoreError where the disk or the database fails."""

    def status(self) -> Mapping[str, object]:
        """See ``shapes.Status``."""
        ...

    def health(self) -> Sequence[Health]:
        """Of every part."""
        ...

    def problems(self) -> Sequence[Problem]:
        """The daemon's own, of now, beside those of runs."""
        ...

    async def briefs(self, limit: int, before: str | None, state: RunState | None) -> Sequence[RunBrief]:
        """The newest, newest first; only those older than the run ``before``, only those in ``state``."""
        ...

    async def run(self, run_id: str) -> Run | None:
        """A run in full."""
        ...

    async def known(self, run_id: str) -> bool:
        """Whether there is such a run."""
        ...

    async def log(
        self, run_id: str, *, after: int, limit: int, wanted: Callable[[LogLine], bool]
    ) -> tuple[Sequence[tuple[int, LogLine]], int, bool]:
        """Lines and their numbers, the last number that was looked at, and whether more may come. ``run_id`` is a plain name."""
        ...

    async def log_grown(self, run_id: str, after: int) -> None:
        """Returns once there is a line after number ``after``, or none will come."""
        ...


class Actions(Protocol):
    """What people may ask the daemon for."""

    def render_now(self) -> None:
        """Render the config as it is, also where nothing changed."""
        ...

    async def cancel(self) -> bool:
        """End the render in progress; False where there is none."""
        ...
