"""The gallery's data for pages and programs: docs/gallery.md says what it looks like.

Each is written twice: as JSON, and as a script of one call with the same content, since browsers let no page that was opened
from ``file://`` fetch anything. All URLs are relative to the gallery's root.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sidecar.model import Blob, EditBrief, Picture, Run, RunBrief, RunState
from sidecar.publish.images import Images
from sidecar.publish.summary import SCHEMA, dumps, engine_data, problem_data, shot_data, target_data
from sidecar.publish.words import percent
from sidecar.review import Decision, Edit, RunReview, Standing, TargetReview, Timeline

CALL: Final = "kometaSidecar"
"""The function that a page defines before it loads such a script: ``kometaSidecar(name, data)``."""

Json = dict[str, object]


def forms(name: str, value: object) -> dict[str, bytes]:
    """The files of one piece of data: ``name`` is its path without the suffix, safe in a path and in a script."""
    text = dumps(value)
    return {f"{name}.json": text, f"{name}.js": f'{CALL}("{name}",'.encode() + text.rstrip(b"\n") + b");\n"}


def plex_data(shown: Mapping[str, Blob], images: Images) -> Json:
    """data/plex: what Plex shows now, by target."""
    shots = {target: shot_data(images.shot(blob)) for target, blob in shown.items()}
    return {"schema": SCHEMA, "targets": {target: shot for target, shot in shots.items() if shot}}


def run_data(run: Run, review: RunReview | None, images: Images) -> Json:
    """runs/ID/data: one run in full."""
    seen = {each.target: each for each in review.targets} if review else {}
    return {
        "schema": SCHEMA,
        "run": run.id,
        "page": f"runs/{run.id}/index.html",
        "reviewed": review.at if review else None,
        "state": run.state,
        "reason": run.reason,
        "revision": run.revision,
        "started": run.started,
        "ended": run.ended,
        "seconds": round(run.seconds, 3),
        "engine": engine_data(run.engine),
        "errors": run.errors,
        "warnings": run.warnings,
        "blocked": len(run.blocked),
        "previous": review.previous if review else "",
        "counts": review.counts if review else None,
        "edit": _edit(review.edit) if review and review.edit else None,
        "groups": [{"id": group.id, "title": group.title, "targets": group.targets} for group in (review.groups if review else ())],
        "problems": [problem_data(problem) for problem in run.problems],
        "targets": [
            picture_data(picture, images, run_id=run.id, edited=picture.target.id in run.changed, review=seen.get(picture.target.id))
            for picture in run.pictures
        ],
    }


def picture_data(picture: Picture, images: Images, *, run_id: str, edited: bool, review: TargetReview | None = None) -> Json:
    """TARGET: one target in one run."""
    return {
        **target_data(picture.target),
        "state": picture.state,
        "reason": picture.reason,
        "rendered_in": picture.run or run_id,
        "edited": edited,
        "before": shot_data(images.shot(picture.before)),
        "after": shot_data(images.shot(picture.after)),
        "shown": shot_data(images.shot(picture.shown)),
        **_review(review, images),
        "overlays": picture.overlays,
        "left_out": picture.left_out,
        "problems": [problem_data(problem) for problem in picture.problems],
    }


def _review(review: TargetReview | None, images: Images) -> Json:
    comparison = review.comparison if review else None
    return {
        "status": review.status if review else None,
        "reference": shot_data(images.shot(review.reference)) if review else None,
        "against": review.against if review else None,
        "reference_run": review.reference_run if review else "",
        "reference_engine": review.reference_engine if review else "",
        "diff": {
            "fraction": round(comparison.fraction, 8),
            "percent": percent(comparison.fraction),
            "pixels": comparison.pixels,
            "boxes": comparison.boxes,
            "mask": shot_data(images.shot(comparison.mask)),
            "resized": comparison.resized,
        }
        if comparison
        else None,
        "threshold": review.threshold if review else None,
        "ignored": review.ignored if review else (),
        "group": review.group if review else "",
    }


def _edit(edit: Edit) -> Json:
    return {
        "before": edit.before,
        "after": edit.after,
        "more": edit.more,
        "files": [
            {"path": file.path, "kind": file.kind, "added": file.added, "removed": file.removed, "diff": file.diff} for file in edit.files
        ],
    }


def _edit_brief(edit: EditBrief | None) -> Json | None:
    return {"files": edit.files, "more": edit.more, "added": edit.added, "removed": edit.removed} if edit else None


def runs_data(history: Iterable[RunBrief], paged: frozenset[str], full: frozenset[str], newest: str) -> Json:
    """data/runs: the history. ``paged`` are the runs that have a page, ``full`` those that have data."""
    return {
        "schema": SCHEMA,
        "newest": newest,
        "runs": [
            {
                "run": brief.id,
                "page": f"runs/{brief.id}/index.html" if brief.id in paged else None,
                "data": f"runs/{brief.id}/data" if brief.id in full else None,
                "state": brief.state,
                "reason": brief.reason,
                "started": brief.started,
                "ended": brief.ended,
                "seconds": brief.seconds,
                "revision": brief.revision,
                "engine": brief.engine.kind if brief.engine else None,
                "targets": brief.targets,
                "rendered": brief.rendered,
                "changed": brief.changed,
                "failed": brief.failed,
                "blocked": brief.blocked,
                "errors": brief.errors,
                "warnings": brief.warnings,
                "counts": brief.counts or None,
                "edit": _edit_brief(brief.edit),
            }
            for brief in history
        ],
    }


def decisions_data(standings: Mapping[str, Standing], last: Sequence[Decision], images: Images) -> Json:
    """data/decisions: where each target stands. ``last`` is the batch that undo would take back."""
    words = [word for standing in standings.values() for word in (standing.baseline, standing.last) if word]
    return {
        "schema": SCHEMA,
        "updated": max((word.at for word in words), default=None),
        "undo": {
            "batch": last[0].batch,
            "verdict": last[0].verdict,
            "who": last[0].who,
            "at": last[0].at,
            "run": last[0].run_id,
            "targets": len(last),
        }
        if last
        else None,
        "targets": {
            target: {
                "baseline": {**_word(standing.baseline), "shot": shot_data(images.shot(standing.baseline.blob))}
                if standing.baseline
                else None,
                "last": {**_word(standing.last), "verdict": standing.last.verdict} if standing.last else None,
            }
            for target, standing in sorted(standings.items())
        },
    }


def _word(word: Decision) -> Json:
    return {"sha256": word.blob.sha256, "run": word.run_id, "who": word.who, "at": word.at, "batch": word.batch, "engine": word.engine}


def timeline_data(timeline: Timeline, paged: frozenset[str], full: frozenset[str], images: Images) -> Json:
    """data/targets/ID: one target's past pictures."""
    words: dict[str, list[Json]] = {}
    for word in timeline.decisions:
        said: Json = {"verdict": word.verdict, "who": word.who, "at": word.at, "run": word.run_id, "undone": word.undone}
        words.setdefault(word.blob.sha256, []).append(said)
    return {
        "schema": SCHEMA,
        "target": target_data(timeline.target),
        "moments": [
            {
                "run": moment.run_id,
                "page": f"runs/{moment.run_id}/index.html" if moment.run_id in paged else None,
                "data": f"runs/{moment.run_id}/data" if moment.run_id in full else None,
                "started": moment.started,
                "revision": moment.revision,
                "state": moment.state,
                "engine": moment.engine or None,
                "shot": shot_data(images.shot(moment.blob)),
                "before": shot_data(images.shot(moment.before)),
                "edit": _edit_brief(moment.edit),
                "decisions": words.get(moment.blob.sha256, []),
            }
            for moment in timeline.moments
        ],
    }


def worth_telling(brief: RunBrief) -> bool:
    """Whether a run ended with something to see: pictures that changed, or a failure."""
    if brief.state in (RunState.FAILED, RunState.INVALID):
        return True
    return brief.state is RunState.DONE and bool(brief.changed or brief.failed or brief.counts.get("changed"))
