"""The draft: our own compositor for a documented subset of Kometa's overlay files. Never shown as Kometa's.

docs/draft.md says what it draws; what it cannot draw it names and leaves out.
"""

from __future__ import annotations
