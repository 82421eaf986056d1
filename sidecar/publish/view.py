"""What the gallery is told: the runs to show, what is in progress, and how the parts are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sidecar.model import EngineInfo, Health, Run, RunBrief
from sidecar.review import Decision, RunReview, Standing

__all__ = ["GalleryView", "RunBrief"]


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
    next_render: datetime | None = None
    """When the schedule renders without an edit; None where it does not."""
    reviews: Mapping[str, RunReview] = field(default_factory=dict)
    """By run id, of ``shown`` and ``latest``; a run that is missing has not been compared yet."""
    standings: Mapping[str, Standing] = field(default_factory=dict)
    """By ``Target.id``; a target that is missing was never decided on."""
    last_batch: tuple[Decision, ...] = ()
    """What undo would take back."""
