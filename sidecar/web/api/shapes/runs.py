"""Of runs and what is in them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from sidecar.model import PictureState, RunState, Severity
from sidecar.web.api.shapes.base import Name, Report, Sha256, Shape, Text, Whole
from sidecar.web.api.shapes.daemon import PartHealth


class EditBrief(Shape):
    """What was edited since the good run before, without its text."""

    files: list[Text] = Field(description="The first few paths.")
    more: Whole = Field(description="Files beyond these.")
    added: Whole = Field(description="Lines.")
    removed: Whole


class RunItem(Shape):
    """A run in a list. Counts are of targets, except ``blocked`` (requests kept from Plex)."""

    id: Name
    state: RunState
    reason: Text
    started: datetime
    seconds: float = Field(description="From the save, or the request, to the published result.")
    revision: str = Field(description="Of the config: sha256, or empty.")
    engine: str | None
    engine_version: Text | None
    rendered: Whole
    changed: Whole
    failed: Whole
    blocked: Whole
    errors: Whole
    warnings: Whole
    ended: datetime | None
    targets: Whole
    counts: dict[str, int] = Field(description="Targets by review status; empty where it was not compared.")
    edit: EditBrief | None


class Runs(Shape):
    """A page of runs, newest first."""

    runs: list[RunItem]
    next: Name | None = Field(description="Give this as ``before`` for the next page; null on the last one.")


class Engine(Shape):
    """Who drew."""

    kind: Text
    via: Text
    version: Text
    python: Text
    pillow: Text
    layout: Text = Field(description="Pillow's text layout: raqm or basic. It changes pixels.")
    network: Text
    speedups: dict[str, Text]


class Run(RunItem):
    """One run. Its targets, captures, problems and log are asked for by themselves."""

    renderer: Engine | None
    changed_targets: list[Name] = Field(description="Whose picture differs from the last good run's.")
    page: str = Field(description="Its page, from the gallery's root.")


class Picture(Shape):
    """A picture in the gallery."""

    sha256: Sha256
    url: str = Field(description="From the gallery's root. It never changes, and is there as long as a run or baseline shows it.")
    bytes: Whole
    media_type: str
    width: Whole | None
    height: Whole | None


class Problem(Shape):
    """What is wrong, where, and how to mend it."""

    severity: Severity
    what: Text
    mend: Text
    file: Text
    line: int | None
    source: str
    target: Name | None


class Problems(Shape):
    """Of a run."""

    run: Name
    problems: list[Problem]


class CurrentProblems(Shape):
    """Of now: the run that ended last, and the daemon's own parts."""

    run: Name | None
    problems: list[Problem]
    health: list[PartHealth] = Field(description="Parts that are not well.")


class Target(Shape):
    """One previewed item in one run."""

    id: Name
    server: str
    rating_key: int
    level: str = Field(description="movie, show, season, episode, ...")
    library: Text
    label: Text = Field(description="For people: Heat (1995), Dark S01E02 Lies.")
    title: Text
    year: int | None
    show: Text | None
    season: int | None
    episode: int | None
    why: Text = Field(description="Why it is previewed.")
    state: PictureState
    changed: bool = Field(description="Differs from the last good run's picture.")
    before: Picture | None = Field(description="The art that the overlays were drawn on.")
    after: Picture | None = Field(description="What Kometa would have uploaded to Plex, byte for byte.")
    overlays: list[Report] = Field(description="What the renderer reports to have applied.")
    left_out: list[Report] = Field(description="What it left out, and why.")
    problems: list[Problem]


class Targets(Shape):
    """Of a run."""

    run: Name
    targets: list[Target]


class Capture(Shape):
    """A picture that was kept from Plex."""

    target: Name
    label: Text
    picture: Picture


class Write(Shape):
    """A request that would have changed Plex, or something else, and did not leave the gateway."""

    number: Whole
    server: Text
    method: Text
    path: Text
    meaning: Text = Field(description="For people: add label Overlay to 101.")
    answered: int = Field(description="The status that the renderer was given.")
    expected: bool = Field(description="False for a request that no ordinary overlays run makes.")
    at: datetime


class Captures(Shape):
    """What a run tried to write: all pictures, and a page of requests."""

    run: Name
    pictures: list[Capture]
    writes: list[Write]
    next: Whole | None = Field(description="Give this as ``after`` for the next page of requests; null on the last one.")


class Line(Shape):
    """A line of Kometa's log."""

    number: int = Field(ge=1)
    level: Text = Field(description="TRACE, DEBUG, INFO, WARNING, ERROR or CRITICAL.")
    text: Text
    source: Text = Field(description="Kometa's file and line.")
    shard: int


class Log(Shape):
    """A part of a run's log."""

    run: Name
    lines: list[Line]
    next: Whole | None = Field(description="Give this as ``after`` to go on; null where there is no more.")
    live: bool = Field(description="The run goes on: ask again.")
