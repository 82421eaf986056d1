"""The words that travel between the stages: one frozen dataclass per hop.

    watch -> Revision -> RenderJob -> engine -> Capture -> Run -> publish -> notify

Nothing here does I/O. Times are aware ``datetime`` in UTC, durations are seconds (float), sizes are bytes,
picture sizes are pixels, hashes are lower-case sha256 hex.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import SecretStr

DEFAULT_SERVER: Final = "plex-0"
"""Name of the Plex server in config.yml's top-level ``plex:``; a library with its own ``plex:`` may add ``plex-1``, ..."""


class Severity(StrEnum):
    """How bad a problem is: an ``error`` stops a render (or a target), a ``warning`` may change pixels, ``info`` explains."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something a person should know: what is wrong, where, and how to mend it. Never holds a secret."""

    severity: Severity
    what: str
    mend: str = ""
    file: str = ""
    """The file as its owner knows it: relative to the Kometa config directory where it lies inside, else absolute."""
    line: int | None = None
    """Line in ``file``, counted from 1."""
    source: str = ""
    """The stage that found it: settings, config, targets, plex, gateway, egress, engine, kometa."""
    target: str = ""
    """``Target.id`` when it concerns one target only."""
    library: str = ""
    """Plex's name of the library section that Kometa was at, where it is known."""
    passing: bool = False
    """It may be gone at the next try (a host that was away): what was drawn meanwhile is not kept for later runs."""

    @property
    def place(self) -> str:
        """``file:line``, as far as it is known."""
        return f"{self.file}:{self.line}" if self.file and self.line else self.file


class Level(StrEnum):
    """What a Plex item is, in Kometa's ``builder_level`` words."""

    MOVIE = "movie"
    SHOW = "show"
    SEASON = "season"
    EPISODE = "episode"
    ARTIST = "artist"
    ALBUM = "album"
    TRACK = "track"


# ── watch ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The watched files came to rest after one or more events (or a rescan, or a request)."""

    reason: str
    """start, edit, rescan, request, drift (the schedule's render without an edit)."""
    paths: tuple[Path, ...] = ()
    seen: float = 0.0
    """``time.monotonic()`` of the first event: save-to-picture is measured from here."""
    libraries: tuple[str, ...] = ()
    """Of a request: render these though nothing changed; empty for all."""


