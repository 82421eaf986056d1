"""One run in progress: collects what the gateway keeps and the engine says, and turns it into a Run. No I/O of its own."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sidecar.model import (
    BlockedWrite,
    Capture,
    EngineEvent,
    EngineInfo,
    LogLine,
    OverlayReport,
    Phase,
    Picture,
    Problem,
    QuickPicture,
    Run,
    RunState,
    Target,
)

MOST_BLOCKED = 2_000
"""Blocked writes kept in a run's record."""


def new_run_id(now: datetime, after: str = "") -> str:
    """Sorts by time, unique: ``20261121T005300123-1a2b3c``. Sorts after the id ``after`` even where the clock was set back."""
    stamp = _stamp(now)
    known = after.partition("-")[0]
    if stamp <= known:
        with contextlib.suppress(ValueError):
            stamp = _stamp(datetime.strptime(f"{known}000", "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC) + timedelta(milliseconds=1))
    return f"{stamp}-{secrets.token_hex(3)}"


def _stamp(at: datetime) -> str:
    return f"{at:%Y%m%dT%H%M%S}{at.microsecond // 1000:03}"


_DEFINITION = re.compile(r"(?P<name>.+) Overlay in .+")
"""What Kometa logs before it validates and builds a definition (2.2 to 2.4)."""


_READING = re.compile(r"Loading Overlay File \d+ (?P<kind>File|URL|Git|Repo|Default): (?P<name>.+)")
_READ = "Overlay File Loaded Successfully"
"""What it logs before and after it reads an overlay file (likewise); a file that cannot be used has no line of the second kind."""


class Sink:
    """Where what the gateway keeps of one shard goes: see ``gateway.grants.Sink``."""

    def __init__(self, recorder: Recorder, shard: int) -> None:
        self._recorder = recorder
        self._shard = shard

    def captured(self, capture: Capture) -> None:
        self._recorder.captured(capture, self._shard)

    def blocked(self, write: BlockedWrite) -> None:
        self._recorder.blocked(write, self._shard)

    def note(self, problem: Problem) -> None:
        self._recorder.note(problem)


class Recorder:
    """Collects what the grants of a run's shards kept, and hears its engine."""

    def __init__(
        self,
        run: Run,
        *,
        on_capture: Callable[[Capture], None],
        on_quick: Callable[[QuickPicture], None],
        on_phase: Callable[[Phase], None],
    ) -> None:
        self.run = run
        self._captures: list[tuple[int, Capture]] = []
        self._writes: list[tuple[int, BlockedWrite]] = []
        self.notes: list[Problem] = []
        self.lines: list[LogLine] = []
        self._definitions: dict[int, str] = {}
        self._libraries: dict[int, str] = {}
        self._entries: dict[int, tuple[str, str]] = {}
        self.reports: dict[tuple[str, int], OverlayReport] = {}
        self._on_capture = on_capture
        self._on_quick = on_quick
        self._on_phase = on_phase
        self._targets = {(p.target.server, p.target.rating_key): p.target for p in run.pictures}

    @property
    def captures(self) -> list[Capture]:
        """In the order in which they came."""
        return [capture for _, capture in self._captures]

    @property
    def writes(self) -> tuple[BlockedWrite, ...]:
        return tuple(write for _, write in self._writes)

    @property
    def unkept(self) -> str:
        """Why an upload could not be kept; empty where all were."""
        return next((problem.what for problem in self.notes if problem.source == "store"), "")

    def captured(self, capture: Capture, shard: int) -> None:
        """An upload was kept. Those of items that are no target (a target's show, say) are counted as writes only."""
        self._captures.append((shard, capture))
        if capture.kind == "poster" and capture.blob.size and (capture.server, capture.rating_key) in self._targets:
            self._on_capture(capture)

    def blocked(self, write: BlockedWrite, shard: int) -> None:
        if len(self._writes) < MOST_BLOCKED:
            self._writes.append((shard, write))

    def forget(self, shard: int) -> None:
        """What was kept of ``shard`` does not count: its work is done again. What it logged may say why, and stays."""
        self._captures = [entry for entry in self._captures if entry[0] != shard]
        self._writes = [entry for entry in self._writes if entry[0] != shard]

    def note(self, problem: Problem) -> None:
        if problem not in self.notes:
            self.notes.append(problem)

    def hear(self, event: EngineEvent) -> None:
        """An engine's event. Of log lines only those from WARNING up are kept here: the run's log file has them all."""
        if isinstance(event, LogLine):
            if event.level in ("WARNING", "ERROR", "CRITICAL"):
                about, library = self._definitions.get(event.shard, ""), self._libraries.get(event.shard, "")
                target = self._targets.get(event.item) if event.item else None
                entry, at = self._entries.get(event.shard), target.id if target else ""
                self.lines.append(replace(event, about=about, library=library, entry=entry, target=at))
            elif begun := _DEFINITION.fullmatch(event.text):
                self._definitions[event.shard] = begun["name"]
            elif event.text == _READ:
                self._entries.pop(event.shard, None)
            elif reading := _READING.fullmatch(event.text):
                self._entries[event.shard] = (reading["kind"].lower(), reading["name"].removeprefix("config/"))
        elif isinstance(event, OverlayReport):
            self.reports[(event.server, event.rating_key)] = event
        elif isinstance(event, QuickPicture):
            if (event.server, event.rating_key) in self._targets:
                self._on_quick(event)
        else:
            self._definitions.pop(event.shard, None)  # a phase ends what the one before was about
            self._entries.pop(event.shard, None)
            if event.name == "compile":
                self._libraries[event.shard] = event.detail
            elif event.name == "finish":
                self._libraries.pop(event.shard, None)
            self._on_phase(event)

    def target(self, capture: Capture | QuickPicture) -> Target:
        return self._targets[(capture.server, capture.rating_key)]

    def shown(self, picture: Picture) -> Run:
        """The run so far, with ``picture`` in its place."""
        pictures = tuple(picture if old.target.id == picture.target.id else old for old in self.run.pictures)
        self.run = replace(self.run, pictures=pictures, blocked=self.writes)
        return self.run


def begun(run_id: str, reason: str, revision: str, engine: EngineInfo, pictures: Iterable[Picture], problems: tuple[Problem, ...]) -> Run:
    """A run at its beginning, with the pictures that wait and those that are reused."""
    return Run(
        id=run_id,
        state=RunState.RENDERING,
        reason=reason,
        started=datetime.now(UTC),
        revision=revision,
        engine=engine,
        pictures=tuple(pictures),
        problems=problems,
    )
