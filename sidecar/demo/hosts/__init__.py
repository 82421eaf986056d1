"""Stand-ins for the hosts that Kometa asks besides Plex, so that it runs without keys and without the internet."""

from __future__ import annotations

from sidecar.demo.hosts.server import HOSTS, DemoHosts

__all__ = ["HOSTS", "DemoHosts"]
