"""A faithful small Plex: what python-plexapi and Kometa ask of a server, answered from a ``World``."""

from __future__ import annotations

from sidecar.demo.plex.server import DEMO_TOKEN, DemoPlex

__all__ = ["DEMO_TOKEN", "DemoPlex"]
