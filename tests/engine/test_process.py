"""The process engine with real workers around a small Kometa; and a worker's odd neighbours on the socket."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from renderer.protocol import PROTOCOL, encode
from sidecar import __version__
from sidecar.engine import client
from sidecar.engine.client import WorkerLink
from sidecar.engine.process import ProcessEngine, worker_env
from sidecar.errors import EngineAway, EngineError, EngineMismatch, EngineMissing
from sidecar.model import EngineEvent, LogLine, Outcome, OutcomeKind
from sidecar.tasks import Tasks
from tests.engine.rig import make_job
from tests.renderer.fake import make_kometa, make_shard
from tests.renderer.talk import ROOT, alive, gone, worker

Make = Callable[..., ProcessEngine]


@pytest.fixture
async def make(short_dir: Path, tmp_path: Path) -> AsyncIterator[Make]:
    """Makes engines, with a small Kometa unless told otherwise; stops them all."""
    tasks = Tasks()
    made: list[ProcessEngine] = []

    def build(home: Path | None = None, python: str = sys.executable, runtime: Path | None = None, **more: object) -> ProcessEngine:
        home = home or make_kometa(tmp_path / f"kometa-{len(made)}")
        engine = ProcessEngine(home, Path(python), runtime or short_dir / "r", spawn=tasks.spawn, **more)  # type: ignore[arg-type]
        made.append(engine)
        return engine

    yield build
    for engine in made:
        await engine.stop()
    await tasks.close()


def shards(base: Path, *scripts: str) -> list[tuple[Path, str]]:
    return [(make_shard(base / f"s{number}", script), f"grant-{number}") for number, script in enumerate(scripts)]


async def until(happened: Callable[[], object], within: float = 10.0) -> None:
    async with asyncio.timeout(within):
        while not happened():
            await asyncio.sleep(0.01)


async def test_a_render_from_start_to_stop(make: Make, tmp_path: Path) -> None:
    engine = make()
    before = engine.info
    assert before is None
    info = await engine.start()
    assert (info.kind, info.via, info.version) == ("kometa", "process", "0.1-fake")
    assert info.python == ".".join(map(str, sys.version_info[:3]))
    assert info == engine.info == await engine.start()
    events: list[EngineEvent] = []
    script = (
        "work.say('drawing')\nlogger.error('Overlay Error: x')\nlogger.error('Overlay Error: x')\nlogger.error('No Items found in Plex')"
    )
    outcome = await engine.render(make_job(Path("/nowhere"), shards(tmp_path, script, script)), events.append)
    assert outcome.kind is OutcomeKind.FINISHED
    assert outcome.seconds > 0
    assert [problem.what for problem in outcome.problems] == ["Overlay Error: x"]
    assert {event.shard for event in events if isinstance(event, LogLine) and event.text == "drawing"} == {0, 1}
    pid = engine.pid
    assert pid
    await engine.stop()
    await engine.stop()
    assert not alive(pid)
    assert engine.info is None


async def test_a_crashed_shard_is_a_problem(make: Make, tmp_path: Path) -> None:
    outcome = await make().render(make_job(Path("/x"), shards(tmp_path, "os._exit(3)", "")), lambda _event: None)
    assert outcome.kind is OutcomeKind.CRASHED
    assert "shard 0 crashed: the child left with status 3" in outcome.problems[0].what


async def test_the_deadline_is_a_problem(make: Make, tmp_path: Path) -> None:
    job = make_job(Path("/x"), shards(tmp_path, "import time\ntime.sleep(60)"), deadline=0.3)
    outcome = await make().render(job, lambda _event: None)
    assert outcome.kind is OutcomeKind.DEADLINE
    assert [problem.source for problem in outcome.problems] == ["engine"]


async def test_a_shard_that_stands_still_is_a_problem(make: Make, tmp_path: Path) -> None:
    """The others end as they would have; a line of the log now and then is progress."""
    stuck = "import time\nlogger.separator('Movies Library Overlays')\ntime.sleep(60)"
    busy = "import time\nfor n in range(12):\n    work.say(f'at {n}')\n    time.sleep(0.1)"
    job = replace(make_job(Path("/x"), shards(tmp_path, stuck, busy)), phase_deadline=0.8)
    events: list[EngineEvent] = []
    outcome = await make().render(job, events.append)
    assert outcome.kind is OutcomeKind.DEADLINE
    (problem,) = outcome.problems
    assert problem.what == "the renderer of shard 0 was ended: no progress for 0.8 s in the phase compile (Movies)"
    assert "engine.phase_deadline" in problem.mend
    assert "at 11" in [event.text for event in events if isinstance(event, LogLine) and event.shard == 1]


async def test_a_shard_that_takes_too_much_memory_is_a_problem(make: Make, tmp_path: Path) -> None:
    greedy = "import time\nheld = []\nfor n in range(400):\n    held.append(bytearray(os.urandom(1)) * 2**20)\n    time.sleep(0.005)"
    frugal = "import time\nheld = bytearray(2**22)\ntime.sleep(1)\nwork.say('frugal')"
    job = replace(make_job(Path("/x"), shards(tmp_path, greedy + "\ntime.sleep(60)", frugal)), memory=300 * 2**20)
    events: list[EngineEvent] = []
    outcome = await make().render(job, events.append)
    assert outcome.kind is OutcomeKind.CRASHED
    (problem,) = outcome.problems
    assert re.fullmatch(r"the renderer of shard 0 was ended: it took \d+ MiB of memory and may have 300 MiB", problem.what)
    assert "engine.memory" in problem.mend
    assert "frugal" in [event.text for event in events if isinstance(event, LogLine)]


async def test_a_listener_that_fails_costs_nothing(make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_event: EngineEvent) -> None:
        raise RuntimeError("listener")

    outcome = await make().render(make_job(Path("/x"), shards(tmp_path, "work.say('x')")), fail)
    assert outcome.kind is OutcomeKind.FINISHED
    assert "a listener failed" in caplog.text


SLEEP = "import time\nwork.say(f'pid {os.getpid()}')\ntime.sleep(60)"


async def rendering(engine: ProcessEngine, base: Path) -> tuple[asyncio.Task[Outcome], int]:
    """A render that does not end by itself, and its child's pid."""
    pids: list[int] = []

    def note(event: EngineEvent) -> None:
        if isinstance(event, LogLine) and event.text.startswith("pid "):
            pids.append(int(event.text.split()[1]))

    task = asyncio.create_task(engine.render(make_job(Path("/x"), shards(base, SLEEP)), note))
    await until(lambda: pids or task.done())
    return task, pids[0]


