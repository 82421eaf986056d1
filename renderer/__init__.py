"""The worker: runs in Kometa's own interpreter, keeps Kometa warm and forks one child per shard of a render.

Imports nothing of ``sidecar`` and nothing that Kometa does not already have; only ``renderer.protocol`` is shared.
"""

from __future__ import annotations

__version__ = "0.1.0"
