"""The socket engine: a worker that others start and keep, seen under other paths perhaps."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

import renderer
from renderer.protocol import PROTOCOL, encode
from sidecar import __version__
from sidecar.engine.catalogue import keep, kept
from sidecar.engine.remote import RemoteEngine
from sidecar.engine.socket import SocketEngine
from sidecar.errors import EngineAway, EngineError, EngineHung, EngineMismatch
from sidecar.model import OutcomeKind
from sidecar.tasks import Tasks
from tests.engine.rig import make_job
from tests.engine.workers import running
from tests.renderer.fake import make_kometa, make_shard

Make = Callable[[], SocketEngine]


@pytest.fixture
def exchange(short_dir: Path) -> Path:
    path = short_dir / "x"
    for name in ("gateway", "worker", "work"):
        (path / name).mkdir(parents=True)
    return path


@pytest.fixture
async def engine(exchange: Path, tmp_path: Path) -> AsyncIterator[SocketEngine]:
    tasks = Tasks()
    made = SocketEngine(exchange / "worker" / "worker.sock", exchange, spawn=tasks.spawn, shelf=tmp_path / "shelf")
    yield made
    await made.stop()
    await tasks.close()


@pytest.fixture
def kometa(tmp_path: Path) -> Path:
    """A Kometa with a font and an overlay file of its own."""
    home = make_kometa(tmp_path / "kometa")
    (home / "fonts" / "Own.ttf").write_bytes(b"a font")
    (home / "defaults" / "overlays").mkdir(parents=True)
    (home / "defaults" / "overlays" / "ribbon.yml").write_text("overlays: {}\n")
    return home


async def reached(engine: SocketEngine) -> None:
    async with asyncio.timeout(30):
        while engine.info is None:
            try:
                await engine.start()
            except EngineAway:
                await asyncio.sleep(0.05)


async def test_a_worker_of_others_renders(engine: SocketEngine, exchange: Path, kometa: Path) -> None:
    async with running(exchange, kometa) as worker:
        await reached(engine)
        assert engine.info is not None
        assert (engine.info.kind, engine.info.via, engine.info.version) == ("kometa", "socket", "0.1-fake")
        # Kometa's fonts are where Kometa is, whatever the sidecar knows of that place
        home = make_shard(exchange / "work" / "run" / "0", "print(open('fonts/Own.ttf').read())")
        outcome = await engine.render(make_job(exchange / "gateway" / "gateway.sock", [(home, "t")]), lambda _event: None)
        assert (outcome.kind, outcome.problems) == (OutcomeKind.FINISHED, ())
        await engine.stop()
        await asyncio.sleep(0.05)
        assert worker.returncode is None, "it is not ours to end"
        assert (await engine.start()).version == "0.1-fake"


async def test_a_worker_that_comes_back_is_found_again(
    engine: SocketEngine, exchange: Path, kometa: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.engine.client.RESTARTS", (0.1,) * 100)
    async with running(exchange, kometa) as worker:
        await reached(engine)
        worker.kill()
        await worker.wait()
    async with asyncio.timeout(40):
        while engine.info is not None:
            await asyncio.sleep(0.01)
    with pytest.raises(EngineAway, match="no worker at"):
        await engine.start()
    async with running(exchange, kometa):
        async with asyncio.timeout(40):
            while engine.info is None:
                await asyncio.sleep(0.05)


async def test_a_worker_that_hangs_is_told_with_the_remedy(
    engine: SocketEngine, exchange: Path, kometa: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only whoever started it can end it."""
    monkeypatch.setattr("sidecar.engine.client.HELLO_TIMEOUT", 0.5)
    async with running(exchange, kometa) as worker:
        await reached(engine)
        await engine.stop()
        worker.send_signal(signal.SIGSTOP)
        with pytest.raises(EngineHung, match=r"does not answer: restart it .*docker compose restart worker"):
            await engine.start()
        worker.send_signal(signal.SIGCONT)
        monkeypatch.undo()
        assert (await engine.start()).via == "socket"


async def test_what_kometa_brings_is_told_and_kept(engine: SocketEngine, exchange: Path, kometa: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineAway):
        await engine.home()
    async with running(exchange, kometa):
        await reached(engine)
        home = await engine.home()
    assert (home / "defaults" / "overlays" / "ribbon.yml").read_text() == "overlays: {}\n"
    assert [path.name for path in (home / "fonts").iterdir()] == ["Own.ttf"]
    await engine.stop()
    assert await engine.home() == home == kept(tmp_path / "shelf"), "known also while there is no worker"


