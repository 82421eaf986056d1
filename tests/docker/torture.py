"""Kill things at random moments, round after round, and look whether anything was lost, doubled or left behind.

    python -m tests.docker.torture [--rounds 50] [--seed 1]

Each round is an edit of an overlay file, and at some moment within the render that follows it a ``kill -9`` of the worker, of a
shard's process, of the container, of the sidecar, or of dockerd (one of its own, beside the machine's). Then whatever was
killed and has nobody to start it again (sidecar, dockerd) is started, and the edit must come to be shown: exactly one run
done for it, one container at most, no process left over. Its last line is one JSON object. Needs root, dockerd and Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sidecar.demo import DemoHosts, DemoPlex
from sidecar.engine.docker_api import Docker
from sidecar.errors import EngineError
from sidecar.model import RunState
from sidecar.store import State
from tests.cold import STANDIN_INSTALL
from tests.cold_demo import small_world
from tests.docker.image import ROOT, worker_image
from tests.e2e.test_warm import config_of

KINDS: Final = ("worker", "shard", "container", "sidecar", "dockerd")
RENDER: Final = 4.0
"""Seconds that a render takes here, about; the kill comes within them."""
PATIENCE: Final = 120.0
"""Seconds for an edit to be shown after a kill."""


class Lost(AssertionError):
    """What must not happen did."""


class Dockerd:
    """A Docker daemon of our own: its own data, sockets and containers, no bridge, no firewall rules; kept up as systemd would.

    As on any system, containerd is a service of its own and outlives it.
    """

    def __init__(self, base: Path) -> None:
        self.base = base
        self.url = f"unix://{base}/d.sock"
        self.process: asyncio.subprocess.Process | None = None
        self._containerd: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Have it answer. A start that fails is tried again, as systemd does."""
        if self._containerd is None:
            await self._start_containerd()
        for attempt in range(1, 6):
            if await self._start():
                return
            sys.stderr.write(f"dockerd did not start (attempt {attempt})\n")
        raise RuntimeError(f"dockerd does not start: {(self.base / 'dockerd.log').read_text()[-2000:]}")

    async def _start(self) -> bool:
        (self.base / "d.pid").unlink(missing_ok=True)
        options = {"data-root": self.base / "docker", "exec-root": self.base / "exec", "pidfile": self.base / "d.pid", "host": self.url}
        words = [f"--{name}={value}" for name, value in options.items()]
        words += ["--bridge=none", "--iptables=false", "--ip6tables=false", f"--containerd={self.base}/c.sock"]
        # In a network namespace of its own: with --bridge=none it takes the default bridge away, which is the machine's own Docker's.
        self.process = await self._run("unshare", "--net", "dockerd", *words)
        for _ in range(600):
            if self.process.returncode is not None:
                return False
            with contextlib.suppress(EngineError):
                await asyncio.to_thread(Docker(self.url).host)
                return True
            await asyncio.sleep(0.1)
        await self.kill()
        return False

    async def _start_containerd(self) -> None:
        config = self.base / "containerd.toml"
        places = f'root = "{self.base}/cd"\nstate = "{self.base}/cs"\n[grpc]\naddress = "{self.base}/c.sock"\n'
        config.write_text(f'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n{places}')
        self._containerd = await self._run("containerd", "--config", str(config))
        await until("containerd's socket", (self.base / "c.sock").exists, 60)

    async def _run(self, *words: str) -> asyncio.subprocess.Process:
        name = "dockerd" if "dockerd" in words else words[0]
        with (self.base / f"{name}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(*words, stdout=log, stderr=log, start_new_session=True)

    async def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        for process in (self.process, self._containerd):
            if process is not None and process.returncode is None:
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), 30)
                except TimeoutError:
                    process.kill()
                    await process.wait()

    def take_image(self, name: str) -> None:
        """Copy an image from the machine's own Docker."""
        with subprocess.Popen(["docker", "save", name], stdout=subprocess.PIPE) as saved:
            env = {**os.environ, "DOCKER_HOST": self.url}
            subprocess.run(["docker", "load", "-q"], stdin=saved.stdout, env=env, check=True, capture_output=True)


@dataclass
class Tally:
    """What came of it."""

    rounds: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    """Seconds from a kill until the edit was shown."""


