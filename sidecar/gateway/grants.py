"""Grants that are open now: a token opens what its grant names, as long as its run goes on. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

from sidecar.model import BlockedWrite, Capture, Grant, Problem

MAX_BLOCKED: Final = 10_000
"""Blocked writes told per grant; a renderer that runs wild must not fill the run's record."""


class Sink(Protocol):
    """Where a grant's run collects what the gateway kept. Called on the loop; must be quick."""

    def captured(self, capture: Capture) -> None:
        """An upload was kept."""

    def blocked(self, write: BlockedWrite) -> None:
        """A write (or a forbidden read) did not leave the gateway."""

    def note(self, problem: Problem) -> None:
        """Something that can change pixels or explain a failure; told once per grant."""


@dataclass(slots=True, eq=False)
class Lease:
    """An open grant and its sink."""

    grant: Grant
    sink: Sink
    open: bool = True
    told: set[tuple[str, str]] = field(default_factory=set)
    writes: int = 0

    def captured(self, capture: Capture) -> None:
        """Passed on while the grant is open: an ended run is immutable."""
        if self.open:
            self.sink.captured(capture)

    def blocked(self, *, server: str, method: str, path: str, meaning: str, answered: int, expected: bool) -> None:
        """Tells the sink of a kept write. ``path`` loses the grant's token wherever it stands."""
        self.writes += 1
        if self.open and self.writes <= MAX_BLOCKED:
            self.sink.blocked(
                BlockedWrite(
                    run_id=self.grant.run_id,
                    server=server,
                    method=method,
                    path=path.replace(self.grant.token, "[token]"),
                    meaning=meaning.replace(self.grant.token, "[token]"),
                    answered=answered,
                    at=datetime.now(UTC),
                    expected=expected,
                )
            )

    def note(self, problem: Problem) -> None:
        """Tells the sink of a problem, once."""
        mark = (problem.source, problem.what)
        if self.open and mark not in self.told:
            self.told.add(mark)
            self.sink.note(problem)


class Grants:
    """The registry. A token is known from ``open`` to ``close``; afterwards it is as unknown as any other text."""

    def __init__(self) -> None:
        self._leases: dict[str, Lease] = {}

    def open(self, grant: Grant, sink: Sink) -> None:
        """ValueError where the token is in use or too short to be a capability."""
        if len(grant.token) < 16:
            raise ValueError("a grant's token needs at least 16 characters")
        if grant.token in self._leases:
            raise ValueError("this grant is open already")
        self._leases[grant.token] = Lease(grant, sink)

    def close(self, token: str) -> None:
        """Ends a grant; requests under way tell their sink nothing more. Unknown tokens are no error."""
        lease = self._leases.pop(token, None)
        if lease:
            lease.open = False

    def find(self, token: str) -> Lease | None:
        """The open grant of ``token``. (A dict look-up: tokens are random, timing tells nothing of use.)"""
        return self._leases.get(token)

    def __len__(self) -> int:
        return len(self._leases)
