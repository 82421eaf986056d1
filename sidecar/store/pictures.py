"""What a picture's first bytes say of it: media type, width and height. Nothing is decoded."""

from __future__ import annotations

import io
import logging
import struct
from dataclasses import dataclass

from PIL import GifImagePlugin, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """``media_type`` is empty for what is no picture we know; sizes are 0 where the header does not tell them."""

    media_type: str = ""
    width: int = 0
    height: int = 0


def look_at(data: bytes) -> Seen:
    """Judge ``data`` by its content alone.

    Pillow's readers are called one by one instead of ``Image.open``: that one reads the same header, but raises or warns
    on sizes over its process-wide limit, where here the size is only to be told. No pixel is unpacked either way.
    """
    media_type, reader = _reader(data)
    if reader is None:
        return Seen()
    try:
        with reader(io.BytesIO(data)) as picture:
            width, height = picture.size
    except (SyntaxError, OSError, ValueError, EOFError, TypeError, KeyError, IndexError, struct.error, MemoryError) as error:
        # Pillow's header readers raise any of these on garbage; see PIL.Image.open for most of the list.
        _log.debug("%s of %d bytes has no readable header: %s", media_type, len(data), error)
        return Seen(media_type=media_type)
    return Seen(media_type=media_type, width=width, height=height)


def _reader(data: bytes) -> tuple[str, type[ImageFile.ImageFile] | None]:
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "image/png", PngImagePlugin.PngImageFile
    if data[:3] == b"\xff\xd8\xff":
        return "image/jpeg", JpegImagePlugin.JpegImageFile
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp", WebPImagePlugin.WebPImageFile
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif", GifImagePlugin.GifImageFile
    return "", None
