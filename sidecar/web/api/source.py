"""What the API asks the daemon. Everything is called on the loop; what is not ``async`` must not block."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from sidecar.model import Health, LogLine, Problem, Run, RunBrief, RunState
from sidecar.review import Decided, Decision, Moment, RunReview, Standing


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

    async def review(self, run_id: str) -> RunReview | None:
        """The run compared with its references; None where it was not (yet)."""
        ...

    async def standings(self) -> Mapping[str, Standing]:
        """Where each target stands that was ever decided on."""
        ...

    async def decisions(self, target_id: str, limit: int) -> Sequence[Decision]:
        """Newest first; of all targets where ``target_id`` is empty."""
        ...

    async def timeline(self, target_id: str, limit: int) -> Sequence[Moment]:
        """The target's pictures, newest first."""
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


class Reviewing(Protocol):
    """Takes what people decide of pictures. ``who`` is for people.

    NotThere: no such run, target, group or batch. ReviewError: not now. StoreError.
    """

    async def approve(self, run_id: str = "", targets: Collection[str] | None = None, group: str = "", *, who: str) -> Decided:
        """Make a run's pictures baselines. ``run_id`` empty: of the newest with pictures; ``targets`` None: of all."""
        ...

    async def reject(self, run_id: str = "", targets: Collection[str] | None = None, group: str = "", *, who: str) -> Decided:
        """Say that these pictures are not wanted."""
        ...

    async def undo(self, batch: str = "", *, who: str) -> Decided:
        """Take back what was decided at once; empty: the last."""
        ...


class Telling(Protocol):
    """Who is notified, and of what. StoreError."""

    async def status(self, limit: int) -> Mapping[str, object]:
        """See ``shapes.Notifications``."""
        ...

    async def replay(self, letter_ids: Sequence[str] | None) -> int:
        """Send given-up messages again; None: all. How many there are."""
        ...

    async def test(self, name: str) -> Mapping[str, str]:
        """Send a test to that destination, or to all; by name, what went wrong, or empty. KeyError for an unknown one."""
        ...
