"""Pictures drawn at start: posters (1000x1500, some 2000x3000), 16:9 stills (1920x1080), square covers, backgrounds.

Deterministic: the same words and seed give the same bytes with the same Pillow. Nothing is read from disk: the font is
Pillow's own. A 1000x1500 poster takes 30 to 60 ms; callers on an event loop use a thread.
"""

from __future__ import annotations

import colorsys
import io
import random
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]

PALETTES = (
    (0xF2B880, 0xB4503C, 0x3B1F2B, 0xFFE3B3),
    (0x7FB7BE, 0x1F4E5F, 0x0B2027, 0xF4D58D),
    (0xE8A0BF, 0x6B2D5C, 0x220A2B, 0xFFD6E8),
    (0x9AD1A9, 0x2D6A4F, 0x0B2B21, 0xF1FAEE),
    (0xF6C667, 0x9C4A1A, 0x2B1408, 0xFFF1C9),
    (0x8FA6E8, 0x2B3A8C, 0x0C1033, 0xFFC6A8),
    (0xD9D3C7, 0x6F6A5E, 0x1E1C19, 0xC8553D),
    (0xFF8C69, 0x7A1E3A, 0x1F0812, 0xFFD97D),
    (0x76C7C0, 0x345995, 0x101935, 0xFB4D3D),
    (0xB79CED, 0x4B2E83, 0x160B33, 0x9CF6F6),
    (0xC9E4CA, 0x55828B, 0x1B2F38, 0xFFB570),
    (0x5D737E, 0x28343A, 0x0A0F12, 0xE0B354),
)
"""Sky, ground, shadow and accent, as RGB."""

FORMATS = {"jpg": ("JPEG", "image/jpeg"), "png": ("PNG", "image/png"), "webp": ("WEBP", "image/webp")}


@dataclass(frozen=True, slots=True)
class Drawing:
    """What to draw. Sizes are pixels."""

    title: str
    subtitle: str
    seed: int
    width: int = 1000
    height: int = 1500
    format: str = "jpg"
    """jpg, png or webp."""
    words: bool = True
    """False for backgrounds."""

    @property
    def media_type(self) -> str:
        return FORMATS[self.format][1]


