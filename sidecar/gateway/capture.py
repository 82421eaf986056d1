"""Uploads that were kept from Plex: which picture of which item, and whether the bytes are a picture at all. Pure.

The bytes are kept as they came. Type and size in pixels are read from the file's own header, never from what the
request says of it, and without decoding: a decompression bomb is told by its header.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Final

KINDS: Final = {
    "posters": "poster",
    "arts": "art",
    "clearLogos": "logo",
    "logos": "logo",
    "squareArts": "square_art",
    "themes": "theme",
}
"""Last path segment of the upload -> ``Capture.kind``."""

MAX_PIXELS: Final = 64_000_000
"""8000 x 8000: far over Kometa's largest canvas (1920 x 1080), far under what would hurt a viewer's memory."""
MAX_SIDE: Final = 16_384
MAX_MARKERS: Final = 2_000
"""Of a JPEG before its size: colour profiles and notes take a few hundred at most. More would take long to walk through."""
MAX_PARTS: Final = 32
"""Of a multipart upload; Kometa's have one."""


class NotAPicture(Exception):
    """The upload is none, or one that is refused. The message is for people."""


@dataclass(frozen=True, slots=True)
class Upload:
    """Bytes as they came and what their header says. ``width`` and ``height`` are 0 for music."""

    data: bytes
    media_type: str
    width: int = 0
    height: int = 0


def identify(data: bytes, kind: str) -> Upload:
    """What an upload of ``kind`` is, by its magic bytes. NotAPicture where it is not what the place is for."""
    if kind == "theme":
        if data[:3] == b"ID3" or (len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0):
            return Upload(data, "audio/mpeg")
        raise NotAPicture("the upload is no MP3")
    for read in (_png, _jpeg, _gif, _webp):
        found = read(data)
        if found:
            media_type, width, height = found
            if not width or not height:
                raise NotAPicture(f"the upload is a {media_type} without a size")
            if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
                raise NotAPicture(f"the upload claims to be {width}x{height} pixels, which is over the limit")
            return Upload(data, media_type, width, height)
    raise NotAPicture("the upload is no PNG, JPEG, GIF or WebP" if data else "the upload is empty")


def _png(data: bytes) -> tuple[str, int, int] | None:
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR" or len(data) < 24:
        return None
    return ("image/png", *struct.unpack(">II", data[16:24]))


def _gif(data: bytes) -> tuple[str, int, int] | None:
    if data[:6] not in (b"GIF87a", b"GIF89a") or len(data) < 10:
        return None
    return ("image/gif", *struct.unpack("<HH", data[6:10]))


def _jpeg(data: bytes) -> tuple[str, int, int] | None:
    if data[:3] != b"\xff\xd8\xff":
        return None
    at = 2
    for _ in range(MAX_MARKERS):
        if at + 9 > len(data) or data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte (ITU-T T.81, B.1.1.2)
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return "image/jpeg", width, height
        elif marker == 0x01 or 0xD0 <= marker <= 0xD9:
            at += 2
        else:
            at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None


def _webp(data: bytes) -> tuple[str, int, int] | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return None
    chunk = data[12:16]
    if chunk == b"VP8X":
        return "image/webp", int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if chunk == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return "image/webp", (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    if chunk == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", data[26:30])
        return "image/webp", width & 0x3FFF, height & 0x3FFF
    return None


_BOUNDARY: Final = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))', re.IGNORECASE)


def unwrap(body: bytes, content_type: str) -> bytes:
    """The file in a multipart upload, or ``body`` itself where it is none. NotAPicture where no part is a file."""
    if not content_type.lower().startswith("multipart/"):
        return body
    found = _BOUNDARY.search(content_type)
    if not found:
        raise NotAPicture("a multipart upload without its boundary")
    mark = b"--" + (found[1] or found[2]).encode("latin-1")
    parts = (b"\r\n" + body).split(b"\r\n" + mark, MAX_PARTS + 2)
    if len(parts) > MAX_PARTS + 2:
        raise NotAPicture("a multipart upload of too many parts")
    if len(parts) < 3 or not parts[-1].startswith(b"--"):
        raise NotAPicture("a multipart upload that was cut off")
    for part in parts[1:-1]:
        head, found_end, content = part.partition(b"\r\n\r\n")
        lines = head.lower()
        if found_end and (b"filename=" in lines or b"content-type: image/" in lines or b"content-type: audio/" in lines):
            return content
    raise NotAPicture("a multipart upload without a file")
