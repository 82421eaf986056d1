"""One attempt to render, and its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from sidecar.model.engine import EngineInfo
from sidecar.model.gateway import Blob, BlockedWrite
from sidecar.model.plan import Target
from sidecar.model.words import Problem, Severity


class RunState(StrEnum):
    """Where a run is. The last five are final."""

    PLANNING = "planning"
    RENDERING = "rendering"
    DONE = "done"
    FAILED = "failed"
    INVALID = "invalid"
    """The config does not parse or validate: nothing was rendered."""
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self not in (RunState.PLANNING, RunState.RENDERING)


class PictureState(StrEnum):
    """What became of one target in one run."""

    WAITING = "waiting"
    RENDERED = "rendered"
    UNTOUCHED = "untouched"
    """Kometa ran and had no overlay for it."""
    REUSED = "reused"
    """Carried over from the last good run: nothing that decides its pixels changed."""
    FAILED = "failed"
    GONE = "gone"
    """The target is no longer on the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One target's before and after in one run."""

    target: Target
    state: PictureState
    before: Blob | None = None
    """The art that the overlays were drawn on."""
    after: Blob | None = None
    """Kometa's upload, byte for byte."""
    problems: tuple[Problem, ...] = ()
    overlays: tuple[Mapping[str, object], ...] = ()
    left_out: tuple[Mapping[str, object], ...] = ()
    source: str = ""
    """What it comes from, in hashes (see ``pipeline.reuse``); empty where nobody can tell."""
    reason: str = ""
    """For people: why it was rendered in this run, or not."""
    rendered: datetime | None = None
    run: str = ""
    """Of a reused picture: the run that rendered it."""
    quick: Blob | None = None
    """While the run is at it: what the exact picture will look like. Never a result."""

    @property
    def shown(self) -> Blob | None:
        """What people are shown as the result: the upload, or the bare art where no overlay applies. None where there is no result."""
        bare = self.state in (PictureState.UNTOUCHED, PictureState.REUSED)
        return self.after or (self.before if bare else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One attempt to render a revision; immutable once its state is final."""

    id: str
    """Sorts by time: ``20261121T005300-1a2b3c``."""
    state: RunState
    reason: str
    started: datetime
    revision: str = ""
    engine: EngineInfo | None = None
    ended: datetime | None = None
    seconds: float = 0.0
    """From the save (or the request) to the published result."""
    pictures: tuple[Picture, ...] = ()
    blocked: tuple[BlockedWrite, ...] = ()
    problems: tuple[Problem, ...] = ()
    changed: tuple[str, ...] = ()
    """``Target.id`` of pictures whose ``after`` differs from the last good run's."""

    @property
    def errors(self) -> int:
        return sum(problem.severity is Severity.ERROR for problem in self.problems)

    @property
    def warnings(self) -> int:
        return sum(problem.severity is Severity.WARNING for problem in self.problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditBrief:
    """An edit of the config without its text."""

    files: tuple[str, ...] = ()
    """The first few paths."""
    more: int = 0
    """Files beyond these."""
    added: int = 0
    """Lines."""
    removed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBrief:
    """One line of the history: a run without its pictures. Counts are of targets, except ``blocked`` (requests)."""

    id: str
    state: RunState
    started: datetime
    reason: str = ""
    seconds: float = 0.0
    """From the save (or the request) to the published result."""
    revision: str = ""
    engine: EngineInfo | None = None
    rendered: int = 0
    changed: int = 0
    failed: int = 0
    blocked: int = 0
    errors: int = 0
    warnings: int = 0
    ended: datetime | None = None
    targets: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    """Of the run's review, by ``ReviewStatus``; empty where it was not compared (yet)."""
    edit: EditBrief | None = None
    """What was edited since the good run before it; known with the review."""

    @classmethod
    def of(cls, run: Run) -> RunBrief:
        """The brief of ``run``."""
        states = [picture.state for picture in run.pictures]
        return cls(
            id=run.id,
            state=run.state,
            started=run.started,
            reason=run.reason,
            seconds=run.seconds,
            revision=run.revision,
            engine=replace(run.engine, speedups={}) if run.engine else None,
            ended=run.ended,
            targets=len(states),
            rendered=states.count(PictureState.RENDERED),
            changed=len(run.changed),
            failed=states.count(PictureState.FAILED),
            blocked=len(run.blocked),
            errors=run.errors,
            warnings=run.warnings,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Is a part well? ``since`` is when it entered this state."""

    part: str
    """plex, worker, config, disk."""
    ok: bool
    detail: str = ""
    since: datetime | None = None
