"""From the model's words to the API's shapes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sidecar import model
from sidecar import review as words
from sidecar.web.api import shapes


def run_item(brief: model.RunBrief) -> shapes.RunItem:
    return shapes.RunItem.model_validate(_item(brief))


def run(whole: model.Run, review: words.RunReview | None) -> shapes.Run:
    brief = model.RunBrief.of(whole)
    if review is not None:
        brief = replace(brief, counts=review.counts, edit=review.edit.brief if review.edit else None)
    info = whole.engine
    engine = None
    if info is not None:
        engine = shapes.Engine(
            kind=info.kind,
            via=info.via,
            version=info.version,
            python=info.python,
            pillow=info.pillow,
            layout=info.layout,
            network=info.network,
            speedups=dict(info.speedups),
        )
    return shapes.Run.model_validate(
        {
            **_item(brief),
            "renderer": engine,
            "changed_targets": list(whole.changed),
            "page": f"runs/{whole.id}/",
        }
    )


def edit_brief(edit: model.EditBrief | None) -> shapes.EditBrief | None:
    if edit is None:
        return None
    return shapes.EditBrief(files=list(edit.files), more=edit.more, added=edit.added, removed=edit.removed)


def health(part: model.Health) -> shapes.PartHealth:
    return shapes.PartHealth(part=part.part, ok=part.ok, detail=part.detail, since=part.since)


def problem(found: model.Problem) -> shapes.Problem:
    return shapes.Problem(
        severity=found.severity,
        what=found.what,
        mend=found.mend,
        file=found.file,
        line=found.line,
        source=found.source,
        target=found.target or None,
    )


def problems(found: Iterable[model.Problem]) -> list[shapes.Problem]:
    return [problem(each) for each in found]


def picture(blob: model.Blob | None) -> shapes.Picture | None:
    return _picture(blob) if blob is not None else None


def _picture(blob: model.Blob) -> shapes.Picture:
    return shapes.Picture(
        sha256=blob.sha256,
        url=f"img/{blob.name}",
        bytes=blob.size,
        media_type=blob.media_type,
        width=blob.width or None,
        height=blob.height or None,
    )


def target(seen: model.Picture, whole: model.Run) -> shapes.Target:
    item = seen.target
    return shapes.Target(
        id=item.id,
        server=item.server,
        rating_key=item.rating_key,
        level=item.level,
        library=item.library,
        label=item.label,
        title=item.title,
        year=item.year,
        show=item.show_title or None,
        season=item.season_number,
        episode=item.episode_number,
        why=item.why,
        state=seen.state,
        changed=item.id in whole.changed,
        before=picture(seen.before),
        after=picture(seen.after),
        overlays=[dict(report) for report in seen.overlays],
        left_out=[dict(report) for report in seen.left_out],
        problems=problems(seen.problems),
    )


def captures(whole: model.Run, after: int, limit: int) -> shapes.Captures:
    """``after`` and ``limit`` choose the requests, numbered from 1."""
    kept = []
    for seen in whole.pictures:
        shown = picture(seen.after)
        if shown is not None:
            kept.append(shapes.Capture(target=seen.target.id, label=seen.target.label, picture=shown))
    until = after + limit
    return shapes.Captures(
        run=whole.id,
        pictures=kept,
        writes=[_write(number, blocked) for number, blocked in enumerate(whole.blocked[after:until], after + 1)],
        next=until if until < len(whole.blocked) else None,
    )


def line(number: int, told: model.LogLine) -> shapes.Line:
    return shapes.Line(number=number, level=told.level, text=told.text, source=told.source, shard=told.shard)


def review(made: words.RunReview) -> shapes.Review:
    return shapes.Review(
        run=made.run_id,
        at=made.at,
        previous=made.previous or None,
        counts=made.counts,
        groups=[shapes.Group(id=group.id, title=group.title, targets=list(group.targets)) for group in made.groups],
        edit=_edit(made.edit),
        targets=[_target_review(each) for each in made.targets],
    )


def decision(made: words.Decision) -> shapes.Decision:
    return shapes.Decision(
        batch=made.batch,
        target=made.target,
        verdict=made.verdict,
        picture=_picture(made.blob),
        run=made.run_id,
        who=made.who,
        at=made.at,
        undone_by=made.undone_by if made.undone else None,
        undone_at=made.undone_at,
    )


def standing(found: words.Standing) -> shapes.Standing:
    return shapes.Standing(
        target=found.target,
        baseline=decision(found.baseline) if found.baseline else None,
        last=decision(found.last) if found.last else None,
    )


def moment(found: words.Moment) -> shapes.Moment:
    return shapes.Moment(
        picture=_picture(found.blob),
        before=picture(found.before),
        state=found.state,
        run=found.run_id,
        last_run=found.last_run,
        runs=found.runs,
        started=found.started,
        revision=found.revision,
        edit=edit_brief(found.edit),
    )


def decided(made: words.Decided) -> shapes.Decided:
    return shapes.Decided(
        batch=made.batch,
        verdict=made.verdict,
        run=made.run_id,
        targets=list(made.targets),
        skipped=[shapes.Skipped(target=target, reason=reason) for target, reason in made.skipped],
        newer=made.newer,
    )


def _edit(made: words.Edit | None) -> shapes.Edit | None:
    if made is None:
        return None
    files = [shapes.FileEdit(path=file.path, kind=file.kind, added=file.added, removed=file.removed, diff=file.diff) for file in made.files]
    return shapes.Edit(before=made.before, after=made.after, files=files, more=made.more)


def _target_review(made: words.TargetReview) -> shapes.TargetReview:
    found = made.comparison
    difference = None
    if found is not None:
        difference = shapes.Difference(
            fraction=found.fraction, pixels=found.pixels, boxes=list(found.boxes), mask=picture(found.mask), resized=found.resized
        )
    return shapes.TargetReview(
        target=made.target,
        status=made.status,
        shown=picture(made.shown),
        reference=picture(made.reference),
        against=made.against,
        reference_run=made.reference_run or None,
        difference=difference,
        threshold=made.threshold,
        ignored=list(made.ignored),
        group=made.group or None,
    )


def _write(number: int, blocked: model.BlockedWrite) -> shapes.Write:
    return shapes.Write(
        number=number,
        server=blocked.server,
        method=blocked.method,
        path=blocked.path,
        meaning=blocked.meaning,
        answered=blocked.answered,
        expected=blocked.expected,
        at=blocked.at,
    )


def _item(brief: model.RunBrief) -> dict[str, object]:
    return {
        "id": brief.id,
        "state": brief.state,
        "reason": brief.reason,
        "started": brief.started,
        "seconds": brief.seconds,
        "revision": brief.revision,
        "engine": brief.engine.kind if brief.engine else None,
        "engine_version": brief.engine.version if brief.engine else None,
        "rendered": brief.rendered,
        "changed": brief.changed,
        "failed": brief.failed,
        "blocked": brief.blocked,
        "errors": brief.errors,
        "warnings": brief.warnings,
        "ended": brief.ended,
        "targets": brief.targets,
        "counts": dict(brief.counts),
        "edit": edit_brief(brief.edit),
    }
