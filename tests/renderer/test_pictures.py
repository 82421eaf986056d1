"""What is kept of pictures is what Pillow would make again, to the pixel and with all it carries."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from PIL import features

from renderer.pictures import Pictures

CANVAS = (100, 150)


def draw(path: Path, mode: str = "RGB", **how: Any) -> str:
    picture = PIL.Image.radial_gradient("L").resize((130, 170))
    made = PIL.Image.merge("RGB", (picture, picture.rotate(90), picture.rotate(30))).convert(mode)
    made.save(path, **how)
    return str(path)


def original(image: Any, path: str) -> PIL.Image.Image:
    """As Kometa opens a poster."""
    with image.open(path) as poster:
        poster.getexif()
        return poster.convert("RGB").resize(CANVAS, image.Resampling.LANCZOS)  # type: ignore[no-any-return]


def badge(image: Any, path: str) -> PIL.Image.Image:
    """As Kometa opens an overlay's image."""
    with image.open(path) as picture:
        return picture.convert("RGBA")  # type: ignore[no-any-return]


def carried(picture: PIL.Image.Image, tmp_path: Path) -> bytes:
    picture.save(tmp_path / "out.webp", quality=90)
    return (tmp_path / "out.webp").read_bytes()


def kinds(tmp_path: Path) -> list[str]:
    exif = PIL.Image.Exif()
    exif[0x0110] = "camera"
    return [
        draw(tmp_path / "a.jpg", quality=90),
        draw(tmp_path / "b.jpg", exif=exif, icc_profile=b"profile" * 30, dpi=(72, 72)),
        draw(tmp_path / "c.png", "RGBA"),
        draw(tmp_path / "d.png", "P", transparency=3),
        draw(tmp_path / "e.webp", lossless=True),
        draw(tmp_path / "f.gif", "P"),
        draw(tmp_path / "g.png", "LA"),
    ]


@pytest.mark.parametrize("take", [original, badge])
def test_the_second_time_is_as_the_first(tmp_path: Path, take: Any) -> None:
    pictures = Pictures(tmp_path / "kept")
    image = pictures.module(PIL.Image)
    for path in kinds(tmp_path):
        plain = take(PIL.Image, path)
        for made in (take(image, path), take(image, path)):
            assert type(made) is type(plain)
            assert (made.mode, made.size, made.info, made.tobytes()) == (plain.mode, plain.size, plain.info, plain.tobytes())
            assert dict(made.getexif()) == dict(plain.getexif())
            assert carried(made, tmp_path) == carried(plain, tmp_path)
    assert pictures.kept >= 5
    assert pictures.used == pictures.kept


def test_what_was_given_may_be_drawn_on(tmp_path: Path) -> None:
    image = Pictures(tmp_path / "kept").module(PIL.Image)
    path = draw(tmp_path / "a.jpg")
    plain = original(PIL.Image, path)
    for _ in range(3):
        made = original(image, path)
        assert made.tobytes() == plain.tobytes()
        made.paste((1, 2, 3), (0, 0, 50, 50))
        made.close()


def test_other_bytes_are_another_picture(tmp_path: Path) -> None:
    image = Pictures(tmp_path / "kept").module(PIL.Image)
    path = draw(tmp_path / "a.png")
    first = badge(image, path)
    stamp = Path(path).stat()
    PIL.Image.new("RGB", (130, 170), "red").save(path)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert badge(image, path).tobytes() != first.tobytes()


def test_everything_else_is_pillows(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path / "kept")
    image = pictures.module(PIL.Image)
    path = draw(tmp_path / "a.jpg")
    with image.open(path) as picture:
        assert picture.size == (130, 170)
        assert picture.convert("L").mode == "L"
        assert picture.convert("RGB").size == (130, 170)
        assert picture.convert("RGB").resize((9, 9)).size == (9, 9)
        assert picture.convert("RGB").resize((9, 9), PIL.Image.Resampling.LANCZOS, (0, 0, 5, 5)).size == (9, 9)
        assert picture.convert("RGBA", None).mode == "RGBA"
    with (tmp_path / "a.jpg").open("rb") as file, image.open(file) as picture:
        assert isinstance(picture, PIL.Image.Image)
    assert image.new("RGB", (1, 1)).size == (1, 1)
    with pytest.raises(FileNotFoundError):
        image.open(str(tmp_path / "gone.jpg"))
    assert pictures.kept == 0


def test_damaged_and_unwritable_places_cost_only_time(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path / "kept")
    image = pictures.module(PIL.Image)
    path = draw(tmp_path / "a.jpg")
    plain = original(image, path)
    (kept,) = (tmp_path / "kept").iterdir()
    good = kept.read_bytes()
    zeros = b'["RGB", 100, 150]\n' + bytes(CANVAS[0] * CANVAS[1] * 3)
    flipped = good[:-1] + bytes([good[-1] ^ 1])
    emptied = good[: good.index(b"\n") + 1] + bytes(CANVAS[0] * CANVAS[1] * 3)  # as a power cut may leave it
    for damaged in (b"", b"[]", b'["RGB", 100, 150]\nshort', b'["X", 1, 1]\n', zeros, flipped, emptied):
        kept.write_bytes(damaged)
        assert original(image, path).tobytes() == plain.tobytes()
    (tmp_path / "file").write_text("")
    for nowhere in (None, tmp_path / "file" / "below"):
        other = Pictures(nowhere)
        assert original(other.module(PIL.Image), path).tobytes() == plain.tobytes()
        other.prune()


