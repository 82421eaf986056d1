"""A whole daemon over a config directory of its own, against the demo's Plex and hosts."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidecar.app import App
from sidecar.demo import DemoHosts, DemoPlex, World
from sidecar.logs import Redactor
from sidecar.model import Run
from sidecar.settings import load_settings
from tests.cold import KometaInstall


@dataclass(frozen=True, slots=True)
class House:
    """What a test needs of the daemon and its surroundings."""

    app: App
    plex: DemoPlex
    hosts: DemoHosts
    config: Path
    heard: list[tuple[str, Mapping[str, Any]]]

    async def until(self, what: Callable[[], object], seconds: float = 120.0) -> None:
        """Wait for ``what`` to be true; fails with what was heard so far."""
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, f"waited {seconds} s; heard {self.heard[-8:]}; {self.app.status()}"
            await asyncio.sleep(0.02)

    async def run(self, state: str, after: int = 0) -> Run:
        """The first run that ended in ``state`` after ``after`` ended runs."""

        def ended() -> list[str]:
            return [str(data["run"]) for kind, data in self.heard if kind == "run.ended"][after:]

        def found() -> str | None:
            states = {str(data["run"]): data["state"] for kind, data in self.heard if kind == "run.ended"}
            return next((run for run in ended() if states[run] == state), None)

        await self.until(found)
        run = await self.app.state.run(found() or "")
        assert run is not None
        return run

    @property
    def ended(self) -> int:
        return sum(kind == "run.ended" for kind, _ in self.heard)

    def assert_plex_untouched(self) -> None:
        """Zero writes, zero mutations, and no token but the real one, in the header."""
        assert self.plex.writes == []
        assert self.plex.mutations == []
        assert self.plex.requests
        for request in self.plex.requests:
            headers = {name.lower(): value for name, value in dict(request.headers).items()}
            assert headers.get("x-plex-token") == self.plex.token, request.target
            assert "token" not in request.target.lower()


@contextlib.asynccontextmanager
async def house(
    kometa: KometaInstall | None,
    config: Path,
    data: Path,
    *,
    world: World | None = None,
    plex: DemoPlex | None = None,
    serving: bool = True,
    **settings: Any,
) -> AsyncIterator[House]:
    """``kometa`` None is the draft engine. ``serving`` watches ``config`` and serves the gallery; else only ``app`` is built."""
    async with contextlib.AsyncExitStack() as stack:
        world = world or World.sample()
        plex = plex or await stack.enter_async_context(DemoPlex(world))
        hosts = await stack.enter_async_context(DemoHosts(world))
        engine = (
            {"kind": "draft"}
            if kometa is None
            else {"kind": "process", "kometa_home": str(kometa.home), "kometa_python": str(kometa.python)}
        )
        overrides: dict[str, Any] = {
            "data": str(data),
            "engine": engine,
            "web": {"port": 0},
            "gateway": {"host_map": hosts.map},
            "targets": {"per_library": 100, "seasons": 500, "episodes": 500},
        }
        for key, value in settings.items():
            overrides[key] = {**overrides.get(key, {}), **value} if isinstance(value, dict) else value
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KOMETA")}
        env = {**kept, "KOMETA_PLEX_URL": plex.url, "KOMETA_PLEX_TOKEN": plex.token}
        heard: list[tuple[str, Mapping[str, Any]]] = []
        chosen = load_settings(None, {}, overrides)
        app = App(chosen, config, env, redact=Redactor(), serving=serving, hear=lambda kind, told: heard.append((kind, told)))
        await stack.enter_async_context(app)
        home = House(app, plex, hosts, config, heard)
        if not serving:
            yield home
            return
        stop = asyncio.Event()
        task = asyncio.create_task(app.serve(stop))
        try:
            yield home
        finally:
            stop.set()
            await asyncio.wait_for(task, 20)
