"""Judges a render: from what was captured, reported and logged to each target's picture and the run's state. Pure.

Kometa's exit code is 0 for every failure and "Finished Run" stands even after a CRITICAL (measured on 2.4.4), so
the captures and the levels of log lines are all there is to go by.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from sidecar.model import (
    Blob,
    Capture,
    LogLine,
    Outcome,
    OutcomeKind,
    OverlayReport,
    Picture,
    PictureState,
    Problem,
    RunState,
    Severity,
    Target,
)

MOST_PROBLEMS = 200
"""A run keeps this many problems from Kometa's log; the log itself has them all."""

_SEVERITIES = {"CRITICAL": Severity.ERROR, "ERROR": Severity.ERROR, "WARNING": Severity.WARNING}
_ORDINARY = re.compile(
    r"No Items found for "
    r"|Convert (Warning|Error):"
    r"|Asset Warning:"
    r"|Config Warning: .* not found using "
    r"|Plex Error: .*No matches found with regex pattern "
    r"|Plex Error: No Items found in Plex"
)
"""What any healthy run over a few targets logs: an overlay that matches none of them, a setting left at its default."""


Find = Callable[[LogLine], tuple[str, int | None] | None]
"""Where what a line complains of stands: file and line."""


def problems_of(lines: Iterable[LogLine], find: Find) -> tuple[Problem, ...]:
    """Kometa's warnings and errors, each text once per place and item, in order of first appearance."""
    found: dict[tuple[str, str, str], Problem] = {}
    for line in lines:
        severity = _SEVERITIES.get(line.level)
        text = line.text.strip()
        if severity is None or not text or len(found) >= MOST_PROBLEMS:
            continue
        if _ORDINARY.match(text) and line.level != "CRITICAL":
            continue
        if (text, line.about, line.target) not in found:
            file, number = find(line) or ("", None)
            found[text, line.about, line.target] = Problem(
                severity=severity, what=text, source="kometa", file=file, line=number, library=line.library, target=line.target
            )
    return tuple(found.values())


def each_once(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Of problems with the same words the one that knows most: the engine and the log tell of the same failure."""
    best: dict[tuple[str, str, int | None, str], Problem] = {}
    placed = {problem.what for problem in problems if problem.file or problem.target}
    for problem in problems:
        key = (problem.what, problem.file, problem.line, problem.target)
        known = best.get(key)
        if (problem.file or problem.target or problem.what not in placed) and (known is None or bool(problem.mend) > bool(known.mend)):
            best[key] = problem
    return tuple(best.values())


def with_problems(pictures: Iterable[Picture], problems: Sequence[Problem]) -> list[Picture]:
    """Each picture with what was complained of while it was drawn."""
    mine: dict[str, list[Problem]] = {}
    for problem in problems:
        if problem.target:
            mine.setdefault(problem.target, []).append(problem)
    return [replace(p, problems=(*p.problems, *mine.get(p.target.id, ()))) for p in pictures]


def pictures_of(
    targets: Sequence[Target],
    captures: Iterable[Capture],
    reports: Iterable[OverlayReport],
    befores: Mapping[str, Blob],
    finished: Mapping[str, bool],
) -> tuple[Picture, ...]:
    """One picture per target, in the targets' order.

    ``befores`` and ``finished`` are by ``Target.id``; ``finished`` tells whether the target's shard came to its end.
    A target for which overlays were reported but nothing was captured has failed, even in a finished shard.
    """
    posters = {(c.server, c.rating_key): c.blob for c in captures if c.kind == "poster" and c.blob.size}
    seen = {(r.server, r.rating_key): r for r in reports}
    pictures = []
    for target in targets:
        key = (target.server, target.rating_key)
        report = seen.get(key)
        after = posters.get(key)
        if after is not None:
            state = PictureState.RENDERED
        elif finished.get(target.id, False) and not (report and report.applied):
            state = PictureState.UNTOUCHED
        else:
            state = PictureState.FAILED
        pictures.append(
            Picture(
                target=target,
                state=state,
                before=befores.get(target.id),
                after=after,
                overlays=report.applied if report else (),
                left_out=report.left_out if report else (),
            )
        )
    return tuple(pictures)


def state_of(outcome: Outcome, pictures: Sequence[Picture]) -> RunState:
    """A run is done when the engine finished (it judges CRITICAL lines) and not all of its targets failed."""
    if outcome.kind is OutcomeKind.CANCELLED:
        return RunState.CANCELLED
    if outcome.kind is not OutcomeKind.FINISHED:
        return RunState.FAILED
    if pictures and all(picture.state is PictureState.FAILED for picture in pictures):
        return RunState.FAILED
    return RunState.DONE


def changed_since(pictures: Sequence[Picture], before: Sequence[Picture]) -> tuple[str, ...]:
    """``Target.id`` of pictures that differ from those of the last good run (a new target counts as changed)."""
    old = {picture.target.id: _shown(picture) for picture in before}
    return tuple(p.target.id for p in pictures if p.state in _GOOD and old.get(p.target.id) != _shown(p))


_GOOD = (PictureState.RENDERED, PictureState.UNTOUCHED)


def _shown(picture: Picture) -> str:
    return picture.after.sha256 if picture.after else ""
