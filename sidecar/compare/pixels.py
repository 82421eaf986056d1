"""Which pixels of two pictures differ, edges that are only smoothed otherwise left out.

The colour metric is that of Kotsarenko and Ramos, "Measuring perceived color difference using YIQ NTSC transmission color
space in mobile applications" (2010); smoothed edges are found as in Vyšniauskas, "Anti-aliased pixel and intensity slope
detector" (2009). Both are what pixelmatch made usual for screenshots (https://github.com/mapbox/pixelmatch); its Python port
takes seconds for a poster, this about a hundredth of that, and counts the same pixels.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from sidecar.compare.regions import print_of, regions_of
from sidecar.review import Box

SENSITIVITY: Final = 0.1
"""How far two colours may lie apart and still be the same, 0 to 1: pixelmatch's own default."""

MAX_PIXELS: Final = 50_000_000
"""Pictures of more pixels are not decoded."""

_WORST: Final = 35215.0
"""The metric's largest value: black against white."""
_COLOUR: Final = (255, 45, 149)
_FORMATS: Final = ("WEBP", "JPEG", "PNG", "GIF")
_AT_ONCE: Final = 200_000
"""Pixels looked at together, which bounds memory."""
_AROUND: Final = tuple((dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if dx or dy)

Bools = NDArray[np.bool_]


class Unreadable(Exception):
    """A picture cannot be decoded; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Sizes are in pixels of the newer picture."""

    size: tuple[int, int]
    pixels: int
    """How many differ."""
    counted: int
    """How many could: all but those in ignored regions."""
    boxes: tuple[Box, ...] = ()
    """Largest first."""
    mask: bytes = b""
    """A PNG of ``size``, opaque where they differ. Empty where nothing does."""
    print: str = ""
    """See ``regions.print_of``."""
    resized: bool = False

    @property
    def fraction(self) -> float:
        return self.pixels / self.counted if self.counted else 0.0


def compare(old: Path, new: Path, *, ignored: Iterable[Box] = (), sensitivity: float = SENSITIVITY) -> Difference:
    """How the picture in ``new`` differs from that in ``old``. Unreadable where either cannot be decoded.

    A picture of another size but the same shape is scaled to ``new``'s; one of another shape differs everywhere.
    """
    after, before = _load(new), _load(old)
    size = after.size
    resized = before.size != size
    if resized:
        if abs(before.width * size[1] - before.height * size[0]) > 0.01 * before.width * size[1]:
            return _everywhere(size)
        before = before.resize(size, Image.Resampling.LANCZOS)
    blind = _blind(size, ignored)
    counted = size[0] * size[1] - (int(blind.sum()) if blind is not None else 0)
    # The metric is largest between black and white: what differs by less in every band cannot pass the limit. Compression's noise
    # is such, and lies all over a picture; this leaves the part that is worth a closer look.
    least = int(255 * sensitivity * 0.99)
    bounds = ImageChops.difference(before, after).point([255 * (value > least) for value in range(256)] * 3).getbbox()
    if bounds is None:
        return Difference(size=size, pixels=0, counted=counted, resized=resized)
    # Smoothed edges are told by neighbours of neighbours: two more pixels on each side.
    left, top, right, bottom = max(0, bounds[0] - 2), max(0, bounds[1] - 2), min(size[0], bounds[2] + 2), min(size[1], bounds[3] + 2)
    crop = (left, top, right, bottom)
    found = differing(np.asarray(before.crop(crop)), np.asarray(after.crop(crop)), sensitivity)
    whole = np.zeros((size[1], size[0]), dtype=bool)
    whole[top:bottom, left:right] = found
    if blind is not None:
        whole &= ~blind
    pixels = int(np.count_nonzero(whole))
    if not pixels:
        return Difference(size=size, pixels=0, counted=counted, resized=resized)
    return Difference(
        size=size, pixels=pixels, counted=counted, boxes=regions_of(whole), mask=_png(whole), print=print_of(whole), resized=resized
    )


def differing(before: NDArray[np.uint8], after: NDArray[np.uint8], sensitivity: float = SENSITIVITY) -> Bools:
    """True where two RGB pictures of one size (height x width x 3) differ, other than by smoothed edges."""
    found: Bools = _distance(before, after) > _WORST * sensitivity * sensitivity
    rows, columns = np.nonzero(found)
    if not rows.size:
        return found
    first, second = _Edges(before), _Edges(after)
    for start in range(0, rows.size, _AT_ONCE):
        y, x = rows[start : start + _AT_ONCE], columns[start : start + _AT_ONCE]
        smooth = first.smooth(y, x, second)
        rest = np.nonzero(~smooth)[0]
        smooth[rest] = second.smooth(y[rest], x[rest], first)
        found[y[smooth], x[smooth]] = False
    return found


def _distance(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The squared distance of two colours in YIQ. It is a linear space, so that differences are turned into it, not colours."""
    red, green, blue = (before[..., band].astype(np.float32) - after[..., band] for band in range(3))
    y = red * 0.29889531 + green * 0.58662247 + blue * 0.11448223
    i = red * 0.59597799 - green * 0.27417610 - blue * 0.32180189
    q = red * 0.21147017 - green * 0.52261711 + blue * 0.31114694
    total: NDArray[np.float32] = 0.5053 * y * y + 0.299 * i * i + 0.1957 * q * q
    return total


class _Edges:
    """One picture, ready to be asked which of its pixels lie on smoothed edges."""

    def __init__(self, picture: NDArray[np.uint8]) -> None:
        self._height, self._width = picture.shape[:2]
        bands: list[Any] = [picture[..., band].astype(np.int32) for band in range(3)]
        # A frame of a colour that there is not: what lies outside equals nothing.
        self._colour = np.full((self._height + 2, self._width + 2), -1, dtype=np.int32)
        self._colour[1:-1, 1:-1] = (bands[0] << 16) | (bands[1] << 8) | bands[2]
        self._flat: Bools | None = None

    def smooth(self, y: NDArray[np.intp], x: NDArray[np.intp], other: _Edges) -> Bools:
        """Which of these pixels are between a darker and a brighter neighbour, one of them in a flat area of both pictures."""
        result: Bools = np.zeros(y.shape, dtype=bool)
        centre = _brightness(self._colour[y + 1, x + 1])
        edge = (y == 0) | (x == 0) | (y == self._height - 1) | (x == self._width - 1)
        steps = np.empty((len(_AROUND), y.size), dtype=np.float64)
        equal = edge.astype(np.int8)
        for index, (dx, dy) in enumerate(_AROUND):
            colour = self._colour[y + 1 + dy, x + 1 + dx]
            outside = colour < 0
            step = centre - _brightness(colour)
            step[outside] = 0.0
            equal += (step == 0.0) & ~outside
            steps[index] = step
        darkest, brightest = steps.argmin(axis=0), steps.argmax(axis=0)
        each = np.arange(y.size)
        between = np.nonzero((equal <= 2) & (steps[darkest, each] < 0.0) & (steps[brightest, each] > 0.0))[0]
        if between.size:
            moves = np.array(_AROUND)
            for choice in (darkest[between], brightest[between]):
                dx, dy = moves[choice, 0], moves[choice, 1]
                to_y, to_x = y[between] + dy, x[between] + dx
                result[between] |= self.flat[to_y, to_x] & other.flat[to_y, to_x]
        return result

    @property
    def flat(self) -> Bools:
        """True where three or more of a pixel's neighbours have its very colour; the picture's border counts as one."""
        if self._flat is None:
            inner = self._colour[1:-1, 1:-1]
            equal = np.zeros(inner.shape, dtype=np.int8)
            equal[0, :] = equal[-1, :] = equal[:, 0] = equal[:, -1] = 1
            for dx, dy in _AROUND:
                equal += inner == self._colour[1 + dy : 1 + dy + self._height, 1 + dx : 1 + dx + self._width]
            self._flat = equal > 2
        return self._flat


def _brightness(colour: NDArray[np.int32]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = (colour >> 16 & 255) * 0.29889531 + (colour >> 8 & 255) * 0.58662247 + (colour & 255) * 0.11448223
    return result


def _load(path: Path) -> Image.Image:
    try:
        with Image.open(path, formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Unreadable(f"{image.width} x {image.height} pixels are too many")
            if "A" in image.getbands() or "transparency" in image.info:
                layer = image.convert("RGBA")
                return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
            return image.convert("RGB")
    # Pillow raises SyntaxError and ValueError besides OSError for broken files.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Unreadable(str(error)) from error


def _blind(size: tuple[int, int], ignored: Iterable[Box]) -> Bools | None:
    blind: Bools | None = None
    for x, y, width, height in ignored:
        if blind is None:
            blind = np.zeros((size[1], size[0]), dtype=bool)
        blind[max(0, y) : max(0, y + height), max(0, x) : max(0, x + width)] = True
    return blind


def _everywhere(size: tuple[int, int]) -> Difference:
    whole = np.ones((size[1], size[0]), dtype=bool)
    return Difference(
        size=size,
        pixels=whole.size,
        counted=whole.size,
        boxes=((0, 0, size[0], size[1]),),
        mask=_png(whole),
        print=print_of(whole),
        resized=True,
    )


def _png(mask: Bools) -> bytes:
    image = Image.fromarray(mask.astype(np.uint8))
    image.putpalette([0, 0, 0, *_COLOUR])
    out = io.BytesIO()
    image.save(out, "PNG", bits=1, transparency=0, compress_level=6)
    return out.getvalue()
