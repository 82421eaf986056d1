"""Small WebP pictures for the grid. The full-size files are never touched."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

log = logging.getLogger(__name__)

PORTRAIT: Final = 480
"""Pixels wide: a poster of the grid at twice the density of an ordinary screen."""

LANDSCAPE: Final = 720
"""Likewise for 16:9 pictures."""

MAX_PIXELS: Final = 50_000_000
"""A picture of more pixels gets no thumbnail: decoding it would take too much memory."""


def thumb_width(width: int, height: int) -> int:
    """Width in pixels of the thumbnail of a ``width`` x ``height`` picture (0 x 0: not known, taken as a poster)."""
    return LANDSCAPE if width > height else PORTRAIT


def make_thumb(source: Path, width: int) -> bytes | None:
    """A WebP of ``source`` at most ``width`` pixels wide; None, with a log line, where it cannot be decoded safely."""
    try:
        with Image.open(source, formats=("WEBP", "JPEG", "PNG", "GIF")) as image:
            if image.width * image.height > MAX_PIXELS:
                log.warning("no thumbnail of %s: %d x %d pixels are too many", source.name, image.width, image.height)
                return None
            if image.width > width:
                image.draft("RGB", (width, round(image.height * width / image.width)))  # JPEG decodes smaller at once
            small: Image.Image = ImageOps.exif_transpose(image)
            if small.width > width:
                small = small.resize((width, max(1, round(small.height * width / small.width))), Image.Resampling.LANCZOS, reducing_gap=2.0)
            small = small.convert("RGBA" if "A" in small.getbands() or "transparency" in small.info else "RGB")
            out = io.BytesIO()
            small.save(out, "WEBP", quality=84, method=2)
    # Pillow raises SyntaxError and ValueError besides OSError for broken files; the picture itself stays linked.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        log.warning("no thumbnail of %s: %s", source.name, error)
        return None
    return out.getvalue()
