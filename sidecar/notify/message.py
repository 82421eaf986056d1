"""What a run is worth saying: the JSON that webhooks carry, version 1. Pure."""

from __future__ import annotations

from typing import Any, Final

from sidecar.model import PictureState, Problem, Run, RunState, Severity

VERSION: Final = 1
"""Of the payload; a field may be added within a version, never taken away or changed."""

_MOST = 50
"""Targets and problems listed; the counts are of all."""


def message_of(run: Run, gallery: str) -> dict[str, Any] | None:
    """The message for an ended ``run``, or None where nothing is worth saying (nothing changed, superseded, cancelled).

    ``gallery`` is the gallery's public URL, or empty. ``id`` is unique per run: a receiver that saw it may drop it.
    """
    if run.state in (RunState.FAILED, RunState.INVALID):
        event = "preview.failed"
    elif run.state is RunState.DONE and run.changed:
        event = "preview.changed"
    else:
        return None
    changed = set(run.changed)
    return {
        "version": VERSION,
        "event": event,
        "id": f"{event}:{run.id}",
        "run": {
            "id": run.id,
            "state": run.state.value,
            "reason": run.reason,
            "revision": run.revision,
            "engine": run.engine.kind if run.engine else None,
            "kometa_version": run.engine.version if run.engine and run.engine.kind == "kometa" else None,
            "started": run.started.isoformat(),
            "seconds": round(run.seconds, 3),
            "pictures": sum(picture.state is PictureState.RENDERED for picture in run.pictures),
            "changed": len(changed),
            "writes_blocked": len(run.blocked),
            "errors": run.errors,
            "warnings": run.warnings,
            "url": f"{gallery.rstrip('/')}/runs/{run.id}/" if gallery else None,
        },
        "targets": [
            {
                "id": picture.target.id,
                "rating_key": picture.target.rating_key,
                "library": picture.target.library,
                "level": picture.target.level.value,
                "title": picture.target.label,
                "sha256": picture.after.sha256 if picture.after else None,
            }
            for picture in run.pictures
            if picture.target.id in changed
        ][:_MOST],
        "problems": [_problem(problem) for problem in run.problems if problem.severity is not Severity.INFO][:_MOST],
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {"severity": problem.severity.value, "what": problem.what, "mend": problem.mend, "file": problem.file, "line": problem.line}
