"""``python -m sidecar.demo [--port N] [--movies N] [--music]``: run the demo's servers until interrupted.

Prints one line of JSON: ``plex`` (URL), ``token``, ``hosts`` (host name -> URL), ``libraries``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys

from sidecar.demo import DemoHosts, DemoPlex, World


async def serve(port: int, hosts_port: int, movies: int | None, music: bool) -> None:
    """Run both servers until cancelled."""
    world = World.sample(music=music) if movies is None else World.sized(movies, music=music)
    async with DemoPlex(world, port) as plex, DemoHosts(world, hosts_port) as hosts:
        libraries = {library.title: len(library.items) for library in world.libraries.values()}
        line = {"plex": plex.url, "token": plex.token, "hosts": hosts.map, "libraries": libraries}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m sidecar.demo", description="A small Plex server and the other hosts Kometa asks, on loopback."
    )
    parser.add_argument("--port", type=int, default=0, help="Plex's port (default: a free one)")
    parser.add_argument("--hosts-port", type=int, default=0, help="the other hosts' port (default: a free one)")
    parser.add_argument("--movies", type=int, help="so many movies instead of the sample library")
    parser.add_argument("--music", action="store_true", help="with a music library")
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(given.port, given.hosts_port, given.movies, given.music))


if __name__ == "__main__":
    main()
