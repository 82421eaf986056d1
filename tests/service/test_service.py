"""The daemon as systemd meets it: a real process, a real notification socket, real signals."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from sidecar.app import App
from sidecar.demo import DEMO_TOKEN, DemoHosts, DemoPlex, World
from sidecar.errors import SidecarError
from sidecar.logs import Redactor
from sidecar.model import RunState
from sidecar.sdnotify import Systemd
from sidecar.service import Hear, Service
from sidecar.settings import Settings, load_settings
from sidecar.store import State
from tests.cold import KometaInstall
from tests.cold_demo import small_world
from tests.e2e.test_warm import config_of


@dataclass
class Manager:
    """The end of the notification socket that systemd holds."""

    path: Path
    heard: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(self.path))

    def take(self) -> list[str]:
        """All that was said so far."""
        while True:
            try:
                self.heard.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return self.heard

    async def until(self, what: Callable[[str], bool], after: int = 0, seconds: float = 60.0) -> str:
        end = time.monotonic() + seconds
        while not (found := [word for word in self.take()[after:] if what(word)]):
            assert time.monotonic() < end, self.heard
            await asyncio.sleep(0.02)
        return found[0]

    def close(self) -> None:
        self._socket.close()


@dataclass
class Daemon:
    process: asyncio.subprocess.Process
    manager: Manager
    log: Path
    plex: DemoPlex

    async def stopped(self) -> int:
        async with asyncio.timeout(40):
            return await self.process.wait()


@asynccontextmanager
async def daemon(
    directory: Path,
    world: World,
    settings: Path,
    *,
    kometa: KometaInstall | None = None,
    token: str = DEMO_TOKEN,
    more: Mapping[str, str] | None = None,
) -> AsyncIterator[Daemon]:
    manager = Manager(directory / "notify")
    log = directory / "log"
    async with DemoPlex(world, token=token) as plex, DemoHosts(world) as hosts:
        env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("KOMETA")},
            "KOMETA_PLEX_URL": plex.url,
            "KOMETA_PLEX_TOKEN": plex.token,
            "KOMETA_TMDB_APIKEY": "0" * 32,
            "KOMETA_SIDECAR_GATEWAY__HOST_MAP": json.dumps(hosts.map),
            "KOMETA_SIDECAR_SETTINGS": str(settings),
            "NOTIFY_SOCKET": str(manager.path),
            "WATCHDOG_USEC": "400000",
            **(more or {}),
            **({"KOMETA_HOME": str(kometa.home), "KOMETA_PYTHON": str(kometa.python)} if kometa else {}),
        }
        command = [sys.executable, "-m", "sidecar", "run", str(directory / "config"), "--data", str(directory / "data"), "--port", "0"]
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                *([] if kometa else ["--engine", "draft"]),
                env=env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            yield Daemon(process, manager, log, plex)
        finally:
            manager.close()
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.fixture
def directory(short_dir: Path) -> Path:
    config_of("custom", short_dir / "config")
    return short_dir


async def serves(word: str) -> bool:
    """Whether the gallery named in a status line answers."""
    url = word.rpartition("gallery at ")[2].splitlines()[0]
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{url}healthz", timeout=aiohttp.ClientTimeout(total=5)) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def test_systemd_is_told_and_settings_are_read_anew(directory: Path) -> None:
    settings = directory / "sidecar.yml"
    settings.write_text("log: {format: json}\n")
    async with daemon(directory, small_world(), settings) as running:
        manager, process = running.manager, running.process
        first = await manager.until(lambda word: "READY=1" in word)
        assert await serves(first)
        await manager.until(lambda word: word.startswith("STATUS=last render done"))
        seen = len(manager.heard)
        for _ in range(3):
            await manager.until(lambda word: word == "WATCHDOG=1", after=seen)
            seen = len(manager.heard)

        settings.write_text("log: {format: jason}\n")
        process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in await manager.until(lambda word: word.startswith("RELOADING=1"), after=seen)
        assert "the old stay" in await manager.until(lambda word: "READY=1" in word, after=seen)
        assert await serves(first)

        seen = len(manager.heard)
        settings.write_text("log: {format: json}\nschedule: {drift: off}\ntargets: {per_library: 1}\n")
        process.send_signal(signal.SIGHUP)
        second = await manager.until(lambda word: "READY=1" in word and "gallery at" in word, after=seen)
        assert await serves(second)
        assert not await serves(first)

        seen = len(manager.heard)
        process.send_signal(signal.SIGHUP)
        assert await manager.until(lambda word: "READY=1" in word, after=seen) == second
        process.send_signal(signal.SIGTERM)
        assert await running.stopped() == 0
        assert any(word.startswith("STOPPING=1") for word in manager.take())
    said = [json.loads(line) for line in running.log.read_text().splitlines() if line.startswith("{")]
    wrong = [line["message"] for line in said if line["level"] == "error"]
    assert len(wrong) == 1, wrong
    assert "sidecar.yml:1" in wrong[0]
    assert running.plex.writes == []


async def test_settings_with_which_it_cannot_start_leave_the_old_ones(directory: Path) -> None:
    settings = directory / "sidecar.yml"
    settings.write_text("")
    async with daemon(directory, small_world(), settings) as running:
        manager = running.manager
        await manager.until(lambda word: "READY=1" in word)
        seen = len(manager.heard)
        settings.write_text("web: {host: 192.0.2.1, token: not-this-machines}\n")  # an address that this machine has not
        running.process.send_signal(signal.SIGHUP)
        again = await manager.until(lambda word: "READY=1" in word and "gallery at" in word, after=seen)
        assert await serves(again)
        assert "goes on with the old" in running.log.read_text()
        running.process.send_signal(signal.SIGINT)
        assert await running.stopped() == 0


def children(pid: int) -> list[int]:
    """All processes below ``pid``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found += [int(path.parent.name), *children(int(path.parent.name))]
    return found


