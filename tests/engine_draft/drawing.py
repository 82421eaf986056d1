"""Pictures, a font and small configs for the tests, made on the spot."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from sidecar import yamlfile
from sidecar.engine.draft.compiled import Compiled, compile_library
from sidecar.engine.draft.facts import Facts, read_facts
from sidecar.engine.draft.resources import Shelf
from sidecar.model import LibraryPlan

NOW = datetime(2026, 11, 21, 1, 0)  # noqa: DTZ001 - naive local time, as Kometa takes it


def gradient(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    """A picture in which every region differs, so that a shift shows."""
    image = Image.linear_gradient("L").resize(size)
    image = Image.merge("RGB", (image, image.rotate(180), Image.radial_gradient("L").resize(size)))
    return image.convert(mode)


def pictures(folder: Path) -> None:
    """The files that cases.py names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in (("tall.jpg", (1000, 1500)), ("wide.jpg", (1920, 1080)), ("small.jpg", (600, 901)), ("large.jpg", (2500, 1406))):
        gradient(size).save(folder / name, quality=90)
    gradient((300, 450)).quantize(32).save(folder / "palette.png")
    alpha = gradient((300, 450)).convert("RGBA")
    alpha.putalpha(Image.linear_gradient("L").resize(alpha.size))
    alpha.save(folder / "alpha.png", icc_profile=bytes(128))
    for name, size in (("badge.png", (120, 80)), ("wide.png", (500, 60)), ("frame.png", (1000, 1500))):
        badge = Image.new("RGBA", size, (0, 0, 0, 0))
        ImageDraw.Draw(badge).rounded_rectangle(
            (3, 3, size[0] - 4, size[1] - 4), 12, fill=(200, 30, 60, 150), outline=(255, 255, 255, 255), width=5
        )
        badge.save(folder / name)
    (folder / "font.ttf").write_bytes(font_bytes())


def font_bytes() -> bytes:
    """A TrueType font that every machine with Pillow has: Pillow's own."""
    font = ImageFont.load_default(10)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return bytes(font.font_bytes)


def compiled(
    root: Path, overlays: Mapping[str, Any], kind: str = "movie", settings: Mapping[str, Any] | None = None, **file: Any
) -> Compiled:
    """``overlays`` (and the other keys of an overlay file) written to ``root``/config/own.yml and compiled."""
    (root / "config").mkdir(parents=True, exist_ok=True)
    (root / "config" / "own.yml").write_text(yamlfile.dump({"overlays": overlays, **file}), encoding="utf-8")
    config = {"libraries": {"L": {"overlay_files": [{"file": "config/own.yml"}]}}, "settings": settings or {}}
    return compile_library(config, LibraryPlan(name="L", key="L"), kind, Shelf(root), NOW)


def facts(xml: str, level: str = "movie", show: str = "", season: str = "") -> Facts:
    """Facts of an item given as XML."""
    from defusedxml.ElementTree import fromstring

    above = read_facts(fromstring(show), "show") if show else None
    return read_facts(fromstring(xml), level, show=above, season=read_facts(fromstring(season), "season") if season else None)
