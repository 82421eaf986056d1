"""Reviewing: compares each good run once it is shown, and takes what people decide. For the web, the command line and the pages."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from sidecar.errors import NotThere, ReviewError, StoreError
from sidecar.model import Run, RunState, Target
from sidecar.pipeline.comparing import Comparer
from sidecar.review import Decided, Decision, Moment, ReviewStatus, RunReview, Standing, TargetReview, Timeline, Verdict
from sidecar.store import State

log = logging.getLogger(__name__)

SHOWN_MOMENTS: Final = 60
"""Pictures of a target's published timeline."""
PAUSE: Final = 10.0
"""Seconds before what the disk refused is tried again."""
AT_ONCE: Final = 50
"""Timelines published together."""
_EQUAL: Final = (ReviewStatus.UNCHANGED, ReviewStatus.REUSED)


class Stage(Protocol):
    """Where results are shown: see ``Showcase``."""

    def reviewed(self, review: RunReview) -> None: ...

    def decided(self, standings: Mapping[str, Standing], last: Sequence[Decision], event: dict[str, Any]) -> None: ...


class Site(Protocol):
    """See ``sidecar.publish.Gallery``. Blocking."""

    def publish_review(self, run: Run, review: RunReview) -> None: ...

    def publish_timelines(self, timelines: Iterable[Timeline]) -> None: ...

    def without_timeline(self, targets: Collection[str]) -> set[str]: ...


