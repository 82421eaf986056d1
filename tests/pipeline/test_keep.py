"""How long runs are kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sidecar.model import RunState
from sidecar.pipeline.housekeeping import Housekeeping, Keep, too_old
from sidecar.store import RunWeight
from tests.pipeline.desk import drawn, open_desk

NOW = datetime(2026, 11, 21, tzinfo=UTC).timestamp()


def weights(*runs: tuple[RunState, float, int]) -> list[RunWeight]:
    """Newest first: state, age in seconds, bytes."""
    return [
        RunWeight(id=f"{1000 - number}", state=state, started=NOW - age, revision="", size=size)
        for number, (state, age, size) in enumerate(runs)
    ]


DONE, FAILED, RENDERING = RunState.DONE, RunState.FAILED, RunState.RENDERING


def test_by_number_age_and_bytes() -> None:
    runs = weights((DONE, 1, 10), (DONE, 2, 10), (DONE, 3, 10), (DONE, 400, 10))
    assert too_old(runs, Keep(runs=2), NOW) == ["998", "997"]
    assert too_old(runs, Keep(age=100), NOW) == ["997"]
    assert too_old(runs, Keep(size=25), NOW) == ["998", "997"]
    assert too_old(runs, Keep(), NOW) == []


def test_the_newest_good_run_and_those_in_progress_stay() -> None:
    runs = weights((RENDERING, 500, 0), (FAILED, 500, 0), (DONE, 500, 10**9), (DONE, 500, 1))
    assert too_old(runs, Keep(runs=1, age=1, size=1), NOW) == ["999", "997"]


ANY = st.lists(st.tuples(st.sampled_from(list(RunState)), st.floats(0, 1000), st.integers(0, 100)), max_size=30)


@given(ANY, st.integers(1, 40), st.none() | st.floats(1, 1000), st.none() | st.integers(1, 1000))
def test_what_stays_is_within_the_limits_and_the_newest_good_one(
    found: list[tuple[RunState, float, int]], most: int, age: float | None, size: int | None
) -> None:
    runs = weights(*found)
    gone = set(too_old(runs, Keep(runs=most, age=age, size=size), NOW))
    good = next((run for run in runs if run.state is DONE), None)
    kept = [run for run in runs if run.id not in gone]
    assert good is None or good in kept
    free = [run for run in kept if run != good and run.state.final]
    ranks = {run.id: rank for rank, run in enumerate(runs)}
    for run in free:
        assert ranks[run.id] < most
        assert age is None or NOW - run.started <= age
        assert size is None or sum(each.size for each in runs[: ranks[run.id] + 1]) <= size
    assert not any(run.state in (RENDERING, RunState.PLANNING) for run in runs if run.id in gone)


async def test_retention_never_takes_a_baseline_nor_what_a_kept_run_shows(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        old, new = await desk.blob("navy"), await desk.blob("navy", (10, 10, 30, 30))
        lost, forgotten = await desk.blob("red"), await desk.blob("green")
        first = await desk.run([drawn(1, old), drawn(2, old)])
        await desk.compared(first)
        await desk.reviews.approve(targets=["1"], who="me")
        await desk.compared(await desk.run([drawn(1, forgotten), drawn(2, forgotten)]))
        await desk.compared(await desk.run([drawn(1, lost), drawn(2, lost)]))
        last = await desk.compared(await desk.run([drawn(1, new), drawn(2, new)]))
        told: list[str] = []
        house = Housekeeping(
            state=desk.state,
            blobs=desk.blobs,
            gallery=desk.gallery,
            revisions=tmp_path / "revisions",
            logs=tmp_path / "logs",
            keep=Keep(runs=1),
            forgot=told.extend,
        )
        weights = {run.id: run.size for run in await desk.state.weights()}
        assert weights[first.id] == 0, "the last run's review shows it still"
        await house.round()
        assert len(told) == 3
        pruned = await desk.blobs.prune(await desk.state.blobs_in_use(), older_than=-60)
        assert pruned.files > 0
        stays = {"baseline": old, "shown": new, "what it was compared with": lost}
        assert {name for name, blob in stays.items() if not desk.blobs.path(blob).exists()} == set()
        assert not desk.blobs.path(forgotten).exists()
        desk.gallery.prune({last.run_id}, await desk.state.blobs_in_use(), targets=await desk.state.target_ids(), older_than=-60)
        assert (tmp_path / "gallery" / "img" / old.name).exists()
        standing = (await desk.reviews.standings())["1"]
        assert standing.baseline is not None
        assert standing.baseline.blob == old
        desk.showcase.forgotten(told)
        shown = desk.showcase.view.shown
        assert shown is not None
        desk.reviews.refresh(picture.target for picture in shown.pictures)
        await desk.reviews.settle()
        await desk.showcase.flush()
        assert [run["run"] for run in desk.data("data/runs")["runs"]] == [last.run_id]
        assert [moment["run"] for moment in desk.data("data/targets/1")["moments"]] == [last.run_id]
        desk.gallery.prune({last.run_id}, await desk.state.blobs_in_use(), targets=["2"])
        assert not (tmp_path / "gallery" / "data" / "targets" / "1.js").exists()
        assert (tmp_path / "gallery" / "data" / "targets" / "2.js").exists()
