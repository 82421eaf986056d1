"""Reviews as the daemon makes them, from two runs' samples: what differs between two pictures is drawn here by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta

from PIL import Image, ImageChops

from sidecar.model import Blob, PictureState, Run
from sidecar.review import (
    Against,
    Comparison,
    Decision,
    Edit,
    FileEdit,
    ReviewGroup,
    ReviewStatus,
    RunReview,
    Standing,
    TargetReview,
    Verdict,
)
from tests.publish.samples import START, Store

EDIT = Edit(
    before="a" * 64,
    after="b" * 64,
    files=(
        FileEdit(
            path="overlays/badges.yml",
            kind="changed",
            added=2,
            removed=1,
            diff="--- a/overlays/badges.yml\n+++ b/overlays/badges.yml\n@@ -10,5 +10,6 @@\n   4K:\n     overlay:\n"
            '-      back_color: "#00000099"\n+      back_color: "#AA220099"\n+      back_radius: 24\n       name: text(4K)\n',
        ),
        FileEdit(path="fonts/Inter.ttf", kind="added"),
    ),
)


def compared(store: Store, before: Blob, after: Blob) -> Comparison:
    """The plainest of comparisons: one box around all that differs, a mask of it."""
    with Image.open(store.path(before)) as one, Image.open(store.path(after)) as two:
        new = two.convert("RGB")
        old = one.convert("RGB").resize(new.size)
    grey = ImageChops.difference(old, new).convert("L").point(lambda value: 255 if value > 12 else 0)
    box = grey.getbbox()
    if box is None:
        return Comparison(fraction=0.0, pixels=0)
    pixels = grey.histogram()[255]
    mask = Image.new("RGBA", new.size, (0, 0, 0, 0))
    mask.paste((255, 0, 128, 255), (0, 0), grey)
    return Comparison(
        fraction=pixels / (new.width * new.height),
        pixels=pixels,
        boxes=((box[0], box[1], box[2] - box[0], box[3] - box[1]),),
        mask=store.image(mask, "png"),
    )


def review_of(
    store: Store, run: Run, previous: Run | None = None, *, groups: Mapping[str, tuple[str, ...]] | None = None, edit: Edit | None = EDIT
) -> RunReview:
    """``run`` against ``previous``; ``groups`` are titles and the targets whose change is alike."""
    known = {picture.target.id: picture.after or picture.before for picture in previous.pictures} if previous else {}
    of = {target: f"g{number}" for number, targets in enumerate((groups or {}).values(), 1) for target in targets}
    targets = []
    for picture in run.pictures:
        shown, reference = picture.after or picture.before, known.get(picture.target.id)
        comparison = compared(store, reference, shown) if shown and reference else None
        if picture.state is PictureState.FAILED:
            status = ReviewStatus.FAILED
        elif picture.state is PictureState.GONE:
            status = ReviewStatus.GONE
        elif comparison is None:
            status = ReviewStatus.NEW
        else:
            status = ReviewStatus.CHANGED if comparison.fraction else ReviewStatus.UNCHANGED
        targets.append(
            TargetReview(
                target=picture.target.id,
                status=status,
                shown=shown,
                reference=reference,
                against=Against.PREVIOUS if reference else None,
                reference_run=previous.id if previous and reference else "",
                comparison=comparison,
                threshold=0.0002,
                group=of.get(picture.target.id, ""),
            )
        )
    return RunReview(
        run_id=run.id,
        at=run.started + timedelta(seconds=4),
        previous=previous.id if previous else "",
        targets=tuple(targets),
        groups=tuple(
            ReviewGroup(id=f"g{number}", targets=targets, title=title) for number, (title, targets) in enumerate((groups or {}).items(), 1)
        ),
        edit=edit if previous else None,
    )


def standing(target: str, blob: Blob, run: Run, verdict: Verdict = Verdict.APPROVED, who: str = "ada") -> Standing:
    """One decision on one target."""
    batch = hashlib.sha256(f"{run.id}{target}".encode()).hexdigest()[:12]
    decision = Decision(batch=batch, target=target, verdict=verdict, blob=blob, run_id=run.id, who=who, at=START)
    return Standing(target=target, baseline=decision if verdict is Verdict.APPROVED else None, last=decision)
