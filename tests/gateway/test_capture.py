"""What an upload is, by its own header."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sidecar.gateway.capture import KINDS, NotAPicture, identify, unwrap


def picture(kind: str, size: tuple[int, int] = (40, 60), **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (picture("PNG"), "image/png"),
        (picture("JPEG"), "image/jpeg"),
        (picture("JPEG", progressive=True, exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00"), "image/jpeg"),
        (picture("GIF"), "image/gif"),
        (picture("WEBP", quality=80), "image/webp"),
        (picture("WEBP", lossless=True), "image/webp"),
        (picture("WEBP", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00"), "image/webp"),
    ],
    ids=["png", "jpeg", "progressive", "gif", "lossy", "lossless", "extended"],
)
def test_pictures_are_known_by_their_bytes(data: bytes, media_type: str) -> None:
    got = identify(data, "poster")
    assert (got.media_type, got.width, got.height) == (media_type, 40, 60)
    assert got.data is data


def test_a_jpeg_with_fill_bytes_and_bare_markers() -> None:
    plain = picture("JPEG")
    got = identify(plain[:2] + b"\xff\x01" + b"\xff" + plain[2:], "art")
    assert (got.width, got.height) == (40, 60)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>no</html>",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0\x00\x10" + bytes(14) + b"\x00" * 20,
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"RIFF\x00\x00\x00\x00WEBPVP8 ",
        b"RIFF" + bytes(4) + b"WEBPALPH" + bytes(40),
        b"RIFF" + bytes(4) + b"WEBPVP8L" + bytes(40),
        b"RIFF" + bytes(4) + b"WEBPVP8 " + bytes(40),
        b"%PDF-1.4 " + bytes(30),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(NotAPicture):
        identify(data, "poster")


def png(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize("size", [(30_000, 10), (10, 30_000), (9_000, 9_000), (2**31, 2**31)])
def test_decompression_bombs_are_refused_by_their_header(size: tuple[int, int]) -> None:
    with pytest.raises(NotAPicture, match="over the limit"):
        identify(png(*size), "poster")


def test_a_picture_without_a_size_is_refused() -> None:
    with pytest.raises(NotAPicture, match="without a size"):
        identify(png(0, 10), "poster")


@pytest.mark.parametrize("data", [b"ID3\x04\x00", b"\xff\xfb\x90\x00"])
def test_music(data: bytes) -> None:
    assert identify(data, "theme").media_type == "audio/mpeg"


@pytest.mark.parametrize("data", [b"", b"\xff", b"OggS", b"\xff\xd8\xff"])
def test_what_is_no_music(data: bytes) -> None:
    with pytest.raises(NotAPicture):
        identify(data, "theme")


@given(
    st.binary(max_size=64),
    st.sampled_from([b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBPVP8 ", b"RIFF\0\0\0\0WEBPVP8X", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", b"GIF89a"]),
)
def test_no_header_breaks_the_reader(rest: bytes, magic: bytes) -> None:
    try:
        got = identify(magic + rest, "poster")
    except NotAPicture:
        return
    assert got.width > 0
    assert got.height > 0


MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\ntext\r\n'
    b'--b\r\nContent-Disposition: form-data; name="f"; filename="x.png"\r\n\r\nBYTES\r\n--not\r\n--b--\r\n'
)


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=b", 'Multipart/Form-Data; charset=x; boundary="b"'])
def test_a_file_in_a_form(content_type: str) -> None:
    assert unwrap(MULTIPART, content_type) == b"BYTES\r\n--not"


def test_a_part_that_says_it_is_an_image() -> None:
    assert unwrap(b"--b\r\nContent-Type: image/png\r\n\r\nX\r\n--b--", "multipart/form-data; boundary=b") == b"X"


@pytest.mark.parametrize("content_type", ["", "application/octet-stream", "image/png"])
def test_raw_bytes_stay_as_they_are(content_type: str) -> None:
    assert unwrap(MULTIPART, content_type) is MULTIPART


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (MULTIPART, "multipart/form-data"),
        (MULTIPART[:-6], "multipart/form-data; boundary=b"),
        (b"", "multipart/form-data; boundary=b"),
        (b"--b\r\n\r\ntext\r\n--b--", "multipart/form-data; boundary=b"),
        (b"--b\r\nContent-Disposition: form-data; filename=x\r\n--b--", "multipart/form-data; boundary=b"),
    ],
)
def test_broken_forms_are_refused(body: bytes, content_type: str) -> None:
    with pytest.raises(NotAPicture):
        unwrap(body, content_type)


def test_every_kind_has_a_name() -> None:
    assert set(KINDS.values()) == {"poster", "art", "logo", "square_art", "theme"}
