"""Words that every stage uses: problems, levels, the change that begins it all."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

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
    """The stage that found it: settings, config, targets, plex, gateway, egress, engine, kometa, store."""
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
