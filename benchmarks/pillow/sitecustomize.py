"""Python imports this at start when this folder is on PYTHONPATH: writes down what an unmodified Kometa asks of Pillow for each poster.

``PILLOW_CALLS`` is the folder to write to; ``PILLOW_THEN`` another sitecustomize.py, which is executed too. Per poster there is a
``N.json`` with the calls in their order, and the pictures that they take: the art as the file it was, overlays as PNG. See replay.py.
"""

from __future__ import annotations

import json
import os
import runpy
import shutil
from pathlib import Path
from typing import Any


class Recorder:
    """Of one process: Kometa draws one poster after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened = ""
        self.calls: list[dict[str, Any]] = []
        self.canvas: Any = None
        self.count = 0
        self.overlays: dict[int, tuple[Any, str]] = {}

    def begin(self, size: tuple[int, int], canvas: Any) -> None:
        """A poster is brought to the canvas's size: it is the one that was opened last."""
        self.count += 1
        art = f"{self.count}.art"
        shutil.copyfile(self.opened, self.folder / art)
        self.calls = [{"call": "open", "file": art}, {"call": "resize", "size": list(size)}]
        self.canvas = canvas

    def overlay(self, picture: Any, save: Any) -> str:
        """The file of an overlay's pixels; the same object has the same file (Kometa does not draw on one it pasted)."""
        known = self.overlays.get(id(picture))
        if known is None:
            name = f"overlay{len(self.overlays)}.png"
            save(picture, self.folder / name, "PNG", compress_level=1)
            known = self.overlays[id(picture)] = (picture, name)
        return known[1]

    def end(self, suffix: str, params: dict[str, Any]) -> None:
        """It is saved."""
        kept = {key: value for key, value in params.items() if isinstance(value, (int, bool))}
        self.calls.append({"call": "save", "suffix": suffix, "params": kept})
        (self.folder / f"{self.count}.json").write_text(json.dumps(self.calls))
        self.canvas = None


def record(folder: Path) -> None:
    """Wrap Pillow's open, resize, paste and save."""
    import PIL.Image

    image: Any = PIL.Image
    picture: Any = image.Image
    opens, resizes, pastes, saves = image.open, picture.resize, picture.paste, picture.save
    recorder = Recorder(folder)

    def opened(file: Any, *args: Any, **kwargs: Any) -> Any:
        recorder.opened = str(file)
        return opens(file, *args, **kwargs)

    def resize(self: Any, size: Any, *args: Any, **kwargs: Any) -> Any:
        result = resizes(self, size, *args, **kwargs)
        if self.mode == "RGB" and tuple(size) in ((1000, 1500), (1920, 1080)):
            recorder.begin(tuple(size), result)
        return result

    def paste(self: Any, im: Any, box: Any = None, mask: Any = None) -> Any:
        if self is recorder.canvas and isinstance(im, picture) and mask is im:
            recorder.calls.append({"call": "paste", "file": recorder.overlay(im, saves), "box": list(box)})
        return pastes(self, im, box, mask)

    def save(self: Any, fp: Any, *args: Any, **params: Any) -> Any:
        if self is recorder.canvas:
            recorder.end(Path(str(fp)).suffix, params)
        return saves(self, fp, *args, **params)

    image.open, picture.resize, picture.paste, picture.save = opened, resize, paste, save


if "PILLOW_CALLS" in os.environ:
    if "PILLOW_THEN" in os.environ:
        runpy.run_path(os.environ["PILLOW_THEN"])
    record(Path(os.environ["PILLOW_CALLS"]))
