"""A worker that something other than the sidecar starts, as a service manager would: no parent, no stdin."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sidecar.engine.process import worker_env
from tests.renderer.talk import ROOT


@asynccontextmanager
async def running(exchange: Path, kometa: Path, python: Path | str = sys.executable) -> AsyncIterator[asyncio.subprocess.Process]:
    """The worker's process; its socket is in ``exchange``. Does not wait until it listens."""
    library = exchange.parent / "lib"
    library.mkdir(exist_ok=True, parents=True)
    if not (library / "renderer").exists():
        (library / "renderer").symlink_to(ROOT / "renderer", target_is_directory=True)
    process = await asyncio.create_subprocess_exec(
        *(str(python), "-m", "renderer", "--kometa", str(kometa), "--socket", str(exchange / "worker" / "worker.sock")),
        stdin=asyncio.subprocess.DEVNULL,
        cwd="/",
        env=worker_env({"PATH": "/usr/bin:/bin"}, library),
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
