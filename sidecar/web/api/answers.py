"""From the model's words to the API's shapes. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from sidecar import model
from sidecar.web.api import shapes


def run_item(brief: model.RunBrief) -> shapes.RunItem:
    return shapes.RunItem.model_validate(_item(brief))


def run(whole: model.Run) -> shapes.Run:
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
            **_item(model.RunBrief.of(whole)),
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
    if blob is None:
        return None
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
