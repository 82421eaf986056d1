"""Engine ``container``: a worker in a Docker container that this sidecar makes, adopts, replaces and takes away.

There is one container per data directory, known by a label. What runs is kept if it is what would be made now (image and
configuration); anything else of ours is removed. Nothing is built; an image is pulled only where the settings say so.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from sidecar.engine import cage
from sidecar.engine.client import Spawn, WorkerLink
from sidecar.engine.docker_api import Docker, Found
from sidecar.engine.remote import SOCKET, RemoteEngine
from sidecar.errors import EngineAway, EngineError, EngineHung, EngineMismatch, EngineMissing

log = logging.getLogger(__name__)

START_TIMEOUT: Final = 90.0
"""Seconds from a container's start to the worker's hello: Kometa's first import on a slow disk."""
CALL_TIMEOUT: Final = 60.0
"""Seconds for one call of ours, which may be several of Docker's (sidecar/engine/docker_api.py bounds each)."""
LOOK: Final = 0.5
"""Seconds between looks at a container that does not answer yet."""
TELL: Final = 2.0
"""Seconds between two words about the progress of a pull."""
KEPT: Final = ("created", "running", "restarting", "exited")
"""States of a container that can go on."""
UNUSABLE: Final = 3
"""The worker's exit status for a Kometa that cannot be used (renderer/__main__.py)."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """See ``cage.Wish``."""

    memory: int = 4 * 1024**3
    pids: int = 256
    cpus: float = 2.0


class ContainerEngine(RemoteEngine):
    """``identity`` is the file that keeps the name of this sidecar's containers (``instance_of``).

    ``tell`` is told in words what a start is waiting for. ``patient``: a start waits for a pull, instead of failing until it is done.
    """

    def __init__(
        self,
        docker: Docker,
        image: str,
        exchange: Path,
        *,
        identity: Path,
        cache: Path,
        shelf: Path,
        spawn: Spawn,
        tell: Callable[[str], None],
        limits: Limits | None = None,
        pull: bool = False,
        patient: bool = False,
        layout: str = "auto",
        off: tuple[str, ...] = (),
    ) -> None:
        super().__init__(exchange / SOCKET, exchange, via="container", spawn=spawn, shelf=shelf)
        self._docker = docker
        self._image = image
        self._identity = identity
        self._cache = cache
        self._tell = tell
        self._limits = limits or Limits()
        self._pull = pull
        self._patient = patient
        self._layout = layout
        self._off = off
        self._pulling: asyncio.Task[None] | None = None
        self._progress = ""
        self._pull_error: EngineError | None = None

    # ── having a worker ──────────────────────────────────────────────────────────────────────────────────

    async def _reach(self) -> WorkerLink:
        image = await self._have_image()
        wish = await self._ask(self._wish, image)
        await self._ask(self._lay_out, wish.user)
        container = await self._ask(self._settle, wish)
        until = time.monotonic() + START_TIMEOUT
        replaced = False
        while time.monotonic() < until:
            try:
                return await self._connect()
            except EngineMismatch as error:
                raise EngineMismatch(f"image {self._image}: {error}") from error
            except EngineHung:
                if replaced:
                    raise
                log.warning("the worker in container %s hangs: another one takes its place", wish.name)
                await self._ask(self._docker.remove, container)  # Docker sees a process that runs, and would keep it
                container, replaced = await self._ask(self._settle, wish), True
                continue
            except EngineAway:
                await asyncio.sleep(LOOK)
            found = await self._ask(self._docker.look, container)
            if found is None:
                raise EngineAway("the worker's container was taken away while it started")
            if found.state in ("exited", "dead"):
                raise self._failure(found, await self._ask(self._docker.words, container))
        raise EngineAway(
            f"the worker in container {wish.name} did not get ready within {START_TIMEOUT:.0f} s: "
            f"{await self._ask(self._docker.words, container)}"
        )

    async def _have_image(self) -> str:
        """The image's id. EngineMissing where it is not here and may not be pulled, EngineAway while it is being pulled."""
        found = await self._ask(self._docker.image, self._image)
        if found is not None:
            self._pulling = None
            return found
        if not self._pull:
            raise EngineMissing(
                f"Docker has no image {self._image}. Build it (docker build -f renderer/Dockerfile -t {self._image} .), or set "
                "engine.pull: true to fetch it"
            )
        if self._pulling is None:
            self._progress, self._pull_error = "just begun", None
            self._pulling = self._spawn(self._fetch(), f"engine: pull {self._image}")
        if self._patient:
            await asyncio.wait({self._pulling})
            if self._pull_error is None:
                return await self._have_image()
        if not self._pulling.done():
            raise EngineAway(f"image {self._image} is being pulled: {self._progress}")
        self._pulling = None  # a failure is told once; the next start tries again
        raise self._pull_error or EngineAway(f"image {self._image} was pulled, and is gone again")

    async def _fetch(self) -> None:
        """Pull, telling of it; then start at once, as nobody may be waiting."""
        loop = asyncio.get_running_loop()
        told = 0.0

        def hear(words: str) -> None:
            nonlocal told
            self._progress = words
            if time.monotonic() - told >= TELL:
                told = time.monotonic()
                self._tell(f"image {self._image} is being pulled: {words}")

        def progress(words: str) -> bool:
            loop.call_soon_threadsafe(hear, words)
            return not self._stopping

        log.info("pulling image %s", self._image)
        try:
            await asyncio.to_thread(self._docker.pull, self._image, progress)
        except EngineError as error:
            self._pull_error = error
            return
        if not self._patient:
            with contextlib.suppress(EngineError):  # whoever starts the engine next is told
                await self.start()

    def _wish(self, image: str) -> cage.Wish:
        """What the container must be, from Docker's own setup and this process's place in it."""
        host = self._docker.host()
        mounts = self._mounts()
        exchange = cage.on_host(self._exchange, mounts)
        return cage.Wish(
            instance=instance_of(self._identity, exchange),
            image=image,
            exchange=exchange,
            cache=cage.on_host(self._cache, mounts),
            user=cage.user_of(os.geteuid(), os.getegid(), rootless=host.rootless),
            remapped=host.remapped,
            memory=self._limits.memory,
            pids=self._limits.pids,
            cpus=min(self._limits.cpus, host.cores),
            layout=self._layout,
            off=self._off,
        )

    def _mounts(self) -> list[dict[str, Any]]:
        """What of Docker's host this process sees where: all of it, or a container's mounts."""
        mine = cage.own_container(Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape"))
        return self._docker.mounts(mine) if mine is not None else [{"Source": "/", "Destination": "/"}]

    def _lay_out(self, user: tuple[int, int]) -> None:
        """The directories that the container gets; its own are its own."""
        for path in (self._exchange / "gateway", self._exchange / "work", self._exchange / "worker", self._cache):
            path.mkdir(parents=True, exist_ok=True, mode=0o750)
        if os.geteuid() == 0 and user[0] != 0:
            for path in (self._exchange / "gateway", self._exchange / "work", self._exchange / "worker", self._cache):
                os.chown(path, *user)

    def _settle(self, wish: cage.Wish) -> str:
        """Exactly one container of ours, as wished, started; its id."""
        body = cage.payload(wish)
        wanted = (wish.name, wish.image, body["Labels"][cage.CONFIG])
        kept = None
        for found in self._docker.ours(wish.instance):
            if kept is None and (found.name, found.image, found.config) == wanted and found.state in KEPT:
                kept = found
            else:
                log.info("removing container %s (%s)", found.name, found.state)
                self._docker.remove(found.id)
        runs = kept is not None and kept.state in ("running", "restarting")
        if not runs:
            self._socket.unlink(missing_ok=True)
        container = kept.id if kept is not None else self._docker.create(body, wish.name)
        log.info("container %s: %s", wish.name, "made" if kept is None else "adopted" if runs else "started again")
        if not runs:
            self._docker.start(container)
        return container

    def _failure(self, found: Found, words: str) -> EngineError:
        if found.exit_code == UNUSABLE:
            return EngineMissing(f"image {self._image}: {words}")
        return EngineAway(f"the worker's container ended (status {found.exit_code}): {words}")

    # ── letting it go ────────────────────────────────────────────────────────────────────────────────────

    async def _leave(self, link: WorkerLink | None) -> None:
        if link is not None:
            link.shutdown()
        try:
            await self._ask(self._reap)
        except EngineError as error:
            log.warning("the worker's container could not be removed, the next start does that: %s", error)
        if link is not None:
            link.abort()

    def _reap(self) -> None:
        exchange = cage.on_host(self._exchange, self._mounts())
        for found in self._docker.ours(instance_of(self._identity, exchange)):
            self._docker.remove(found.id)

    async def _ask(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call in a thread. A call is waited for even when this task is cancelled: what it made must be known before it is taken away."""
        future = asyncio.get_running_loop().run_in_executor(None, functools.partial(function, *args, **kwargs))
        try:
            done, _ = await asyncio.wait({future}, timeout=CALL_TIMEOUT)
        except asyncio.CancelledError:
            await asyncio.wait({future}, timeout=CALL_TIMEOUT)
            raise
        if not done:
            raise EngineAway(f"Docker at {self._docker.url} hangs")
        return future.result()


def instance_of(path: Path, exchange: str) -> str:
    """The name by which the containers of one data directory are known: made once, kept in the file ``path``.

    ``exchange`` is where the directory's exchange lies on Docker's host, which is kept beside the name: a copy of the directory is
    another one, or two sidecars would take each other's container away.
    """
    try:
        name, _, place = path.read_text(encoding="utf-8", errors="surrogateescape").removesuffix("\n").partition("\n")
    except OSError:
        name, place = "", ""
    if len(name) != 12 or not name.isalnum() or place != exchange:
        name = secrets.token_hex(6)
        path.write_text(f"{name}\n{exchange}\n", encoding="utf-8", errors="surrogateescape")
    return name
