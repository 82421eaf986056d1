"""What Kometa brings with it, for a sidecar that cannot look into Kometa's directory: its overlay files and its fonts' names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

MAX_TEXT = 4 * 1024 * 1024
"""Characters of all overlay files together; Kometa 2.4.4's have 0.2 million. A frame holds twice that."""


def read(home: Path, version: str) -> dict[str, Any]:
    """The ``catalogue`` message for the Kometa in ``home``. Files that cannot be read are left out."""
    overlays: dict[str, str] = {}
    size = 0
    for path in sorted((home / "defaults" / "overlays").glob("*.yml")):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        size += len(text)
        if size > MAX_TEXT:
            break
        overlays[path.name] = text
    fonts = sorted(path.name for path in (home / "fonts").glob("*") if path.is_file())
    return {"type": "catalogue", "version": version, "fonts": fonts, "overlays": overlays}
