"""Asks Plex, and only asks: which items to preview, what they are, and their art.

``PlexReader`` reads one server; ``resolve_targets`` finds and chooses the items.
"""

from __future__ import annotations

from sidecar.plex.client import PlexReader, Section, ServerFacts
from sidecar.plex.targets import TargetPlan, resolve_targets
from sidecar.plex.wishes import TargetWishes, Wish

__all__ = ["PlexReader", "Section", "ServerFacts", "TargetPlan", "TargetWishes", "Wish", "resolve_targets"]
