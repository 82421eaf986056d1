"""The contact sheet: before, after and difference of a few posters, side by side on one picture. Blocking: call it in a thread."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

from sidecar.notify.message import percent
from sidecar.notify.payload import Message, PicturePart, TargetPart

log = logging.getLogger(__name__)

MOST: Final = 4
"""Posters on a sheet."""
FILE: Final = "changes.jpg"
LIMIT: Final = 2_000_000
"""Bytes of a sheet."""

_BACK: Final = (24, 26, 31)
_INK: Final = (235, 237, 240)
_DIM: Final = (150, 155, 165)
_MARK: Final = (255, 0, 128)
_TALL: Final = 480
"""Pixels of one poster alone; of several: ``_LESS_TALL``."""
_LESS_TALL: Final = 330
_VISIBLE: Final = 24
"""Of 255: a smaller difference of a colour is none to the eye."""
_GAP: Final = 12
_HEAD: Final = 44
"""Pixels for a poster's title and its pictures' names."""
_LARGEST: Final = 100_000_000
"""Pixels of a picture that is opened at all."""

Read = Callable[[str, str], bytes | None]
"""The bytes of a kept picture by its sha256 and media type, or None where it is not there. Blocking."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A contact sheet. ``alt`` says what it shows."""

    data: bytes
    alt: str
    width: int
    height: int


def chosen(message: Message) -> list[TargetPart]:
    """The posters that a sheet of ``message`` shows: those that changed most."""
    return [target for target in message.targets if target.after][:MOST]


def draw(message: Message, read: Read, limit: int = LIMIT) -> Sheet | None:
    """The sheet of ``message`` in at most ``limit`` bytes; None where there is no picture to show (or it does not fit)."""
    rows = [_Row.of(target, read) for target in chosen(message)]
    shown = [row for row in rows if row is not None]
    if not shown:
        return None
    whole = _compose(shown)
    for scale, quality in ((1.0, 88), (1.0, 75), (0.7, 75), (0.5, 65), (0.35, 55)):
        picture = whole if scale == 1 else whole.resize((round(whole.width * scale), round(whole.height * scale)), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality)
        if out.tell() <= limit:
            return Sheet(out.getvalue(), _alt(message, shown), picture.width, picture.height)
    return None


@dataclass(frozen=True, slots=True)
class _Row:
    target: TargetPart
    before: Image.Image | None
    after: Image.Image
    difference: Image.Image | None

    @classmethod
    def of(cls, target: TargetPart, read: Read) -> _Row | None:
        after = _open(target.after, read)
        if after is None:
            return None
        before = _open(target.before, read)
        spots = _spots(target, before, after, read)
        small = _small(after)
        return cls(target, _small(before) if before else None, small, _difference(small, spots) if spots else None)

    @property
    def cells(self) -> list[tuple[str, Image.Image | None]]:
        cells = [("before", self.before), ("after", self.after)]
        return [*cells, ("difference", self.difference)] if self.difference else cells

    @property
    def aspect(self) -> float:
        return self.after.width / self.after.height


def _open(part: PicturePart | None, read: Read) -> Image.Image | None:
    data = read(part.sha256, part.media_type) if part else None
    if data is None:
        return None
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > _LARGEST:
                return None
            picture.load()
            return picture.convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        log.warning("a picture cannot be shown in a notification: %s", error)
        return None


def _spots(target: TargetPart, before: Image.Image | None, after: Image.Image, read: Read) -> Image.Image | None:
    """White where the pictures differ: from the comparison, or (several edits together were not compared) seen here."""
    mask = _open(target.mask, read)
    if mask is not None:
        return mask.getchannel("A").point(lambda value: 255 if value else 0)
    if before is None or before.size != after.size or target.status == "new":
        return None
    red, green, blue, _ = ImageChops.difference(before, after).split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return most.point(lambda value: 255 if value > _VISIBLE else 0)


