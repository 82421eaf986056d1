"""A grant for a stock Kometa that somebody starts by hand: it previews through the gateway's loopback port.

Only its way to Plex is guarded: such a Kometa has its own config, keys and network. What it uploads is put into a folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

from sidecar.app import App
from sidecar.errors import PlexError
from sidecar.model import DEFAULT_SERVER, BlockedWrite, Capture, Change, Grant, Problem, Target

SUFFIXES: Mapping[str, str] = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif"}


class Loan:
    """What a grant gives, and what came of it so far."""

    def __init__(self, url: str, token: str, targets: tuple[Target, ...], folder: Path) -> None:
        self.url = url
        self.token = token
        self.targets = targets
        self.folder = folder
        self.pictures: dict[Path, Capture] = {}
        self.writes: list[BlockedWrite] = []
        self.notes: list[Problem] = []
        self._arrivals: asyncio.Queue[Capture] = asyncio.Queue()

    @property
    def snippet(self) -> str:
        """For config.yml."""
        return f"plex:\n  url: {self.url}\n  token: {self.token}\n"

    def captured(self, capture: Capture) -> None:
        """See ``sidecar.gateway.Sink``."""
        self._arrivals.put_nowait(capture)

    def blocked(self, write: BlockedWrite) -> None:
        """See ``sidecar.gateway.Sink``."""
        self.writes.append(write)

    def note(self, problem: Problem) -> None:
        """See ``sidecar.gateway.Sink``."""
        self.notes.append(problem)

    async def collect(self, blob_path: Callable[[Capture], Path], tell: Callable[[str], None]) -> None:
        """Puts each picture into the folder as it comes, until cancelled."""
        names = {target.rating_key: target.label for target in self.targets}
        while True:
            capture = await self._arrivals.get()
            title = re.sub(r"[^\w .,()'-]+", "_", names.get(capture.rating_key, ""))[:80].strip()
            name = " ".join(part for part in (title, f"[{capture.rating_key}]", capture.kind if capture.kind != "poster" else "") if part)
            path = self.folder / f"{name}{SUFFIXES.get(capture.blob.media_type, '')}"
            await asyncio.to_thread(shutil.copyfile, blob_path(capture), path)
            self.pictures[path] = capture
            self._arrivals.task_done()
            tell(path.name)

    async def settled(self) -> None:
        """Everything that arrived is in the folder."""
        await self._arrivals.join()


@contextlib.asynccontextmanager
async def lend(app: App, folder: Path, tell: Callable[[str], None]) -> AsyncIterator[Loan]:
    """A grant over the config's targets on its first Plex server, good until the block ends.

    ``app`` has a gateway with a loopback port. ConfigError, PlexError; PlexError too where there is nothing to preview.
    """
    plan = await app.planner.plan(Change(reason="request", seen=time.monotonic()))
    scope = plan.scopes.get(DEFAULT_SERVER)
    if scope is None:
        raise PlexError("the config's first Plex server has no item to preview: look at `kometa-sidecar check`, or list targets")
    targets = tuple(target for target in plan.targets if target.server == DEFAULT_SERVER)
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    loan = Loan(f"http://127.0.0.1:{app.gateway.port}", secrets.token_urlsafe(24), targets, folder)
    app.gateway.open(Grant(token=loan.token, run_id="grant", shard=0, scopes={DEFAULT_SERVER: scope}), loan)
    collecting = app.spawn(loan.collect(lambda capture: app.blobs.path(capture.blob), tell), "grant: pictures")
    try:
        yield loan
        await loan.settled()
    finally:
        app.gateway.close(loan.token)
        collecting.cancel()
