"""What the gallery is told: the runs to show, what is in progress, and how the parts are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sidecar.model import EngineInfo, Health, PictureState, Run, RunState
from sidecar.review import RunReview, Standing


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
            engine=run.engine,
            rendered=states.count(PictureState.RENDERED),
            changed=len(run.changed),
            failed=states.count(PictureState.FAILED),
            blocked=len(run.blocked),
            errors=run.errors,
            warnings=run.warnings,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryView:
    """Everything the gallery's first page is made from."""

    current: Run | None = None
    """The run in progress: its pictures replace the shown ones as they come."""
    shown: Run | None = None
    """The last good run: its pictures are shown."""
    latest: Run | None = None
    """The run that ended last; where it failed, its errors are on top and ``shown`` stays below."""
    history: tuple[RunBrief, ...] = ()
    """Newest first."""
    health: tuple[Health, ...] = ()
    engine: EngineInfo | None = None
    """Who would draw next; shown while there is no run."""
    config_dir: str = ""
    """Name of the watched directory, for people; not its path."""
    watching: bool = True
    """False where the gallery was made by a single render."""
    reviews: Mapping[str, RunReview] = field(default_factory=dict)
    """By run id, of ``shown`` and ``latest``; a run that is missing has not been compared yet."""
    standings: Mapping[str, Standing] = field(default_factory=dict)
    """By ``Target.id``; a target that is missing was never decided on."""