def _small(picture: Image.Image) -> Image.Image:
    """As large as a sheet can show it: the rest of the work is done on this."""
    return ImageOps.contain(picture, (2 * _TALL, _TALL), Image.Resampling.LANCZOS) if picture.height > _TALL else picture


def _difference(after: Image.Image, spots: Image.Image) -> Image.Image:
    """The picture in faint grey, with what differs in a colour of its own."""
    grey = ImageOps.grayscale(after.convert("RGB")).point(lambda value: 30 + value * 0.45).convert("RGBA")
    # One differing pixel must still be seen when the picture is small: any part of it colours the whole, and what is beside it.
    seen = spots.resize(after.size, Image.Resampling.BOX).point(lambda value: 255 if value else 0).filter(ImageFilter.MaxFilter(3))
    grey.paste(Image.new("RGBA", after.size, (*_MARK, 255)), (0, 0), seen)
    return grey


def _compose(rows: Sequence[_Row]) -> Image.Image:
    """One poster fills the sheet, two to four stand in two columns."""
    columns = 1 if len(rows) == 1 else 2
    height = _TALL if columns == 1 else _LESS_TALL
    titles, labels = ImageFont.load_default(20), ImageFont.load_default(14)
    widths = [[_width(row, height) for _ in row.cells] for row in rows]
    tiles = [sum(each) + _GAP * (len(each) - 1) for each in widths]
    column = [max(tiles[at] for at in range(start, len(rows), columns)) for start in range(columns)]
    lines = -(-len(rows) // columns)
    sheet = Image.new("RGB", (sum(column) + 2 * _GAP * columns + _GAP, lines * (height + _HEAD + _GAP) + _GAP), _BACK)
    pen = ImageDraw.Draw(sheet)
    for index, row in enumerate(rows):
        left = _GAP + sum(column[: index % columns]) + 2 * _GAP * (index % columns)
        top = _GAP + (index // columns) * (height + _HEAD + _GAP)
        title = _drawable(f"{row.target.title}{percent(row.target)}", f"poster {index + 1}{percent(row.target)}")
        pen.text((left, top), _fitted(pen, title, titles, tiles[index]), font=titles, fill=_INK)
        for (label, picture), width in zip(row.cells, widths[index], strict=True):
            pen.text((left, top + 24), label, font=labels, fill=_DIM)
            if picture is not None:
                fitted = ImageOps.contain(picture, (width, height), Image.Resampling.LANCZOS)
                sheet.paste(fitted, (left + (width - fitted.width) // 2, top + _HEAD), fitted)
            else:
                pen.rectangle((left, top + _HEAD, left + width - 1, top + _HEAD + height - 1), outline=_DIM)
                pen.text((left + width / 2, top + _HEAD + height / 2), "none", font=labels, fill=_DIM, anchor="mm")
            left += width + _GAP
    return sheet


def _width(row: _Row, height: int) -> int:
    """Wide pictures (episodes) get a wider cell, within reason."""
    return max(1, min(round(height * row.aspect), height))


def _drawable(text: str, instead: str) -> str:
    """``text`` if the built-in font has its letters: boxes say less than a number."""
    ours = "".join(sign for sign in text if sign.isprintable())
    return ours if ours and all(ord(sign) < 0x250 or sign in "–—‘’“”…" for sign in ours) else instead


def _fitted(pen: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    if pen.textlength(text, font=font) <= width:
        return text
    while text and pen.textlength(text + "...", font=font) > width:
        text = text[:-1]
    return text.rstrip() + "..."


def _alt(message: Message, rows: Sequence[_Row]) -> str:
    total = len(message.targets) + message.more_targets
    columns = "before, after and difference" if any(row.difference for row in rows) else "before and after"
    names = ", ".join(f"{row.target.title}{percent(row.target)}" for row in rows)
    return f"Contact sheet of {len(rows)} of {total} changed posters, {columns}: {names}"