async def test_a_clean_end_with_a_render_running(directory: Path, standin: KometaInstall) -> None:
    settings = directory / "sidecar.yml"
    settings.write_text("engine: {shards: 2}\ntargets: {per_library: 100}\n")
    async with daemon(directory, small_world(30), settings, kometa=standin) as running:
        await running.manager.until(lambda word: word.startswith("STATUS=rendering"))
        below = children(running.process.pid)
        assert below
        begun = time.monotonic()
        running.process.send_signal(signal.SIGTERM)
        assert await running.stopped() == 0
        assert time.monotonic() - begun < 10, "systemd's patience, and ours"
        left = [
            pid
            for pid in below
            if Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
        ]
        assert left == []
        assert running.plex.writes == []
    state = await State.open(directory / "data" / "state.db")
    try:
        [run] = await state.runs()
        assert run.state is RunState.CANCELLED
    finally:
        await state.close()


def holds(pid: int) -> Counter[str]:
    """What a process holds: open files by kind (sockets, pipes, inotify, paths), threads, children."""
    held = Counter({"threads": len(list(Path(f"/proc/{pid}/task").iterdir())), "children": len(children(pid))})
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            held[str(link.readlink()).split("[")[0]] += 1
    return held


@pytest.mark.parametrize("times", [5, pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
async def test_settings_read_anew_leave_nothing_behind(directory: Path, standin: KometaInstall, times: int) -> None:
    """Each time everything is built anew in this process: files, threads and workers of the last time must be gone."""
    settings = directory / "sidecar.yml"
    hook = "notifications: [{name: a, url: 'http://127.0.0.1:9/', private: true}]\n"
    settings.write_text(hook)
    async with daemon(directory, small_world(), settings, kometa=standin) as running:
        manager = running.manager
        await manager.until(lambda word: "READY=1" in word)
        await manager.until(lambda word: word.startswith("STATUS=last render done"))
        before: Counter[str] = Counter()
        for number in range(times):
            seen = len(manager.take())
            settings.write_text(f"{hook}retention: {{runs: {10 + number}}}\n")
            running.process.send_signal(signal.SIGHUP)
            await manager.until(lambda word: "READY=1" in word and "gallery at" in word, after=seen)
            if number == 2:
                await asyncio.sleep(2)
                before = holds(running.process.pid)
        async with asyncio.timeout(60):
            while more := holds(running.process.pid) - before:
                assert sum(more.values()) < 100, more
                await asyncio.sleep(0.2)
        running.process.send_signal(signal.SIGTERM)
        assert await running.stopped() == 0
        assert "task" not in running.log.read_text()


STUCK = """
import asyncio, sys, threading, time
from sidecar import cli, commands
from sidecar.app import App

class Stuck(App):
    async def _build(self):
        if {when!r} == "start":
            await asyncio.to_thread(time.sleep, 600)
        await super()._build()
        self.spawn(asyncio.to_thread(time.sleep, 600), "a look at a network share that is gone")
        self.spawn(asyncio.to_thread(print, "stuck", flush=True), "word")

commands.App = Stuck
if {when!r} == "start":
    threading.Timer(1.0, print, ["stuck"], {{"flush": True}}).start()
cli.main()
"""


@pytest.mark.parametrize("when", ["start", "work"])
async def test_it_ends_though_a_thread_hangs(directory: Path, when: str) -> None:
    """A share that is gone, a name server that does not answer: Python waits for its threads, systemd does not wait for us."""
    arguments = ["run", str(directory / "config"), "--data", str(directory / "data"), "--port", "0", "--engine", "draft"]
    env = {**os.environ, "KOMETA_PLEX_URL": "http://127.0.0.1:9", "KOMETA_PLEX_TOKEN": "x" * 20}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STUCK.format(when=when), *arguments, env=env, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            assert await process.stdout.readline() == b"stuck\n"
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await process.wait() == 1
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_loop_that_hangs_feeds_no_watchdog(short_dir: Path) -> None:
    manager = Manager(short_dir / "notify")
    systemd = Systemd({"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "40000"})
    feeding = asyncio.create_task(systemd.keep_alive())
    try:
        await manager.until(lambda word: word == "WATCHDOG=1")
        before = len(manager.take())
        time.sleep(0.3)
        assert len(manager.take()) == before
        await manager.until(lambda word: word == "WATCHDOG=1", after=before)
    finally:
        feeding.cancel()
        manager.close()


def test_without_systemd_nothing_is_said(short_dir: Path) -> None:
    assert not Systemd({})
    Systemd({}).ready("x")
    gone = Systemd({"NOTIFY_SOCKET": str(short_dir / "nobody"), "WATCHDOG_USEC": "1000000"})
    gone.ready("nobody listens")
    assert gone.watchdog == 1.0
    assert Systemd({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}).watchdog is None
    assert Systemd({"WATCHDOG_USEC": "1000000"}).watchdog is None


class Ends(App):
    """A daemon whose work ends, as if its pipeline had failed."""

    async def serve(self, stop: asyncio.Event) -> None:
        await asyncio.sleep(0)


async def test_work_that_ends_by_itself_is_a_failure(directory: Path) -> None:
    """Else systemd would take it for an end that was asked for, and not start it again."""
    settings = load_settings(None, {}, {"data": str(directory / "data"), "engine": {"kind": "draft"}, "web": {"port": 0}})

    def build(chosen: Settings, hear: Hear) -> App:
        return Ends(chosen, directory / "config", {}, redact=Redactor(), hear=hear)

    with pytest.raises(SidecarError, match="ended by itself"):
        await Service(lambda: settings, build, systemd=Systemd({}), say=lambda _: None).run()


async def test_new_settings_that_break_the_start_leave_the_old_ones(directory: Path) -> None:
    """However they break it."""
    known, fresh = (
        load_settings(
            None, {}, {"data": str(directory / "data"), "engine": {"kind": "draft"}, "web": {"port": 0}, "retention": {"runs": runs}}
        )
        for runs in (7, 8)
    )

    def break_it(_chosen: Settings, _hear: Hear) -> App:
        raise UnicodeError("label empty or too long")

    def end_it(chosen: Settings, hear: Hear) -> App:
        return Ends(chosen, directory / "config", {}, redact=Redactor(), hear=hear)

    def service(build: Callable[[Settings, Hear], App]) -> Service:
        return Service(lambda: known, build, systemd=Systemd({}), say=lambda _: None)

    assert await service(break_it)._round(fresh, known, asyncio.Queue()) == (known, known)
    with pytest.raises(UnicodeError):
        await service(break_it)._round(known, known, asyncio.Queue())
    with pytest.raises(SidecarError, match="ended by itself"):  # it started: going back to settings of days ago would mend nothing
        await service(end_it)._round(fresh, known, asyncio.Queue())
