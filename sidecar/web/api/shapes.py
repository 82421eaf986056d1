"""What goes over the wire: every answer and every question of the API, as pydantic models. The OpenAPI document is made of them.

``Text`` is for words from elsewhere (titles, log lines, reasons): known secrets are masked in it on the way out. A field that
is a plain ``str`` holds a word of our own: ids, states, hashes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, SerializationInfo, StringConstraints

from sidecar.model import PictureState, RunState, Severity
from sidecar.review import Against, ReviewStatus, Verdict

Redact = Callable[[str], str]

NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
"""Ids of runs, targets, groups and batches: nothing that could lead anywhere as a path."""


def _out(text: str, info: SerializationInfo) -> str:
    redact: Redact = (info.context or {})["redact"]
    return redact(text).encode("utf-8", "replace").decode()


def _out_of(value: Any, info: SerializationInfo) -> Any:
    """A worker's report may hold anything that JSON can."""
    match value:
        case str():
            return _out(value, info)
        case Mapping():
            return {_out(str(key), info): _out_of(item, info) for key, item in value.items()}
        case list() | tuple():
            return [_out_of(item, info) for item in value]
        case None | bool() | int() | float():
            return value
        case _:
            return _out(str(value), info)


def _digits(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,9}", value):
        raise ValueError("it is not a number of at most nine digits")
    return value


Text = Annotated[str, PlainSerializer(_out, return_type=str)]
Report = Annotated[dict[str, Any], PlainSerializer(_out_of, return_type=dict[str, Any])]
Name = Annotated[str, StringConstraints(pattern=f"^{NAME}$")]
NameOrNone = Annotated[str, StringConstraints(pattern=f"^({NAME})?$")]
Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Whole = Annotated[int, Field(ge=0)]
Asked = Annotated[int, BeforeValidator(_digits)]
"""A number in a query."""


