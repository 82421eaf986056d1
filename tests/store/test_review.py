"""Decisions, reviews and the history without the runs' bodies."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sidecar.model import Blob, EditBrief, EngineInfo, Level, Picture, PictureState, Run, RunBrief, RunState, Target
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
from sidecar.store import State, codec
from sidecar.store.approvals import UNDO
from sidecar.store.schema import MIGRATIONS

START = datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC)


def blob(name: str) -> Blob:
    return Blob(sha256=name * 64, size=10, media_type="image/webp", width=1000, height=1500)


def target(key: int = 101) -> Target:
    return Target(rating_key=key, level=Level.MOVIE, library="Movies", section=1, title="Heat", year=1995)


def run(number: int, after: Blob | None = None, *, state: RunState = RunState.DONE, picture: PictureState = PictureState.RENDERED) -> Run:
    return Run(
        id=f"20261121T0000{number:02}-abc",
        state=state,
        reason="edit",
        started=START + timedelta(seconds=number),
        revision=f"{number:064}",
        engine=EngineInfo(kind="kometa", via="process", version="2.4.4", speedups={"a": "on"}),
        pictures=(Picture(target=target(), state=picture, before=blob("0"), after=after),),
    )


def review(of: Run, *, reference: Blob | None = None, mask: Blob | None = None) -> RunReview:
    edit = Edit(before="a", after=of.revision, files=(FileEdit(path="overlays/my.yml", kind="changed", added=2, removed=1, diff="+x"),))
    seen = TargetReview(
        target="101",
        status=ReviewStatus.CHANGED,
        shown=of.pictures[0].after,
        reference=reference,
        against=Against.BASELINE,
        comparison=Comparison(fraction=0.25, pixels=7, boxes=((1, 2, 3, 4),), mask=mask, print="ff"),
        threshold=0.001,
        ignored=((0, 0, 5, 5),),
        group="g1",
    )
    groups = (ReviewGroup(id="g1", targets=("101", "102"), title="adds 4K"),)
    return RunReview(run_id=of.id, at=START, previous="before", targets=(seen,), groups=groups, edit=edit)


def decision(batch: str, name: str, *, target_id: str = "101", verdict: Verdict = Verdict.APPROVED) -> Decision:
    return Decision(batch=batch, target=target_id, verdict=verdict, blob=blob(name), run_id="r", who="me", at=START)


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[State]:
    opened = await State.open(tmp_path / "state.db")
    yield opened
    await opened.close()


async def test_the_newest_decision_that_was_not_undone_counts(state: State) -> None:
    first, second, no = decision("1", "a"), decision("2", "b"), decision("3", "c", verdict=Verdict.REJECTED)
    other = decision("2", "d", target_id="102")
    await state.decide([first])
    await state.decide([second, other])
    await state.decide([no])
    assert await state.standings() == {
        "101": Standing(target="101", baseline=second, last=no),
        "102": Standing(target="102", baseline=other, last=other),
    }
    assert await state.last_batch() == [no]
    at = START + timedelta(hours=1)
    assert await state.undo("3", who="you", at=at) == [replace(no, undone_by="you", undone_at=at)]
    assert await state.undo("3", who="you", at=at) == []
    assert await state.last_batch() == [second, other]
    await state.undo("2", who="you", at=at)
    assert await state.standings() == {"101": Standing(target="101", baseline=first, last=first)}
    kept = await state.decisions()
    assert [(each.batch, each.undone) for each in kept] == [("3", True), ("2", True), ("2", True), ("1", False)]
    assert [each.batch for each in await state.decisions("101", before="3", limit=1)] == ["2"]
    assert await state.undo("never", who="you", at=at) == []


async def test_forgotten_runs_free_their_pictures_but_not_baselines(state: State) -> None:
    await state.save_run(run(1, blob("a")))
    await state.save_run(run(2, blob("b")))
    await state.save_review(review(run(2, blob("b")), reference=blob("a"), mask=blob("d")))
    await state.decide([decision("1", "a"), decision("1", "e", target_id="7", verdict=Verdict.REJECTED)])
    await state.forget_runs([run(1).id])
    assert await state.blobs_in_use() == {blob(name).sha256 for name in "0abd"}, "a review keeps what it was compared with"
    await state.forget_runs([run(2).id])
    assert await state.review(run(2).id) is None
    assert await state.blobs_in_use() == {blob("a").sha256}
    assert (await state.standings())["101"].baseline == decision("1", "a")


async def test_undo_finds_the_pictures_of_a_few_approvals_back(state: State) -> None:
    names = "123456789"
    for number, name in enumerate(names):
        await state.decide([decision(str(number), name)])
    assert await state.blobs_in_use() == {blob(name).sha256 for name in names[-UNDO:]}
    await state.undo("8", who="me", at=START)
    assert await state.blobs_in_use() == {blob(name).sha256 for name in names[-UNDO - 1 : -1]}


async def test_a_review_is_kept_with_its_run(state: State) -> None:
    done = run(1, blob("a"))
    await state.save_review(review(done))
    assert await state.review(done.id) is None, "a run that was forgotten takes no review"
    await state.save_run(done)
    assert await state.unreviewed() == [done.id]
    await state.save_review(review(done, reference=blob("b"), mask=blob("c")))
    assert await state.review(done.id) == review(done, reference=blob("b"), mask=blob("c"))
    assert await state.unreviewed() == []
    await state.save_run(done)
    assert await state.review(done.id) is not None, "saving a run again does not lose its review"


async def test_a_review_goes_into_the_runs_brief(state: State) -> None:
    runs = [run(1, blob("a")), run(2, state=RunState.FAILED), run(3, blob("b"))]
    for each in runs:
        await state.save_run(each)
    seen = review(runs[2])
    await state.save_review(seen)
    found = await state.briefs()
    assert found[1:] == [RunBrief.of(runs[1]), RunBrief.of(runs[0])]
    assert found[0] == replace(RunBrief.of(runs[2]), counts=seen.counts, edit=EditBrief(files=("overlays/my.yml",), added=2, removed=1))
    assert found[0].counts["changed"] == 1
    assert await state.newest_good() == runs[2].id
    assert await state.newest_good(before=runs[2].id) == runs[0].id
    assert await state.newest_good(before=runs[0].id) == ""


async def test_moments_are_a_targets_pictures_each_with_the_edit_that_made_it(state: State) -> None:
    runs = [
        run(1, picture=PictureState.UNTOUCHED),
        run(2, blob("a")),
        run(3, blob("a"), picture=PictureState.REUSED),
        run(4, picture=PictureState.FAILED),
        run(5, blob("a")),
        run(6, blob("b"), state=RunState.FAILED),
        run(7, blob("c")),
        run(8, blob("a")),
    ]
    for each in runs:
        await state.save_run(each)
    await state.save_review(review(runs[1]))
    found = await state.moments("101")
    assert [(m.blob.sha256[0], m.run_id, m.last_run, m.runs, m.revision) for m in found] == [
        ("a", runs[7].id, runs[7].id, 1, runs[7].revision),
        ("c", runs[6].id, runs[6].id, 1, runs[6].revision),
        ("a", runs[1].id, runs[4].id, 3, runs[1].revision),
        ("0", runs[0].id, runs[0].id, 1, runs[0].revision),
    ]
    assert [m.edit for m in found] == [None, None, EditBrief(files=("overlays/my.yml",), added=2, removed=1), None]
    assert found[2].before == blob("0")
    assert [m.run_id for m in await state.moments("101", limit=2)] == [runs[7].id, runs[6].id]
    assert await state.moments("404") == []


async def test_a_database_of_the_first_schema_is_brought_up(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(MIGRATIONS[0])
        connection.execute("INSERT INTO blobs VALUES (?, 10, 'image/webp', 1000, 1500)", ("a" * 64,))
        connection.execute(
            "INSERT INTO baselines (target_id, sha256, run_id, who, at) VALUES ('101', ?, 'r', 'me', ?)", ("a" * 64, START.timestamp())
        )
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    state = await State.open(path)
    assert (await state.standings())["101"].baseline == decision("", "a")
    await state.close()


async def test_reviews_of_the_sixth_schema_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    before = next(number for number, text in enumerate(MIGRATIONS) if "old_reviews" in text)
    connection = sqlite3.connect(path)
    for text in MIGRATIONS[:before]:
        connection.executescript(text)
    one = run(1, blob("a"))
    told = review(one, reference=blob("b"), mask=blob("c"))
    connection.execute(
        "INSERT INTO runs VALUES (?, 'done', ?, ?, NULL, 0, 0, ?)", (one.id, one.revision, one.started.timestamp(), codec.dumps(one))
    )
    connection.execute("INSERT INTO reviews VALUES (?, ?, ?)", (one.id, told.at.timestamp(), codec.dumps(told)))
    for name in "abc":
        connection.execute("INSERT INTO blobs VALUES (?, 10, 'image/webp', 1000, 1500)", (name * 64,))
        connection.execute("INSERT INTO review_blobs VALUES (?, ?)", (one.id, name * 64))
    connection.execute(f"PRAGMA user_version = {before}")
    connection.commit()
    connection.close()
    state = await State.open(path)
    assert await state.review(one.id) == told
    assert {name * 64 for name in "abc"} <= await state.blobs_in_use()
    again = replace(told, targets=(replace(told.targets[0], reference=None, comparison=None),))
    await state.save_review(again)  # what only the first one showed goes
    assert await state.review(one.id) == again
    assert await state.blobs_in_use() == {"a" * 64}
    await state.forget_runs([one.id])
    assert await state.review(one.id) is None
    assert await state.blobs_in_use() == set()
    await state.close()
    with contextlib.closing(sqlite3.connect(path)) as found:
        assert found.execute("PRAGMA foreign_key_check").fetchall() == []


async def test_no_long_text_lies_where_rows_are_looked_up(tmp_path: Path) -> None:
    """A table WITHOUT ROWID keeps its rows in the tree that is searched by key: SQLite reads each row it passes, whole.

    Saving a review looks its run up a thousand times; with bodies in that tree it took ten times as long after fifty runs.
    """
    state = await State.open(tmp_path / "state.db")
    await state.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "state.db")) as found:
        tables = dict(found.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
        parents = {row[2] for name in tables for row in found.execute(f"PRAGMA foreign_key_list({name})")}
        long = {name for name in parents if any(column[1] == "body" for column in found.execute(f"PRAGMA table_info({name})"))}
    assert long >= {"runs", "reviews"}
    assert [name for name in sorted(long) if "WITHOUT ROWID" in tables[name]] == []


def test_a_verdict_holds_for_the_very_picture_only() -> None:
    base, no = decision("1", "a"), decision("2", "b", verdict=Verdict.REJECTED)
    standing = Standing(target="101", baseline=base, last=no)
    assert [standing.verdict_on(blob(name)) for name in "abc"] == [Verdict.APPROVED, Verdict.REJECTED, None]
    assert standing.verdict_on(None) is None