async def test_cancelling_ends_the_render_and_keeps_the_worker(make: Make, tmp_path: Path) -> None:
    engine = make()
    await engine.start()
    worker = engine.pid
    for name in ("a", "b", "c"):
        task, pid = await rendering(engine, tmp_path / name)
        asked = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - asked < 1.5  # the daemon promises one second; the machine may be busy
        assert gone(pid)
    assert engine.pid == worker
    assert (await engine.render(make_job(Path("/x"), shards(tmp_path / "d", "")), lambda _event: None)).kind is OutcomeKind.FINISHED


async def test_a_killed_worker_is_replaced(make: Make, tmp_path: Path) -> None:
    engine = make()
    task, pid = await rendering(engine, tmp_path / "a")
    worker = engine.pid
    assert worker
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(EngineAway, match="in the middle of a render"):
        await task
    assert engine.info is None
    assert gone(pid)
    await until(lambda: engine.info is not None)
    assert engine.pid not in (None, worker)
    assert (await engine.render(make_job(Path("/x"), shards(tmp_path / "b", "")), lambda _event: None)).kind is OutcomeKind.FINISHED


async def test_a_render_starts_the_worker_it_needs(make: Make, tmp_path: Path) -> None:
    engine = make()
    await engine.start()
    worker = engine.pid
    assert worker
    os.kill(worker, signal.SIGKILL)
    await until(lambda: engine.info is None)
    outcome = await engine.render(make_job(Path("/x"), shards(tmp_path, "")), lambda _event: None)
    assert outcome.kind is OutcomeKind.FINISHED


async def test_a_hung_worker_is_given_up_and_replaced(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "BEAT", 0.1)
    monkeypatch.setattr(client, "SILENCE", 0.5)
    engine = make()
    task, _ = await rendering(engine, tmp_path / "a")
    worker = engine.pid
    assert worker
    os.kill(worker, signal.SIGSTOP)
    with pytest.raises(EngineAway, match="hangs"):
        await task
    await until(lambda: engine.info is not None, within=20)
    assert not alive(worker)
    assert engine.pid != worker


