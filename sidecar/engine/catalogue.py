"""Keeps what a worker says of Kometa's own files, laid out as Kometa's directory is: overlay files, and fonts by name only.

The worker is caged because it is not trusted; so its names are checked, and everything here is a plain file of ours.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sidecar.errors import EngineError, EngineMismatch

_NAME = re.compile(r"[\w][\w .()+-]{0,120}")
_LATEST = "latest"


def keep(said: Mapping[str, Any], shelf: Path) -> Path:
    """A directory below ``shelf`` with what ``said`` lists (``catalogue`` of renderer.protocol). EngineError where it cannot be written.

    The same words give the same directory; others of earlier Kometas are taken away.
    """
    fonts, overlays = said.get("fonts"), said.get("overlays")
    if not isinstance(fonts, list) or not isinstance(overlays, dict):
        raise EngineMismatch("the worker does not say which overlay files Kometa has: start the worker that came with this sidecar")
    texts = {name: text for name, text in overlays.items() if isinstance(text, str) and _NAME.fullmatch(name)}
    names = sorted(name for name in fonts if isinstance(name, str) and _NAME.fullmatch(name))
    digest = hashlib.sha256(json.dumps([texts, names], sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    home = shelf / digest
    try:
        if not home.is_dir():
            _write(home, texts, names)
        if kept(shelf) != home:
            _point(shelf, digest)
            for other in shelf.iterdir():
                if other.name not in (digest, _LATEST):
                    shutil.rmtree(other, ignore_errors=True)
    except OSError as error:
        raise EngineError(f"{shelf} cannot be written: {error.strerror or error}") from error
    return home


def kept(shelf: Path) -> Path | None:
    """What ``keep`` kept last, if it did."""
    try:
        home = shelf / (shelf / _LATEST).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return home if home.parent == shelf and home.is_dir() else None


def _write(home: Path, texts: Mapping[str, str], fonts: list[str]) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="new-", dir=home.parent))
    (made / "defaults" / "overlays").mkdir(parents=True)
    (made / "fonts").mkdir()
    for name, text in texts.items():
        (made / "defaults" / "overlays" / name).write_text(text, encoding="utf-8", errors="replace")
    for name in fonts:
        (made / "fonts" / name).touch()
    made.replace(home)


def _point(shelf: Path, digest: str) -> None:
    handle, name = tempfile.mkstemp(prefix="new-", dir=shelf)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(digest)
    Path(name).replace(shelf / _LATEST)