def draw(drawing: Drawing) -> bytes:
    """The picture's file."""
    chance = random.Random(f"demo/{drawing.seed}")  # noqa: S311 (repeatable art, not a secret; of a text, for near seeds resemble each other)
    light, middle, deep, accent = (_shift(colour, chance) for colour in chance.choice(PALETTES))
    # Drawn at 500 pixels' width and enlarged: soft shapes cost little, the words are drawn sharp afterwards.
    width = 500 if drawing.height > drawing.width else 960
    height = round(width * drawing.height / drawing.width)
    picture = _gradient(width, height, light, middle)
    motif = chance.choice((_suns, _hills, _towers, _waves, _rays, _orbits))
    motif(picture, chance, accent, deep, light)
    corners = Image.radial_gradient("L").resize(picture.size).point(lambda value: max(0, value - 96) * 2 // 3)
    picture.paste((10, 8, 18), (0, 0), corners)
    picture = picture.resize((drawing.width, drawing.height), Image.Resampling.BICUBIC)
    if drawing.words:
        _words(picture, drawing, accent)
    buffer = io.BytesIO()
    name = FORMATS[drawing.format][0]
    if name == "PNG":
        picture.save(buffer, name, compress_level=3)
    else:
        picture.save(buffer, name, quality=92)
    return buffer.getvalue()


def _shift(colour: int, chance: random.Random) -> Colour:
    """A palette's colour, a little off, so that no two pictures are alike."""
    hue, saturation, value = colorsys.rgb_to_hsv((colour >> 16) / 255, (colour >> 8 & 255) / 255, (colour & 255) / 255)
    red, green, blue = colorsys.hsv_to_rgb(
        (hue + chance.uniform(-0.02, 0.02)) % 1, saturation, min(1.0, value * chance.uniform(0.94, 1.06))
    )
    return round(red * 255), round(green * 255), round(blue * 255)


def _gradient(width: int, height: int, top: Colour, bottom: Colour) -> Image.Image:
    mask = Image.linear_gradient("L").resize((width, height))
    return Image.composite(Image.new("RGB", (width, height), bottom), Image.new("RGB", (width, height), top), mask)


def _suns(picture: Image.Image, chance: random.Random, accent: Colour, deep: Colour, light: Colour) -> None:
    layer = ImageDraw.Draw(picture, "RGBA")
    x, y, radius = picture.width * (0.3 + chance.random() * 0.4), picture.height * 0.36, picture.width * 0.36
    for ring in range(6, 0, -1):
        size = radius * (0.55 + ring * 0.13)
        layer.ellipse((x - size, y - size, x + size, y + size), fill=(*accent, 26))
    layer.ellipse((x - radius * 0.6, y - radius * 0.6, x + radius * 0.6, y + radius * 0.6), fill=(*accent, 235))
    _ridge(layer, picture, chance, deep, 0.66, 0.1, 255)


def _hills(picture: Image.Image, chance: random.Random, accent: Colour, deep: Colour, light: Colour) -> None:
    layer = ImageDraw.Draw(picture, "RGBA")
    radius = picture.width * 0.13
    x, y = picture.width * (0.2 + chance.random() * 0.6), picture.height * 0.22
    layer.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(*light, 240))
    for step in range(5):
        mixed = tuple((a * (5 - step) + b * step) // 5 for a, b in zip(accent, deep, strict=True))
        _ridge(layer, picture, chance, (mixed[0], mixed[1], mixed[2]), 0.36 + step * 0.11, 0.09, 230)


def _ridge(
    layer: ImageDraw.ImageDraw, picture: Image.Image, chance: random.Random, colour: Colour, level: float, swing: float, alpha: int
) -> None:
    points = [(0.0, float(picture.height))]
    steps = 12
    for step in range(steps + 1):
        points.append((picture.width * step / steps, picture.height * (level + (chance.random() - 0.5) * swing)))
    points.append((float(picture.width), float(picture.height)))
    layer.polygon(points, fill=(*colour, alpha))


def _towers(picture: Image.Image, chance: random.Random, accent: Colour, deep: Colour, light: Colour) -> None:
    layer = ImageDraw.Draw(picture, "RGBA")
    x = 0.0
    while x < picture.width:
        wide = picture.width * (0.06 + chance.random() * 0.1)
        top = picture.height * (0.25 + chance.random() * 0.35)
        layer.rectangle((x, top, x + wide - 3, picture.height), fill=(*deep, 235))
        for row in range(int(top) + 8, picture.height, 16):
            for column in range(int(x) + 6, int(x + wide) - 9, 12):
                if chance.random() < 0.3:
                    layer.rectangle((column, row, column + 5, row + 7), fill=(*accent, 220))
        x += wide


def _waves(picture: Image.Image, chance: random.Random, accent: Colour, deep: Colour, light: Colour) -> None:
    layer = ImageDraw.Draw(picture, "RGBA")
    for row in range(9):
        y = picture.height * (0.28 + row * 0.075)
        colour = (*(accent if row % 2 else deep), 150)
        shift = chance.random() * picture.width
        size = picture.width * 0.24
        for step in range(-2, 7):
            x = step * size * 0.9 + shift % size - size
            layer.pieslice((x, y - size / 2, x + size, y + size / 2), 0, 180, fill=colour)


def _rays(picture: Image.Image, chance: random.Random, accent: Colour, deep: Colour, light: Colour) -> None:
    layer = ImageDraw.Draw(picture, "RGBA")
    x, y, far = picture.width * (0.25 + chance.random() * 0.5), picture.height * 0.42, max(picture.size) * 1.6
    for step in range(0, 360, 20):
        layer.pieslice((x - far, y - far, x + far, y + far), step, step + 9, fill=(*accent, 95))
    size = picture.width * 0.17
    layer.polygon([(x, y - size), (x + size, y), (x, y + size), (x - size, y)], fill=(*deep, 245))
    layer.polygon([(x, y - size / 2), (x + size / 2, y), (x, y + size / 2), (x - size / 2, y)], fill=(*light, 245))


def _orbits(picture: Image.Image, chance: random.Random, accent: Colour, deep: Colour, light: Colour) -> None:
    stars = ImageDraw.Draw(picture, "RGBA")
    for _ in range(90):
        x, y = chance.random() * picture.width, chance.random() * picture.height * 0.7
        stars.ellipse((x, y, x + 2, y + 2), fill=(*light, 190))
    x, y, size = picture.width * 0.5, picture.height * 0.38, picture.width * 0.19
    for ring in range(3):
        wide, flat = size * (1.5 + ring * 0.35), size * (0.36 + ring * 0.12)
        stars.ellipse((x - wide, y - flat, x + wide, y + flat), outline=(*accent, 200 - ring * 45), width=5)
    glow = Image.new("L", picture.size, 0)
    ImageDraw.Draw(glow).ellipse((x - size, y - size, x + size, y + size), fill=210)
    picture.paste(deep, (0, 0), glow.filter(ImageFilter.GaussianBlur(9)))


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType: its default font cannot be scaled")
    return font


def _words(picture: Image.Image, drawing: Drawing, accent: Colour) -> None:
    layer = ImageDraw.Draw(picture, "RGBA")
    margin = picture.width // 14
    # The default font has ASCII only; other letters would show as boxes.
    title = unicodedata.normalize("NFKD", drawing.title).encode("ascii", "ignore").decode().upper()
    size = picture.width // (9 if picture.height >= picture.width else 16)
    lines = _wrap(title, _font(size), picture.width - 2 * margin)
    y = picture.height - margin - size * 0.75 - len(lines) * size * 1.08
    shade = Image.linear_gradient("L").resize((picture.width, int(picture.height - y + size * 1.5)))
    picture.paste((8, 8, 14), (0, picture.height - shade.height), shade.point(lambda value: value * 4 // 5))
    for line in lines:
        layer.text((margin, y), line, font=_font(size), fill="white", stroke_width=max(1, size // 40), stroke_fill=(8, 8, 14))
        y += size * 1.08
    layer.rectangle((margin, y + size * 0.12, margin + size * 1.6, y + size * 0.2), fill=accent)
    layer.text((margin, y + size * 0.32), drawing.subtitle, font=_font(max(12, size // 3)), fill=(240, 240, 240))


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
