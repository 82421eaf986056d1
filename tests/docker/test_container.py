"""The container engine on a real Docker daemon: pictures, adoption, upgrades, what it says when it cannot, and what it leaves."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sidecar.engine import client
from sidecar.engine.container import ContainerEngine, Limits
from sidecar.engine.docker_api import Docker
from sidecar.errors import EngineAway, EngineError, EngineMismatch, EngineMissing
from sidecar.model import OutcomeKind, PictureState
from sidecar.tasks import Tasks
from tests.cold import KometaInstall
from tests.cold_demo import small_world
from tests.docker.image import ROOT, worker_image
from tests.docker.registry import registry
from tests.e2e.house import house
from tests.e2e.test_warm import config_of
from tests.engine.rig import make_job
from tests.renderer.fake import make_kometa, make_shard

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]


def inspect(container: str) -> dict[str, Any]:
    told = subprocess.run(["docker", "inspect", container], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(told.stdout)[0]
    return found


async def test_pictures_from_a_container_are_those_from_this_host(
    kometa: KometaInstall, docker: Docker, image_of: Callable[[KometaInstall], str], tmp_path: Path, short_dir: Path
) -> None:
    image = image_of(kometa)
    config = config_of("custom", tmp_path / "config")
    async with house(kometa, config, short_dir / "a", world=small_world(), engine={"layout": "basic"}) as home:
        wanted = await home.run("done")
    engine = {"kind": "container", "image": image, "kometa_home": None, "kometa_python": None, "container_memory": "1GiB", "pids": 128}
    async with house(kometa, config, short_dir / "b", world=small_world(), engine=engine) as home:
        run = await home.run("done")
        assert run.engine is not None
        assert (run.engine.via, run.engine.network, run.engine.layout) == ("container", "none", "basic")
        assert {picture.state for picture in run.pictures} == {PictureState.RENDERED}
        assert [(p.target.id, p.after) for p in run.pictures] == [(p.target.id, p.after) for p in wanted.pictures]
        assert run.problems == wanted.problems
        home.assert_plex_untouched()
        instance = (short_dir / "b" / "instance").read_text().split()[0]
        host = inspect(f"kometa-sidecar-worker-{instance}")["HostConfig"]
        assert (host["NetworkMode"], host["ReadonlyRootfs"], host["Memory"], host["PidsLimit"]) == ("none", True, 2**30, 128)
    assert docker.ours(instance) == []


@dataclass(frozen=True)
class Bench:
    """Engines over one data directory, as daemons that follow one another."""

    docker: Docker
    image: str
    data: Path
    make: Callable[..., ContainerEngine]
    told: list[str]

    @property
    def exchange(self) -> Path:
        return self.data / "exchange"

    @property
    def ours(self) -> list[str]:
        return [found.id for found in self.docker.ours((self.data / "instance").read_text().split()[0])]


@pytest.fixture(scope="module")
def small_image(docker_daemon: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A worker image of the least Kometa there is: its runs are Python text."""
    home = make_kometa(tmp_path_factory.mktemp("small") / "kometa")
    (home / "requirements.txt").write_text("requests\npillow\n")
    return worker_image(KometaInstall(home=home, python=Path(sys.executable), kind="small"))


@pytest.fixture
async def bench(docker: Docker, small_image: str, short_dir: Path) -> AsyncIterator[Bench]:
    tasks = Tasks()
    made: list[ContainerEngine] = []
    told: list[str] = []

    def make(**more: Any) -> ContainerEngine:
        given = {"image": small_image, "limits": Limits(memory=2**29, cpus=1.0), **more}
        engine = ContainerEngine(
            given.pop("docker", docker),
            given.pop("image"),
            given.pop("exchange", short_dir / "exchange"),
            identity=given.pop("identity", short_dir / "instance"),
            cache=given.pop("cache", short_dir / "cache"),
            shelf=short_dir / "shelf",
            spawn=tasks.spawn,
            tell=told.append,
            **given,
        )
        made.append(engine)
        return engine

    yield Bench(docker, small_image, short_dir, make, told)
    for engine in made:
        await engine.stop()
    await tasks.close()


def cut(engine: ContainerEngine) -> None:
    """What is left of an engine whose daemon was killed: its container."""
    engine._stopping = True
    assert engine._link is not None
    engine._link.abort()


