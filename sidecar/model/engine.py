"""What engines say while they work, and in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sidecar.model.words import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """Who draws. ``kind`` is ``kometa`` for real Kometa pixels and ``draft`` for our own compositor, never mixed."""

    kind: str
    via: str
    """process, container, socket, draft."""
    version: str
    """Kometa's version (or the sidecar's, for draft)."""
    build: str = ""
    """The same only while nobody changed Kometa's code, overlay files or fonts."""
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
    entry: tuple[str, str] | None = None
    """What Kometa was reading, likewise: the kind of an overlay file (file, url, git, repo, default), and how config.yml names it."""
    item: tuple[str, int] | None = None
    """The server and rating key of the item that Kometa was drawing, likewise."""
    target: str = ""
    """``Target.id`` of that item where it is one of the run's."""


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
class ShardEnd:
    """How one shard's process ended."""

    kind: OutcomeKind
    detail: str = ""
    limit: str = ""
    """The bound that it was ended for, phase_deadline or memory; empty where it was none of these."""
    problem: Problem | None = None
    """What people are told of it, which is among the outcome's problems as well; None where there is nothing to tell."""

    @property
    def died(self) -> bool:
        """It crashed, or something outside killed it: another attempt may well come to its end."""
        return self.kind is OutcomeKind.CRASHED and not self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of an engine's work on a job; Kometa's exit code says nothing, so this is judged from its log and captures."""

    kind: OutcomeKind
    detail: str = ""
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0
    ends: Mapping[int, ShardEnd] = field(default_factory=dict)
    """By the shard's index; empty where the engine has no process per shard."""
