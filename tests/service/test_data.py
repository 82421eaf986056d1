"""The data directory through damage, migrations, backup and restore."""

from __future__ import annotations

import asyncio
import io
import json
import random
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sidecar import archive, cli
from sidecar.errors import StoreError
from sidecar.model import Blob, BlockedWrite, EngineInfo, Picture, Run
from sidecar.places import open_places
from sidecar.publish import Gallery, GalleryView, recall
from sidecar.review import Decision, Verdict
from sidecar.store import Blobs, State
from sidecar.store import database as database_module
from sidecar.store.schema import MIGRATIONS
from sidecar.upkeep import recall_runs
from tests.store.test_state import blob, run


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "data" / "state.db"


def approval(picture: Blob) -> Decision:
    return Decision(
        batch="b1", target="101", verdict=Verdict.APPROVED, blob=picture, run_id=run(1).id, who="me", at=datetime(2026, 1, 2, tzinfo=UTC)
    )


async def approved(state: State) -> dict[str, Blob]:
    return {target: standing.baseline.blob for target, standing in (await state.standings()).items() if standing.baseline}


async def filled(place: Path, numbers: range = range(40)) -> list[Run]:
    """A database with runs and an approval."""
    state = await State.open(place)
    for number in numbers:
        await state.save_run(run(number))
    await state.decide([approval(blob("1"))])
    kept = await state.runs(1000)
    await state.close()
    return kept


def spoil(place: Path, table: str) -> None:
    """Overwrite the root page of ``table``: it cannot be read, the others can."""
    with sqlite3.connect(place) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    data = bytearray(place.read_bytes())
    data[(page - 1) * size : page * size] = b"\xff" * size
    place.write_bytes(data)


