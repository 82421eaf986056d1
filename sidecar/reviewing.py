"""Joins the parts of reviewing, for the daemon and for commands that work where no daemon runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from sidecar.model import RunState
from sidecar.pipeline.comparing import Comparer, Measures
from sidecar.pipeline.review import Reviews
from sidecar.pipeline.showcase import HISTORY, Showcase
from sidecar.publish import Gallery
from sidecar.settings import ReviewSettings
from sidecar.store import Blobs, State
from sidecar.wishes import review_rules

_NAME: Final = "config directory"


def build(
    settings: ReviewSettings,
    *,
    state: State,
    blobs: Blobs,
    gallery: Gallery,
    showcase: Showcase,
    revisions: Path,
    redact: Callable[[str], str],
) -> tuple[Reviews, Comparer]:
    """The comparer is to be closed in the end."""
    measures = Measures(threshold=settings.threshold / 100, sensitivity=settings.sensitivity, rules=review_rules(settings))
    comparer = Comparer(state=state, blobs=blobs, revisions=revisions, redact=redact, measures=measures)
    return Reviews(state=state, comparer=comparer, stage=showcase, site=gallery), comparer


async def restore(showcase: Showcase, state: State) -> None:
    """Show what an earlier process left. StoreError where it cannot be read or shown."""
    history = await state.briefs(limit=HISTORY)
    shown = await state.last_good()
    ended = next((run for run in history if run.state.final and run.state not in (RunState.SUPERSEDED, RunState.CANCELLED)), None)
    latest = await state.run(ended.id) if ended else None
    reviews = {run.id: await state.review(run.id) for run in (shown, latest) if run is not None}
    showcase.restore(
        shown=shown,
        latest=latest,
        history=tuple(history),
        reviews={run_id: review for run_id, review in reviews.items() if review is not None},
        standings=await state.standings(),
        last_batch=await state.last_batch(),
    )
    await showcase.flush()


async def note_name(state: State, config_dir: str) -> None:
    """Keep the watched directory's name for commands that work without it."""
    await state.note(_NAME, config_dir)


async def noted_name(state: State) -> str:
    """What :func:`note_name` kept; empty where no daemon ever ran."""
    name = await state.noted(_NAME)
    return name if isinstance(name, str) else ""
