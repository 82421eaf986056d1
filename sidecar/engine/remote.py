"""What the engines have in common whose worker runs elsewhere: in a container, or in a service of its own.

Sidecar and worker share one directory, the exchange, each perhaps under a path of its own: ``worker/worker.sock`` is made by
the worker, ``gateway/gateway.sock`` by the sidecar, and ``work/`` holds Kometa's working directories. The worker tells in its
hello where its socket is for it; from that follows every other path.
"""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path, PurePosixPath

from sidecar.engine import Report
from sidecar.engine.catalogue import keep, kept
from sidecar.engine.client import Spawn, WorkerEngine, WorkerLink
from sidecar.errors import EngineAway, EngineError
from sidecar.model import EngineInfo, Outcome, RenderJob

SOCKET = PurePosixPath("worker/worker.sock")
"""Below the exchange."""


class RemoteEngine(WorkerEngine):
    """``exchange`` is the shared directory as this process sees it. ``shelf`` keeps what Kometa brings with it (see ``home``)."""

    def __init__(self, socket: Path, exchange: Path, *, via: str, spawn: Spawn, shelf: Path) -> None:
        super().__init__(socket, via=via, spawn=spawn, where=self._there)
        self._exchange = exchange
        self._shelf = shelf
        self._keeping = asyncio.Lock()

    async def home(self) -> Path:
        """A directory with Kometa's overlay files and its fonts' names, as far as the sidecar needs them to understand a config.

        That of the last worker while there is none; EngineError where there never was one.
        """
        await self.check()  # a worker whose Kometa was upgraded leaves, and its overlay files with it
        if self.info is None and (last := await asyncio.to_thread(kept, self._shelf)) is not None:
            return last
        await super().start()
        return await self._keep()

    async def start(self) -> EngineInfo:
        info = await super().start()
        await self._keep()
        return info

    async def _keep(self) -> Path:
        assert self._link is not None
        said = await self._link.catalogue()
        async with self._keeping:  # the probe and the planner may both be here
            return await asyncio.to_thread(keep, said, self._shelf)

    async def render(self, job: RenderJob, report: Report) -> Outcome:
        if self.info is None:
            await self.start()
        await asyncio.to_thread(self._hand_over, job)
        return await super().render(job, report)

    async def _connect(self) -> WorkerLink:
        """A link to the worker in the exchange; EngineAway says it where the socket is another user's."""
        try:
            return await WorkerLink.connect(self._socket, self._lost)
        except EngineAway as error:
            owner = await asyncio.to_thread(_owner, self._socket)
            if owner is not None and os.geteuid() not in (0, owner[0]):
                raise EngineAway(
                    f"the worker at {self._socket} runs as user {owner[0]}, this sidecar as {os.geteuid()}: run both as the same user"
                ) from error
            raise

    def _there(self, path: Path) -> str:
        """``path``, which lies in the exchange, as the worker sees it."""
        if not path.is_relative_to(self._exchange):
            raise EngineError(f"{path} is outside of {self._exchange}, which is all that the worker sees")
        assert self._link is not None
        said = PurePosixPath(str(self._link.hello.get("socket", "")))
        if said.parts[-2:] != SOCKET.parts:
            raise EngineError(f"the worker listens at {said}: it must be started with --socket EXCHANGE/{SOCKET}")
        return str(said.parents[1] / path.relative_to(self._exchange))

    def _hand_over(self, job: RenderJob) -> None:
        """Where this process is root and the worker is not, give it what it is to work with."""
        owner = _owner(self._socket)
        if os.geteuid() != 0 or owner is None or owner[0] == 0:
            return
        for home in (shard.home for shard in job.shards):
            os.chown(home.parent, *owner, follow_symlinks=False)
            for folder, names, files in os.walk(home):
                os.chown(folder, *owner, follow_symlinks=False)
                for name in (*names, *files):
                    os.chown(Path(folder, name), *owner, follow_symlinks=False)
        os.chown(job.gateway, *owner)


def _owner(socket: Path) -> tuple[int, int] | None:
    """User and group of whoever listens there; None where there is no socket."""
    try:
        found = socket.lstat()
    except OSError:
        return None
    return (found.st_uid, found.st_gid) if stat.S_ISSOCK(found.st_mode) else None
