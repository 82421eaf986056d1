from __future__ import annotations

import asyncio
import hashlib
import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from sidecar.errors import StoreError
from sidecar.model import Blob
from sidecar.store import Blobs, Sync


def picture(kind: str, size: tuple[int, int] = (40, 60)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, (10, 20, 30)).save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("kind", "media_type", "suffix"),
    [("PNG", "image/png", ".png"), ("JPEG", "image/jpeg", ".jpg"), ("WEBP", "image/webp", ".webp"), ("GIF", "image/gif", ".gif")],
)
async def test_a_picture_is_known_by_its_bytes(tmp_path: Path, kind: str, media_type: str, suffix: str) -> None:
    data = picture(kind)
    blobs = Blobs(tmp_path / "blobs")
    blob = await blobs.put(data, "text/html")
    assert blob == Blob(sha256=hashlib.sha256(data).hexdigest(), size=len(data), media_type=media_type, width=40, height=60)
    assert blobs.path(blob) == tmp_path / "blobs" / blob.sha256[:2] / (blob.sha256 + suffix)
    assert await blobs.read(blob) == data
    with blobs.open(blob) as file:
        assert file.read() == data
    assert blobs.path(blob).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("told", "kept"), [("", "application/octet-stream"), ("image/png", "application/octet-stream"), ("text/xml", "text/xml")]
)
async def test_what_is_no_picture_is_not_called_one(tmp_path: Path, told: str, kept: str) -> None:
    blob = await Blobs(tmp_path).put(b"<html>", told)
    assert (blob.media_type, blob.width, blob.suffix) == (kept, 0, ".bin")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
async def test_a_broken_header_is_kept_without_a_size(tmp_path: Path, kind: str) -> None:
    blobs = Blobs(tmp_path)
    for length in (12, 14, 20, 26):
        data = picture(kind)[:length]
        blob = await blobs.put(data)
        assert await blobs.read(blob) == data


async def test_a_decompression_bomb_is_told_not_unpacked(tmp_path: Path) -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 60_000, 50_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    blob = await Blobs(tmp_path).put(data)
    assert (blob.width, blob.height) == (60_000, 50_000)