async def until(happened: Callable[[], object], within: float = 30.0) -> None:
    async with asyncio.timeout(within):
        while not await asyncio.to_thread(happened):
            await asyncio.sleep(0.1)


async def test_what_a_killed_daemon_left_is_adopted(bench: Bench) -> None:
    first = bench.make()
    await first.start()
    (left,) = bench.ours
    cut(first)
    second = bench.make()
    await second.start()
    assert bench.ours == [left]
    home = make_shard(bench.exchange / "work" / "run" / "0", "print('in the container', os.getuid(), os.getcwd())")
    gateway = bench.exchange / "gateway" / "gateway.sock"
    gateway.touch()
    lines: list[Any] = []
    outcome = await second.render(make_job(gateway, [(home, "t")]), lines.append)
    assert outcome.kind is OutcomeKind.FINISHED
    assert f"in the container {os.geteuid() or 65532} /exchange/work/run/0" in [getattr(line, "text", "") for line in lines]
    await second.stop()
    assert bench.ours == []


async def test_another_configuration_or_image_replaces_the_container(
    bench: Bench, image_of: Callable[..., str], standin: KometaInstall
) -> None:
    first = bench.make()
    await first.start()
    (old,) = bench.ours
    cut(first)
    second = bench.make(limits=Limits(memory=2**28, cpus=1.0))
    await second.start()
    (newer,) = bench.ours
    assert newer != old
    assert inspect(newer)["HostConfig"]["Memory"] == 2**28
    cut(second)
    third = bench.make(limits=Limits(memory=2**28, cpus=1.0), image=image_of(standin))
    assert (await third.start()).version == standin.version
    (newest,) = bench.ours
    assert newest != newer


async def test_a_copy_of_the_data_has_a_container_of_its_own(bench: Bench) -> None:
    """A copy for a second sidecar, say: the two would take each other's container away."""
    first = bench.make()
    await first.start()
    (mine,) = bench.ours
    copy = bench.data / "copy"
    copy.mkdir()
    (copy / "instance").write_text((bench.data / "instance").read_text())
    other = replace(bench, data=copy)
    second = bench.make(exchange=copy / "exchange", identity=copy / "instance", cache=copy / "cache")
    await second.start()
    assert bench.ours == [mine]
    assert len(other.ours) == 1
    assert other.ours != [mine]
    await second.stop()
    assert (bench.ours, other.ours) == ([mine], [])
    assert first.info is not None


async def test_a_container_that_was_only_made_is_started(bench: Bench) -> None:
    """The daemon was killed between Docker's create and start."""
    engine = bench.make()
    image = bench.docker.image(bench.image)
    assert image is not None
    wish = await asyncio.to_thread(engine._wish, image)
    await asyncio.to_thread(engine._lay_out, wish.user)
    from sidecar.engine import cage

    made = bench.docker.create(cage.payload(wish), wish.name)
    stray = bench.docker.create(cage.payload(replace(wish, memory=2**27)), f"{wish.name}-stray")
    await engine.start()
    assert bench.ours == [made]
    assert stray not in bench.ours


async def test_killed_workers_and_containers_come_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.engine.client.RESTARTS", (0.1, 0.5, 1.0, 2.0))
    engine = bench.make()
    await engine.start()
    (container,) = bench.ours
    os.kill(inspect(container)["State"]["Pid"], 9)  # Docker restarts it
    await until(lambda: engine.info is None)
    await until(lambda: engine.info is not None)
    assert bench.ours == [container]
    subprocess.run(["docker", "kill", container], capture_output=True, check=True)  # Docker does not
    await until(lambda: engine.info is None)
    await until(lambda: engine.info is not None)
    assert bench.ours == [container]
    subprocess.run(["docker", "rm", "-f", container], capture_output=True, check=True)
    await until(lambda: engine.info is None)
    await until(lambda: engine.info is not None)
    (other,) = bench.ours
    assert other != container


