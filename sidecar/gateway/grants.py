"""Grants that are open now: a token opens what its grant names, as long as its run goes on. No I/O."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Protocol

from sidecar.model import BlockedWrite, Capture, Grant, Problem, Scope

MAX_BLOCKED: Final = 10_000
"""Blocked writes told per grant; a renderer that runs wild must not fill the run's record."""
MAX_NOTES: Final = 1_000
"""Problems told per grant: their texts name hosts, of which a renderer can make up any number."""
LONGEST: Final = 2_000
"""Characters of an address, and of its meaning, in a run's record; Kometa's longest edits have about 1,000."""
MAX_UPLOADS: Final = 10_000
MAX_UPLOADED: Final = 4 * 1024**3
"""Uploads of one grant, and their bytes: a renderer that runs wild must not fill the disk. A poster of Kometa's has 0.3 to 2 MB."""
SCOPES: Final = 16
"""Scopes that are known again: the next run's is mostly the same, and what was found out of one object is found at once."""
AT_ONCE: Final = 4
"""Request bodies of one grant in memory at a time."""


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
    uploads: int = 0
    uploaded: int = 0
    bodies: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def takes(self, size: int) -> bool:
        """Whether one more upload of ``size`` bytes is taken; then it counts."""
        if self.uploads >= MAX_UPLOADS or self.uploaded + size > MAX_UPLOADED:
            return False
        self.uploads += 1
        self.uploaded += size
        return True

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
                    path=_short(path.replace(self.grant.token, "[token]")),
                    meaning=_short(meaning.replace(self.grant.token, "[token]")),
                    answered=answered,
                    at=datetime.now(UTC),
                    expected=expected,
                )
            )

    def note(self, problem: Problem) -> None:
        """Tells the sink of a problem, once."""
        mark = (problem.source, problem.what)
        if self.open and mark not in self.told and len(self.told) < MAX_NOTES:
            self.told.add(mark)
            self.sink.note(problem)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _itself(scope: Scope) -> Scope:
    return scope


class Grants:
    """The registry. A token is known from ``open`` to ``close``; afterwards it is as unknown as any other text."""

    def __init__(self) -> None:
        self._leases: dict[str, Lease] = {}
        self._known = lru_cache(maxsize=SCOPES)(_itself)

    def open(self, grant: Grant, sink: Sink) -> None:
        """ValueError where the token is in use or too short to be a capability."""
        if len(grant.token) < 16:
            raise ValueError("a grant's token needs at least 16 characters")
        if grant.token in self._leases:
            raise ValueError("this grant is open already")
        scopes = {server: self._known(scope) for server, scope in grant.scopes.items()}
        self._leases[grant.token] = Lease(replace(grant, scopes=scopes), sink)

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
