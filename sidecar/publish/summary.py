"""summary.json (a run in full) and latest.json (where to look): the gallery for programs.

Both carry ``schema``; it changes when a field changes its meaning, not when one is added. URLs are relative to the file
that they stand in. Times are ISO 8601 in UTC, durations seconds.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from pathlib import PurePath
from typing import Final

from sidecar import __version__
from sidecar.model import BlockedWrite, EngineInfo, Picture, Problem, Run, Target
from sidecar.publish.cards import status_of
from sidecar.publish.images import Images, Shot
from sidecar.publish.text import encodable
from sidecar.publish.view import GalleryView

SCHEMA: Final = 1


def dumps(value: object, indent: int | None = None) -> bytes:
    """JSON, ASCII only, one final newline. ``indent`` is for small ones: it costs ten times as much."""
    return (json.dumps(_plain(value), indent=indent, ensure_ascii=True) + "\n").encode()


def summary(run: Run, images: Images, *, base: str = "") -> dict[str, object]:
    """``run`` in full. ``base`` leads from the file's place to the gallery's root (``../../`` for a run's own)."""
    return {
        "schema": SCHEMA,
        "generator": f"kometa-sidecar {__version__}",
        "run": run.id,
        "page": f"{base}runs/{run.id}/",
        "state": run.state,
        "reason": run.reason,
        "revision": run.revision,
        "started": run.started,
        "ended": run.ended,
        "seconds": round(run.seconds, 3),
        "engine": run.engine.kind if run.engine else None,
        "kometa": run.engine.version if run.engine and run.engine.kind == "kometa" else None,
        "renderer": engine_data(run.engine),
        "counts": _counts(run),
        "changed": run.changed,
        "problems": [problem_data(problem) for problem in run.problems],
        "blocked": [_blocked(write) for write in run.blocked],
        "targets": [_target(picture, run, images, base) for picture in run.pictures],
    }


def latest(view: GalleryView) -> dict[str, object]:
    """The small pointer: which run is shown, which ended last, which is in progress."""
    shown, last, current = view.shown, view.latest, view.current
    return {
        "schema": SCHEMA,
        "shown": _pointer(shown),
        "latest": _pointer(last),
        "current": {"run": current.id, "state": current.state, "started": current.started} if current else None,
        "summary": "summary.json" if shown else None,
        "health": [{"part": h.part, "ok": h.ok, "detail": h.detail, "since": h.since} for h in view.health],
        "watching": view.watching,
    }


def _pointer(run: Run | None) -> dict[str, object] | None:
    if run is None:
        return None
    return {
        "run": run.id,
        "state": run.state,
        "revision": run.revision,
        "engine": run.engine.kind if run.engine else None,
        "started": run.started,
        "ended": run.ended,
        "errors": run.errors,
        "warnings": run.warnings,
        "page": f"runs/{run.id}/",
        "summary": f"runs/{run.id}/summary.json",
    }


def engine_data(engine: EngineInfo | None) -> dict[str, object] | None:
    """Who drew."""
    return dataclasses.asdict(engine) if engine else None


def _counts(run: Run) -> dict[str, int]:
    states = Counter(picture.state.value for picture in run.pictures)
    return {
        "targets": len(run.pictures),
        **{state: states[state] for state in ("rendered", "untouched", "reused", "failed", "gone", "waiting")},
        "changed": len(run.changed),
        "blocked": len(run.blocked),
        "unexpected_writes": sum(not write.expected for write in run.blocked),
        "errors": run.errors,
        "warnings": run.warnings,
    }


def problem_data(problem: Problem) -> dict[str, object]:
    """One problem."""
    return {
        "severity": problem.severity,
        "what": problem.what,
        "mend": problem.mend,
        "file": problem.file,
        "line": problem.line,
        "source": problem.source,
        "target": problem.target or None,
    }


def _blocked(write: BlockedWrite) -> dict[str, object]:
    return {
        "server": write.server,
        "method": write.method,
        "path": write.path,
        "meaning": write.meaning,
        "answered": write.answered,
        "expected": write.expected,
        "at": write.at,
    }


def target_data(target: Target) -> dict[str, object]:
    """Which item it is."""
    return {
        "id": target.id,
        "server": target.server,
        "rating_key": target.rating_key,
        "level": target.level,
        "library": target.library,
        "label": target.label,
        "title": target.title,
        "year": target.year,
        "show": target.show_title or None,
        "season": target.season_number,
        "episode": target.episode_number,
        "why": target.why,
    }


def _target(picture: Picture, run: Run, images: Images, base: str) -> dict[str, object]:
    return {
        **target_data(picture.target),
        "state": picture.state,
        "reason": picture.reason,
        "rendered": picture.rendered,
        "rendered_in": picture.run or run.id,
        "status": status_of(picture, run, None),
        "engine": run.engine.kind if run.engine else None,
        "before": shot_data(images.shot(picture.before), base),
        "after": shot_data(images.shot(picture.after), base),
        "overlays": picture.overlays,
        "left_out": picture.left_out,
        "problems": [problem_data(problem) for problem in picture.problems],
    }


def shot_data(shot: Shot | None, base: str = "") -> dict[str, object] | None:
    """A published picture."""
    if shot is None:
        return None
    return {
        "url": base + shot.url,
        "thumb": base + shot.thumb,
        "sha256": shot.sha256,
        "bytes": shot.size,
        "width": shot.width or None,
        "height": shot.height or None,
    }


def _plain(value: object) -> object:
    """JSON types only: reports of overlays come from a worker and may hold anything."""
    match value:
        case Enum():
            return _plain(value.value)
        case str():
            return encodable(value)
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case Mapping():
            return {encodable(str(key)): _plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
        case PurePath():
            return encodable(str(value))
        case _:
            return encodable(repr(value))
