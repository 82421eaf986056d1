"""A small Plex with drawn posters that refuses nothing and records everything, and the other hosts that Kometa asks.

For people to try the product, and for tests: they run real clients against it and then ask what happened.

    world = World.sample()
    async with DemoPlex(world) as plex, DemoHosts(world) as hosts:
        ...  # plex.url, plex.token, hosts.map
        assert not plex.writes and not plex.mutations

A mutation is whatever changed the server or made it work, by any method: Plex lets GETs do that. One of them is easy to
overlook: reading ``/library/metadata/RK`` without ``skipRefresh=1`` makes the server look at an item's files again, here
once per item.
"""

from __future__ import annotations

from sidecar.demo.hosts import DemoHosts
from sidecar.demo.plex import DEMO_TOKEN, DemoPlex
from sidecar.demo.record import Mutation, Request
from sidecar.demo.world import World

__all__ = ["DEMO_TOKEN", "DemoHosts", "DemoPlex", "Mutation", "Request", "World"]
