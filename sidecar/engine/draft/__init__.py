"""The draft: our own compositor for a documented subset of Kometa's overlay files. Never shown as Kometa's.

    overlay files -> compiled (spec, select, template) -> decide(facts of an item) -> compose -> bytes

docs/draft.md says what it draws; what it cannot draw it names and leaves out. ``geometry``, ``spec``, ``compose`` and
``subset`` need the standard library and Pillow only.
"""

from __future__ import annotations

from sidecar.engine.draft.engine import Deliver, DraftEngine, ItemSource

__all__ = ["Deliver", "DraftEngine", "ItemSource"]
