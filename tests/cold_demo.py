"""A cold Kometa against the demo's servers: the pictures that everything else is compared with."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sidecar.demo import DemoHosts, DemoPlex, World
from sidecar.demo.record import Request
from tests.cold import ColdResult, KometaInstall, cold_run

_POSTER: Final = re.compile(r"^/library/metadata/(\d+)/posters$")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRun:
    """A cold run, and what the demo's servers saw of it."""

    result: ColdResult
    world: World
    """As it is after the run."""
    plex: tuple[Request, ...]
    hosts: tuple[Request, ...]

    @property
    def uploads(self) -> dict[int, bytes]:
        """The poster that each item was given last, byte for byte, by rating key."""
        found = {}
        for request in self.plex:
            if request.method == "POST" and request.size and (match := _POSTER.match(request.path)):
                pictures = self.world.items[int(match[1])].pictures["posters"]
                found[int(match[1])] = next(p.content for p in pictures if hashlib.sha256(p.content).hexdigest() == request.sha256)
        return found


async def cold_demo(
    kometa: KometaInstall,
    config_dir: Path,
    scratch: Path,
    *,
    world: World | None = None,
    args: Sequence[str] = ("-r", "--overlays-only"),
    keep_config: bool = False,
) -> DemoRun:
    """A cold run against a demo of its own. It writes to that Plex, as Kometa does, so every run has a new one, or ``world``.

    config.yml's Plex is set to the demo's, in the copy that is run; not with ``keep_config``.
    """
    world = world or World.sample()
    async with DemoPlex(world) as plex, DemoHosts(world) as hosts:
        address = None if keep_config else (plex.url, plex.token)
        result = await cold_run(kometa, config_dir, hosts.map, scratch, plex=address, args=args)
        return DemoRun(result=result, world=world, plex=tuple(plex.requests), hosts=tuple(hosts.requests))
