"""Disks that are full, read-only, and come back: the daemon stays, says so, and recovers alone."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from sidecar.errors import StoreError
from sidecar.places import open_places
from sidecar.store import State
from tests.cold import KometaInstall
from tests.cold_demo import small_world
from tests.e2e.house import House, house
from tests.e2e.test_warm import config_of
from tests.service.test_data import filled as keep_runs
from tests.service.test_data import spoil
from tests.store.test_state import run

SIZE = 48 * 1024**2


@contextlib.contextmanager
def tmpfs(place: Path) -> Iterator[None]:
    """A file system of its own at ``place``, with ``SIZE`` bytes."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0755", "none", place], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def small_disk(short_dir: Path) -> Iterator[Path]:
    """A directory on such a file system."""
    place = short_dir / "disk"
    place.mkdir()
    with tmpfs(place):
        yield place


@contextlib.contextmanager
def read_only(place: Path) -> Iterator[None]:
    """``place`` as it is, but read-only for everything that is opened from now on (what is open for writing stays so)."""
    aside = place.with_name(f"{place.name}-read-only")  # where nobody writes: a mount that is being written to cannot be made read-only
    aside.mkdir()
    _mount("--bind", place, aside)
    try:
        _mount("-o", "remount,bind,ro", aside)
        _mount("--bind", aside, place)
    finally:
        subprocess.run(["umount", "-l", aside], check=True, capture_output=True)
        aside.rmdir()
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=True, capture_output=True)


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@contextlib.contextmanager
def filled(place: Path, leave: int) -> Iterator[Callable[[], None]]:
    """All but ``leave`` bytes of the disk taken by a file; what is given does it once more, where the daemon cleared something away."""
    filler = place / "filler"

    def fill() -> None:
        with filler.open("ab") as file:
            while (free := (disk := os.statvfs(place)).f_bavail * disk.f_frsize - leave) > 0:
                with contextlib.suppress(OSError):  # the daemon took some of it meanwhile
                    os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size + max(4096, free))

    fill()
    try:
        yield fill
    finally:
        filler.unlink()


async def reasons(home: House) -> dict[str, str]:
    async with aiohttp.ClientSession() as session, session.get(f"{home.app.url}readyz") as answer:
        return {reason["part"]: reason.get("detail", "") for reason in (await answer.json())["reasons"]}


async def test_a_full_disk_is_told_and_survived(standin: KometaInstall, small_disk: Path, short_dir: Path) -> None:
    """With less and less space, so that each kind of write is the one that finds the disk full."""
    config = config_of("custom", short_dir / "config")
    movies = config / "overlays" / "movies.yml"
    text = movies.read_text()
    felt: list[tuple[int, list[str]]] = []
    async with house(standin, config, small_disk / "data", world=small_world()) as home:
        await home.run("done")
        for number, leave in enumerate((2_000_000, 600_000, 200_000, 60_000, 8_192, 0)):
            with filled(small_disk, leave) as fill:
                ended = home.ended
                assert all(part.ok for part in home.app.showcase.health)
                movies.write_text(text.replace("text(", f"text({number} ") + f"# {number}\n")
                await home.until(lambda ended=ended: home.ended > ended or any(not part.ok for part in home.app.showcase.health))  # type: ignore[misc]
                felt.append((leave, [part.detail for part in home.app.showcase.health if not part.ok]))
                fill()
                await home.app.upkeep.chores.do("health")
                if leave == 0:
                    assert "disk" in await reasons(home)
                    assert home.app.upkeep.chores.done["health"].ok is False
            await home.app.upkeep.chores.do("health")
            assert home.app.upkeep.chores.done["health"].ok
            await home.until(lambda: not home.app.pipeline.busy and all(part.ok for part in home.app.showcase.health))
        ended = home.ended
        movies.write_text(text)
        await home.until(lambda: home.ended > ended)
        await home.until(lambda: home.app.showcase.view.shown is not None and home.app.showcase.view.shown == home.app.showcase.view.latest)
        assert await reasons(home) == {}
        assert any("state database" in says for _, all_ in felt for says in all_), felt
        shown = home.app.showcase.view.shown
        assert shown is not None
        for picture in shown.pictures:
            if picture.after is not None:
                await home.app.blobs.read(picture.after)  # whole
        assert (await home.app.upkeep.chores.do("maintenance")).ok
        home.assert_plex_untouched()
    state = await State.open(small_disk / "data" / "state.db")
    assert state.problems == ()
    await state.close()


FOLDERS = ("blobs", "gallery", "revisions", "logs", "cache", "work", "backups")


async def test_a_full_disk_below_one_folder(standin: KometaInstall, short_dir: Path) -> None:
    """Each kind of file by itself, one after the other: the daemon stays, nothing half-made is shown, and what was edited is shown once
    there is room.
    """
    config = config_of("custom", short_dir / "config")
    with contextlib.ExitStack() as disks:
        for folder in FOLDERS:
            place = short_dir / "data" / folder
            place.mkdir(parents=True)
            disks.enter_context(tmpfs(place))
        async with house(standin, config, short_dir / "data", world=small_world()) as home:
            await home.run("done")
            for folder in FOLDERS:
                try:
                    await fill_and_empty(home, short_dir / "data", folder)
                except BaseException as error:
                    error.add_note(f"the disk below {folder} was full")
                    raise
            home.assert_plex_untouched()


