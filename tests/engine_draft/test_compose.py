"""Pixels: expectations worked out by hand, no stored pictures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sidecar.engine.draft.compose import DrawError, Layer, Order, has_overlay, render
from sidecar.engine.draft.spec import read_overlay
from tests.engine_draft.drawing import font_bytes

GREY = (100, 100, 100)


def art(size: tuple[int, int] = (1000, 1500), mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, GREY if mode == "RGB" else (*GREY, 10)).save(out, "PNG")
    return out.getvalue()


def drawn(*layers: Layer, blur: int = 0, canvas: tuple[int, int] = (1000, 1500)) -> Image.Image:
    data = render(art(), Order(canvas=canvas, layers=layers, blur=blur, filetype="png")).data
    with Image.open(io.BytesIO(data)) as image:
        return image.copy()


def layer(image: Path | None = None, **overlay: Any) -> Layer:
    spec = read_overlay({"name": "x", **overlay, **({"file": "f"} if image else {})}, "x")
    text = spec.text.template if spec.text else ""
    return Layer(key="x", spec=spec, text=text, image=str(image or ""))


@pytest.fixture
def red(tmp_path: Path) -> Path:
    Image.new("RGBA", (100, 50), (200, 0, 0, 255)).save(tmp_path / "red.png")
    return tmp_path / "red.png"


@pytest.mark.parametrize("canvas", [(1000, 1500), (1920, 1080)])
def test_the_canvas_is_the_items(canvas: tuple[int, int]) -> None:
    image = drawn(canvas=canvas)
    assert (image.size, image.mode, image.getcolors()) == (canvas, "RGB", [(canvas[0] * canvas[1], GREY)])


def test_an_image_covers_its_pixels_and_no_others(red: Path) -> None:
    image = drawn(layer(red, horizontal_align="right", horizontal_offset=20, vertical_align="bottom", vertical_offset="10%"))
    changed = Image.eval(image.getchannel("G"), lambda value: 255 * (value != 100)).getbbox()
    assert changed == (880, 1300, 980, 1350)
    assert image.getpixel((880, 1300)) == (200, 0, 0)


def test_a_backdrop_blends(red: Path) -> None:
    image = drawn(layer(name="backdrop", back_color="#FFFFFF80", back_width=99, back_height=49, horizontal_offset=10, vertical_offset=20))
    blended = round(100 + (255 - 100) * 128 / 255)
    assert image.getpixel((10, 20)) == (blended,) * 3
    assert image.getpixel((109, 69)) == (blended,) * 3
    assert image.getpixel((110, 69)) == GREY
    assert image.getpixel((9, 20)) == GREY


def test_padding_radius_and_line(red: Path) -> None:
    box = {"back_color": "#000", "back_padding": 10, "back_radius": 8, "back_line_color": "#0F0", "back_line_width": 2}
    image = drawn(layer(red, horizontal_offset=100, vertical_offset=100, **box))
    assert image.getpixel((90, 90)) == GREY, "the corner is round"
    assert image.getpixel((150, 90)) == (0, 255, 0)
    assert image.getpixel((150, 91)) == (0, 255, 0)
    assert image.getpixel((150, 92)) == (0, 0, 0)
    assert image.getpixel((100, 100)) == (200, 0, 0)
    assert image.getpixel((150, 160)) == (0, 255, 0)


def test_an_image_without_place_is_laid_over_everything(red: Path) -> None:
    assert drawn(layer(red)).getcolors() == [(1_500_000, (200, 0, 0))]


def test_text_stands_where_its_box_says() -> None:
    image = drawn(layer(name="text(H)", font_size=80, font_color="#FFF", horizontal_offset=200, vertical_offset=300))
    box = Image.eval(image.getchannel("G"), lambda value: 255 * (value != 100)).getbbox()
    assert box is not None
    assert box[1] == 300, "the top of the letter is at the offset"
    assert 200 <= box[0] < 212
    assert 50 < box[3] - box[1] < 70


def test_a_stroke_is_drawn_round_the_letters() -> None:
    plain = {"name": "text(H)", "font_size": 80, "font_color": "#FFF", "horizontal_offset": 200, "vertical_offset": 300}
    image = drawn(layer(**plain, stroke_width=6, stroke_color="#F00"))
    colours = {colour for _, colour in image.getcolors(1 << 20) or []}
    assert {(255, 0, 0), (255, 255, 255)} <= colours


def test_a_fonts_file_is_used_and_its_size(tmp_path: Path) -> None:
    (tmp_path / "font.ttf").write_bytes(font_bytes())
    one = layer(name="text(Hello)", horizontal_offset=10, vertical_offset=10, font_size=40, font_style="Bold")
    named = Layer(key="x", spec=one.spec, text="Hello", font=str(tmp_path / "font.ttf"))
    assert (
        drawn(named).tobytes()
        == drawn(one).tobytes()
        != drawn(layer(name="text(Hello)", horizontal_offset=10, vertical_offset=10)).tobytes()
    )


def test_blur_blurs_the_poster_and_not_the_overlays(red: Path) -> None:
    out = io.BytesIO()
    halves = Image.new("RGB", (1000, 1500))
    halves.paste((255, 255, 255), (500, 0, 1000, 1500))
    halves.save(out, "PNG")
    order = Order(canvas=(1000, 1500), layers=(layer(red, horizontal_offset=450, vertical_offset=0),), blur=20, filetype="png")
    with Image.open(io.BytesIO(render(out.getvalue(), order).data)) as image:
        assert 100 < image.getpixel((500, 700))[0] < 160  # type: ignore[index]
        assert image.getpixel((449, 0)) != (200, 0, 0)
        assert image.getpixel((450, 0)) == (200, 0, 0)


@pytest.mark.parametrize(("filetype", "expected"), [("webp_lossy", "WEBP"), ("webp_lossless", "WEBP"), ("jpg", "JPEG"), ("png", "PNG")])
def test_the_file_is_of_the_kind_that_is_set_and_marked(filetype: str, expected: str) -> None:
    data = render(art(), Order(canvas=(1000, 1500), filetype=filetype, quality=50)).data
    assert has_overlay(data)
    assert not has_overlay(art())
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == expected
        assert image.getexif()[0x04BC] == "overlay"


def test_quality_matters_and_the_same_is_the_same() -> None:
    out = io.BytesIO()
    Image.radial_gradient("L").resize((1000, 1500)).save(out, "PNG")
    sizes = [len(render(out.getvalue(), Order(canvas=(1000, 1500), filetype="jpg", quality=quality)).data) for quality in (10, 90, 90)]
    assert sizes[0] < sizes[1] == sizes[2]


def test_boxes_are_told(red: Path) -> None:
    order = Order(canvas=(1000, 1500), layers=(layer(red, horizontal_offset=5, vertical_offset=6, scale_width=50),), filetype="jpg")
    assert render(art(), order).boxes == ((5, 6, 50, 25),)


def test_what_cannot_be_drawn_names_the_overlay(red: Path) -> None:
    one = layer(red, horizontal_offset=0, vertical_offset=0)
    red.write_bytes(b"gone")
    with pytest.raises(DrawError, match=r"^x: "):
        drawn(one)


def test_no_picture_is_an_os_error() -> None:
    with pytest.raises(OSError, match="cannot identify"):
        render(b"<html>", Order(canvas=(1000, 1500)))
