"""Any sequence of runs, approvals, rejections and undos, against a plain model of what should come of it."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.errors import NotThere, ReviewError
from sidecar.review import Verdict
from tests.pipeline.desk import Desk, drawn, open_desk

TARGETS = ("1", "2")
LOOKS = 3

SOME = st.sampled_from([("1",), ("2",), ("1", "2")])
RUN = st.tuples(st.just("run"), st.tuples(st.integers(0, LOOKS - 1), st.integers(0, LOOKS - 1)))
APPROVE = st.tuples(st.just("approve"), st.tuples(st.integers(0, 5), st.none() | SOME))
REJECT = st.tuples(st.just("reject"), st.tuples(st.integers(0, 5), SOME))
UNDO = st.tuples(st.just("undo"), st.none())
STEPS = st.lists(st.one_of(RUN, APPROVE, REJECT, UNDO), max_size=12)


@dataclass
class Model:
    """What people said, as they would remember it: looks by number, words in order."""

    runs: list[tuple[int, int]] = field(default_factory=list)
    words: list[tuple[int, str, str, int]] = field(default_factory=list)
    """batch, target, verdict, look"""
    batches: int = 0

    def baseline(self, target: str) -> int | None:
        return next((look for _, of, verdict, look in reversed(self.words) if of == target and verdict == "approve"), None)

    def last(self, target: str) -> tuple[str, int] | None:
        return next(((verdict, look) for _, of, verdict, look in reversed(self.words) if of == target), None)

    def say(self, verdict: str, run: int, targets: tuple[str, ...] | None) -> set[str]:
        """Of whom something was decided."""
        decided = []
        for target in targets or TARGETS:
            look, baseline, last = self.runs[run][int(target) - 1], self.baseline(target), self.last(target)
            word = last[0] if last and last[1] == look else "approve" if baseline == look else None
            if word == verdict:
                continue
            decided.append((self.batches, target, verdict, look))
        self.words += decided
        self.batches += bool(decided)
        return {target for _, target, _, _ in decided}

    def undo(self) -> set[str] | None:
        if not self.words:
            return None
        batch = self.words[-1][0]
        gone = {target for of, target, _, _ in self.words if of == batch}
        self.words = [word for word in self.words if word[0] != batch]
        return gone


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_standings_are_as_people_remember(steps: list[tuple[str, tuple[int, object] | None]]) -> None:
    asyncio.run(follow([("run", (0, 0)), *steps]))


async def follow(steps: list[tuple[str, tuple[int, object] | None]]) -> None:
    with tempfile.TemporaryDirectory(prefix="ks-") as folder:
        async with open_desk(Path(folder)) as desk:
            looks = [await desk.blob(colour) for colour in ("navy", "gold", "teal")]
            model, ids = Model(), []
            for step, what in steps:
                if step == "run":
                    assert isinstance(what, tuple)
                    shown = (int(str(what[0])), int(str(what[1])))
                    model.runs.append(shown)
                    ids.append((await desk.run([drawn(1, looks[shown[0]]), drawn(2, looks[shown[1]])])).id)
                elif step == "undo":
                    await undo(desk, model)
                else:
                    assert isinstance(what, tuple)
                    run, targets = min(what[0], len(ids) - 1), what[1]
                    assert targets is None or isinstance(targets, tuple)
                    act = desk.reviews.approve if step == "approve" else desk.reviews.reject
                    decided = await act(ids[run], targets, who="me")
                    assert set(decided.targets) == model.say(step, run, targets)
                    assert decided.newer == (ids[-1] if run < len(ids) - 1 else "")
                    assert {*decided.targets, *(target for target, _ in decided.skipped)} == set(targets or TARGETS)
                standings = await desk.reviews.standings()
                for target in TARGETS:
                    standing, base, last = standings.get(target), model.baseline(target), model.last(target)
                    assert (standing.baseline.blob if standing and standing.baseline else None) == (None if base is None else looks[base])
                    said = (standing.last.verdict, standing.last.blob) if standing and standing.last else None
                    assert said == (None if last is None else (VERDICTS[last[0]], looks[last[1]]))


VERDICTS = {"approve": Verdict.APPROVED, "reject": Verdict.REJECTED}


async def undo(desk: Desk, model: Model) -> None:
    expected = model.undo()
    if expected is None:
        try:
            await desk.reviews.undo(who="me")
        except (ReviewError, NotThere):
            return
        raise AssertionError("there was nothing to undo")
    assert set((await desk.reviews.undo(who="me")).targets) == expected
