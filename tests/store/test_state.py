from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sidecar.errors import StoreError
from sidecar.model import Blob, Level, Picture, PictureState, Problem, Run, RunBrief, RunState, Severity, Target
from sidecar.store import LetterState, State
from sidecar.store.schema import MIGRATIONS

START = datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC)


def blob(name: str) -> Blob:
    return Blob(sha256=name * 64, size=10, media_type="image/webp", width=1000, height=1500)


def run(number: int, state: RunState = RunState.DONE, after: Blob | None = None) -> Run:
    target = Target(rating_key=101, level=Level.MOVIE, library="Movies", section=1, title="Heat", year=1995)
    picture = Picture(target=target, state=PictureState.RENDERED, before=blob("0"), after=after or blob("1"))
    return Run(
        id=f"20261121T0000{number:02}-abc",
        state=state,
        reason="edit",
        started=START,
        pictures=(picture,),
        problems=(Problem(severity=Severity.WARNING, what="a font is missing", file="overlays/my.yml", line=3),),
    )


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[State]:
    opened = await State.open(tmp_path / "data" / "state.db")
    yield opened
    await opened.close()


async def test_runs_are_kept_and_found(state: State) -> None:
    assert await state.latest() is None
    assert await state.last_good() is None
    assert await state.runs() == []
    runs = [run(1), run(2, RunState.FAILED), run(3), run(4, RunState.RENDERING)]
    for each in runs:
        await state.save_run(each)
    assert await state.runs(10) == runs[::-1]
    assert await state.runs(2) == [runs[3], runs[2]]
    assert await state.runs(2, before=runs[2].id) == [runs[1], runs[0]]
    assert await state.run(runs[1].id) == runs[1]
    assert await state.run("never") is None
    assert await state.latest() == runs[3]
    assert await state.last_good() == runs[2]


async def test_briefs_are_runs_without_their_pictures(state: State) -> None:
    runs = [run(1), run(2, RunState.FAILED), run(3), run(4, RunState.RENDERING)]
    for each in (*runs, replace(runs[3], state=RunState.DONE)):
        await state.save_run(each)
    runs[3] = replace(runs[3], state=RunState.DONE)
    assert await state.briefs() == [RunBrief.of(each) for each in runs[::-1]]
    assert [brief.id for brief in await state.briefs(1, before=runs[2].id)] == [runs[1].id]
    assert [brief.id for brief in await state.briefs(2, before=runs[3].id, state=RunState.DONE)] == [runs[2].id, runs[0].id]
    await state.forget_runs([runs[3].id])
    assert [brief.id for brief in await state.briefs()] == [each.id for each in runs[2::-1]]