def test_another_decoder_is_not_given_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow of the same version, built with another libjpeg: its pixels differ by a little."""
    path = draw(tmp_path / "a.jpg")
    original(Pictures(tmp_path / "kept").module(PIL.Image), path)
    for decoder, used in (("another", 0), (features.version("libjpeg_turbo"), 1)):
        monkeypatch.setattr(features, "version", lambda name, mine=decoder, real=features.version: mine if "turbo" in name else real(name))
        again = Pictures(tmp_path / "kept")
        original(again.module(PIL.Image), path)
        assert again.used == used
        monkeypatch.undo()


def test_the_oldest_go_first(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path / "kept", most=100_000)
    image = pictures.module(PIL.Image)
    paths = [draw(tmp_path / f"{number}.jpg", quality=50 + number) for number in range(4)]
    for age, path in zip((4, 3, 2, 1), paths, strict=True):
        original(Pictures(tmp_path / "kept", most=100_000).module(PIL.Image), path)  # each by a child of its own
        newest = max((tmp_path / "kept").iterdir(), key=lambda entry: entry.stat().st_mtime_ns)
        os.utime(newest, (time.time() - 1000 * age,) * 2)
    original(image, paths[0])
    (tmp_path / "kept" / "left.1.new").write_bytes(b"x")
    pictures.prune()
    assert len(list((tmp_path / "kept").iterdir())) == 2
    pictures.used = 0
    original(image, paths[0])
    original(image, paths[3])
    assert pictures.used == 2


def test_one_run_writes_so_much_at_most(tmp_path: Path) -> None:
    """The parent prunes between runs only; a run of hundreds of posters must not fill the disk before that."""
    size = CANVAS[0] * CANVAS[1] * 3
    pictures = Pictures(tmp_path / "kept", most=4 * size)
    image = pictures.module(PIL.Image)
    for number in range(5):
        path = draw(tmp_path / f"{number}.png", compress_level=number)
        assert original(image, path).tobytes() == original(PIL.Image, path).tobytes()
    assert pictures.kept == 2
    assert len(list((tmp_path / "kept").iterdir())) == 2


def held(pictures: Pictures) -> None:
    """As between two renders: the parent hears what the child decoded, and is idle."""
    pictures.want([*pictures.news(), 3, "/elsewhere/x.png"])
    while pictures.step():
        pass


def test_kometas_own_images_are_held(tmp_path: Path) -> None:
    home = tmp_path / "kometa"
    home.mkdir()
    paths = kinds(home)
    pictures = Pictures(tmp_path / "kept", home=home)
    image = pictures.module(PIL.Image)
    for path in paths:
        badge(image, path)
    badge(image, draw(tmp_path / "own.png", "RGBA"))
    assert pictures.news() == paths, "of others nothing is held"
    held(pictures)
    pictures.used = 0
    for path in paths:
        plain = badge(PIL.Image, path)
        for _ in range(2):
            made = badge(image, path)
            assert type(made) is type(plain)
            assert (made.mode, made.size, made.info, made.tobytes()) == (plain.mode, plain.size, plain.info, plain.tobytes())
            assert carried(made, tmp_path) == carried(plain, tmp_path)
            made.paste((1, 2, 3), (0, 0, 50, 50))
            made.close()
        with image.open(path) as opened:
            assert opened.size == (130, 170)
            assert opened.convert("L").mode == "L"
    assert pictures.used == 0, "the files were not read"
    assert original(image, paths[0]).tobytes() == original(PIL.Image, paths[0]).tobytes()


def test_another_file_is_not_taken_for_the_held_one(tmp_path: Path) -> None:
    pictures = Pictures(home=tmp_path)
    image = pictures.module(PIL.Image)
    path = draw(tmp_path / "a.png", "RGBA")
    badge(image, path)
    held(pictures)
    assert pictures.held(path) is not None
    PIL.Image.new("RGBA", (130, 170), "red").save(path)
    assert pictures.held(path) is None
    assert badge(image, path).getpixel((0, 0)) == (255, 0, 0, 255)
    held(pictures)
    assert pictures.held(path) is not None
    Path(path).unlink()
    assert pictures.held(path) is None
    with pytest.raises(FileNotFoundError):
        image.open(path)
    pictures.want([path])
    held(pictures)


def test_only_so_much_is_held(tmp_path: Path) -> None:
    size = 130 * 170 * 4
    pictures = Pictures(home=tmp_path, held=2 * size)
    image = pictures.module(PIL.Image)
    paths = [draw(tmp_path / f"{number}.png", "RGBA") for number in range(3)]
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for path in paths:
        badge(image, path)
    pictures.want([str(tmp_path / "broken.png")])
    held(pictures)
    assert [pictures.held(path) is not None for path in paths] == [True, True, False]
    pictures.want(paths[2:])
    assert not pictures.step(), "for which there is no room is not decoded after each render"
    pictures.want(paths[:1])
    held(pictures)
    assert [pictures.held(path) is not None for path in paths] == [True, True, False], "one decoded anew takes its own room"
