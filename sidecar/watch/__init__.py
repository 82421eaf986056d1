"""Notices edits: of the Kometa config directory, and of every file elsewhere that the config names.

``Watcher`` announces a ``Change`` once the files are at rest. Whether the change means anything is for the revision to say.
"""

from __future__ import annotations

from sidecar.watch.settle import Timing
from sidecar.watch.watcher import Mode, Watcher

__all__ = ["Mode", "Timing", "Watcher"]
