"""What outlives a run: pictures by content (``Blobs``) and the database (``State``).

Both survive kill -9 at any moment: what a call returned from is there after a restart, and nothing is there by half.
A picture is put, and settled, before the run that shows it is saved, so a saved run's pictures are always whole.
"""

from __future__ import annotations

from sidecar.letters import Letter, LetterState
from sidecar.store.blobs import Blobs, Pruned, Sync
from sidecar.store.care import copy as copy_database
from sidecar.store.care import glance, schema_of
from sidecar.store.history import RunWeight
from sidecar.store.state import State

__all__ = ["Blobs", "Letter", "LetterState", "Pruned", "RunWeight", "State", "Sync", "copy_database", "glance", "schema_of"]
