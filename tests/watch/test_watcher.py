"""Real files, real inotify; and the same again by polling."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import pytest

from sidecar.model import Change
from sidecar.watch import Mode, Timing, Watcher
from sidecar.watch.mounts import parse_mountinfo
from tests.somebody import somebody_else

FAST = Timing(closed=0.05, written=0.15)
QUIET = 0.3
"""Seconds in which nothing must be announced: longer than the longest window, and several polls."""


class Watched:
    """A watcher with its announcements in a queue."""

    def __init__(self, config: Path, watcher: Watcher) -> None:
        self.config = config
        self.watcher = watcher
        self.changes: asyncio.Queue[Change] = asyncio.Queue()

    async def pump(self) -> None:
        async for change in self.watcher.changes():
            self.changes.put_nowait(change)

    async def next(self) -> Change:
        async with asyncio.timeout(40):
            return await self.changes.get()

    async def until(self, path: Path) -> Change:
        """The change that tells of ``path``; a slow machine may announce the parts of one save one by one."""
        while True:
            change = await self.next()
            if path in change.paths:
                return change

    async def silence(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(QUIET):
                change = await self.changes.get()
                raise AssertionError(f"announced: {change}")

    async def drain(self) -> None:
        """Let everything settle, and forget what was announced."""
        while True:
            try:
                async with asyncio.timeout(QUIET):
                    await self.changes.get()
            except TimeoutError:
                return


@contextlib.asynccontextmanager
async def watching(
    config: Path, mode: Mode = "native", *, follow: Iterable[Path] = (), rescan: float = 60.0, timing: Timing = FAST
) -> AsyncIterator[Watched]:
    watcher = Watcher(config, mode=mode, rescan=rescan, poll_interval=0.05, timing=timing)
    watcher.follow(follow)
    watched = Watched(config, watcher)
    async with asyncio.TaskGroup() as group:
        group.create_task(watched.pump())
        start = await watched.next()
        assert (start.reason, start.paths) == ("start", ())
        try:
            yield watched
        finally:
            await watcher.stop()


@pytest.fixture(params=["native", "polling"])
def mode(request: pytest.FixtureRequest) -> Mode:
    mode: Mode = request.param
    return mode


@pytest.fixture
def config(tmp_path: Path) -> Path:
    config = tmp_path / "config"
    (config / "overlays").mkdir(parents=True)
    (config / "config.yml").write_text("libraries: {}\n")
    (config / "overlays" / "my.yml").write_text("overlays: {}\n")
    return config


def in_place(file: Path, text: str) -> None:
    file.write_text(text)


def replaced(file: Path, text: str) -> None:
    spare = file.with_name(file.name + ".new")
    spare.write_text(text)
    spare.replace(file)


def replaced_from_elsewhere(file: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=file.parents[1], prefix="elsewhere")
    os.write(handle, text.encode())
    os.close(handle)
    Path(name).replace(file)


def as_vim(file: Path, text: str) -> None:
    """``:w`` with backupcopy=no: probe, swap file, rename to a backup, write anew, remove the backup."""
    swap, probe, backup = file.with_name(f".{file.name}.swp"), file.with_name("4913"), file.with_name(file.name + "~")
    swap.write_text("swap")
    probe.write_text("")
    probe.unlink()
    file.rename(backup)
    with file.open("w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    backup.unlink()
    swap.unlink()


def as_vscode(file: Path, text: str) -> None:
    """Truncate, then write, in one open file."""
    with file.open("r+") as stream:
        stream.truncate(0)
        stream.flush()
        stream.write(text)


def deleted_and_recreated(file: Path, text: str) -> None:
    file.unlink()
    file.write_text(text)


SAVES: list[Callable[[Path, str], None]] = [in_place, replaced, replaced_from_elsewhere, as_vim, as_vscode, deleted_and_recreated]


@pytest.mark.parametrize("save", SAVES)
async def test_a_save_is_announced_once_however_it_is_made(config: Path, mode: Mode, save: Callable[[Path, str], None]) -> None:
    async with watching(config, mode) as watched:
        for round_number in range(2):
            save(config / "config.yml", f"libraries: {{}} # {round_number}\n")
            change = await watched.until(config / "config.yml")
            assert change.reason == "edit"
            assert (config / "config.yml").read_text().endswith(f"# {round_number}\n")
        await watched.silence()


async def test_a_save_below_and_a_new_file_in_a_new_directory(config: Path, mode: Mode) -> None:
    async with watching(config, mode) as watched:
        in_place(config / "overlays" / "my.yml", "overlays: {a: 1}\n")
        await watched.until(config / "overlays" / "my.yml")
        deep = config / "overlays" / "new" / "deep"
        deep.mkdir(parents=True)
        (deep / "a.yml").write_text("x")
        await watched.until(deep / "a.yml")
        (deep / "a.yml").write_text("xy")
        await watched.until(deep / "a.yml")
        await watched.silence()


async def test_reading_and_kometas_own_output_never_announce(config: Path, mode: Mode) -> None:
    (config / "logs").mkdir()
    async with watching(config, mode, rescan=0.2) as watched:
        for _ in range(3):
            for path in config.rglob("*.yml"):
                path.read_text()
            shutil.copytree(config, config.parent / "copy", dirs_exist_ok=True)
            for name in ("logs/meta.log", "config.cache", "UUID", "overlays/temp.webp", ".config.yml.swp", "config.yml~"):
                (config / name).write_text(os.urandom(8).hex())
            (config / ".git").mkdir(exist_ok=True)
            (config / ".git" / "index").write_text(os.urandom(8).hex())
            await asyncio.sleep(0.1)
        await watched.silence()


async def test_a_file_written_bit_by_bit_is_announced_once_and_whole(config: Path, mode: Mode) -> None:
    async with watching(config, mode, timing=Timing()) as watched:
        with (config / "config.yml").open("w") as stream:
            for number in range(8):
                stream.write(f"# {number}\n")
                stream.flush()
                await asyncio.sleep(0.12)
        change = await watched.next()
        assert change.paths == (config / "config.yml",)
        assert (config / "config.yml").read_text().count("#") == 8
        await watched.silence()


async def test_a_directory_that_is_deleted_and_recreated(config: Path, mode: Mode) -> None:
    async with watching(config, mode) as watched:
        for round_number in range(2):
            shutil.rmtree(config / "overlays")
            (config / "overlays").mkdir()
            (config / "overlays" / "my.yml").write_text(f"overlays: {round_number}\n")
            await watched.until(config / "overlays" / "my.yml")
            await watched.drain()


async def test_the_config_directory_itself_is_deleted_and_recreated(config: Path, mode: Mode) -> None:
    async with watching(config, mode) as watched:
        shutil.rmtree(config)
        await watched.until(config / "config.yml")
        await watched.drain()
        config.mkdir()
        (config / "config.yml").write_text("libraries: {b: 1}\n")
        await watched.until(config / "config.yml")
        await watched.drain()
        in_place(config / "config.yml", "libraries: {c: 1}\n")
        await watched.until(config / "config.yml")
        await watched.silence()


async def test_a_config_directory_swapped_by_rename(config: Path, mode: Mode) -> None:
    other = config.with_name("other")
    shutil.copytree(config, other)
    (other / "config.yml").write_text("other\n")
    async with watching(config, mode) as watched:
        config.rename(config.with_name("old"))
        other.rename(config)
        await watched.until(config / "config.yml")
        await watched.drain()
        in_place(config.with_name("old") / "config.yml", "nobody's business\n")
        await watched.silence()
        in_place(config / "config.yml", "mine\n")
        await watched.until(config / "config.yml")


async def test_a_symlink_swap_as_kubernetes_makes_it(tmp_path: Path, mode: Mode) -> None:
    config = tmp_path / "config"

    def lay(stamp: str, text: str) -> None:
        (config / stamp).mkdir(parents=True)
        (config / stamp / "config.yml").write_text(text)
        (config / "..data_tmp").symlink_to(stamp)
        (config / "..data_tmp").replace(config / "..data")

    lay("..2026_1", "one\n")
    (config / "config.yml").symlink_to("..data/config.yml")
    async with watching(config, mode) as watched:
        for number in (2, 3):
            lay(f"..2026_{number}", f"{number}\n")
            shutil.rmtree(config / f"..2026_{number - 1}")
            await watched.until(config / "config.yml")
            assert (config / "config.yml").read_text() == f"{number}\n"
            await watched.drain()
        await watched.silence()


async def test_a_config_directory_that_is_a_link(tmp_path: Path, config: Path, mode: Mode) -> None:
    other = tmp_path / "other"
    shutil.copytree(config, other)
    link = tmp_path / "link"
    link.symlink_to(config)
    async with watching(link, mode) as watched:
        in_place(config / "config.yml", "through the target\n")
        assert (await watched.next()).paths == (link / "config.yml",)
        (tmp_path / "spare").symlink_to(other)
        (tmp_path / "spare").replace(link)
        await watched.until(link / "config.yml")
        await watched.drain()
        in_place(other / "config.yml", "the other\n")
        await watched.until(link / "config.yml")
        await watched.silence()


async def test_files_and_directories_reached_through_links(tmp_path: Path, config: Path, mode: Mode) -> None:
    outside = tmp_path / "outside"
    (outside / "art").mkdir(parents=True)
    (outside / "shared.yml").write_text("1")
    (outside / "art" / "a.png").write_text("1")
    (config / "shared.yml").symlink_to(outside / "shared.yml")
    (config / "art").symlink_to(outside / "art")
    async with watching(config, mode) as watched:
        replaced(outside / "shared.yml", "2")
        await watched.until(config / "shared.yml")
        await watched.silence()
        in_place(outside / "art" / "a.png", "2")
        await watched.until(outside / "art" / "a.png")
        await watched.silence()


@pytest.mark.parametrize("save", SAVES)
async def test_a_followed_file_outside(tmp_path: Path, config: Path, mode: Mode, save: Callable[[Path, str], None]) -> None:
    font = tmp_path / "fonts" / "deep" / "a.ttf"
    font.parent.mkdir(parents=True)
    font.write_text("1")
    (font.parent / "b.ttf").write_text("1")
    async with watching(config, mode, follow=[font]) as watched:
        save(font, "22")
        await watched.until(font)
        in_place(font.parent / "b.ttf", "not followed")
        await watched.silence()


async def test_a_followed_file_that_comes_goes_and_comes_again(tmp_path: Path, config: Path, mode: Mode) -> None:
    font = tmp_path / "later" / "deep" / "a.ttf"
    async with watching(config, mode, follow=[font]) as watched:
        for _ in range(2):
            font.parent.mkdir(parents=True)
            font.write_text("1")
            await watched.until(font)
            await watched.drain()
            shutil.rmtree(tmp_path / "later")
            await watched.until(font)
            await watched.drain()


async def test_followed_directories_come_and_go_without_a_word(tmp_path: Path, config: Path, mode: Mode) -> None:
    assets, other = tmp_path / "assets", tmp_path / "other"
    for directory in (assets / "Heat (1995)", other):
        directory.mkdir(parents=True)
        (directory / "poster.jpg").write_text("1")
    await asyncio.sleep(0.1)
    async with watching(config, mode) as watched:
        await asyncio.sleep(0.1)
        watched.watcher.follow([assets])
        await watched.silence()
        in_place(assets / "Heat (1995)" / "poster.jpg", "22")
        await watched.until(assets / "Heat (1995)" / "poster.jpg")
        watched.watcher.follow([other])
        await watched.silence()
        in_place(assets / "Heat (1995)" / "poster.jpg", "333")
        await watched.silence()
        in_place(other / "poster.jpg", "22")
        await watched.until(other / "poster.jpg")


async def test_an_edit_between_the_reading_and_the_following_is_not_lost(tmp_path: Path, config: Path, mode: Mode) -> None:
    font = tmp_path / "a.ttf"
    font.write_text("1")
    async with watching(config, mode) as watched:
        await asyncio.sleep(0.1)
        font.write_text("22")  # after the announcement that made somebody read it
        watched.watcher.follow([font])
        await watched.until(font)
        await watched.silence()


async def test_a_request_is_answered_without_a_change(config: Path, mode: Mode) -> None:
    async with watching(config, mode) as watched:
        watched.watcher.poke("request")
        change = await watched.next()
        assert (change.reason, change.paths) == ("request", ())
        await watched.silence()


async def test_a_rescan_finds_what_no_event_told(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(config, "native", rescan=0.3) as watched:
        monkeypatch.setattr(watched.watcher._lookout, "_tell", lambda touch: None)
        in_place(config / "config.yml", "unheard\n")
        change = await watched.until(config / "config.yml")
        assert change.reason == "rescan"
        await watched.silence()


async def test_a_burst_of_edits_is_few_changes_and_the_last_state_is_announced(config: Path, mode: Mode) -> None:
    async with watching(config, mode) as watched:
        for number in range(300):
            in_place(config / "config.yml", f"# {number}\n")
            (config / "overlays" / f"{number % 20}.yml").write_text(str(number))
            await asyncio.sleep(0.002)
        changes = [await watched.next()]
        while {path for change in changes for path in change.paths} != {config / "config.yml", *(config / "overlays").glob("[0-9]*.yml")}:
            changes.append(await watched.next())
        assert len(changes) < 30, "of 600 writes"
        await watched.drain()
        assert watched.watcher._settle.known[config / "config.yml"].size == len("# 299\n")
        await watched.silence()


async def test_stop_ends_it_at_any_moment(config: Path) -> None:
    watcher = Watcher(config)
    await watcher.stop()
    assert [change async for change in watcher.changes()] == []
    second = Watcher(config)
    async for _ in second.changes():
        await second.stop()
    await second.stop()
    with pytest.raises(RuntimeError):
        await anext(second.changes())


async def test_auto_polls_too_where_the_file_system_is_remote(config: Path) -> None:
    mounts = parse_mountinfo(f"1 1 0:1 / / rw - ext4 x rw\n2 1 0:2 / {config} rw - nfs4 x rw\n")
    expected: dict[Mode, bool] = {"auto": True, "native": False, "polling": True}
    for mode, polls in expected.items():
        watcher = Watcher(config, mode=mode, mounts=lambda: mounts)
        async for _ in watcher.changes():
            assert watcher.polling is polls
            await watcher.stop()
    local = Watcher(config, mounts=lambda: parse_mountinfo("1 1 0:1 / / rw - ext4 x rw\n"))
    async for _ in local.changes():
        assert not local.polling
        assert local.problems == ()
        await local.stop()


async def test_too_many_files_are_told(config: Path) -> None:
    watcher = Watcher(config, most=1)
    async for _ in watcher.changes():
        [problem] = watcher.problems
        assert "more than 1 files" in problem.what
        await watcher.stop()


LIMITED = """
import asyncio, sys
from pathlib import Path
from sidecar.watch import Watcher
async def main(config):
    watcher = Watcher(config, mode="native", poll_interval=0.1, rescan=1.0)
    number = 0
    async for change in watcher.changes():
        number += 1
        print(change.reason, watcher.polling, [problem.what for problem in watcher.problems], flush=True)
        if number == 1:
            (config / "config.yml").write_text("new")
        elif number == 2:
            Path("/proc/sys/user/max_inotify_" + sys.argv[2]).write_text("1000")
            watcher.poke()
        elif watcher.polling:
            await asyncio.sleep(0.1)
            watcher.poke()
        else:
            await watcher.stop()
asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.parametrize(("limit", "allowed"), [("instances", 0), ("watches", 1)])
def test_polling_where_the_kernel_gives_no_more_watches(config: Path, limit: str, allowed: int) -> None:
    if subprocess.run(["unshare", "-Ur", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no user namespaces here")
    command = f'echo {allowed} > /proc/sys/user/max_inotify_{limit} && exec "$0" -c "$1" "$2" "$3"'
    ran = subprocess.run(
        ["unshare", "-Ur", "sh", "-c", command, sys.executable, LIMITED, str(config), limit],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[0].startswith("start True ['no more file watches (inotify")
    assert lines[1].startswith("edit True")
    assert lines[-1] == "request False []"


async def test_a_closed_save_does_not_wait_for_the_long_window(config: Path) -> None:
    watcher = Watcher(config, timing=Timing(closed=0.1, written=60.0, cap=60.0))
    async with asyncio.timeout(40):
        async for change in watcher.changes():
            if change.reason == "start":
                in_place(config / "config.yml", "closed\n")
            else:
                assert change.paths == (config / "config.yml",)
                await watcher.stop()


async def test_a_directory_that_is_closed_to_us_for_a_while(open_dir: Path) -> None:
    """Whatever an event tells of may be out of sight when it is looked at; what comes later must be heard all the same."""
    config = open_dir / "config"
    config.mkdir()
    place = config / "config.yml"
    place.write_text("a: 1\n")
    async with watching(config) as watched:
        writer = await asyncio.create_subprocess_exec("sh", "-c", f"read x; echo 'a: 2' > {place}", stdin=subprocess.PIPE)
        config.chmod(0o700)
        with somebody_else():
            await writer.communicate(b"now\n")
            await watched.drain()
        config.chmod(0o755)
        place.write_text("a: 3\n")
        await watched.until(place)
