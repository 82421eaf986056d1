"""Keeps what comes out of the two slow readings of a picture: a poster at canvas size, and an overlay's image decoded.

Kometa opens every original poster, converts it to RGB and resizes it with Lanczos to its canvas; and it decodes the image of each
overlay it knows of, drawn or not. Both are functions of the file's bytes and of Pillow. Their pixels are kept raw in the worker's
cache, under the hash of these bytes; whatever else Kometa asks of an open picture, it asks the picture itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

MOST = 256 * 1024 * 1024
"""Bytes of pictures kept; those not used for longest go."""
SHARE = 2
"""One child writes half of that at most: the parent prunes between renders only."""
BANDS = {"RGB": 3, "RGBA": 4}


class Pictures:
    """The kept pictures in ``folder``; None keeps nothing."""

    def __init__(self, folder: Path | None = None, most: int = MOST) -> None:
        self._folder = folder
        self._most = most
        self._written = 0
        self.kept = 0
        self.used = 0

    # ── in the parent ────────────────────────────────────────────────────────────────────────────────────

    def prune(self) -> None:
        """Remove what is over the bound, those not used for longest first, and what a killed child left half-written."""
        if self._folder is None:
            return
        with contextlib.suppress(OSError):
            found = sorted(((about.st_mtime, about.st_size, entry.path) for entry in os.scandir(self._folder) if (about := entry.stat())))
            size = sum(entry[1] for entry in found)
            for _, length, path in found:
                if size > self._most or path.endswith(".new"):
                    Path(path).unlink()
                    size -= length

    # ── in a child ───────────────────────────────────────────────────────────────────────────────────────

    def module(self, real: Any) -> Any:
        """Stands in for PIL's ``Image`` inside a module: everything as it is, but ``open`` gives a picture that is looked up here."""
        return _Module(self, real)

    def made(self, picture: Any, pillow: Any, what: str, make: Callable[[], Any]) -> Any:
        """What ``make`` makes of ``picture`` (``what`` says how), kept or made now."""
        path = self._place(picture, f"{what} {getattr(pillow, '__version__', '')}")
        if path is None:
            return make()
        found = _read(path, pillow)
        if found is not None:
            found.info = dict(picture.info)
            self.used += 1
            return found
        before = dict(picture.info)
        result = make()
        # Only a plain picture that carries what the open one carried can be given again.
        if type(result) is pillow.Image and result.mode in BANDS and result.info == before and result.palette is None:
            self._write(path, result)
        return result

    def _place(self, picture: Any, what: str) -> Path | None:
        if self._folder is None or not isinstance(picture.filename, str):
            return None
        try:
            data = Path(picture.filename).read_bytes()
        except (OSError, ValueError):
            return None
        return self._folder / hashlib.sha256(what.encode() + b"\n" + data).hexdigest()

    def _write(self, path: Path, picture: Any) -> None:
        beside = path.with_name(f"{path.name}.{os.getpid()}.new")
        size = picture.width * picture.height * BANDS[picture.mode]
        if self._written + size > self._most // SHARE:
            return
        self._written += size
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                file.write(json.dumps([picture.mode, *picture.size]).encode() + b"\n")
                file.write(picture.tobytes())
            os.replace(beside, path)  # noqa: PTH105  # Path.replace is the same; the name says that it is atomic
            self.kept += 1
        except OSError:  # a disk that does not take it costs only time
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)


def _read(path: Path, pillow: Any) -> Any:
    """The picture kept in ``path``; None where there is none, or it is damaged."""
    try:
        head, _, pixels = path.read_bytes().partition(b"\n")
        mode, width, height = json.loads(head)
        if len(pixels) != BANDS[mode] * width * height:
            return None
        found = pillow.frombytes(mode, (width, height), pixels)
        os.utime(path)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found


class _Module:
    def __init__(self, pictures: Pictures, real: Any) -> None:
        self._pictures = pictures
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def open(self, file: Any, *args: Any, **kwargs: Any) -> Any:
        opened = self._real.open(file, *args, **kwargs)
        return _Opened(self._pictures, self._real, opened) if isinstance(file, str) and not args and not kwargs else opened


class _Opened:
    """An open picture."""

    def __init__(self, pictures: Pictures, pillow: Any, opened: Any) -> None:
        self._pictures = pictures
        self._pillow = pillow
        self._opened = opened

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opened, name)

    def __enter__(self) -> Any:
        self._opened.__enter__()
        return self

    def __exit__(self, *about: Any) -> Any:
        return self._opened.__exit__(*about)

    def convert(self, mode: Any = None, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs or mode not in BANDS:
            return self._opened.convert(mode, *args, **kwargs)
        if mode == "RGB":
            return _Converted(self._pictures, self._pillow, self._opened)
        return self._pictures.made(self._opened, self._pillow, mode, lambda: self._opened.convert(mode))


class _Converted:
    """A picture converted to RGB: not before it is needed otherwise than resized."""

    def __init__(self, pictures: Pictures, pillow: Any, opened: Any) -> None:
        self._pictures = pictures
        self._pillow = pillow
        self._opened = opened

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opened.convert("RGB"), name)

    def resize(self, size: Any, resample: Any = None, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs or resample != self._pillow.Resampling.LANCZOS:
            return self._opened.convert("RGB").resize(size, resample, *args, **kwargs)
        what = f"RGB {size[0]}x{size[1]}"
        return self._pictures.made(self._opened, self._pillow, what, lambda: self._opened.convert("RGB").resize(size, resample))
