"""Keeps what comes out of the two slow readings of a picture: a poster at canvas size, and an overlay's image decoded.

Kometa opens every original poster, converts it to RGB and resizes it with Lanczos to its canvas; and it decodes the image of each
overlay it knows of, drawn or not. Both are functions of the file's bytes, Pillow and its decoders. Pixels are kept raw in the worker's
cache, under the hash of these bytes; whatever else Kometa asks of an open picture, it asks the picture itself. The images that Kometa
brings along, hundreds for one default file, are decoded in the parent besides, while it is idle: its children have them by fork.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

MOST = 256 * 1024 * 1024
"""Bytes of pictures kept; those not used for longest go."""
SHARE = 2
"""One child writes half of that at most: the parent prunes between renders only."""
BANDS = {"RGB": 3, "RGBA": 4}
MOST_HELD = 48 * 1024 * 1024
"""Bytes of Kometa's own images that are held in memory."""

Stamp = tuple[int, int, int, int]


class Pictures:
    """The kept pictures in ``folder``; None keeps nothing."""

    def __init__(self, folder: Path | None = None, most: int = MOST, home: Path | None = None, held: int = MOST_HELD) -> None:
        """``home`` is Kometa's; nothing is held without it."""
        self._folder = folder
        self._most = most
        self._home = f"{home}/" if home else ""
        self._room = held
        self._held: dict[str, tuple[Stamp, Any]] = {}
        self._wanted: dict[str, None] = {}
        self._left: set[str] = set()
        """For which there was no room: what a render decodes of these, the next one does, too."""
        self._asked: list[str] = []
        self._written = 0
        self._made_by = ""
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

    def want(self, paths: object) -> None:
        """Have these images of Kometa's decoded, which a child tells that it opened. Anything malformed is left out."""
        for path in paths if isinstance(paths, list) else ():
            if self._ours(path) and path not in self._left:
                self._wanted[path] = None

    def step(self) -> bool:
        """Decode one of them; whether there was one."""
        if not self._wanted:
            return False
        path = next(iter(self._wanted))
        del self._wanted[path]
        before = self._held.pop(path, None)
        if before:
            self._room += _size(before[1])
            self._left.clear()
        pillow: Any = sys.modules["PIL.Image"]
        try:
            stamp = _stamp(path)
            with pillow.open(path) as opened:
                picture = opened.convert("RGBA")
            if _size(picture) > self._room:
                self._left.add(path)
            elif stamp == _stamp(path):
                self._held[path] = stamp, picture
                self._room -= _size(picture)
        except Exception:  # noqa: BLE001  # Pillow's, of any kind: the child that needs the image will meet it, and say so
            return True
        return True

    # ── in a child ───────────────────────────────────────────────────────────────────────────────────────

    def news(self) -> list[str]:
        """Images of Kometa's that this child decoded itself."""
        return self._asked

    def held(self, path: object) -> Any:
        """The decoded image of ``path``, not to be drawn on; None where it is not held, or the file is another now."""
        if not isinstance(path, str) or not self._ours(path):
            return None
        known = self._held.get(path)
        if known is not None:
            with contextlib.suppress(OSError):
                if known[0] == _stamp(path):
                    return known[1]
        return None

    def decoded(self, path: object) -> None:
        """A child decodes ``path`` itself."""
        if isinstance(path, str) and self._ours(path):
            self._asked.append(path)

    def _ours(self, path: object) -> bool:
        return bool(self._home) and isinstance(path, str) and path.startswith(self._home)

    def module(self, real: Any) -> Any:
        """Stands in for PIL's ``Image`` inside a module: everything as it is, but ``open`` gives a picture that is looked up here."""
        return _Module(self, real)

    def made(self, picture: Any, pillow: Any, what: str, make: Callable[[], Any]) -> Any:
        """What ``make`` makes of ``picture`` (``what`` says how), kept or made now."""
        path = self._place(picture, f"{what} {self._makers()}")
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

    def _makers(self) -> str:
        """What else the pixels come from: Pillow, and the libraries that it decodes with, which differ where a distribution built it."""
        if not self._made_by:
            from PIL import features

            self._made_by = " ".join(f"{name}={features.version(name)}" for name in ("pil", "jpg", "libjpeg_turbo", "webp"))
        return self._made_by

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
                pixels = picture.tobytes()
                file.write(json.dumps([picture.mode, *picture.size, zlib.crc32(pixels)]).encode() + b"\n")
                file.write(pixels)
            os.replace(beside, path)  # noqa: PTH105  # Path.replace is the same; the name says that it is atomic
            self.kept += 1
        except OSError:  # a disk that does not take it costs only time
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)


def _stamp(path: str) -> Stamp:
    about = os.stat(path)  # noqa: PTH116  # hundreds of times in a render: no Path for each
    return about.st_mtime_ns, about.st_ctime_ns, about.st_size, about.st_ino


def _size(picture: Any) -> int:
    return int(picture.width * picture.height * BANDS["RGBA"])


def _read(path: Path, pillow: Any) -> Any:
    """The picture kept in ``path``; None where there is none, or it is damaged."""
    try:
        head, _, pixels = path.read_bytes().partition(b"\n")
        mode, width, height, check = json.loads(head)
        if len(pixels) != BANDS[mode] * width * height or zlib.crc32(pixels) != check:
            return None  # a disk or a power cut may have left anything; the check takes 2 ms
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
        if not args and not kwargs and (picture := self._pictures.held(file)) is not None:
            return _Held(picture, lambda: self._open(file))
        return self._open(file, *args, **kwargs)

    def _open(self, file: Any, *args: Any, **kwargs: Any) -> Any:
        opened = self._real.open(file, *args, **kwargs)
        return _Opened(self._pictures, self._real, opened) if isinstance(file, str) and not args and not kwargs else opened


class _Held:
    """An image of Kometa's as if it were open; it is opened where Kometa asks for more than its pixels."""

    def __init__(self, picture: Any, really: Callable[[], Any]) -> None:
        self._picture = picture
        self._really = really
        self._opened: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._opened is None:
            self._opened = self._really()
        return getattr(self._opened, name)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *about: Any) -> Any:
        return self._opened.__exit__(*about) if self._opened is not None else None

    def convert(self, mode: Any = None, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs or mode != "RGBA":
            return self.__getattr__("convert")(mode, *args, **kwargs)
        return self._picture.copy()


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
        self._pictures.decoded(self._opened.filename)
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