async def test_several_may_ask_at_once(engine: SocketEngine, exchange: Path, kometa: Path) -> None:
    async with running(exchange, kometa):
        await reached(engine)
        homes = await asyncio.gather(*(engine.home() for _ in range(8)), engine.start())
    assert len(set(homes[:8])) == 1


def test_a_newer_kometa_takes_the_place_of_the_last(tmp_path: Path) -> None:
    old = keep({"fonts": [], "overlays": {"a.yml": "1"}}, tmp_path / "shelf")
    new = keep({"fonts": ["f.ttf"], "overlays": {"a.yml": "2", "../b.yml": "x", ".hidden": "x", "c.yml": 5}}, tmp_path / "shelf")
    assert not old.exists()
    assert sorted(path.name for path in new.rglob("*") if path.is_file()) == ["a.yml", "f.ttf"]
    assert sorted(path.name for path in (tmp_path / "shelf").iterdir()) == sorted([new.name, "latest"])
    with pytest.raises(EngineMismatch):
        keep({"fonts": "none"}, tmp_path / "shelf")


def test_worker_and_sidecar_are_of_one_version() -> None:
    assert renderer.__version__ == __version__


Serve = Callable[[dict[str, object]], Awaitable[None]]


@pytest.fixture
async def serve(exchange: Path) -> AsyncIterator[Serve]:
    """A worker that says what it is told to, and stays."""
    servers: list[asyncio.Server] = []
    writers: list[asyncio.StreamWriter] = []

    async def start(hello: dict[str, object]) -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            writer.write(encode(hello))
            while await reader.read(4096):
                writer.write(encode({"type": "catalogue", "fonts": [], "overlays": {}}))
            writer.close()

        servers.append(await asyncio.start_unix_server(talk, str(exchange / "worker" / "worker.sock")))

    yield start
    for server in servers:
        server.close()
    for writer in writers:
        writer.close()
        await writer.wait_closed()
    await asyncio.sleep(0)


HELLO: dict[str, object] = {"type": "hello", "protocol": PROTOCOL, "worker": __version__, "kometa": "2.4.4"}


async def test_a_worker_of_another_version_is_refused(engine: SocketEngine, serve: Serve) -> None:
    await serve({**HELLO, "worker": "0.0.1"})
    with pytest.raises(EngineMismatch, match=rf"version 0\.0\.1, this sidecar of {__version__}: start the worker that came with"):
        await engine.start()


async def test_paths_are_the_workers(engine: SocketEngine, serve: Serve, exchange: Path, tmp_path: Path) -> None:
    await serve({**HELLO, "socket": "/exchange/worker/worker.sock"})
    await engine.start()
    assert engine._there(exchange / "work" / "run" / "0") == "/exchange/work/run/0"
    with pytest.raises(EngineError, match="outside of"):
        engine._there(tmp_path)


async def test_a_worker_that_listens_elsewhere_is_told_how_to(engine: SocketEngine, serve: Serve, exchange: Path) -> None:
    await serve({**HELLO, "socket": "/tmp/w.sock"})
    await engine.start()
    with pytest.raises(EngineError, match=r"--socket EXCHANGE/worker/worker\.sock"):
        engine._there(exchange / "work")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
async def test_root_gives_the_worker_what_it_works_with(engine: RemoteEngine, serve: Serve, exchange: Path) -> None:
    await serve({**HELLO, "socket": "/exchange/worker/worker.sock"})
    os.chown(exchange / "worker" / "worker.sock", 4321, 4322)
    home = make_shard(exchange / "work" / "run" / "0")
    (home / "fonts").symlink_to("/etc/hostname")
    gateway = exchange / "gateway" / "gateway.sock"
    gateway.touch()
    before = Path("/etc/hostname").stat().st_uid
    await engine.start()
    engine._hand_over(make_job(gateway, [(home, "t")]))
    for path in (home.parent, home, home / "config" / "config.yml", gateway, home / "fonts"):
        assert (path.lstat().st_uid, path.lstat().st_gid) == (4321, 4322), path
    assert Path("/etc/hostname").stat().st_uid == before, "links are not followed"
