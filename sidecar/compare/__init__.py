"""How two pictures differ, as a person would see it. Pure, but for reading the picture files.

pixels (what differs) -> regions (where) -> alike (the same change on several targets); limits says what counts
"""

from __future__ import annotations

from sidecar.compare.alike import Change, alike, delta_of
from sidecar.compare.limits import Rule, limits_of, unplaced
from sidecar.compare.pixels import Difference, Unreadable, compare

__all__ = ["Change", "Difference", "Rule", "Unreadable", "alike", "compare", "delta_of", "limits_of", "unplaced"]