class Reviews:
    """One per data directory. All methods on the loop."""

    def __init__(self, *, state: State, comparer: Comparer, stage: Stage, site: Site) -> None:
        self._state = state
        self._comparer = comparer
        self._stage = stage
        self._site = site
        self._waiting: set[str] = set()
        self._stale: dict[str, Target] = {}
        """Targets whose published timeline lacks something."""
        self._arrived = asyncio.Event()
        self._comparing = asyncio.Lock()
        self._made: RunReview | None = None
        """What was compared and could not be published or kept."""
        self._deciding = asyncio.Lock()
        self._showing = asyncio.Lock()

    # ── comparing ────────────────────────────────────────────────────────────────────────────────────────

    def submit(self, run_id: str) -> None:
        """Have that run compared soon."""
        self._waiting.add(run_id)
        self._arrived.set()

    async def serve(self) -> None:
        """Compare what is submitted, newest first, and what a restart left; until cancelled."""
        for run_id in await self._state.unreviewed():
            self.submit(run_id)
        shown = await self._state.last_good()
        self.refresh(picture.target for picture in (shown.pictures if shown else ()))
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting or self._stale:
                try:
                    await self.settle()
                except (StoreError, OSError) as error:
                    log.error("reviewing waits for the disk: %s", error)
                    await asyncio.sleep(PAUSE)

    async def settle(self) -> None:
        """Do now what waits: comparisons, then timelines. StoreError where the disk refuses; the rest still waits."""
        while self._waiting:
            run_id = max(self._waiting)
            await self.compare(run_id)
            self._waiting.discard(run_id)
        while (self._stale or self._showing.locked()) and not self._waiting:
            async with self._showing:  # or an older timeline might be written over a newer one
                some = list(self._stale.values())[:AT_ONCE]
                for target in some:  # before it is read: what changes meanwhile makes it stale again
                    del self._stale[target.id]
                try:
                    timelines = [await self._timeline(target) for target in some]
                    await asyncio.to_thread(self._site.publish_timelines, timelines)
                except StoreError:
                    self.refresh(some)
                    raise

    async def _timeline(self, target: Target) -> Timeline:
        return Timeline(
            target=target,
            moments=tuple(await self._state.moments(target.id, SHOWN_MOMENTS)),
            decisions=tuple(await self._state.decisions(target.id, limit=200)),
        )

    def refresh(self, targets: Iterable[Target]) -> None:
        """Have these targets' timelines published anew, soon."""
        self._stale.update((target.id, target) for target in targets)
        self._arrived.set()

    async def compare(self, run_id: str) -> RunReview | None:
        """The run's review: the one that is kept, or made, kept and shown now. None for a run that is not DONE, or is gone."""
        async with self._comparing:
            review = await self._state.review(run_id)
            if review is not None:
                return review
            run = await self._state.run(run_id)
            if run is None or run.state is not RunState.DONE:
                return None
            review = self._made if self._made is not None and self._made.run_id == run_id else await self._comparer.review(run)
            self._made = review
            # Kept last: what is kept is never made again, and the page that a full disk refused would stay without.
            await asyncio.to_thread(self._site.publish_review, run, review)
            await self._state.save_review(review)
            self._made = None
            late = await asyncio.to_thread(self._site.without_timeline, [picture.target.id for picture in run.pictures])
            self.refresh(picture.target for picture in run.pictures if picture.target.id in late or picture.target.id in run.changed)
        log.info("run %s compared: %s", run_id, ", ".join(f"{count} {status}" for status, count in review.counts.items() if count))
        self._stage.reviewed(review)
        return review

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────

    async def review(self, run_id: str) -> RunReview | None:
        """The kept review of that run; None while there is none."""
        return await self._state.review(run_id)

    async def standings(self) -> dict[str, Standing]:
        """Where each target stands that was ever decided on."""
        return await self._state.standings()

    async def decisions(self, target_id: str = "", limit: int = 50, before: str = "") -> list[Decision]:
        """Decisions, undone ones too, newest first; ``before`` is a batch."""
        return await self._state.decisions(target_id, limit=limit, before=before)

    async def timeline(self, target_id: str, limit: int = 200) -> list[Moment]:
        """The target's pictures, newest first."""
        return await self._state.moments(target_id, limit)

    # ── deciding ─────────────────────────────────────────────────────────────────────────────────────────

    async def approve(self, run_id: str = "", targets: Collection[str] | None = None, group: str = "", *, who: str) -> Decided:
        """Make the run's pictures the baselines of ``targets`` (of one ``group``, or of all that differ).

        A picture that is no further from its baseline than its threshold does not move it. NotThere, ReviewError, StoreError.
        """
        return await self._decide(Verdict.APPROVED, run_id, targets, group, who)

    async def reject(self, run_id: str = "", targets: Collection[str] | None = None, group: str = "", *, who: str) -> Decided:
        """Say that these pictures are not wanted; baselines stay. NotThere, ReviewError, StoreError."""
        return await self._decide(Verdict.REJECTED, run_id, targets, group, who)

    async def undo(self, batch: str = "", *, who: str) -> Decided:
        """Take back a batch of decisions, by default the last. NotThere for an unknown one, ReviewError where nothing is left to undo."""
        async with self._deciding:
            if not batch:
                last = await self._state.last_batch()
                if not last:
                    raise ReviewError("there is nothing to undo")
                batch = last[0].batch
            undone = await self._state.undo(batch, who=who, at=datetime.now(UTC))
            if not undone:
                known = any(decision.batch == batch for decision in await self._state.decisions(limit=10_000))
                raise ReviewError(f"{batch} was undone before") if known else NotThere(f"there is no decision {batch}")
            decided = Decided(
                batch=batch,
                verdict=None,
                run_id=undone[0].run_id,
                targets=tuple(decision.target for decision in undone),
                newer=await self._newer(undone[0].run_id),
            )
            await self._tell(decided, who)
        return decided

    async def _decide(self, verdict: Verdict, run_id: str, targets: Collection[str] | None, group: str, who: str) -> Decided:
        async with self._deciding:
            run_id = run_id or await self._state.newest_good()
            run = await self._state.run(run_id) if run_id else None
            if run is None:
                raise NotThere(f"there is no run {run_id}" if run_id else "there is no run with pictures yet")
            review = await self.compare(run.id)
            if review is None:
                raise ReviewError(f"run {run.id} is {run.state.value}: only the pictures of a run that is done can be reviewed")
            wanted = _wanted(review, targets, group)
            standings = await self._state.standings()
            now = datetime.now(UTC)
            batch = f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}-{secrets.token_hex(3)}"
            decisions, skipped = [], []
            for each in wanted:
                standing = standings.get(each.target, Standing(target=each.target))
                why, decision = await self._judge(run, each, standing, verdict, every=targets is None and not group)
                if decision is None:
                    skipped.append((each.target, why))
                else:
                    decisions.append(replace(decision, batch=batch, who=who, at=now))
            decided = Decided(
                batch=batch if decisions else "",
                verdict=verdict,
                run_id=run.id,
                targets=tuple(decision.target for decision in decisions),
                skipped=tuple(skipped),
                newer=await self._newer(run.id),
            )
            if decisions:
                await self._state.decide(decisions)
                await self._tell(decided, who)
        return decided

    async def _judge(
        self, run: Run, review: TargetReview, standing: Standing, verdict: Verdict, *, every: bool
    ) -> tuple[str, Decision | None]:
        """Why nothing is to be decided of this target, or the decision (without its batch, who and when)."""
        if review.shown is None:
            return "it has no picture in this run", None
        before = standing.verdict_on(review.shown)
        if before is verdict:
            return f"{verdict.value} already", None
        engine = run.engine.kind if run.engine else "kometa"
        decision = Decision(
            batch="", target=review.target, verdict=verdict, blob=review.shown, run_id=run.id, who="", at=run.started, engine=engine
        )
        if standing.baseline is None:
            if verdict is Verdict.REJECTED and every and review.status in _EQUAL:
                return "no different from its reference", None
            return "", decision
        if verdict is Verdict.APPROVED and engine != standing.baseline.engine == "kometa":
            return "it is a draft, and its baseline is Kometa's picture", None
        picture = next(picture for picture in run.pictures if picture.target.id == review.target)
        if await self._comparer.differs(picture, standing.baseline.blob):
            return "", decision
        if verdict is Verdict.APPROVED and before is Verdict.REJECTED:  # the rejection goes, the baseline stays what it is
            kept = standing.baseline
            return "", replace(decision, blob=kept.blob, run_id=kept.run_id, engine=kept.engine)
        if verdict is Verdict.REJECTED and not every:
            return "", decision
        return "no different from its baseline", None

    async def _newer(self, run_id: str) -> str:
        newest = await self._state.newest_good()
        return newest if newest > run_id else ""

    async def _tell(self, decided: Decided, who: str) -> None:
        event = {
            "batch": decided.batch,
            "verdict": decided.verdict.value if decided.verdict else None,
            "run": decided.run_id,
            "targets": list(decided.targets),
            "who": who,
        }
        log.info("%s: %d targets of run %s, by %s", event["verdict"] or "undone", len(decided.targets), decided.run_id, who)
        self._stage.decided(await self._state.standings(), await self._state.last_batch(), event)
        run = await self._state.run(decided.run_id)
        self.refresh(picture.target for picture in (run.pictures if run else ()) if picture.target.id in decided.targets)


def _wanted(review: RunReview, targets: Collection[str] | None, group: str) -> list[TargetReview]:
    if group:
        found = next((each for each in review.groups if each.id == group), None)
        if found is None:
            raise NotThere(f"run {review.run_id} has no group {group}")
        targets = found.targets if targets is None else [target for target in targets if target in found.targets]
    if targets is None:
        return list(review.targets)
    known = {each.target: each for each in review.targets}
    for target in targets:
        if target not in known:
            raise NotThere(f"run {review.run_id} has no target {target}")
    return [known[target] for target in dict.fromkeys(targets)]