async def test_an_older_database_is_backed_up_before_it_is_migrated(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "MIGRATIONS", MIGRATIONS[:1])
    place.parent.mkdir()
    with sqlite3.connect(place) as connection:
        connection.executescript(MIGRATIONS[0])
        connection.execute("INSERT INTO meta VALUES ('before', '\"the migration\"')")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    first = await State.open(place)
    await first.close()
    assert list(place.parent.glob("backups/*")) == [], "nothing to migrate, nothing to back up"
    monkeypatch.setattr(database_module, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE of_tomorrow (id INTEGER PRIMARY KEY);"))
    second = await State.open(place)
    assert await second.noted("before") == "the migration"
    await second.close()
    [kept] = place.parent.glob(f"backups/state-before-schema-{len(MIGRATIONS) + 1}-*.db")
    with sqlite3.connect(kept) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 1
        assert connection.execute("SELECT value FROM meta").fetchall() == [('"the migration"',)]
    connection.close()


async def test_a_migration_that_fails_leaves_all_as_it_was(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await filled(place)
    broken = "CREATE TABLE half (id INTEGER PRIMARY KEY);\nINSERT INTO nowhere VALUES (1);"
    monkeypatch.setattr(database_module, "MIGRATIONS", (*MIGRATIONS, broken))
    with pytest.raises(StoreError, match="nowhere"):
        await State.open(place)
    monkeypatch.undo()
    again = await State.open(place)
    assert await again.runs(1000) == before
    assert await again._database.read(lambda c: c.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone()[0]) == 0
    await again.close()


@pytest.mark.parametrize(("table", "backup"), [("runs", False), ("runs", True), ("baselines", True), ("baselines", False)])
async def test_what_can_be_read_of_a_damaged_database_and_its_backup_come_back(place: Path, table: str, backup: bool) -> None:
    before = await filled(place)
    if backup:
        state = await State.open(place)
        await state.backup(keep=3)
        await state.save_run(run(50))
        await state.close()
    spoil(place, table)
    state = await State.open(place)
    try:
        assert state.rebuilt
        [problem] = state.problems
        assert "set aside" in problem.what
        assert ("the backup state-" in problem.what) is backup
        runs = await state.runs(1000)
        approvals = await approved(state)
        if table == "runs":  # only the backup knows those that it held
            assert runs == (before if backup else [])
        else:
            assert len(runs) == len(before) + backup
        assert approvals == ({} if table == "baselines" and not backup else {"101": blob("1")})
        await state.save_run(run(60))
    finally:
        await state.close()
    sound = await State.open(place)
    assert not sound.rebuilt
    assert sound.problems == ()
    await sound.close()


async def test_a_damaged_backup_is_passed_over(place: Path) -> None:
    await filled(place)
    state = await State.open(place)
    for _ in range(5):
        newest = await state.backup(keep=3)
    await state.close()
    kept = sorted(place.parent.glob("backups/*.db"))
    assert len(kept) == 3
    assert kept[-1] == newest
    newest.write_bytes(b"garbage" * 5000)
    place.write_bytes(b"garbage" * 5000)
    state = await State.open(place)
    assert kept[-2].name in state.problems[0].what
    assert len(await state.runs(1000)) == 40
    await state.close()


OPENER = """
import asyncio, sys
from pathlib import Path
from sidecar.store import State

async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    state = await State.open(Path(sys.argv[1]))
    print("open", flush=True)
    await state.close()

asyncio.run(main())
"""


async def test_a_mending_that_is_killed_is_begun_again(place: Path) -> None:
    """At any moment of it: with the next start everything that the backup and the damaged file hold is there."""
    chance = random.Random(20261121)
    before = await filled(place, range(120))
    state = await State.open(place)
    await state.note("large", "x" * 3_000_000)  # so that copying takes a while
    await state.backup(keep=3)
    await state.save_run(run(500))
    await state.close()
    spoil(place, "baselines")
    whole = place.read_bytes()
    cut_off = 0
    for _ in range(12):
        for path in place.parent.glob("state.db*"):
            path.unlink()
        place.write_bytes(whole)
        opener = subprocess.Popen(
            [sys.executable, "-c", OPENER, place], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        with opener:
            assert opener.stdin is not None
            assert opener.stdout is not None
            opener.stdout.readline()
            opener.stdin.write(b"now\n")
            opener.stdin.flush()
            time.sleep(chance.uniform(0.0, 0.15))
            opener.kill()
            cut_off += opener.stdout.read() == b""
        state = await State.open(place)
        assert len(await state.runs(1000)) == len(before) + 1
        assert await approved(state) == {"101": blob("1")}
        await state.close()
        assert len(list(place.parent.glob("state.db.damaged-*"))) >= 1
        assert list(place.parent.glob("state.db.mend*")) == []
    assert cut_off, "at least one of them was killed before it was done"


async def test_a_command_beside_the_daemon_mends_and_migrates_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``kometa-sidecar notifications``, say: the daemon has the file open."""
    await filled(place, range(3))
    daemon = await State.open(place)
    monkeypatch.setattr(database_module, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE of_tomorrow (id INTEGER PRIMARY KEY);"))
    with pytest.raises(StoreError, match="restart the daemon"):
        await State.open(place, shared=True)
    monkeypatch.undo()
    beside = await State.open(place, shared=True)
    await beside.close()
    await daemon._database.read(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())
    spoil(place, "runs")
    with pytest.raises(StoreError, match="damaged"):
        await State.open(place, shared=True)
    await daemon.close()
    assert list(place.parent.glob("*damaged*")) == []


async def test_the_newest_copies_made_before_migrations_are_kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await filled(place, range(2))
    state = await State.open(place)
    nightly = await state.backup(keep=7)
    await state.close()
    for number in range(1, 6):
        monkeypatch.setattr(database_module, "MIGRATIONS", (*MIGRATIONS, *("SELECT 1;" for _ in range(number))))
        state = await State.open(place)
        await state.close()
    kept = sorted(path.name.split("-20")[0] for path in place.parent.glob("backups/state-before-schema-*.db"))
    assert kept == [f"state-before-schema-{len(MIGRATIONS) + number}" for number in (3, 4, 5)]
    assert nightly.exists()


async def test_tidying_gives_space_back_and_finds_damage(place: Path) -> None:
    await filled(place, range(60))
    state = await State.open(place)
    for number in range(40):
        await state.note(f"large {number}", "x" * 50_000)
    for number in range(40):
        await state.note(f"large {number}", "")
    done = await state.tidy()
    assert done.freed > 1_000_000
    assert done.size == place.stat().st_size
    spoil(place, "baselines")
    with pytest.raises(StoreError, match="damaged: restart"):
        await state.tidy()
    await state.close()


async def published(data: Path) -> Run:
    """A run with real pictures in the store and in the gallery, as the pipeline leaves it."""
    blobs = Blobs(data / "blobs")
    png = Path(__file__).parents[2] / "config" / "kometa" / "overlays" / "ribbon.png"
    picture = await blobs.put(png.read_bytes())
    write = BlockedWrite(
        run_id=run(1).id, server="plex-0", method="PUT", path="/x", meaning="label", answered=200, at=datetime(2026, 1, 2, tzinfo=UTC)
    )
    base = run(1)
    done = Run(
        id=base.id,
        state=base.state,
        reason="edit",
        started=base.started,
        ended=base.started,
        seconds=1.25,
        revision="abc",
        engine=EngineInfo(kind="kometa", via="process", version="2.4.4", speedups={"memo": "on"}),
        pictures=tuple(
            Picture(target=each.target, state=each.state, before=picture, after=picture, overlays=({"name": "A"},))
            for each in base.pictures
        ),
        blocked=(write,),
        problems=base.problems,
        changed=("101",),
    )
    Gallery(data / "gallery", blobs.path).publish(GalleryView(config_dir="config", shown=done, latest=done))
    return done


async def test_runs_are_read_back_from_the_gallery(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    done = await published(place.parent)
    [back] = recall(place.parent / "gallery")
    assert back.pictures[0].target.label == done.pictures[0].target.label
    assert back == Run(**{**{name: getattr(done, name) for name in Run.__dataclass_fields__}, "pictures": back.pictures})
    assert [(p.target.id, p.state, p.before, p.after, p.overlays) for p in back.pictures] == [
        (p.target.id, p.state, p.before, p.after, p.overlays) for p in done.pictures
    ]
    summary = place.parent / "gallery" / "runs" / done.id / "summary.json"
    (place.parent / "gallery" / "runs" / "garbled").mkdir()
    (place.parent / "gallery" / "runs" / "garbled" / "summary.json").write_text("{")
    (place.parent / "gallery" / "runs" / "other").mkdir()
    (place.parent / "gallery" / "runs" / "other" / "summary.json").write_bytes(summary.read_bytes())
    place.write_bytes(b"no database at all, but long enough to be taken for one" * 100)
    state = await State.open(place)
    try:
        assert state.rebuilt
        assert await recall_runs(state, place.parent / "gallery") == 1
        assert await recall_runs(state, place.parent / "gallery") == 0
        assert [each.id for each in await state.runs()] == [done.id]
        used = await state.blobs_in_use()
        assert used == {done.pictures[0].after.sha256}  # type: ignore[union-attr]
    finally:
        await state.close()
    assert caplog.text.count("cannot be read back") == 4


async def test_backup_and_restore_by_the_command_line(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = await published(place.parent)
    state = await State.open(place)
    await state.save_run(done)
    assert done.pictures[0].after is not None
    await state.decide([approval(done.pictures[0].after)])
    (place.parent / "cache").mkdir()
    (place.parent / "cache" / "big").write_bytes(b"0" * 100_000)
    to = tmp_path / "kept" / "backup.tar.gz"
    # the daemon has the database open: a backup is made beside it
    assert await asyncio.to_thread(cli.run, ["backup", "--data", str(place.parent), "--output", str(to), "--quiet"]) == 0
    assert capsys.readouterr().out == f"{to}\n"
    assert to.stat().st_mode & 0o077 == 0
    await state.close()
    assert [path.name for path in to.parent.iterdir()] == [to.name]

    other = tmp_path / "other"
    assert await asyncio.to_thread(cli.run, ["restore", str(to), "--data", str(other), "--quiet"]) == 0
    again = await State.open(other / "state.db")
    assert await again.runs() == [done]
    assert await approved(again) == {"101": done.pictures[0].after}
    await again.close()
    blobs = Blobs(other / "blobs")
    assert await blobs.read(done.pictures[0].after) == await Blobs(place.parent / "blobs").read(done.pictures[0].after)
    assert (other / "gallery" / "index.html").read_bytes() == (place.parent / "gallery" / "index.html").read_bytes()
    assert not (other / "cache").exists()
    assert [path.name for path in other.glob(".*")] == []

    assert await asyncio.to_thread(cli.run, ["restore", str(to), "--data", str(other), "--quiet"]) == 1
    assert "--force" in capsys.readouterr().err
    assert await asyncio.to_thread(cli.run, ["restore", str(to), "--data", str(other), "--quiet", "--force"]) == 0
    [aside] = other.glob("replaced-*")
    assert (aside / "state.db").is_file()
    assert (other / "gallery" / "index.html").is_file()

    working = open_places(other, {})
    try:
        assert await asyncio.to_thread(cli.run, ["restore", str(to), "--data", str(other), "--quiet", "--force"]) == 1
        assert "another kometa-sidecar" in capsys.readouterr().err
    finally:
        working.release()
    assert await asyncio.to_thread(cli.run, ["backup", "--data", str(tmp_path / "nothing"), "--output", str(to), "--quiet"]) == 1
    assert "nothing to back up" in capsys.readouterr().err


def packed(*members: tuple[str, bytes] | tarfile.TarInfo) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return made.getvalue()


def special(name: str, kind: bytes, to: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


def sound() -> bytes:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE x (y)")
        return connection.serialize()


GOOD = (("manifest.json", json.dumps({"format": 1, "version": "0.1.0"}).encode()), ("state.db", sound()))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: b"no archive", "not a gzip file"),
        (lambda: packed(*GOOD)[:-20], "cannot be restored"),
        (lambda: packed(*GOOD, ("../evil", b"x")), "not allowed"),
        (lambda: packed(*GOOD, ("/tmp/evil", b"x")), "not allowed"),
        (lambda: packed(*GOOD, ("gallery/../../evil", b"x")), "not allowed"),
        (lambda: packed(*GOOD, ("lock", b"x")), "no backup of kometa-sidecar"),
        (lambda: packed(*GOOD, special("gallery/link", tarfile.SYMTYPE, "/etc/passwd")), "something else than files"),
        (lambda: packed(*GOOD, special("gallery/link", tarfile.LNKTYPE, "../../etc/passwd")), "not allowed"),
        (lambda: packed(*GOOD, special("gallery/fifo", tarfile.FIFOTYPE)), "something else than files"),
        (lambda: packed(GOOD[1]), "has no manifest.json"),
        (lambda: packed(GOOD[0]), "cannot be restored"),
        (lambda: packed(GOOD[0], ("state.db", b"garbage" * 1000)), "not a database"),
        (lambda: packed(("manifest.json", b'{"format": 2, "version": "9.9"}'), GOOD[1]), "9.9 wrote it"),
        (lambda: packed(("manifest.json", b"[]"), GOOD[1]), "no backup"),
    ],
)
def test_a_hostile_or_broken_archive_changes_nothing(tmp_path: Path, content: Callable[[], bytes], words: str) -> None:
    data = tmp_path / "data"
    (data / "gallery").mkdir(parents=True)
    (data / "gallery" / "index.html").write_text("as it was")
    (data / "state.db").write_text("as it was")
    file = tmp_path / "backup.tar.gz"
    file.write_bytes(content())
    with pytest.raises(StoreError, match=words):
        archive.restore(file, data, force=True)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        "backup.tar.gz",
        "data",
        "data/gallery",
        "data/gallery/index.html",
        "data/state.db",
    ]
    assert (data / "state.db").read_text() == "as it was"


def test_the_same_archive_without_the_evil_is_taken(tmp_path: Path) -> None:
    """So that the table above fails for its own reasons."""
    data = tmp_path / "data"
    data.mkdir()
    file = tmp_path / "backup.tar.gz"
    file.write_bytes(packed(*GOOD, ("gallery/index.html", b"page"), special("blobs/ab/link", tarfile.LNKTYPE, "gallery/index.html")))
    done = archive.restore(file, data)
    assert (done.files, done.replaced) == (3, None)
    assert (data / "blobs" / "ab" / "link").read_bytes() == b"page"


async def test_the_log_of_a_database_that_was_deleted_is_not_taken_for_the_restored_one_s(place: Path, tmp_path: Path) -> None:
    """Somebody deletes state.db and leaves state.db-wal: SQLite would merge it into whatever comes in its place."""
    before = await filled(place, range(5))
    file = tmp_path / "backup.tar.gz"
    archive.backup(place.parent, file)
    state = await State.open(place)
    for number in range(200, 230):
        await state.save_run(run(number))
    log = Path(f"{place}-wal").read_bytes()
    await state.close()
    place.unlink()
    Path(f"{place}-wal").write_bytes(log)
    assert archive.restore(file, place.parent).replaced is not None
    state = await State.open(place)
    try:
        assert await state.runs(1000) == before
        assert state.problems == ()
    finally:
        await state.close()
