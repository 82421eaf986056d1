"""From a Kometa config directory to what a preview needs: read it, freeze it, strip it, lay it out.

    read(config_dir, options) -> Reading        understood, with every file it names, and every problem
    freeze(reading, targets, store) -> Revision a content-hashed, read-only copy
    preview(reading) -> PreviewConfig           overlays only, without secrets (pure)
    materialise(revision, preview, home, ...)   one shard's working directory
    edit_between(store, before, after, redact)  what was edited from one revision to another

All of it blocks: call it in a thread.
"""

from __future__ import annotations

from sidecar.revision.assets import asset_poster, backup_poster
from sidecar.revision.definitions import find_definition, find_entry, find_part, find_variable
from sidecar.revision.edits import edit_between
from sidecar.revision.files import HashMemory, Limits
from sidecar.revision.freeze import freeze, prune
from sidecar.revision.materialise import ConfigText, config_text, materialise
from sidecar.revision.preview_config import preview
from sidecar.revision.reader import read
from sidecar.revision.reading import DocumentMemory, LibraryReading, Reading, ReadOptions

__all__ = [
    "ConfigText",
    "DocumentMemory",
    "HashMemory",
    "LibraryReading",
    "Limits",
    "ReadOptions",
    "Reading",
    "asset_poster",
    "backup_poster",
    "config_text",
    "edit_between",
    "find_definition",
    "find_entry",
    "find_part",
    "find_variable",
    "freeze",
    "materialise",
    "preview",
    "prune",
    "read",
]
