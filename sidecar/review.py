"""The words of reviewing: how a run's pictures differ from what was approved, and what people decided of them.

    Run -> RunReview (computed once per run, never changed after) -> Decision (a person's, undoable) -> baseline

Nothing here does I/O. Fractions are 0 to 1; boxes are x, y, width, height in pixels of this run's picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sidecar.model import Blob, EditBrief, Target

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels, from the upper left corner."""


class ReviewStatus(StrEnum):
    """What a run made of one target, seen against its reference. The first that fits, in this order."""

    FAILED = "failed"
    """Kometa drew no picture of it."""
    GONE = "gone"
    """No longer on the server."""
    NEW = "new"
    """There is nothing to compare it with."""
    CHANGED = "changed"
    """It differs from its reference by more than its threshold."""
    REUSED = "reused"
    """Carried over from an earlier run without drawing, and no different from its reference."""
    UNCHANGED = "unchanged"
    """Drawn, and no different from its reference (or by no more than its threshold)."""


class Against(StrEnum):
    """Where a reference comes from."""

    BASELINE = "baseline"
    """The picture approved last."""
    PREVIOUS = "previous"
    """The last good run's: nobody has approved one yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How two pictures differ, anti-aliased edges and ignored regions left out."""

    fraction: float
    """Of the pixels that count."""
    pixels: int
    """How many differ."""
    boxes: tuple[Box, ...] = ()
    """Around each connected region that differs, largest first; near ones merged."""
    mask: Blob | None = None
    """A PNG of this run's size: opaque where the pictures differ, transparent elsewhere. None where nothing differs."""
    print: str = ""
    """A coarse map of where they differ, to find equal changes on other posters; hex."""
    resized: bool = False
    """The reference has another size and was scaled to this run's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetReview:
    """One target of one run, as it was compared when the run ended."""

    target: str
    """``Target.id``."""
    status: ReviewStatus
    shown: Blob | None = None
    """This run's picture: Kometa's upload, or the bare art where no overlay applies. What approving makes the baseline."""
    reference: Blob | None = None
    against: Against | None = None
    reference_run: str = ""
    """The run that the reference was approved in, or that it comes from."""
    reference_engine: str = ""
    """Who drew the reference: kometa, or draft."""
    comparison: Comparison | None = None
    """None where there is nothing to compare; a fraction of 0 for equal pictures."""
    threshold: float = 0.0
    """The fraction up to which this target counts as unchanged."""
    ignored: tuple[Box, ...] = ()
    """Regions left out of the comparison."""
    group: str = ""
    """The same for targets of this run whose change is alike; empty where no other is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewGroup:
    """One change on several targets: "the same change on 7 posters"."""

    id: str
    targets: tuple[str, ...]
    """``Target.id``, in the run's order; two or more."""
    title: str = ""
    """What the renderer reported to differ, for people: "adds 4K; drops HDR". Empty where it told nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEdit:
    """One file of the config that differs between two revisions. Secrets are masked."""

    path: str
    """As its owner knows it, below the config directory where it lies inside."""
    kind: str
    """added, removed or changed."""
    added: int = 0
    """Lines; 0 for files that are no text."""
    removed: int = 0
    diff: str = ""
    """Unified; empty for files that are no text, and where it would be too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What was edited between two revisions."""

    before: str
    """Revision id; empty for the first one."""
    after: str
    files: tuple[FileEdit, ...] = ()
    more: int = 0
    """Files left out of ``files``."""

    @property
    def brief(self) -> EditBrief:
        """This edit without its text, and with the first few paths only."""
        return EditBrief(
            files=tuple(file.path for file in self.files[:8]),
            more=self.more + max(0, len(self.files) - 8),
            added=sum(file.added for file in self.files),
            removed=sum(file.removed for file in self.files),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReview:
    """A run's pictures compared with what was approved when it ended. Kept with the run; approving does not change it."""

    run_id: str
    at: datetime
    previous: str = ""
    """The good run before it; empty for the first one."""
    targets: tuple[TargetReview, ...] = ()
    groups: tuple[ReviewGroup, ...] = ()
    edit: Edit | None = None
    """From ``previous``'s revision to this run's."""

    @property
    def counts(self) -> dict[str, int]:
        """How many targets by status; every status is there."""
        found = [review.status for review in self.targets]
        return {status.value: found.count(status) for status in ReviewStatus}

    def of(self, target_id: str) -> TargetReview | None:
        return next((review for review in self.targets if review.target == target_id), None)


class Verdict(StrEnum):
    """What a person decided of a picture."""

    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A person's word on one target's picture. Never removed; ``undone`` ones no longer count."""

    batch: str
    """The same for all targets decided at once: what undo takes back. Sorts by time."""
    target: str
    """``Target.id``."""
    verdict: Verdict
    blob: Blob
    run_id: str
    who: str
    at: datetime
    engine: str = "kometa"
    """Who drew the picture: kometa, or draft."""
    undone_by: str = ""
    undone_at: datetime | None = None

    @property
    def undone(self) -> bool:
        return self.undone_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one target stands now: its baseline, and the last word on it."""

    target: str
    baseline: Decision | None = None
    """The approval that counts."""
    last: Decision | None = None
    """The newest decision that was not undone; equal to ``baseline`` or a rejection after it."""

    def verdict_on(self, blob: Blob | None) -> Verdict | None:
        """What was decided of this very picture; None: pending."""
        if blob is None:
            return None
        if self.last is not None and self.last.blob.sha256 == blob.sha256:
            return self.last.verdict
        return Verdict.APPROVED if self.baseline is not None and self.baseline.blob.sha256 == blob.sha256 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The answer to an approval, a rejection or an undo."""

    batch: str
    """Empty where nothing was decided."""
    verdict: Verdict | None
    """None for an undo."""
    run_id: str
    targets: tuple[str, ...] = ()
    """Those whose standing changed."""
    skipped: tuple[tuple[str, str], ...] = ()
    """``Target.id`` and why: "no different from its baseline", "it has no picture in this run"."""
    newer: str = ""
    """The newest run with pictures, where ``run_id`` is older: what was decided may be out of date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One picture in a target's history: the runs one after another that showed the same bytes."""

    blob: Blob
    state: str
    """``PictureState``."""
    run_id: str
    """The first of these runs: the edit that made it."""
    started: datetime
    revision: str
    runs: int
    """How many showed it before the next change."""
    last_run: str
    before: Blob | None = None
    """The bare art under it."""
    edit: EditBrief | None = None
    """What was edited in its first run."""
    engine: str = ""
    """Who drew it: kometa, or draft."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One target's past, for its published file."""

    target: Target
    moments: tuple[Moment, ...]
    """Newest first."""
    decisions: tuple[Decision, ...]
    """Newest first, undone ones too."""