async def test_a_worker_that_hangs_while_nobody_renders_is_replaced(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SILENCE", 0.5)
    engine = make()
    await engine.start()
    worker = engine.pid
    assert worker
    await engine.check()
    assert engine.pid == worker
    os.kill(worker, signal.SIGSTOP)
    await engine.check()
    await until(lambda: engine.info is not None and engine.pid != worker, within=20)
    assert not alive(worker)
    assert (await engine.render(make_job(Path("/x"), shards(tmp_path, "")), lambda _event: None)).kind is OutcomeKind.FINISHED


async def test_a_killed_daemon_leaves_no_orphan(short_dir: Path, tmp_path: Path) -> None:
    home = make_kometa(tmp_path / "k")
    shard = make_shard(tmp_path / "s", SLEEP)
    program = f"""
import asyncio, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from sidecar.engine.process import ProcessEngine
from sidecar.tasks import Tasks
from tests.engine.rig import make_job
async def main():
    engine = ProcessEngine(Path({str(home)!r}), Path(sys.executable), Path({str(short_dir)!r}), spawn=Tasks().spawn)
    await engine.start()
    print(engine.pid, flush=True)
    await engine.render(make_job(Path("/x"), [(Path({str(shard)!r}), "t")]), lambda event: print(getattr(event, "text", ""), flush=True))
asyncio.run(main())
"""
    daemon = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert daemon.stdout
    worker = int(await asyncio.wait_for(daemon.stdout.readline(), 20))
    line = b""
    while not line.startswith(b"pid "):
        line = await asyncio.wait_for(daemon.stdout.readline(), 20)
    child = int(line.split()[1])
    assert alive(worker)
    assert alive(child)
    daemon.kill()
    await daemon.wait()
    assert await asyncio.to_thread(gone, worker, child)


async def test_what_is_no_kometa_is_missing(make: Make, tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match=r"no Kometa in .*/nothing"):
        await make(tmp_path / "nothing").start()
    with pytest.raises(EngineMissing, match="cannot be started"):
        await make(python="/no/such/python").start()
    kometa = make_kometa(tmp_path / "k")
    (kometa / "kometa.py").write_text("import no_such_package\n" + (kometa / "kometa.py").read_text())
    with pytest.raises(EngineMissing, match=r"requirement no_such_package is missing .* pip install -r"):
        await make(kometa).start()


async def test_a_worker_that_ends_at_once_is_away_with_its_words(make: Make, tmp_path: Path) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho something went wrong >&2\nexit 7\n")
    script.chmod(0o755)
    with pytest.raises(EngineAway, match=r"status 7\): something went wrong"):
        await make(python=str(script)).start()


async def test_a_path_too_long_for_a_socket_is_said(make: Make, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="too long a path"):
        await make(runtime=tmp_path / ("x" * 90)).start()


async def test_restarts_are_bounded(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("sidecar.engine.client.RESTARTS", (0.01, 0.01))
    flag = tmp_path / "broken"
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nif [ -e {flag} ]; then echo broken; exit 9; fi\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    engine = make(python=str(script))
    await engine.start()
    flag.touch()
    assert engine.pid
    os.kill(engine.pid, signal.SIGKILL)
    await until(lambda: "could not be replaced" in caplog.text)
    assert caplog.text.count("to replace the worker failed") == 2
    flag.unlink()
    assert (await engine.start()).version == "0.1-fake"


def test_the_workers_environment_has_no_secret(tmp_path: Path) -> None:
    env = {"PATH": "/bin", "HOME": "/h", "LC_ALL": "C", "KOMETA_TMDB": "s", "PLEX_TOKEN": "s", "SIDECAR_X": "s", "PYTHONPATH": "/mine"}
    assert worker_env(env, tmp_path) == {"PATH": "/bin", "HOME": "/h", "LC_ALL": "C", "PYTHONPATH": str(tmp_path), "PYTHONUNBUFFERED": "1"}


async def test_kometa_finds_its_own_packages_first(make: Make, short_dir: Path) -> None:
    """On the path that a worker is given there is our renderer and nothing else: not our Pillow, not our requests."""
    await make().start()
    assert [entry.name for entry in (short_dir / "r" / "lib").iterdir()] == ["renderer"]


# ── other things that may listen on a worker's socket ────────────────────────────────────────────────────

Serve = Callable[[bytes], Awaitable[Path]]


@pytest.fixture
async def serve(short_dir: Path) -> AsyncIterator[Serve]:
    """A server that says some bytes to whoever connects, and then closes."""
    servers: list[asyncio.Server] = []

    async def start(words: bytes) -> Path:
        async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(words)
            await writer.drain()
            writer.close()

        path = short_dir / f"{len(servers)}.sock"
        servers.append(await asyncio.start_unix_server(talk, str(path)))
        return path

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("hello", [{"type": "hello", "protocol": PROTOCOL + 1, "worker": "9.9"}, {"type": "greetings"}])
async def test_another_protocol_is_a_mismatch(serve: Serve, hello: dict[str, object]) -> None:
    lost: list[bool] = []
    with pytest.raises(EngineMismatch, match=f"this sidecar speaks {PROTOCOL}"):
        await WorkerLink.connect(await serve(encode(hello)), lambda: lost.append(True))
    await asyncio.sleep(0.05)
    assert not lost  # or an engine would try to replace the worker that it just refused


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (
            "protocol.py",
            f"PROTOCOL = {PROTOCOL}",
            "PROTOCOL = 99",
            rf"speaks protocol 99, this sidecar speaks {PROTOCOL}: start the worker",
        ),
        (
            "__init__.py",
            f'"{__version__}"',
            '"9.9.9"',
            rf"version 9\.9\.9, this sidecar of {re.escape(__version__)}: start the worker",
        ),
    ],
)
async def test_a_worker_of_another_version_is_refused(short_dir: Path, tmp_path: Path, file: str, old: str, new: str, told: str) -> None:
    """A real one, as an image that nobody pulled anew holds it. It goes on living: it is not ours to end."""
    library = short_dir / "lib"
    shutil.copytree(ROOT / "renderer", library / "renderer")
    text = (library / "renderer" / file).read_text()
    assert text.count(old) == 1
    (library / "renderer" / file).write_text(text.replace(old, new))
    with worker(make_kometa(tmp_path / "k"), short_dir) as other:
        await asyncio.to_thread(other.talk)
        with pytest.raises(EngineMismatch, match=told):
            await WorkerLink.connect(other.path, lambda: None)
        assert alive(other.process.pid)