async def fill_and_empty(home: House, data: Path, folder: str) -> None:
    """An edit that finds the disk below ``folder`` full, and the room that comes later."""
    movies = home.config / "overlays" / "movies.yml"
    await home.until(lambda: not home.app.pipeline.busy and all(part.ok for part in home.app.showcase.health))
    good = home.app.showcase.view.shown
    assert good is not None
    with filled(data / folder, 0):
        ended = home.ended
        movies.write_text(movies.read_text().replace("text(", f"text(EDITED{folder} ") + f"# {folder}\n")
        await home.until(lambda: home.ended > ended or any(not part.ok for part in home.app.showcase.health))
        if folder in ("blobs", "gallery", "revisions"):
            await home.until(lambda: any(part.part == "disk" and not part.ok for part in home.app.showcase.health))
            assert "disk" in await reasons(home)
        shown = home.app.showcase.view.shown
        assert shown is not None
        if folder == "blobs":
            assert shown.id == good.id, "a run whose pictures could not be kept is not shown as a good one"
        done = await home.app.upkeep.chores.do("maintenance")
        assert done.ok is (folder != "backups"), done
        assert folder != "backups" or "the disk is full" in done.says
    await home.app.upkeep.chores.do("health")
    await home.until(lambda: not home.app.pipeline.busy and all(part.ok for part in home.app.showcase.health))
    await home.until(lambda: f"EDITED{folder}" in (data / "gallery/index.html").read_text())
    shown = home.app.showcase.view.shown
    assert shown is not None
    assert shown.id != good.id
    for picture in shown.pictures:
        assert picture.after is not None
        await home.app.blobs.read(picture.after)  # whole
    assert await reasons(home) == {}


async def test_a_disk_that_turns_read_only_is_told_and_survived(standin: KometaInstall, small_disk: Path, short_dir: Path) -> None:
    config = config_of("custom", short_dir / "config")
    movies = config / "overlays" / "movies.yml"
    text = movies.read_text()
    async with house(standin, config, small_disk / "data", world=small_world()) as home:
        good = await home.run("done")
        with read_only(small_disk):
            movies.write_text(text + "# a\n")
            await home.until(lambda: any(part.part == "disk" and not part.ok for part in home.app.showcase.health))
            assert "read-only" in (await reasons(home))["disk"].lower()
            async with aiohttp.ClientSession() as session, session.get(home.app.url) as answer:
                assert answer.status == 200
                assert f'id="t-{good.pictures[0].target.id}"' in await answer.text(), "the last good gallery stays"
        await home.app.upkeep.chores.do("health")
        await home.run("done", after=1)
        await home.until(lambda: all(part.ok for part in home.app.showcase.health))
        assert await reasons(home) == {}


def test_a_data_directory_that_cannot_be_written_is_told_at_the_start(small_disk: Path) -> None:
    (small_disk / "data").mkdir()
    with read_only(small_disk):
        with pytest.raises(StoreError, match=r"cannot be used: .*Choose another with --data"):
            open_places(small_disk / "data", {})
        with pytest.raises(StoreError, match="cannot be used: Read-only file system"):
            open_places(small_disk / "new", {})


async def test_a_full_disk_at_the_start_is_told(small_disk: Path) -> None:
    with filled(small_disk, 0), pytest.raises(StoreError, match=r"disk is full|No space left|cannot be"):
        await State.open(small_disk / "data" / "state.db")
    state = await State.open(small_disk / "data" / "state.db")
    assert state.problems == ()
    await state.close()


async def test_a_damaged_database_on_a_full_disk_loses_nothing(small_disk: Path) -> None:
    """It cannot be mended while there is no room: it must stay where it is until there is."""
    place = small_disk / "data" / "state.db"
    before = await keep_runs(place, range(60))
    state = await State.open(place)
    await state.note("large", "x" * 4_000_000)
    await state.backup(keep=3)
    await state.save_run(run(500))
    await state.close()
    spoil(place, "baselines")
    for leave in (0, 100_000, 3_000_000, 6_000_000):
        with filled(small_disk, leave), contextlib.suppress(StoreError):
            state = await State.open(place)
            await state.close()
    state = await State.open(place)
    try:
        assert len(await state.runs(1000)) == len(before) + 1
    finally:
        await state.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_data_of_another_user_is_said(short_dir: Path) -> None:
    """A volume that was used under another PUID."""
    short_dir.chmod(0o1777)
    (short_dir / "lock").touch(0o640)
    os.chown(short_dir / "lock", 1000, 1000)
    os.seteuid(1234)
    try:
        with pytest.raises(StoreError, match=r"made by user 1000, this is user 1234: give it to this one \(chown -R\)"):
            open_places(short_dir, {})
    finally:
        os.seteuid(0)
