"""Runs read back from the gallery: what ``summary`` wrote, for a daemon that lost its database.

Not all of a run is published: of a target neither section, GUIDs nor locations. What shows a run needs none of them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sidecar.model import Blob, BlockedWrite, EngineInfo, Level, Picture, PictureState, Problem, Run, RunState, Severity, Target
from sidecar.publish.summary import SCHEMA

log = logging.getLogger(__name__)

LARGEST: Final = 64 * 1024**2
"""Bytes of a summary that is read."""

_TYPES: Final = {".webp": "image/webp", ".jpg": "image/jpeg", ".png": "image/png", ".gif": "image/gif"}


def recall(gallery: Path) -> Iterator[Run]:
    """Every ended run whose summary can be read, oldest first; one that cannot is passed over, and said so. Blocks."""
    for path in sorted(gallery.glob("runs/*/summary.json")):
        try:
            run = _read(path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s cannot be read back: %s", path, error)
        else:
            yield run


def _read(path: Path) -> Run:
    if path.stat().st_size > LARGEST:
        raise ValueError("it is too large")
    run = run_of(json.loads(path.read_bytes()))
    if run.id != path.parent.name or not run.state.final:
        raise ValueError("it is no ended run's")
    return run


def run_of(data: Mapping[str, Any]) -> Run:
    """The inverse of ``summary``, as far as it goes. ValueError, KeyError, TypeError or AttributeError where it is no summary."""
    if data["schema"] != SCHEMA:
        raise ValueError(f"its schema is {data['schema']}")
    return Run(
        id=str(data["run"]),
        state=RunState(data["state"]),
        reason=str(data["reason"]),
        started=_time(data["started"]),
        revision=str(data["revision"] or ""),
        engine=EngineInfo(**{key: data["renderer"][key] for key in EngineInfo.__dataclass_fields__ if key in data["renderer"]})
        if data["renderer"]
        else None,
        ended=_time(data["ended"]) if data["ended"] else None,
        seconds=float(data["seconds"]),
        pictures=tuple(_picture(target) for target in data["targets"]),
        blocked=tuple(_blocked(str(data["run"]), write) for write in data["blocked"]),
        problems=tuple(map(_problem, data["problems"])),
        changed=tuple(map(str, data["changed"])),
    )


def _picture(data: Mapping[str, Any]) -> Picture:
    target = Target(
        rating_key=int(data["rating_key"]),
        level=Level(data["level"]),
        library=str(data["library"]),
        section=0,
        title=str(data["title"]),
        server=str(data["server"]),
        year=data["year"],
        show_title=data["show"] or "",
        season_number=data["season"],
        episode_number=data["episode"],
        why=str(data["why"]),
    )
    return Picture(
        target=target,
        state=PictureState(data["state"]),
        before=_blob(data["before"]),
        after=_blob(data["after"]),
        problems=tuple(map(_problem, data["problems"])),
        overlays=tuple(data["overlays"]),
        left_out=tuple(data["left_out"]),
    )


def _blob(shot: Mapping[str, Any] | None) -> Blob | None:
    if not shot:
        return None
    suffix = Path(str(shot["url"])).suffix
    return Blob(
        sha256=str(shot["sha256"]),
        size=int(shot["bytes"]),
        media_type=_TYPES.get(suffix, "application/octet-stream"),
        width=shot["width"] or 0,
        height=shot["height"] or 0,
    )


def _problem(data: Mapping[str, Any]) -> Problem:
    return Problem(
        severity=Severity(data["severity"]),
        what=str(data["what"]),
        mend=str(data["mend"]),
        file=str(data["file"]),
        line=data["line"],
        source=str(data["source"]),
        target=data["target"] or "",
    )


def _blocked(run_id: str, data: Mapping[str, Any]) -> BlockedWrite:
    return BlockedWrite(
        run_id=run_id,
        server=str(data["server"]),
        method=str(data["method"]),
        path=str(data["path"]),
        meaning=str(data["meaning"]),
        answered=int(data["answered"]),
        at=_time(data["at"]),
        expected=bool(data["expected"]),
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