# ── revision ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class PlexServer:
    """Where one Plex server is and how to enter it; from config.yml's ``plex:``."""

    name: str
    url: str
    token: SecretStr
    timeout: float = 60.0
    verify_ssl: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryPlan:
    """One library of config.yml that has overlay files."""

    name: str
    """Plex's name of the library section (``library_name`` where given, else the mapping's key)."""
    key: str
    """The mapping's key under ``libraries:`` in config.yml."""
    server: str = DEFAULT_SERVER
    levels: frozenset[Level] = frozenset()
    """Levels at which the overlay files build; empty where it cannot be told (then: the library's own level)."""
    asset_directories: tuple[Path, ...] = ()
    """As on this host, existing directories only."""
    asset_folders: bool = True
    asset_depth: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenFile:
    """One file of a revision."""

    path: str
    """POSIX path below ``Revision.root``, e.g. ``config/overlays/my.yml``."""
    sha256: str
    size: int
    origin: Path
    """Where it was read."""
    role: str
    """config, overlay, image, font, asset, backup, or other."""
    libraries: frozenset[str] = frozenset()
    """Keys of the libraries that reach it; empty where that is not known: it may concern all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A frozen, content-hashed copy of config.yml and every local file that it names. Same bytes, same id."""

    id: str
    root: Path
    """Read-only tree; Kometa's working directory is laid out from it (``root/config/config.yml``)."""
    files: tuple[FrozenFile, ...]
    libraries: tuple[LibraryPlan, ...]
    servers: tuple[PlexServer, ...]
    problems: tuple[Problem, ...] = ()
    watch: frozenset[Path] = frozenset()
    """Every file and directory outside the config directory whose change makes a new revision."""

    @property
    def short(self) -> str:
        return self.id[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """A secret's stand-in in what Kometa is given. The gateway swaps it back, only towards ``hosts``."""

    text: str
    secret: SecretStr
    hosts: tuple[str, ...]
    connector: str
    """The top-level key of config.yml it came from: tmdb, mdblist, ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewConfig:
    """What Kometa is given instead of config.yml. ``text`` holds no secret; ``plex_url``/``plex_token`` are filled per shard."""

    data: Mapping[str, object]
    """Plain YAML data; ``plex.url``/``plex.token`` are left out until :func:`sidecar.revision.materialise` writes a shard."""
    placeholders: tuple[Placeholder, ...]
    connectors: frozenset[str]
    """Connectors kept because overlays can need them; the egress allow-list follows from these."""
    hosts: frozenset[str]
    """Hosts (lower case, no port) that Kometa may read for these connectors and for URLs that the overlay files name."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Overlay files as Kometa gets them (paths rewritten, secrets replaced): path below the home -> text."""
    problems: tuple[Problem, ...] = ()


# ── plan ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A Plex item to preview."""

    rating_key: int
    level: Level
    library: str
    """Plex's name of the library section."""
    section: int
    """Plex's key of the library section."""
    title: str
    server: str = DEFAULT_SERVER
    year: int | None = None
    show_title: str = ""
    """Of a season or episode."""
    season_number: int | None = None
    episode_number: int | None = None
    parents: tuple[int, ...] = ()
    """Rating keys of season and show (or album and artist), nearest first."""
    locations: tuple[str, ...] = ()
    """Plex's paths of the item's media files or folders: Kometa finds assets by their names."""
    guids: tuple[str, ...] = ()
    """``imdb://tt...``, ``tmdb://...``, ``tvdb://...`` of the item."""
    thumb: str = ""
    """Path of the current poster, ``/library/metadata/RK/thumb/TS``."""
    why: str = ""
    """listed, or what the automatic rule chose it for ("4K, Dolby Vision")."""

    @property
    def id(self) -> str:
        """Unique over all servers, stable, safe in paths: ``101``, or ``plex-1.101`` on another server."""
        return str(self.rating_key) if self.server == DEFAULT_SERVER else f"{self.server}.{self.rating_key}"

    @property
    def label(self) -> str:
        """For people: ``Heat (1995)``, ``Dark S01``, ``Dark S01E02 Lies``."""
        if self.level is Level.SEASON:
            return f"{self.show_title} S{self.season_number or 0:02}"
        if self.level is Level.EPISODE:
            return f"{self.show_title} S{self.season_number or 0:02}E{self.episode_number or 0:02} {self.title}".rstrip()
        return f"{self.title} ({self.year})" if self.year else self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The rating keys a grant may see, on one server."""

    targets: frozenset[int]
    """Listings show these, at their own level, and the parents they need."""
    visible: frozenset[int]
    """Targets, their parents, and the children Kometa reads of them."""
    sections: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One shard's capability: the random token that is Kometa's only "Plex token"."""

    token: str
    run_id: str
    shard: int
    scopes: Mapping[str, Scope]
    """By server name."""
    placeholders: tuple[Placeholder, ...] = ()
    hosts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A part of a render: some targets, a grant of their own, a Kometa config directory of their own."""

    index: int
    token: str
    home: Path
    """Kometa's working directory for this shard; ``home/config/config.yml`` is its config. Made by ``materialise``."""
    targets: tuple[Target, ...]
    plex: str = ""
    """A word that is the same again only while nothing changed on the Plex servers and the shard may see the same; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderJob:
    """What an engine is asked for."""

    run_id: str
    revision: Revision
    preview: PreviewConfig
    shards: tuple[Shard, ...]
    gateway: Path
    """The gateway's unix socket, as this process sees it."""
    deadline: float
    """Seconds from the start of the render."""
    phase_deadline: float | None = None
    """Seconds in which a shard must show some progress; None: it need not."""
    memory: int | None = None
    """Bytes of memory that one shard may take; None: any number."""

    @property
    def targets(self) -> tuple[Target, ...]:
        return tuple(target for shard in self.shards for target in shard.targets)


# ── engine ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """Who draws. ``kind`` is ``kometa`` for real Kometa pixels and ``draft`` for our own compositor, never mixed."""

    kind: str
    via: str
    """process, container, socket, draft."""
    version: str
    """Kometa's version (or the sidecar's, for draft)."""
    python: str = ""
    pillow: str = ""
    layout: str = ""
    """Pillow's text layout engine: raqm or basic. It changes pixels."""
    network: str = ""
    """What keeps the worker off the network: none (no interfaces at all), refused (in-process guard)."""
    speedups: Mapping[str, str] = field(default_factory=dict)
    """Name -> on, off, or why it is off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of Kometa's log."""

    level: str
    """TRACE, DEBUG, INFO, WARNING, ERROR or CRITICAL."""
    text: str
    shard: int = 0
    source: str = ""
    """Kometa's ``file.py:line``."""
    about: str = ""
    """The overlay definition that Kometa was at, where it is known."""
    library: str = ""
    """The library that Kometa was at, likewise."""
    file: str = ""
    """The overlay file that Kometa was reading, likewise: as config.yml names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A shard entered a phase: start, connect, compile, draw, finish."""

    name: str
    shard: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayReport:
    """What a renderer says of one target: the overlays it applied, in order, and those it left out and why."""

    server: str
    rating_key: int
    applied: tuple[Mapping[str, object], ...] = ()
    left_out: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickPicture:
    """A shard has drawn a target and is about to encode it: a JPEG to look at until the exact picture comes."""

    server: str
    rating_key: int
    shard: int

    @property
    def place(self) -> str:
        """The file, below the shard's home."""
        return f"quick/{self.server}.{self.rating_key}.jpg"


EngineEvent = LogLine | Phase | OverlayReport | QuickPicture


class OutcomeKind(StrEnum):
    """How an engine's work on a job ended."""

    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEADLINE = "deadline"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of an engine's work on a job; Kometa's exit code says nothing, so this is judged from its log and captures."""

    kind: OutcomeKind
    detail: str = ""
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0


# ── gateway ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Bytes in the store, by content."""

    sha256: str
    size: int
    media_type: str
    """image/webp, image/jpeg, image/png, ..."""
    width: int = 0
    height: int = 0

    @property
    def suffix(self) -> str:
        return {"image/webp": ".webp", "image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif"}.get(self.media_type, ".bin")

    @property
    def name(self) -> str:
        return self.sha256 + self.suffix


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """An image that Kometa tried to upload to Plex and that was kept instead."""

    run_id: str
    server: str
    rating_key: int
    kind: str
    """poster, art, logo, square_art, theme."""
    blob: Blob
    at: datetime
    url: str = ""
    """For uploads by ``?url=``: where Kometa pointed Plex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedWrite:
    """A request that would have changed Plex (or something else) and did not leave the gateway."""

    run_id: str
    server: str
    method: str
    path: str
    """Path and query, without any token."""
    meaning: str
    """For people: "add label Overlay to 101"."""
    answered: int
    """The HTTP status that the renderer saw: 200 where Kometa must believe in it, else 403."""
    at: datetime
    expected: bool = True
    """False for a request that no ordinary overlays run makes: shown as a warning."""


# ── run ──────────────────────────────────────────────────────────────────────────────────────────────────


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