class Shape(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class Question(BaseModel):
    """A query or a body."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Body(Question):
    """JSON, taken at its word: "1" is no number."""

    model_config = ConfigDict(strict=True)


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────


class Fault(Shape):
    """What went wrong."""

    code: str = Field(description="For programs: not_found, bad_request, login_needed, ...")
    message: Text = Field(description="For people.")


class Error(Shape):
    """Every answer from 400 up."""

    error: Fault


class PartHealth(Shape):
    """Is a part well?"""

    part: str = Field(description="plex, worker, config, disk, ...")
    ok: bool
    detail: Text
    since: datetime | None = Field(None, description="When it entered this state.")


class ChoreRun(Shape):
    """The last time that a job was done."""

    model_config = ConfigDict(extra="ignore")

    at: datetime
    seconds: float
    ok: bool
    says: Text


class Job(Shape):
    """What is done by itself."""

    model_config = ConfigDict(extra="ignore")

    job: str
    cron: str | None = Field(description="Null where it is switched off.")
    next: datetime | None
    last: ChoreRun | None


class Schedule(Shape):
    """What is done by itself, and when."""

    model_config = ConfigDict(extra="ignore")

    time_zone: str
    jobs: list[Job]


class Status(Shape):
    """What the daemon is doing."""

    model_config = ConfigDict(extra="ignore")

    version: str
    config: Text = Field(description="Name of the watched directory.")
    engine: str | None = Field(description="kometa, or draft for the built-in compositor.")
    engine_version: Text | None
    rendering: Name | None = Field(description="The run in progress.")
    waiting: bool = Field(description="A change is kept for when Plex or the worker is back.")
    shown: Name | None = Field(description="The last good run.")
    latest: Name | None = Field(description="The run that ended last.")
    polling: bool = Field(description="Files are looked at by the clock, since the file system tells of no changes.")
    health: list[PartHealth]
    schedule: Schedule | None = None
    gateway: dict[str, int] = Field(description="Counts since the start: forwarded, answered, captured, blocked, refused, ...")


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


class RenderAsked(Shape):
    """The render begins as soon as the one before it is planned."""

    asked: bool


class Cancelled(Shape):
    """What came of asking to cancel."""

    cancelled: bool = Field(description="False where nothing was being rendered.")


# ── notifications ────────────────────────────────────────────────────────────────────────────────────────

LetterId = Annotated[str, StringConstraints(pattern="^[!-~]{1,200}$")]


class Destination(Shape):
    """Someone who is told. Never the address, which may be a secret."""

    name: Name
    kind: Name = Field(description="discord, webhook, slack, ntfy, gotify, apprise-api or apprise.")
    well: bool
    closed: Text | None = Field(description="Why nothing is sent until somebody mends it.")
    closed_since: datetime | None
    trouble: Text | None = Field(description="What the last tries met.")
    pending: Whole
    claimed: Whole
    sent: Whole
    dead: Whole
    dropped: Whole


class Letter(Shape):
    """One message to one destination."""

    id: LetterId
    destination: Name
    event: NameOrNone
    title: Text
    state: Literal["pending", "claimed", "sent", "dead", "dropped"]
    attempts: Whole
    created: datetime
    next_try: datetime | None
    error: Text | None


class Notifications(Shape):
    """Who is told, and what."""

    destinations: list[Destination]
    letters: list[Letter] = Field(description="Newest first.")


class Replayed(Shape):
    """Messages that are sent again."""

    replayed: Whole


class TestResult(Shape):
    """Whether a test arrived."""

    __test__ = False  # pytest takes the name for a test's

    destination: Name
    ok: bool
    error: Text | None


class Tested(Shape):
    """By destination."""

    results: list[TestResult]


# ── reviewing ────────────────────────────────────────────────────────────────────────────────────────────

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


# ── questions ────────────────────────────────────────────────────────────────────────────────────────────


class RunsQuery(Question):
    """Which runs."""

    limit: Asked = Field(50, ge=1, le=200, description="Runs on a page.")
    before: Name | None = Field(None, description="A run's id: only older ones.")
    state: RunState | None = Field(None, description="Only runs in this state.")


class PageQuery(Question):
    """Which part of a long list."""

    after: Asked = Field(0, ge=0, le=999_999_999, description="Only what has a higher number.")
    limit: Asked = Field(500, ge=1, le=2000, description="At most so many.")


class FollowQuery(Question):
    """Which lines."""

    level: Annotated[str, StringConstraints(pattern="^(TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL)$")] = Field(
        "TRACE", description="This level and those above it."
    )
    q: Annotated[str, StringConstraints(max_length=200)] = Field("", description="Only lines with this text, in capitals or not.")


class LogQuery(FollowQuery, PageQuery):
    """Which lines, and which part of them."""


class DecisionsQuery(Question):
    """Which decisions."""

    target: Name | None = Field(None, description="Only of this target.")
    limit: Asked = Field(50, ge=1, le=1000, description="At most so many.")


class TimelineQuery(Question):
    """How much of the past."""

    limit: Asked = Field(200, ge=1, le=1000, description="At most so many pictures.")


Who = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{0,100}$")]


class Judgement(Body):
    """What is approved or rejected: all that differs, a group, or some targets. All may be left out."""

    run: NameOrNone = Field("", description="A run's id; empty for the newest with pictures.")
    targets: list[Name] | None = Field(None, description="Only these; null for all.")
    group: NameOrNone = Field("", description="Only those of this group.")
    who: Who = Field("", description="By whom, for people; by default how the request came in.")


class NotificationsQuery(Question):
    """How many messages."""

    limit: Asked = Field(50, ge=1, le=500, description="At most so many messages.")


class Replay(Body):
    """What is sent again."""

    letters: list[LetterId] | None = Field(None, description="Only these; null for all that were given up.")


class TestWanted(Body):
    """Who is sent a test."""

    __test__ = False  # pytest takes the name for a test's

    destination: NameOrNone = Field("", description="Its name; empty for all.")


class Undo(Body):
    """What is taken back."""

    batch: NameOrNone = Field("", description="What was decided at once; empty for the last.")
    who: Who = Field("", description="By whom, for people; by default how the request came in.")


def dump(shape: Shape, redact: Redact) -> bytes:
    """``shape`` as JSON, its texts redacted and fit for UTF-8."""
    return shape.model_dump_json(context={"redact": redact}).encode()
