"""The compositor: a poster and layers in, the drawn poster's bytes out. Only stdlib and Pillow, so that Kometa's own
interpreter can run it for the comparison of the two.

The order of the steps, the resampling and the save parameters are Kometa 2.4.4's, so that equal input gives equal pixels.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from sidecar.engine.draft.geometry import Box, Place, lay_out, scaled
from sidecar.engine.draft.spec import OverlaySpec, Text

EXIF_OVERLAY: Final = 0x04BC
"""The EXIF tag that says ``overlay``: how Kometa knows its own pictures again."""

FORMATS: Final = {"webp_lossy": "WEBP", "webp_lossless": "WEBP", "jpg": "JPEG", "png": "PNG"}

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


class DrawError(Exception):
    """An overlay cannot be drawn on this item; Kometa fails on the whole item then."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One overlay on one item."""

    key: str
    """The definition's name."""
    spec: OverlaySpec
    text: str = ""
    """With its variables filled in."""
    image: str = ""
    """Path of the image."""
    font: str = ""
    """Path of the font; empty for Pillow's built-in one."""
    slot: Place | None = None
    """The queue's position, for overlays of a queue."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to draw on one poster."""

    canvas: tuple[int, int]
    blur: int = 0
    layers: tuple[Layer, ...] = ()
    filetype: str = "webp_lossy"
    quality: int = 90


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A drawn poster. ``boxes`` are x, y, width, height of each layer, without padding, by its place in the order."""

    data: bytes
    boxes: tuple[tuple[int, int, int, int], ...] = ()


def has_overlay(data: bytes) -> bool:
    """Whether a picture carries the EXIF tag of one that Kometa (or the draft) drew. OSError where it is no picture."""
    with Image.open(io.BytesIO(data)) as image:
        return bool(image.getexif().get(EXIF_OVERLAY) == "overlay")


def render(art: bytes, order: Order) -> Drawn:
    """Draw ``order`` on the poster ``art``. OSError where ``art`` is no picture, DrawError where an overlay cannot be drawn."""
    with Image.open(io.BytesIO(art)) as source:
        exif = source.getexif()
        exif[EXIF_OVERLAY] = "overlay"
        poster = source.convert("RGB").resize(order.canvas, Image.Resampling.LANCZOS)
    poster, boxes = compose(poster, order)
    out = io.BytesIO()
    if order.filetype in ("jpg", "webp_lossy"):
        poster.save(out, FORMATS[order.filetype], exif=exif, quality=order.quality)
    elif order.filetype == "webp_lossless":
        poster.save(out, FORMATS[order.filetype], exif=exif, lossless=True)
    else:
        poster.save(out, FORMATS[order.filetype], exif=exif)
    return Drawn(data=out.getvalue(), boxes=boxes)


def compose(poster: Image.Image, order: Order) -> tuple[Image.Image, tuple[tuple[int, int, int, int], ...]]:
    """Blur, then every layer in turn, on a poster that has the canvas's size."""
    if order.blur > 0:
        poster = poster.filter(ImageFilter.GaussianBlur(order.blur))
    boxes = []
    for layer in order.layers:
        try:
            poster, box = _draw(poster, order.canvas, layer)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise DrawError(f"{layer.key}: {error}") from error
        boxes.append(box)
    return poster, tuple(boxes)


def _draw(poster: Image.Image, canvas: tuple[int, int], layer: Layer) -> tuple[Image.Image, tuple[int, int, int, int]]:
    spec = layer.spec
    image = _image(layer) if layer.image else None
    if spec.kind == "image" and image is not None and layer.slot is None and not spec.place.given:
        stretched = poster.resize(image.size, Image.Resampling.LANCZOS)
        stretched.paste(image, (0, 0), image)
        return stretched.resize(canvas, Image.Resampling.LANCZOS), (0, 0, *canvas)
    font = _font(spec.text, layer.font) if spec.text else None
    extent = None
    if font:
        edges = ImageDraw.Draw(Image.new("RGBA", (0, 0))).textbbox((0, 0), layer.text, font=font, anchor="lt")
        extent = (edges[2], edges[3])
    layout = lay_out(
        canvas,
        spec.place.within(layer.slot),
        spec.back,
        text=extent,
        image=image.size if image else None,
        side=spec.addon_side,
        gap=spec.addon_gap,
    )
    if layout.text or layout.back:
        sheet = Image.new("RGBA", canvas, (255, 255, 255, 0))
        pen = ImageDraw.Draw(sheet)
        if layout.back:
            _box(pen, layout.back, spec)
        if layout.text and spec.text:
            pen.text(
                layout.text,
                layer.text,
                font=font,
                fill=spec.text.colour,
                stroke_fill=spec.text.stroke_colour,
                stroke_width=spec.text.stroke_width,
                anchor="lt",
            )
        poster.paste(sheet, (0, 0), sheet)
    if image and layout.image:
        poster.paste(image, layout.image, image)
    return poster, layout.outline


def _box(pen: ImageDraw.ImageDraw, box: Box, spec: OverlaySpec) -> None:
    if spec.back_radius:
        pen.rounded_rectangle(box, fill=spec.back_colour, outline=spec.line_colour, width=spec.line_width, radius=spec.back_radius)
    else:
        pen.rectangle(box, fill=spec.back_colour, outline=spec.line_colour, width=spec.line_width)


def _image(layer: Layer) -> Image.Image:
    with Image.open(layer.image) as source:
        image = source.convert("RGBA")
    spec = layer.spec
    if spec.scale_width or spec.scale_height:
        image = image.resize(scaled(image.size, spec.scale_width, spec.scale_height), Image.Resampling.LANCZOS)
    return image


def _font(text: Text, path: str) -> Font:
    if not path:
        return ImageFont.load_default(text.size)
    font = ImageFont.truetype(path, text.size)
    if text.style:
        try:
            font.set_variation_by_name(text.style)
        except OSError:
            return font  # not a variable font: Kometa warns and goes on
    return font
