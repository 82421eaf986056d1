"""Engine ``process``: a worker on this host, started from a Kometa checkout with Kometa's own Python.

The worker gets an environment without secrets, a session of its own and an empty working directory. It ends with the daemon,
however the daemon ends: it holds the other end of its stdin and asks the kernel to be killed with its parent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from renderer import protocol
from sidecar.engine.client import Spawn, WorkerEngine, WorkerLink
from sidecar.errors import EngineAway, EngineError, EngineMissing

KEPT = frozenset(
    {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "XDG_DATA_DIRS", "LD_LIBRARY_PATH", "KOMETA_DOCKER", "KOMETA_LINUXSERVER", "BRANCH_NAME"}
)
"""Environment variables handed to the worker, with LC_*; it drops more of them itself."""

START_TIMEOUT = 90.0
"""Seconds for Kometa's first import on a slow disk."""
STOP_TIMEOUT = 2.0
"""Seconds for a worker to end when told to, and again when asked by SIGTERM; then it is killed."""
MAX_SOCKET_PATH = 107
"""Bytes; the kernel's bound on a unix socket's path (unix(7))."""
UNUSABLE = 3
"""The worker's exit status for a Kometa that cannot be used (renderer/__main__.py)."""


class ProcessEngine(WorkerEngine):
    """Starts and keeps one worker. ``runtime_dir`` is this engine's own: socket and log. ``cache`` is kept from worker to worker:
    compiled modules, remembered template expansions (by default below ``runtime_dir``).

    ``layout`` is Pillow's text layout engine: auto, raqm or basic. ``off`` names speed-ups not to use (``all``).
    ``spawn`` makes the task that replaces a dead worker.
    """

    def __init__(
        self,
        kometa_home: Path,
        python: Path,
        runtime_dir: Path,
        *,
        spawn: Spawn,
        layout: str = "auto",
        nice: int = 5,
        off: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
        cache: Path | None = None,
    ) -> None:
        super().__init__(runtime_dir / "worker.sock", via="process", spawn=spawn)
        self._kometa_home = kometa_home
        self._python = python
        self._runtime_dir = runtime_dir
        self._layout = layout
        self._nice = nice
        self._off = off
        self._env = env
        self._cache = cache or runtime_dir / "cache"
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        """The worker's process id while it runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def _reach(self) -> WorkerLink:
        await self._end()
        self._process = await self._launch()
        try:
            async with asyncio.timeout(START_TIMEOUT):
                while self._process.returncode is None:
                    if self._socket.exists():
                        with contextlib.suppress(EngineAway):
                            return await WorkerLink.connect(self._socket, self._lost)
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            await self._end()
            raise EngineAway(
                f"the worker did not get ready within {START_TIMEOUT:.0f} s: {await asyncio.to_thread(self._last_words)}"
            ) from error
        except BaseException:  # cancelled, too: no worker is left running
            await self._end()
            raise
        raise await asyncio.to_thread(self._failure, self._process.returncode)

    async def _launch(self) -> Process:
        try:
            library, output = await asyncio.to_thread(self._lay_out)
        except OSError as error:
            raise EngineError(f"the worker's directory {self._runtime_dir} cannot be used: {error.strerror or error}") from error
        command = [str(self._python), "-m", "renderer", "--kometa", str(self._kometa_home), "--socket", str(self._socket)]
        command += [
            "--cache",
            str(self._cache),
            "--layout",
            self._layout,
            "--nice",
            str(self._nice),
            "--parent",
            str(os.getpid()),
        ]
        command += [argument for name in self._off for argument in ("--off", name)]
        with output:
            try:
                return await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    cwd=library,
                    env=worker_env(os.environ if self._env is None else self._env, library),
                    start_new_session=True,
                )
            except OSError as error:
                raise EngineMissing(f"Kometa's Python {self._python} cannot be started: {error.strerror or error}") from error

    def _lay_out(self) -> tuple[Path, IO[bytes]]:
        """A directory with nothing but our renderer in it, for PYTHONPATH, and the worker's log, empty.

        Our own site-packages must not be on that path: Kometa would find our Pillow and requests before its own.
        """
        if len(os.fsencode(self._socket)) > MAX_SOCKET_PATH:
            raise EngineError(
                f"{self._socket} is too long a path for a unix socket ({MAX_SOCKET_PATH} bytes): choose a shorter runtime directory"
            )
        self._runtime_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._socket.unlink(missing_ok=True)
        library = self._runtime_dir / "lib"
        library.mkdir(exist_ok=True)
        package, link = Path(protocol.__file__).resolve().parent, library / "renderer"
        if not link.is_symlink() or link.readlink() != package:
            link.unlink(missing_ok=True)
            link.symlink_to(package, target_is_directory=True)
        return library, (self._runtime_dir / "worker.log").open("wb")

    def _failure(self, status: int) -> EngineError:
        """What a worker's early end means."""
        words = self._last_words()
        if status == UNUSABLE:
            return EngineMissing(words)
        if "No module named renderer" in words:
            return EngineError(f"the worker's own code cannot be read by {self._python}: {words}")
        return EngineAway(f"the worker ended at its start ({f'signal {-status}' if status < 0 else f'status {status}'}): {words}")

    def _last_words(self) -> str:
        """The last line that the worker printed."""
        try:
            with (self._runtime_dir / "worker.log").open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
                lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
        except OSError as error:
            return f"its log cannot be read: {error.strerror or error}"
        return lines[-1] if lines else "it said nothing"

    async def _leave(self, link: WorkerLink | None) -> None:
        if link is not None:
            link.shutdown()
        await self._end(asked=link is not None and link.alive)
        if link is not None:
            link.abort()

    async def _end(self, *, asked: bool = False) -> None:
        """Let no worker of ours run on. ``asked``: it was already told to end."""
        process, self._process = self._process, None
        if process is None:
            return
        steps: list[Callable[[], None]] = [process.terminate, process.kill]
        for step in [_wait_only, *steps] if asked else steps:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    step()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STOP_TIMEOUT):
                        await process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _wait_only() -> None:
    """The first step towards the end of a worker that was told to end: nothing but time."""


def worker_env(env: Mapping[str, str], library: Path) -> dict[str, str]:
    """The environment of a worker: no token, no key, no KOMETA_* argument of somebody's own Kometa."""
    kept = {key: value for key, value in env.items() if key in KEPT or key.startswith("LC_")}
    return {**kept, "PYTHONPATH": str(library), "PYTHONUNBUFFERED": "1"}
