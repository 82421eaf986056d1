"""Where the gallery's server listens, and what this machine is called by those who come."""

from __future__ import annotations

import contextlib
import socket

from aiohttp import web

from sidecar.errors import SettingsError
from sidecar.web import make_runner


async def listen(app: web.Application, host: str, port: int, stack: contextlib.AsyncExitStack) -> str:
    """Serve ``app`` until ``stack`` is closed; returns its address on this machine. SettingsError where the port cannot be had."""
    runner = make_runner(app)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        remedy = "Choose another with --port, or 0 for any free one"
        raise SettingsError(f"port {port} on {host} cannot be had: {error.strerror or error}. {remedy}") from error
    had = runner.addresses[0][1]
    name = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
    return f"http://{f'[{name}]' if ':' in name else name}:{had}/"


def own_names() -> list[str]:
    """What others in the network call this machine: itself, and through multicast DNS."""
    name = socket.gethostname().lower()
    return [name, f"{name.partition('.')[0]}.local"]
