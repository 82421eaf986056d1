"""Hands on a quick JPEG of each composite before Kometa encodes its exact file, which takes ten times as long.

Only a look ahead for people: what Kometa uploads replaces it within a moment, and it never counts as a result. Kometa is caught as it
saves the finished picture; who it is for stands in the very frame that saves. Anything unexpected costs the look ahead, never the
picture. Where encoding goes on beside (beside.py), the save is passed on to it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from renderer.beside import Beside
from renderer.observe import server_name
from renderer.report import Reporter

FOLDER = "quick"
"""Below a shard's home."""
QUALITY = 80


def install(reporter: Reporter, home: Path, *, look_ahead: bool = True, beside: Beside | None = None) -> None:
    """In a child: catch what ``Overlays.run_overlays`` saves, to give a ``look_ahead`` or to have it encoded ``beside``, or both."""
    pillow: Any = sys.modules.get("PIL.Image")
    drawing = getattr(getattr(sys.modules.get("modules.overlays"), "Overlays", None), "run_overlays", None)
    code = getattr(drawing, "__code__", None)
    if pillow is None or code is None:
        return
    (home / FOLDER).mkdir(exist_ok=True)
    original = pillow.Image.save
    looking = look_ahead

    def save(self: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal looking
        frame: Any = sys._getframe(1)  # noqa: SLF001  # the frame that saves says which item it is at
        if frame.f_code is not code or not isinstance(target, str):
            return original(self, target, *args, **kwargs)
        if looking:
            try:
                _hand_on(reporter, home, original, self, frame.f_locals)
            except OSError:
                raise
            except Exception as error:  # noqa: BLE001  # another Kometa's names: no look ahead
                looking = False
                reporter.log("WARNING", f"quick pictures are off: {type(error).__name__}: {error}", "worker")
        if beside is not None:
            return beside.save(original, self, target, args, kwargs, frame.f_locals)
        return original(self, target, *args, **kwargs)

    pillow.Image.save = save


def _hand_on(reporter: Reporter, home: Path, save: Any, picture: Any, names: dict[str, Any]) -> None:
    key = int(names["item"].ratingKey)
    server = server_name(str(names["self"].library.url))
    path = home / FOLDER / f"{server}.{key}.jpg"
    save(picture if picture.mode == "RGB" else picture.convert("RGB"), str(path), "JPEG", quality=QUALITY)
    reporter.send("quick", server=server, rating_key=key)