async def test_the_same_bytes_are_kept_once(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    data = picture("PNG")
    first, *others = await asyncio.gather(*(blobs.put(data) for _ in range(8)))
    assert all(other == first for other in others)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files == [blobs.path(first)]
    inode = blobs.path(first).stat().st_ino
    await blobs.put(data)
    assert blobs.path(first).stat().st_ino == inode


async def test_a_file_of_the_wrong_length_is_written_anew(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    data = picture("PNG")
    blob = await blobs.put(data)
    blobs.path(blob).write_bytes(data[:10])
    with pytest.raises(StoreError, match="damaged"):
        await blobs.read(blob)
    await blobs.put(data)
    assert await blobs.read(blob) == data


async def test_a_file_of_other_bytes_is_written_anew(tmp_path: Path) -> None:
    """A power cut may leave a name, and a length, and no bytes."""
    data = picture("PNG")
    blob = await Blobs(tmp_path).put(data)
    blobs = Blobs(tmp_path)
    blobs.path(blob).write_bytes(bytes(len(data)))
    assert await blobs.put(data) == blob
    assert await blobs.read(blob) == data


async def test_the_disk_has_what_was_settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[int, int]] = []

    def fsync(handle: int) -> None:
        status = os.fstat(handle)
        synced.append((status.st_dev, status.st_ino))
        original(handle)

    def held(path: Path) -> bool:
        status = path.stat()
        return (status.st_dev, status.st_ino) in synced

    original = os.fsync
    monkeypatch.setattr(os, "fsync", fsync)
    blobs = Blobs(tmp_path)
    now = blobs.path(await blobs.put(picture("PNG", (1, 1))))
    assert held(now)
    assert held(now.parent)
    assert held(tmp_path)
    synced.clear()
    later = blobs.path(await blobs.put(picture("PNG", (2, 2)), sync=Sync.LATER))
    never = blobs.path(await blobs.put(picture("PNG", (3, 3)), sync=Sync.NEVER))
    assert synced == []
    assert later.exists()
    await blobs.settle()
    assert held(later)
    assert held(later.parent)
    assert held(tmp_path)
    assert not held(never)
    synced.clear()
    await blobs.settle()
    await blobs.put(picture("PNG", (2, 2)))
    assert synced == []
    again = Blobs(tmp_path)  # what an earlier process left unsettled is not known to be on the disk
    await again.put(picture("PNG", (3, 3)), sync=Sync.LATER)
    await again.settle()
    assert held(never)
    synced.clear()
    never.unlink()
    await again.put(picture("PNG", (3, 3)))
    assert held(never)


async def test_a_missing_picture_is_a_store_error(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    blob = Blob(sha256="0" * 64, size=1, media_type="image/png")
    with pytest.raises(StoreError, match="not there"):
        await blobs.read(blob)
    with pytest.raises(StoreError, match="not there"):
        blobs.open(blob)


async def test_prune_keeps_what_is_named_and_what_is_young(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    kept, old, young = [await blobs.put(picture("PNG", (size, 1))) for size in (1, 2, 3)]
    left_over = tmp_path / "tmp" / "half"
    left_over.write_bytes(b"123")
    for path in (blobs.path(kept), blobs.path(old), left_over):
        os.utime(path, (1, 1))
    pruned = await blobs.prune({kept.sha256})
    assert (pruned.files, pruned.size) == (2, old.size + 3)
    assert await blobs.read(kept)
    assert await blobs.read(young)
    assert not blobs.path(old).exists()
    assert not left_over.exists()


async def test_putting_again_makes_young(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    data = picture("PNG")
    blob = await blobs.put(data)
    os.utime(blobs.path(blob), (1, 1))
    await blobs.put(data)
    assert (await blobs.prune(())).files == 0


SMALL_DISK = """
import asyncio, sys
from pathlib import Path
from sidecar.errors import StoreError
from sidecar.store import Blobs, State
async def main(root):
    blobs = Blobs(root / "blobs")
    kept = await blobs.put(b"small")
    try:
        await blobs.put(b"x" * 2_000_000)
    except StoreError as error:
        print(error)
    print([p.name for p in (root / "blobs" / "tmp").iterdir()], (await blobs.read(kept)).decode())
    await blobs.put(b"y" * 1_000_000)
    try:
        state = await State.open(root / "state.db")
        try:
            for number in range(1000):
                await state.note(str(number), "z" * 5000)
        finally:
            await state.close()
    except StoreError as error:
        print(error)
asyncio.run(main(Path("/mnt")))
"""


def in_namespace(command: str, program: str) -> str:
    """Run ``program`` in a user and mount namespace of its own, after ``command``; skip where the kernel has none."""
    whole = ["unshare", "-Urm", "sh", "-c", f'{command} && exec "$0" -c "$1"', sys.executable, program]
    if subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no user namespaces here")
    ran = subprocess.run(whole, capture_output=True, text=True, timeout=60, check=False, cwd=Path(__file__).parents[2])
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_a_full_disk_is_told_in_words() -> None:
    lines = in_namespace("mount -t tmpfs -o size=1500k none /mnt", SMALL_DISK).splitlines()
    assert "a picture in " in lines[0]
    assert "the disk is full" in lines[0]
    assert lines[1] == "[] small"
    assert "the disk is full" in lines[2]


READ_ONLY = """
import asyncio
from pathlib import Path
from sidecar.errors import StoreError
from sidecar.store import Blobs, State
async def main():
    for attempt in (Blobs(Path("/mnt/blobs")).put(b"x"), State.open(Path("/mnt/state.db"))):
        try:
            await attempt
        except StoreError as error:
            print(error)
asyncio.run(main())
"""


def test_a_read_only_disk_is_told_in_words() -> None:
    lines = in_namespace("mount -t tmpfs -o ro,size=1m none /mnt", READ_ONLY).splitlines()
    assert len(lines) == 2
    assert all("read-only" in line for line in lines)
