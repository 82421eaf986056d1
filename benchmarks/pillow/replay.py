"""Makes the calls that sitecustomize.py wrote down, alone, on all cores: ``python replay.py FOLDER`` prints the seconds.

Run by the Python that Kometa runs with, so that it is the same Pillow. Overlays are in memory before the clock runs, as they are
in Kometa's; nothing else is: no Plex, no YAML, no text to draw, no upload.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image

Poster = tuple[list[dict[str, Any]], dict[str, Any], bytes]


def load(file: Path) -> Poster:
    """One poster's calls, its overlays and its art."""
    calls = json.loads(file.read_text())
    overlays = {call["file"]: _overlay(file.parent / call["file"]) for call in calls if call["call"] == "paste"}
    return calls, overlays, (file.parent / calls[0]["file"]).read_bytes()


def _overlay(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGBA")


def draw(poster: Poster) -> int:
    """Bytes of the finished poster."""
    calls, overlays, art = poster
    canvas = Image.open(io.BytesIO(art)).convert("RGB")
    out = io.BytesIO()
    for call in calls[1:]:
        if call["call"] == "resize":
            canvas = canvas.resize(tuple(call["size"]), Image.Resampling.LANCZOS)
        elif call["call"] == "paste":
            overlay = overlays[call["file"]]
            canvas.paste(overlay, tuple(call["box"]), overlay)
        else:
            canvas.save(out, Image.registered_extensions()[call["suffix"]], **call["params"])
    return out.tell()


def share(files: list[Path], ready: Any, done: Any) -> None:
    """One process: its posters, loaded before the clock runs."""
    posters = [load(file) for file in files]
    draw(posters[0])
    ready.wait()
    for poster in posters:
        draw(poster)
    done.wait()


def replay(folder: Path) -> float:
    """Seconds for all posters of ``folder``, divided among the cores as a render divides them."""
    files = sorted(folder.glob("*.json"), key=lambda file: int(file.stem))
    shares = [files[start :: os.cpu_count() or 1] for start in range(min(os.cpu_count() or 1, len(files)))]
    ready, done = multiprocessing.Barrier(len(shares) + 1), multiprocessing.Barrier(len(shares) + 1)
    children = [multiprocessing.Process(target=share, args=(one, ready, done)) for one in shares]
    for child in children:
        child.start()
    ready.wait()
    begun = time.perf_counter()
    done.wait()
    seconds = time.perf_counter() - begun
    for child in children:
        child.join()
    return seconds


if __name__ == "__main__":
    print(min(replay(Path(sys.argv[1])) for _ in range(3)))
