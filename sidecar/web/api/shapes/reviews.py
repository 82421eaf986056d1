"""Of reviewing."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from sidecar.review import Against, ReviewStatus, Verdict
from sidecar.web.api.shapes.base import Name, Shape, Text, Whole
from sidecar.web.api.shapes.runs import EditBrief, Picture

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels of this run's picture, from the upper left corner."""


class Difference(Shape):
    """How a picture differs from its reference, ignored regions and smoothed edges left out."""

    fraction: float = Field(description="Of the pixels that count.")
    pixels: Whole
    boxes: list[Box] = Field(description="x, y, width, height around what differs, largest first.")
    mask: Picture | None = Field(description="Opaque where the pictures differ.")
    resized: bool = Field(description="The reference has another size and was scaled.")


class TargetReview(Shape):
    """A target of a run against its reference."""

    target: Name
    status: ReviewStatus
    shown: Picture | None = Field(description="This run's picture: what approving makes the baseline.")
    reference: Picture | None
    against: Against | None = Field(description="The baseline, or the good run before while none is approved.")
    reference_run: Name | None
    difference: Difference | None
    threshold: float = Field(description="The fraction up to which it counts as unchanged.")
    ignored: list[Box]
    group: Name | None = Field(description="The same for targets whose change is alike.")


class Group(Shape):
    """One change on several targets."""

    id: Name
    title: Text
    targets: list[Name]


class FileEdit(Shape):
    """A file of the config that was edited. Secrets are masked."""

    path: Text
    kind: str = Field(description="added, removed or changed.")
    added: Whole = Field(description="Lines.")
    removed: Whole
    diff: Text = Field(description="Unified; empty for what is no text, or too long.")


class Edit(Shape):
    """What was edited since the good run before."""

    before: str = Field(description="Revision; empty for the first one.")
    after: str
    files: list[FileEdit]
    more: Whole = Field(description="Files left out.")


class Review(Shape):
    """A run compared with its references when it ended. Approving does not change it."""

    run: Name
    at: datetime
    previous: Name | None = Field(description="The good run before it.")
    counts: dict[str, int] = Field(description="Targets by status.")
    groups: list[Group]
    edit: Edit | None
    targets: list[TargetReview]


class Decision(Shape):
    """A person's word on one target's picture. Undone ones are kept."""

    batch: Name = Field(description="The same for all that was decided at once: what undo takes back.")
    target: Name
    verdict: Verdict
    picture: Picture
    run: Name
    who: Text
    at: datetime
    undone_by: Text | None
    undone_at: datetime | None


class Standing(Shape):
    """Where a target stands now."""

    target: Name
    baseline: Decision | None = Field(description="The approval that counts.")
    last: Decision | None = Field(description="The last word on it.")


class Baselines(Shape):
    """Of every target that was ever decided on."""

    baselines: list[Standing]


class Decisions(Shape):
    """Newest first."""

    decisions: list[Decision]


class Moment(Shape):
    """One picture in a target's past: the runs one after another that showed the same bytes."""

    picture: Picture
    before: Picture | None
    state: str
    run: Name = Field(description="The first of these runs.")
    last_run: Name
    runs: Whole
    started: datetime
    revision: str
    edit: EditBrief | None = Field(description="What was edited in the first run.")


class Timeline(Shape):
    """A target's pictures, newest first."""

    target: Name
    moments: list[Moment]


class Skipped(Shape):
    """A target that was left as it is."""

    target: Name
    reason: Text


class Decided(Shape):
    """What came of an approval, a rejection or an undo."""

    batch: Name | Literal[""] = Field(description="Empty where nothing was decided.")
    verdict: Verdict | None = Field(description="Null for an undo.")
    run: Name
    targets: list[Name] = Field(description="Those whose standing changed.")
    skipped: list[Skipped]
    newer: Name | Literal[""] = Field(description="The newest run with pictures, where ``run`` is older.")