async def test_runs_of_before_briefs_are_listed_too(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with contextlib.closing(sqlite3.connect(path)) as old:
        old.executescript(MIGRATIONS[0])
        old.execute("PRAGMA user_version = 1")
    runs = [run(1), run(2), run(3)]
    state = await State.open(path)
    for each in runs:
        await state.save_run(each)
    await state.close()
    with contextlib.closing(sqlite3.connect(path)) as old:
        old.execute("DELETE FROM briefs WHERE run_id = ?", (runs[0].id,))
        old.execute("UPDATE briefs SET body = '[]' WHERE run_id = ?", (runs[1].id,))
        old.execute("DELETE FROM briefs WHERE run_id = ?", (runs[2].id,))
        old.execute("UPDATE runs SET body = '{}' WHERE id = ?", (runs[2].id,))
        old.commit()
    state = await State.open(path)
    try:
        lost, *others = await state.briefs()
        assert others == [RunBrief.of(runs[1]), RunBrief.of(runs[0])]
        assert (lost.id, lost.state, lost.started, lost.warnings) == (runs[2].id, RunState.DONE, START, 1)
    finally:
        await state.close()


async def test_a_run_saved_again_is_replaced(state: State) -> None:
    await state.save_run(run(1, RunState.RENDERING))
    done = replace(run(1), pictures=())
    await state.save_run(done)
    assert await state.runs() == [done]
    assert await state.blobs_in_use() == frozenset()


async def test_last_after_is_of_done_runs_only(state: State) -> None:
    assert await state.last_after("101") is None
    await state.save_run(run(1, after=blob("a")))
    await state.save_run(run(2, after=blob("b")))
    await state.save_run(run(3, RunState.FAILED, after=blob("c")))
    assert await state.last_after("101") == blob("b")
    assert await state.last_after("101", before=run(2).id) == blob("a")
    assert await state.last_after("102") is None


async def test_interrupted_runs_are_failed_once(state: State) -> None:
    for number, kind in enumerate(RunState):
        await state.save_run(run(number, kind))
    mended = await state.interrupted()
    assert {each.id for each in mended} == {run(0).id, run(1).id}
    for each in mended:
        kept = await state.run(each.id)
        assert kept == each
        assert kept is not None
        assert kept.state is RunState.FAILED
        assert kept.ended is not None
        assert kept.problems[-1].what.startswith("the daemon stopped")
        assert kept.problems[0].what == "a font is missing"
    assert await state.interrupted() == ()


async def test_remembered_targets_are_replaced_per_library(state: State) -> None:
    assert await state.remembered() == {}
    await state.remember_targets("machine", 1, {"movie/0": 101, "imdb://tt1": 102})
    await state.remember_targets("machine", 2, {"show/0": 201})
    await state.remember_targets("machine", 1, {"movie/0": 103})
    assert await state.remembered() == {("machine", 1): {"movie/0": 103}, ("machine", 2): {"show/0": 201}}


async def test_notes(state: State) -> None:
    assert await state.noted("x") is None
    await state.note("x", {"a": [1, None]})
    await state.note("x", {"a": [2, None]})
    assert await state.noted("x") == {"a": [2, None]}


async def test_a_letter_is_handed_out_until_settled(state: State) -> None:
    now = datetime.now(UTC) + timedelta(seconds=1)
    first = await state.enqueue("webhook", {"run": "1"})
    await state.enqueue("webhook", {"run": "later"}, not_before=now + timedelta(hours=1))
    [letter] = await state.claim(now, lease=60)
    assert (letter.id, letter.body, letter.attempts, letter.state) == (first, {"run": "1"}, 1, LetterState.CLAIMED)
    assert await state.claim(now, lease=60) == []
    [again] = await state.claim(now + timedelta(seconds=61), lease=60)
    assert (again.id, again.attempts) == (first, 2)
    await state.settle(first, retry_at=now + timedelta(seconds=300), error="503")
    assert await state.claim(now + timedelta(seconds=200)) == []
    [third] = await state.claim(now + timedelta(seconds=301))
    assert (third.attempts, third.error) == (3, "503")
    await state.settle(first, sent=True)
    assert [each.id for each in await state.letters(LetterState.SENT)] == [first]
    assert len(await state.claim(now + timedelta(days=1))) == 1


async def test_a_known_letter_is_not_doubled_and_old_ones_are_forgotten(state: State) -> None:
    for _ in range(3):
        assert await state.enqueue("webhook", {"n": 1}, letter_id="run-1") == "run-1"
    assert len(await state.letters()) == 1
    await state.settle("run-1", error="410 gone")
    [dead] = await state.letters(LetterState.DEAD)
    assert dead.error == "410 gone"
    assert await state.forget_letters(datetime.now(UTC) + timedelta(seconds=1)) == 1
    assert await state.letters() == []


async def test_what_cannot_be_written_down_is_refused(state: State) -> None:
    with pytest.raises(StoreError, match="written down"):
        await state.enqueue("webhook", {"x": object()})
    broken = replace(run(1), pictures=(replace(run(1).pictures[0], overlays=({"x": object()},)),))
    with pytest.raises(StoreError, match="written down"):
        await state.save_run(broken)


async def test_many_tasks_at_once(state: State) -> None:
    await asyncio.gather(*(state.save_run(run(number)) for number in range(40)), *(state.enqueue("x", {}) for _ in range(40)))
    assert len(await state.runs(100)) == 40
    claimed = await asyncio.gather(*(state.claim(datetime.now(UTC) + timedelta(seconds=1), limit=5) for _ in range(8)))
    ids = [letter.id for letters in claimed for letter in letters]
    assert len(ids) == len(set(ids)) == 40


async def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    first = await State.open(path)
    await first.save_run(run(1))
    await first.close()
    await first.close()
    with pytest.raises(StoreError, match="closed"):
        await first.runs()
    second = await State.open(path)
    assert await second.runs() == [run(1)]
    assert second.problems == ()
    await second.close()


async def test_a_second_daemon_is_refused_and_a_shared_look_is_not(tmp_path: Path, state: State) -> None:
    path = tmp_path / "data" / "state.db"
    await state.save_run(run(1))
    with pytest.raises(StoreError, match=r"another kometa-sidecar \(process \d+\)"):
        await State.open(path)
    other = await State.open(path, shared=True)
    assert await other.latest() == run(1)
    await other.note("seen", "by another process")
    await other.close()
    assert await state.noted("seen") == "by another process"


@pytest.mark.parametrize("damage", ["header", "page", "garbage"])
async def test_a_damaged_database_is_set_aside(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "state.db"
    first = await State.open(path)
    for number in range(30):
        await first.save_run(run(number))
    await first.close()
    data = bytearray(path.read_bytes())
    if damage == "header":
        data[:16] = b"not a data base!"
    elif damage == "page":
        for page in range(1, len(data) // 4096):
            data[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    else:
        data = bytearray(b"\x00\x01garbage" * 1000)
    path.write_bytes(data)
    second = await State.open(path)
    try:
        [problem] = second.problems
        assert "set aside" in problem.what
        [aside] = tmp_path.glob("state.db.damaged-*")
        assert aside.name in problem.what
        assert aside.read_bytes() == bytes(data)
        assert await second.runs() == []
        await second.save_run(run(1))
        assert await second.latest() == run(1)
    finally:
        await second.close()


async def test_a_run_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path, state: State, caplog: pytest.LogCaptureFixture) -> None:
    await state.save_run(run(1))
    await state.save_run(run(2))
    with sqlite3.connect(tmp_path / "data" / "state.db") as connection:
        connection.execute("UPDATE runs SET body = '{}' WHERE id = ?", (run(2).id,))
    connection.close()
    assert await state.runs() == [run(1)]
    assert run(2).id in caplog.text


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(StoreError, match="newer"):
        await State.open(path)
    assert [each.name for each in tmp_path.glob("*damaged*")] == []


async def test_a_locked_database_is_told(tmp_path: Path, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    await state._database.read(lambda connection: connection.execute("PRAGMA busy_timeout=50"))
    other = sqlite3.connect(tmp_path / "data" / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        await state.save_run(run(1))
    other.execute("ROLLBACK")
    other.close()
    await state.save_run(run(1))


def test_an_unwritable_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    program = "import asyncio,sys;from pathlib import Path;from sidecar.store import State\nasyncio.run(State.open(Path(sys.argv[1])))"
    ran = subprocess.run([sys.executable, "-c", program, tmp_path / "file" / "x" / "state.db"], capture_output=True, text=True, check=False)
    assert "StoreError: cannot read or write the state in" in ran.stderr


async def test_a_start_waits_for_a_command_that_is_just_looking(tmp_path: Path) -> None:
    """An ``approve`` that began while no daemon ran holds the lock until it ends."""
    command = await State.open(tmp_path / "state.db", shared=True)
    daemon = asyncio.create_task(State.open(tmp_path / "state.db"))
    await asyncio.sleep(0.3)
    assert not daemon.done()
    await command.close()
    await (await daemon).close()