@pytest.mark.parametrize("words", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0"])
async def test_what_is_no_worker_is_away(serve: Serve, words: bytes) -> None:
    with pytest.raises(EngineAway):
        await WorkerLink.connect(await serve(words), lambda: None)


async def test_nobody_and_silence_are_away(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineAway, match="no worker at"):
        await WorkerLink.connect(short_dir / "none.sock", lambda: None)
    monkeypatch.setattr(client, "HELLO_TIMEOUT", 0.2)
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_unix_server(lambda _reader, writer: held.append(writer), str(short_dir / "silent.sock"))
    with pytest.raises(EngineAway, match="does not answer"):
        await WorkerLink.connect(short_dir / "silent.sock", lambda: None)
    for writer in held:
        writer.close()
    server.close()
    await server.wait_closed()


async def test_a_worker_whose_kometa_was_upgraded_is_had_anew_before_a_render(make: Make, tmp_path: Path) -> None:
    home = make_kometa(tmp_path / "k")
    engine = make(home)
    old = await engine.start()
    (home / "VERSION").write_text("0.2-fake\n")
    await engine.check()
    info = engine.info or await engine.start()
    assert (old.version, info.version) == ("0.1-fake", "0.2-fake")
    assert info.build != old.build
    outcome = await engine.render(make_job(Path("/nowhere"), shards(tmp_path, "work.say('x')")), lambda _event: None)
    assert outcome.kind is OutcomeKind.FINISHED
    await engine.check()
    assert engine.info == info


async def test_who_asks_while_somebody_asks_is_answered_too(make: Make) -> None:
    engine = make()
    await engine.start()
    async with asyncio.timeout(client.SILENCE / 2):
        await asyncio.gather(*(engine.check() for _ in range(5)))
    assert engine.info is not None