class Scene:
    """A sidecar with the container engine over its own dockerd, and the demo's Plex."""

    def __init__(self, base: Path, dockerd: Dockerd, image: str, plex: DemoPlex, hosts: Mapping[str, str]) -> None:
        self.data = base / "data"
        self.config = config_of("custom", base / "config")
        self.dockerd = dockerd
        self.docker = Docker(dockerd.url)
        self.plex = plex
        self._log = base / "sidecar.log"
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("KOMETA")},
            "KOMETA_PLEX_URL": plex.url,
            "KOMETA_PLEX_TOKEN": plex.token,
            "KOMETA_SIDECAR_GATEWAY__HOST_MAP": json.dumps(dict(hosts)),
            "KOMETA_SIDECAR_ENGINE__IMAGE": image,
            "KOMETA_SIDECAR_ENGINE__SHARDS": "1",  # so that a render lasts
            "KOMETA_SIDECAR_TARGETS__PER_LIBRARY": "100",
            "DOCKER_HOST": dockerd.url,
        }
        self.sidecar: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "sidecar",
            "run",
            str(self.config),
            "--data",
            str(self.data),
            "--port",
            "0",
            "--engine",
            "container",
        ]
        with self._log.open("ab") as log:
            self.sidecar = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=self._env, stdout=log, stderr=log)

    async def stop(self) -> int:
        assert self.sidecar is not None
        self.sidecar.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.sidecar.wait(), 60)

    def edit(self, number: int) -> None:
        path = self.config / "overlays" / "movies.yml"
        new = path.with_suffix(".new")
        new.write_text(re.sub(r"name: text\([^)]*\)", f"name: text(ROUND {number})", path.read_text()))
        new.replace(path)

    async def kill(self, what: str) -> None:
        """Kill -9. A part that is not there at this moment is as dead as it can be."""
        if what == "dockerd":
            await self.dockerd.kill()
            return
        if what == "sidecar":
            assert self.sidecar is not None
            self.sidecar.kill()
            await self.sidecar.wait()
            return
        with contextlib.suppress(EngineError, subprocess.SubprocessError, IndexError, ProcessLookupError, ValueError):
            if what == "container":
                for found in await asyncio.to_thread(self.ours):
                    await asyncio.to_thread(self._docker, "kill", found)
            else:
                workers = await asyncio.to_thread(self.workers)
                top = [pid for pid, parent in workers.items() if parent not in workers]
                shards = [pid for pid, parent in workers.items() if parent in workers]
                os.kill((top if what == "worker" else shards or top)[0], signal.SIGKILL)

    async def mend(self, what: str) -> None:
        """Start what nobody else starts again."""
        if what == "dockerd":
            await self.dockerd.start()
        if what == "sidecar":
            await self.start()

    def ours(self) -> list[str]:
        """Ids of every container on our dockerd, whosever it is."""
        return self._docker("ps", "-aq", "--no-trunc").split()

    def _docker(self, *words: str) -> str:
        env = {**os.environ, "DOCKER_HOST": self.dockerd.url}
        return subprocess.run(["docker", *words], env=env, capture_output=True, text=True, check=True, timeout=30).stdout

    def workers(self) -> dict[int, int]:
        """Pid -> parent's pid of every process of a worker of ours: those that run in a cgroup of our containers' cgroups."""
        wanted = f"{self.data}/exchange"
        found = {}
        for path in Path("/proc").iterdir():
            if path.name.isdigit():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    if b"/exchange/worker/worker.sock" in (path / "cmdline").read_bytes() and wanted in (path / "mountinfo").read_text():
                        found[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        return found

    async def runs(self) -> list[Any]:
        if not (self.data / "state.db").exists():
            return []
        state = await State.open(self.data / "state.db", shared=True)
        try:
            return await state.runs(limit=100_000)
        finally:
            await state.close()


async def until(what: str, happened: Callable[[], Any], within: float = PATIENCE) -> None:
    """Wait until ``happened()`` (awaited where it can be) is true. Lost where it does not come to be."""
    end = time.monotonic() + within
    while True:
        came = happened()
        if asyncio.iscoroutine(came):
            came = await came
        if came:
            return
        if time.monotonic() > end:
            raise Lost(f"waited {within:.0f} s in vain: {what}")
        await asyncio.sleep(0.1)


async def one_round(scene: Scene, number: int, what: str, chance: random.Random, tally: Tally) -> None:
    before = {run.revision for run in await scene.runs()}
    scene.edit(number)
    await asyncio.sleep(chance.uniform(0.0, RENDER))
    await scene.kill(what)
    killed = time.monotonic()
    await asyncio.sleep(chance.uniform(0.0, 0.5))
    await scene.mend(what)

    async def shown() -> bool:
        runs = await scene.runs()
        return bool(runs) and runs[0].state is RunState.DONE and runs[0].revision not in before

    await until(f"round {number}: the edit is shown after a kill of {what}", shown)
    tally.slowest = max(tally.slowest, time.monotonic() - killed)
    await until(f"round {number}: one container, running", lambda: _settled(scene))
    runs = [run for run in await scene.runs() if run.revision not in before]
    done = [run.id for run in runs if run.state is RunState.DONE]
    if len(done) != 1 or any(not run.state.final for run in runs):
        raise Lost(f"round {number} ({what}): {[(run.id, run.state.value) for run in runs]}")
    tally.rounds += 1
    tally.killed[what] += 1


async def _settled(scene: Scene) -> bool:
    """One container with one worker in it, and no shard of a render that nobody waits for."""
    try:
        containers = await asyncio.to_thread(scene.ours)
    except subprocess.SubprocessError:
        return False
    return len(containers) == 1 and len(await asyncio.to_thread(scene.workers)) == 1


@contextlib.asynccontextmanager
async def scene_in(base: Path) -> AsyncIterator[Scene]:
    """Everything started; everything ended afterwards."""
    world = small_world(24)
    dockerd = Dockerd(base)
    image = await asyncio.to_thread(worker_image, STANDIN_INSTALL)
    async with DemoPlex(world) as plex, DemoHosts(world) as hosts:
        try:
            await dockerd.start()
            await asyncio.to_thread(dockerd.take_image, image)
            scene = Scene(base, dockerd, image, plex, hosts.map)
            await scene.start()
            try:
                yield scene
            finally:
                if scene.sidecar is not None and scene.sidecar.returncode is None:
                    scene.sidecar.kill()
                    await scene.sidecar.wait()
                with contextlib.suppress(subprocess.SubprocessError):
                    for container in scene.ours():
                        scene._docker("rm", "-f", container)
        finally:
            await dockerd.stop()


async def torture(kinds: list[str], chance: random.Random, tell: Callable[[str], None] = lambda _line: None) -> Tally:
    """One round for each of ``kinds``. Lost where something was lost, doubled or left behind."""
    tally = Tally()
    base = Path(tempfile.mkdtemp(prefix="ks-", dir="/tmp"))
    kept = True
    try:
        async with scene_in(base) as scene:
            await until("the first pictures", lambda: _first(scene))
            for number, what in enumerate(kinds, 1):
                await one_round(scene, number, what, chance, tally)
                tell(f"round {number}: {what}")
            if await scene.stop() != 0:
                raise Lost("the sidecar did not end well")
            if left := await asyncio.to_thread(scene.ours):
                raise Lost(f"containers were left: {left}")
            if workers := await asyncio.to_thread(scene.workers):
                raise Lost(f"workers were left: {workers}")
            if work := list((scene.data / "exchange" / "work").iterdir()):
                raise Lost(f"working directories were left: {work}")
            if scene.plex.writes:
                raise Lost(f"Plex was written to: {scene.plex.writes[:3]}")
            tally.runs = Counter(run.state.value for run in await scene.runs())
        kept = False
    finally:
        if kept:
            tell(f"kept for a look: {base}")
        else:
            shutil.rmtree(base, ignore_errors=True)
    return tally


async def _first(scene: Scene) -> bool:
    if not (scene.data / "gallery" / "summary.json").exists():  # the database may be in the making
        return False
    runs = await scene.runs()
    return bool(runs) and runs[0].state is RunState.DONE


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.docker.torture", description="Kill things at random moments.")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    given = parser.parse_args()
    chance = random.Random(given.seed)
    kinds = [KINDS[number % len(KINDS)] for number in range(given.rounds)]
    chance.shuffle(kinds)

    def tell(line: str) -> None:
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")

    try:
        tally = asyncio.run(torture(kinds, chance, tell))
    except Lost as lost:
        sys.stdout.write(json.dumps({"ok": False, "seed": given.seed, "lost": str(lost)}) + "\n")
        sys.exit(1)
    sys.stdout.write(
        json.dumps(
            {
                "ok": True,
                "seed": given.seed,
                "rounds": tally.rounds,
                "killed": dict(tally.killed),
                "runs": dict(tally.runs),
                "orphans": 0,
                "lost": 0,
                "doubled": 0,
                "slowest_s": round(tally.slowest, 1),
            }
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
