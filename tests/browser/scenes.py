"""What there is to see: galleries with everything, with something to review, with a past."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from sidecar.model import EditBrief, EngineInfo, Health, PictureState, Run, RunState, Severity
from sidecar.publish import GalleryView, RunBrief
from sidecar.review import Moment, RunReview, Timeline
from tests.browser.desk import Desk
from tests.publish.reviews import review_of, standing
from tests.publish.samples import DRAFT, KOMETA, START, movie, problem, rendered, run, writes

LIKE = {"adds 4K": ("101", "102", "103")}


def everything(desk: Desk) -> GalleryView:
    """A page with all its parts: errors, health, draft, every state, warnings, writes, history."""
    pictures = list(desk.pictures())
    trouble = problem(Severity.ERROR, "The font does not exist", file="overlays/a/rather/long/path/badges.yml", line=40, mend="Add it.")
    pictures[1] = replace(pictures[1], state=PictureState.FAILED, after=None, problems=(trouble,))
    pictures[2] = replace(pictures[2], state=PictureState.UNTOUCHED, after=None)
    pictures[3] = replace(pictures[3], state=PictureState.GONE, before=None, after=None)
    shown = run(1, tuple(pictures), engine=DRAFT, problems=(trouble, problem(Severity.WARNING, "odd")))
    shown = replace(shown, blocked=writes(shown.id, (101, 102)))
    bad = run(3, (), state=RunState.INVALID, problems=(problem(Severity.ERROR, "no" * 80, file="config.yml", line=1, mend="so" * 80),))
    health = (Health(part="plex", ok=False, detail="http://10.0.0.7:32400 does not answer within 10 s", since=START),)
    history = (RunBrief.of(bad), RunBrief.of(shown))
    return GalleryView(shown=shown, latest=bad, current=desk.waiting(), history=history, health=health, config_dir="config")


def second(desk: Desk) -> tuple[Run, Run, RunReview]:
    """Two runs and the review of the second: three movies changed alike, the episode by itself, one movie stayed."""
    one = desk.good()
    badge = desk.badged()
    new = (*badge[:3], one.pictures[3], badge[4])
    two = run(2, new, changed=("101", "102", "103", "201"))
    return one, two, review_of(desk.store, two, one, groups=LIKE)


def reviewed(desk: Desk, *, approved: bool = True) -> GalleryView:
    """A good run that was compared with the one before it, which was approved."""
    one, two, review = second(desk)
    standings = {p.target.id: standing(p.target.id, p.after, one) for p in one.pictures if p.after} if approved else {}
    history = (RunBrief.of(two), RunBrief.of(one))
    return GalleryView(shown=two, latest=two, history=history, reviews={two.id: review}, standings=standings, config_dir="config")


def many_alike(desk: Desk, count: int = 14) -> GalleryView:
    """So many equal changes that they are folded, and one other."""
    gray, old, new = (desk.store.flat(colour, (200, 300)) for colour in ("gray", "darkred", "navy"))
    one = run(1, tuple(rendered(movie(101 + n, f"Movie {n}", 1990 + n), gray, old) for n in range(count + 1)))
    two = run(2, tuple(replace(picture, after=new) for picture in one.pictures))
    review = review_of(desk.store, two, one, groups={"adds 4K": tuple(str(101 + n) for n in range(count))})
    return GalleryView(shown=two, latest=two, reviews={two.id: review}, config_dir="config")


async def with_history(desk: Desk, engine: EngineInfo = KOMETA) -> tuple[Run, Run]:
    """Two runs published one after the other, each compared; the first was approved; the timelines of two targets.

    ``engine`` drew the second.
    """
    one, two, review = second(desk)
    two = replace(two, engine=engine)
    first = review_of(desk.store, one)
    view = GalleryView(shown=one, latest=one, history=(RunBrief.of(one),), reviews={one.id: first}, config_dir="config")
    await desk.publish(view)
    await asyncio.to_thread(desk.gallery.publish_review, one, first)
    standings = {p.target.id: standing(p.target.id, p.after, one) for p in one.pictures if p.after}
    edit = EditBrief(files=("overlays/badges.yml",), added=2, removed=1)
    history = (replace(RunBrief.of(two), edit=edit), RunBrief.of(one))
    await desk.publish(replace(view, shown=two, latest=two, history=history, reviews={two.id: review}, standings=standings))
    await asyncio.to_thread(desk.gallery.publish_timelines, [timeline(one, two, target) for target in ("101", "104")])
    return one, two


def timeline(one: Run, two: Run, target: str) -> Timeline:
    """What a target looked like in both runs; approved in the first."""
    old, new = (next(picture for picture in run.pictures if picture.target.id == target) for run in (one, two))
    assert old.after
    assert new.after
    first = Moment(
        blob=old.after,
        state=old.state,
        run_id=one.id,
        started=one.started,
        revision=one.revision,
        runs=1,
        last_run=one.id,
        before=old.before,
    )
    last = Moment(
        blob=new.after, state=new.state, run_id=two.id, started=two.started, revision=two.revision, runs=3, last_run=two.id,
        before=new.before, engine=two.engine.kind if two.engine else "", edit=EditBrief(files=("overlays/badges.yml",), added=2, removed=1),
    )  # fmt: skip
    decision = standing(target, old.after, one).baseline
    assert decision
    moments = (replace(first, runs=4, last_run=two.id),) if old.after == new.after else (last, first)
    return Timeline(target=old.target, moments=moments, decisions=(decision,))
