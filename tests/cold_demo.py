"""A cold Kometa against the demo's servers: the pictures that everything else is compared with."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sidecar.demo import DemoHosts, DemoPlex, World
from sidecar.demo.record import Request
from tests.cold import ColdResult, KometaInstall, cold_run

_POSTER: Final = re.compile(r"^/library/metadata/(\d+)/posters$")


def small_world(movies: int = 4) -> World:
    """Some movies that differ in resolution and year, and a show with a season of two episodes: quick to draw."""
    world = World.sized(movies)
    first, *rest = [item.rating_key for item in world.items.values() if item.type == "show"]
    season, *more = list(world.items[first].children)
    for key in [*rest, *more, *world.items[season].children[2:]]:
        world.delete(key)
    return world


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
    env: Mapping[str, str] | None = None,
) -> DemoRun:
    """A cold run against a demo of its own: ``world``, by default a new small one; the run writes to it, as Kometa does.

    config.yml's Plex is set to the demo's, in the copy that is run; not with ``keep_config``.
    """
    world = world or small_world()
    async with DemoPlex(world) as plex, DemoHosts(world) as hosts:
        address = None if keep_config else (plex.url, plex.token)
        result = await cold_run(kometa, config_dir, hosts.map, scratch, plex=address, args=args, env=env)
        return DemoRun(result=result, world=world, plex=tuple(plex.requests), hosts=tuple(hosts.requests))
