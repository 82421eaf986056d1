"""When have files come to rest? A state machine without clock, disk or loop: touches and looks in, announcements out.

Every touch of a path opens a window of quiet for that path: short after a save that closed or renamed the file, longer
after any other write. When all windows are over, what the files look like is compared with a look taken shortly before;
two equal looks, and a difference from what was announced last, make an announcement. Writing that never pauses is held
back for so long and no longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple


class Signature(NamedTuple):
    """What tells one state of a file from another without reading it (reading changes none of it)."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int


Look = Mapping[Path, Signature | None]
"""What files look like; None for a file that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds."""

    closed: float = 0.1
    """Of quiet, after a save that closed or renamed the file."""
    written: float = 0.5
    """Of quiet, after any other write."""
    cap: float = 5.0
    """Of holding back at most, counted from the first touch."""

    @property
    def gap(self) -> float:
        """Between the two looks that must be equal."""
        return self.closed / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """An announcement: these files are at rest and differ from what was announced before (or somebody asked)."""

    reason: str
    paths: tuple[Path, ...]
    first: float
    """When the first touch, or the request, came."""


class _Touched(NamedTuple):
    at: float
    due: float
    seen: Look = MappingProxyType({})
    """What the path looked like then, where the touch was found by looking; else empty."""


EDIT: Final = "edit"


class Settle:
    """Times are seconds of any steady clock. ``wake`` says when to look; ``pending`` says at what."""

    def __init__(self, timing: Timing | None = None) -> None:
        self.timing = timing or Timing()
        self._known: dict[Path, Signature] = {}
        self._touched: dict[Path, _Touched] = {}
        self._first: float | None = None
        self._asked: str = ""
        self._asked_due: float = 0.0
        self._reason: str = ""
        self._previous: Look | None = None
        self._looked: float = 0.0

    @property
    def known(self) -> Mapping[Path, Signature]:
        """The files as announced last."""
        return self._known

    @property
    def pending(self) -> frozenset[Path]:
        """Paths touched and not yet settled: every look must cover them."""
        return frozenset(self._touched)

    @property
    def wake(self) -> float | None:
        """When the next look is due; None while everything is at rest."""
        end = self._end()
        if end is None:
            return None
        return end - self.timing.gap if self._previous is None else max(end, self._looked + self.timing.gap)

    def accept(self, look: Look) -> None:
        """Take these files as announced already."""
        self._remember(look)

    def forget(self, paths: Iterable[Path]) -> None:
        """These paths are nobody's business any more."""
        for path in paths:
            self._known.pop(path, None)
            self._touched.pop(path, None)
        if not self._touched and not self._asked:
            self._rest()

    def touch(self, path: Path, now: float, *, finished: bool) -> None:
        """Something happened to ``path``; ``finished`` where it was a save that closed or renamed it."""
        self._touch(path, _Touched(now, now + (self.timing.closed if finished else self.timing.written)), EDIT)

    def found(self, path: Path, signature: Signature | None, now: float, reason: str = EDIT) -> None:
        """``path`` was seen to have changed, though no event told of it: it may be being written still."""
        self._touch(path, _Touched(now, now + self.timing.written, {path: signature}), reason)

    def _touch(self, path: Path, touched: _Touched, reason: str) -> None:
        now = touched.at
        if self._first is None:
            self._first = now
        if not self._reason or reason == EDIT:
            self._reason = reason
        self._touched[path] = touched
        self._unsettle(now)

    def ask(self, reason: str, now: float) -> None:
        """Announce soon even where nothing changed, but not before files in motion have come to rest."""
        if self._first is None:
            self._first = now
        self._asked = reason
        self._asked_due = now + self.timing.gap
        self._unsettle(now)

    def look(self, seen: Look, now: float) -> Settled | None:
        """Files looked like ``seen`` at ``now`` (when the looking began). Early calls, before ``wake``, are passed over."""
        wake = self.wake
        if wake is None or now < wake or not seen.keys() >= {path for path, touched in self._touched.items() if touched.at < now}:
            return None
        previous, self._previous, self._looked = self._previous, seen, now
        before: dict[Path, Signature | None] = {}
        for touched in self._touched.values():
            before |= touched.seen
        if previous is not None:
            before |= dict.fromkeys(seen) | dict(previous)
        moving = [path for path, signature in before.items() if seen.get(path) != signature]
        if moving and now < self._cap_at():
            for path in moving:  # nobody told us of this write: more may follow
                self._touched[path] = _Touched(now, now + self.timing.written, {path: seen.get(path)})
            return None
        return None if previous is None else self._settle(seen, now)

    def _settle(self, seen: Look, now: float) -> Settled | None:
        assert self._first is not None
        changed = tuple(sorted(path for path, signature in seen.items() if signature != self._known.get(path)))
        settled = Settled(reason=self._asked or self._reason, paths=changed, first=self._first) if changed or self._asked else None
        self._remember(seen)
        later = {path: touched for path, touched in self._touched.items() if touched.at >= now}
        self._rest()
        if later:  # touched while we looked: the look may have missed it
            self._touched = later
            self._first = min(touched.at for touched in later.values())
            self._reason = EDIT
        return settled

    def _rest(self) -> None:
        self._touched = {}
        self._first = None
        self._asked = ""
        self._reason = ""
        self._previous = None

    def _remember(self, look: Look) -> None:
        for path, signature in look.items():
            if signature is None:
                self._known.pop(path, None)
            else:
                self._known[path] = signature

    def _unsettle(self, now: float) -> None:
        """A look from before this touch proves nothing; but close to the cap it is kept, else the cap could be put off for ever."""
        if now < self._cap_at() - self.timing.gap:
            self._previous = None

    def _cap_at(self) -> float:
        assert self._first is not None
        return self._first + self.timing.cap

    def _end(self) -> float | None:
        ends = [touched.due for touched in self._touched.values()]
        if self._asked:
            ends.append(self._asked_due)
        return min(max(ends), self._cap_at()) if ends else None
