"""Where things go on the canvas: pure arithmetic, no pictures. Only stdlib.

The rules are Kometa 2.4.4's, observed from its pictures and source, among them its roundings: percentages are cut to
whole pixels, halves of the canvas and of the box are cut before they are subtracted, text and image are cut towards zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PORTRAIT: Final = (1000, 1500)
LANDSCAPE: Final = (1920, 1080)

Size = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom; the right and bottom pixels are drawn too."""
Offset = int | str
"""Pixels, or ``"N%"`` of the canvas."""


def canvas_of(level: str) -> tuple[int, int]:
    """The canvas of a level, in pixels: episodes are landscape, all else is portrait."""
    return LANDSCAPE if level == "episode" else PORTRAIT


@dataclass(frozen=True, kw_only=True)
class Place:
    """Offsets and alignments. In an overlay each may be missing (None); a queue's position has all four."""

    horizontal_offset: Offset | None = None
    horizontal_align: str | None = None
    vertical_offset: Offset | None = None
    vertical_align: str | None = None

    @property
    def given(self) -> bool:
        """Whether both offsets are there: without them an image covers the whole poster."""
        return self.horizontal_offset is not None and self.vertical_offset is not None

    def within(self, slot: Place | None) -> Place:
        """This place with what is missing taken from a queue's ``slot``."""
        if slot is None:
            return self
        return Place(
            horizontal_offset=slot.horizontal_offset if self.horizontal_offset is None else self.horizontal_offset,
            horizontal_align=slot.horizontal_align if self.horizontal_align is None else self.horizontal_align,
            vertical_offset=slot.vertical_offset if self.vertical_offset is None else self.vertical_offset,
            vertical_align=slot.vertical_align if self.vertical_align is None else self.vertical_align,
        )


@dataclass(frozen=True, kw_only=True)
class Back:
    """The box behind an overlay. ``width`` and ``height`` are None where the overlay does not set them."""

    drawn: bool = False
    width: int | None = None
    height: int | None = None
    align: str = "center"
    padding: int = 0
    whole: bool = False
    """A ``backdrop``: what is not set is the whole canvas."""

    @property
    def fixed(self) -> bool:
        """Whether the box has a size of its own, within which the content is aligned."""
        return self.whole or self.width is not None or self.height is not None


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where one overlay is drawn."""

    back: Box | None
    text: tuple[int, int] | None
    image: tuple[int, int] | None
    outline: tuple[int, int, int, int] = (0, 0, 0, 0)
    """x, y, width, height of the whole overlay, without padding."""


def along(offset: Offset, length: int, size: float, align: str | None) -> float:
    """The coordinate on one axis of something ``size`` long, on a canvas ``length`` long."""
    distance = int(length * 0.01 * int(offset[:-1])) if isinstance(offset, str) else offset
    if align in ("right", "bottom"):
        return length - size - distance
    if align == "center":
        return int(length / 2) - int(size / 2) + distance
    return distance


def scaled(size: tuple[int, int], width: Offset | None, height: Offset | None) -> tuple[int, int]:
    """An image's size after ``scale_width`` and ``scale_height``; one alone keeps the proportions."""

    def one(scale: Offset | None, base: int) -> int | None:
        return int(base * int(scale[:-1]) / 100) if isinstance(scale, str) else scale

    new_width, new_height = one(width, size[0]), one(height, size[1])
    if new_width and new_height:
        return new_width, new_height
    if new_width:
        return new_width, int(size[1] * new_width / size[0])
    if new_height:
        return int(size[0] * new_height / size[1]), new_height
    return size


def content_size(text: Size | None, image: Size | None, side: str | None, gap: int) -> Size:
    """The size of text and image together: beside each other for left and right, else one above the other."""
    if text is None:
        return image or (0, 0)
    if image is None:
        return text
    if side in ("left", "right"):
        return text[0] + image[0] + gap, max(text[1], image[1])
    return max(text[0], image[0]), text[1] + image[1] + gap


def lay_out(
    canvas: tuple[int, int],
    place: Place,
    back: Back,
    *,
    text: Size | None = None,
    image: Size | None = None,
    side: str | None = None,
    gap: int = 0,
) -> Layout:
    """Where an overlay of these sizes goes.

    ``text`` is the right and bottom edge of its bounding box at (0, 0); ``side`` and ``gap`` are the addon image's
    position and offset. An image without text and without ``place`` is the caller's (it covers the whole poster).
    """
    width, height = content_size(text, image, side, gap)
    if back.whole:
        # Kometa measures a backdrop that sets no size as -1 pixels when it aligns it.
        width, height = -1, -1
    outer_width = width if back.width is None else back.width
    outer_height = height if back.height is None else back.height
    x = along(place.horizontal_offset or 0, canvas[0], outer_width, place.horizontal_align)
    y = along(place.vertical_offset or 0, canvas[1], outer_height, place.vertical_align)
    if back.whole:
        outer_width = canvas[0] if back.width is None else back.width
        outer_height = canvas[1] if back.height is None else back.height
    outline = (int(x), int(y), int(outer_width), int(outer_height))
    box = None
    if back.drawn:
        box = (x - back.padding, y - back.padding, x + outer_width + back.padding, y + outer_height + back.padding)
    if back.fixed and (text is not None or back.drawn):
        # Kometa aligns the content within the box only on the way that draws text or a box.
        if back.align != "top":
            y += (outer_height - height) // (1 if back.align == "bottom" else 2)
        if back.align != "left":
            x += (outer_width - width) // (1 if back.align == "right" else 2)
    if text is None:
        return Layout(back=box, text=None, image=(int(x), int(y)) if image is not None else None, outline=outline)
    if image is None:
        return Layout(back=box, text=(int(x), int(y)), image=None, outline=outline)
    (text_x, image_x), (text_y, image_y) = _side_by_side(text, image, side, gap)
    return Layout(back=box, text=(int(x + text_x), int(y + text_y)), image=(int(x + image_x), int(y + image_y)), outline=outline)


def _side_by_side(text: Size, image: Size, side: str | None, gap: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Text's and image's distances from the corner of both: ((text x, image x), (text y, image y))."""

    def centred(text_length: float, image_length: float) -> tuple[float, float]:
        slack = (image_length - text_length) / 2
        return (slack, 0) if slack > 0 else (0, -slack)

    if side == "left":
        return (image[0] + gap, 0), centred(text[1], image[1])
    if side == "right":
        return (0, text[0] + gap), centred(text[1], image[1])
    if side == "top":
        return centred(text[0], image[0]), (image[1] + gap, 0)
    return centred(text[0], image[0]), (0, text[1] + gap)
