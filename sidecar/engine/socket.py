"""Engine ``socket``: a worker that something else starts and keeps: docker-compose, systemd, another container host.

Only connects. A worker that went away is waited for, as whoever started it starts it again.
"""

from __future__ import annotations

from pathlib import Path

from sidecar.engine.client import Spawn, WorkerLink
from sidecar.engine.remote import RemoteEngine
from sidecar.errors import EngineHung


class SocketEngine(RemoteEngine):
    """See ``RemoteEngine``."""

    def __init__(self, socket: Path, exchange: Path, *, spawn: Spawn, shelf: Path) -> None:
        super().__init__(socket, exchange, via="socket", spawn=spawn, shelf=shelf)

    async def _reach(self) -> WorkerLink:
        try:
            return await self._connect()
        except EngineHung as error:
            raise EngineHung(f"{error}: restart it (docker compose restart worker, or systemctl restart kometa-sidecar-worker)") from error

    async def _leave(self, link: WorkerLink | None) -> None:
        if link is not None:
            link.abort()