async def test_a_worker_that_hangs_in_its_container_is_replaced(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker sees a process that runs; it has to be told."""
    for name, value in (("BEAT", 0.1), ("SILENCE", 0.5), ("HELLO_TIMEOUT", 1.0), ("RESTARTS", (0.1, 1.0))):
        monkeypatch.setattr(client, name, value)
    engine = bench.make()
    await engine.start()
    (hung,) = bench.ours
    home = make_shard(bench.exchange / "work" / "run" / "0", "import time\ntime.sleep(60)")
    (bench.exchange / "gateway" / "gateway.sock").touch()
    render = asyncio.create_task(engine.render(make_job(bench.exchange / "gateway" / "gateway.sock", [(home, "t")]), lambda _event: None))
    await until(lambda: len(subprocess.run(["docker", "top", hung], capture_output=True, text=True, check=True).stdout.splitlines()) > 2)
    os.kill(inspect(hung)["State"]["Pid"], signal.SIGSTOP)
    with pytest.raises(EngineAway, match="hangs"):
        await render
    await until(lambda: engine.info is not None)
    assert hung not in bench.ours
    assert len(bench.ours) == 1


async def test_a_missing_image_is_said_and_nothing_is_fetched(
    standin: KometaInstall, docker: Docker, tmp_path: Path, data_dir: Path
) -> None:
    config = config_of("custom", tmp_path / "config")
    engine = {"kind": "container", "image": "no-such-image:v0", "kometa_home": None, "kometa_python": None}
    async with house(standin, config, data_dir, world=small_world(), engine=engine) as home:
        await home.until(lambda: any(part.part == "worker" and not part.ok for part in home.app.showcase.health))
        async with aiohttp.ClientSession() as session, session.get(f"{home.app.url}readyz") as answer:
            assert answer.status == 503
            told = {reason["part"]: reason.get("detail", "") for reason in (await answer.json())["reasons"]}
        assert "Docker has no image no-such-image:v0. Build it (docker build -f renderer/Dockerfile" in told["worker"]
        page = data_dir / "gallery" / "index.html"
        await home.until(lambda: page.exists() and "no-such-image:v0" in page.read_text())


async def test_an_image_is_pulled_when_asked_for_and_the_progress_is_told(
    standin: KometaInstall, docker: Docker, image_of: Callable[[KometaInstall], str], tmp_path: Path, data_dir: Path
) -> None:
    config = config_of("custom", tmp_path / "config")
    async with registry(image_of(standin), tmp_path, pause=0.04) as name:
        # Docker has these layers; what it has by another name it does not fetch again
        subprocess.run(["docker", "rmi", "-f", name], capture_output=True, check=False)
        engine = {"kind": "container", "image": name, "pull": True, "kometa_home": None, "kometa_python": None}
        try:
            async with house(standin, config, data_dir, world=small_world(), engine=engine) as home:
                run = await home.run("done")
                told = [str(data["detail"]) for kind, data in home.heard if kind == "health" and data["part"] == "worker"]
        finally:
            subprocess.run(["docker", "rmi", "-f", name], capture_output=True, check=False)
    assert any(f"image {name} is being pulled" in detail for detail in told), told
    assert run.engine is not None
    assert run.engine.via == "container"


async def test_a_pull_that_fails_is_told(bench: Bench) -> None:
    """Nobody listens there: Docker says so, and so do we; the next start tries again."""
    name = "127.0.0.1:1/worker:v1"
    engine = bench.make(image=name, pull=True, patient=True)
    for _ in range(2):
        with pytest.raises(EngineError, match=r"127\.0\.0\.1:1"):
            await engine.start()
    hasty = bench.make(image=name, pull=True)
    with pytest.raises(EngineAway, match=f"image {name} is being pulled: just begun"):
        await hasty.start()


async def test_an_image_without_a_worker_is_told_by_its_words(bench: Bench, short_dir: Path) -> None:
    words = f'FROM {bench.image}\nENTRYPOINT ["python3", "-c", "import sys; print(\'no Kometa in /\'); sys.exit(3)"]\n'
    name = f"kometa-sidecar-test-worker:broken-{short_dir.name}"
    command = ["docker", "build", "--network", "none", "-q", "-t", name, "-"]
    subprocess.run(command, check=True, capture_output=True, input=words.encode(), env={**os.environ, "DOCKER_BUILDKIT": "0"})
    engine = bench.make(image=name)
    try:
        with pytest.raises(EngineMissing, match=f"image {name}: no Kometa in /"):
            await engine.start()
    finally:
        await engine.stop()
        subprocess.run(["docker", "rmi", "-f", name], capture_output=True, check=False)


def test_an_image_is_the_same_whatever_the_clones_modes(small_image: str, tmp_path: Path) -> None:
    """A checkout made under umask 077, as root's often is: the worker runs as somebody else and must read it."""
    for name in ("renderer", ".dockerignore"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tmp_path / name)
    for path in tmp_path.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    base = next(
        line
        for line in subprocess.run(
            ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"], capture_output=True, text=True, check=True
        ).stdout.split()
        if line.startswith("kometa-sidecar-test/small:")
    )
    name = f"kometa-sidecar-test-worker:modes-{tmp_path.name}"
    command = ["docker", "build", "--network", "none", "-q", "-f", "renderer/Dockerfile", "-t", name]
    command += ["--build-arg", f"KOMETA_IMAGE={base.partition(':')[0]}", "--build-arg", f"KOMETA_TAG={base.partition(':')[2]}", "."]
    try:
        subprocess.run(command, check=True, capture_output=True, cwd=tmp_path, env={**os.environ, "DOCKER_BUILDKIT": "0"})
        told = subprocess.run(["docker", "run", "--rm", "--network", "none", name, "--help"], capture_output=True, text=True, check=False)
        assert (told.returncode, told.stderr) == (0, "")
        assert "--socket" in told.stdout
    finally:
        subprocess.run(["docker", "rmi", "-f", name], capture_output=True, check=False)


async def test_a_renderer_that_fills_the_container_goes_alone(bench: Bench) -> None:
    """The kernel takes the child, not the worker; the others and the container go on."""
    engine = bench.make(limits=Limits(memory=192 * 2**20, cpus=1.0))
    await engine.start()
    (container,) = bench.ours
    worker = inspect(container)["State"]["Pid"]
    gateway = bench.exchange / "gateway" / "gateway.sock"
    gateway.touch()
    greedy = "held = []\nwhile True:\n    held.append(bytearray(os.urandom(1)) * 2**20)"
    homes = [
        make_shard(bench.exchange / "work" / "run" / str(n), script) for n, script in enumerate((greedy, "import time\ntime.sleep(2)"))
    ]
    outcome = await engine.render(make_job(gateway, [(homes[0], "t"), (homes[1], "u")]), lambda _event: None)
    assert (outcome.ends[0].kind, outcome.ends[0].died) == (OutcomeKind.CRASHED, True)
    assert "SIGKILL" in outcome.ends[0].detail
    assert outcome.ends[1].kind is OutcomeKind.FINISHED
    assert bench.ours == [container]
    assert inspect(container)["State"]["Pid"] == worker


async def test_an_image_of_another_version_is_refused_until_it_is_built_anew(bench: Bench, short_dir: Path) -> None:
    name = f"kometa-sidecar-test-worker:old-{short_dir.name}"
    change = "open('/sidecar/renderer/__init__.py', 'a').write('__version__ = \"0.0.1\"')"
    words = f"FROM {bench.image}\nUSER root\nRUN {json.dumps(['python3', '-c', change])}\nUSER 1000:1000\n"
    command = ["docker", "build", "--network", "none", "-q", "-t", name, "-"]
    subprocess.run(command, check=True, capture_output=True, input=words.encode(), env={**os.environ, "DOCKER_BUILDKIT": "0"})
    engine = bench.make(image=name)
    try:
        with pytest.raises(EngineMismatch, match=rf"image {name}: the worker is of version 0\.0\.1, .* built anew"):
            await engine.start()
        (old,) = bench.ours
        subprocess.run(["docker", "tag", bench.image, name], check=True)
        assert (await engine.start()).kind == "kometa"
        assert old not in bench.ours
        assert len(bench.ours) == 1
    finally:
        await engine.stop()
        subprocess.run(["docker", "rmi", "-f", name], capture_output=True, check=False)


async def test_no_docker_at_all_is_away(bench: Bench, short_dir: Path) -> None:
    with pytest.raises(EngineAway, match="Docker does not answer at"):
        await bench.make(docker=Docker(f"unix://{short_dir}/none.sock")).start()
