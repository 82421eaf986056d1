"""Finds the images and fonts that overlay files name, in the revision's frozen tree (and in a Kometa checkout, fonts only)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageFont

from sidecar.engine.draft.geometry import scaled
from sidecar.engine.draft.spec import OverlaySpec, Refused, Text
from sidecar.model import FrozenFile

DEFAULT_FONT: Final = "fonts/Roboto-Medium.ttf"
"""Kometa's, in its own checkout: the draft has none."""


@dataclass(frozen=True)
class Shelf:
    """Where named files are looked for."""

    root: Path
    """``Revision.root``: what stands for Kometa's working directory."""
    files: tuple[FrozenFile, ...] = ()
    kometa_home: Path | None = None

    def find(self, written: str) -> Path | None:
        """The frozen copy of a file as an overlay file names it: below the working directory, or by where it was read."""
        path = Path(written)
        if not path.is_absolute():
            inside = (self.root / path).resolve()
            if inside.is_relative_to(self.root.resolve()) and inside.is_file():
                return inside
        for file in self.files:
            if file.origin == path and (self.root / file.path).is_file():
                return self.root / file.path
        return None

    def folder(self, written: str) -> tuple[Path, ...]:
        """The YAML files of a folder, .yml before .yaml, by name."""
        path = Path(written)
        inside = (self.root / path).resolve()
        if not path.is_absolute() and inside.is_dir() and inside.is_relative_to(self.root.resolve()):
            return (*sorted(inside.glob("*.yml")), *sorted(inside.glob("*.yaml")))
        found = [file for file in self.files if file.origin.parent == path and file.origin.suffix in (".yml", ".yaml")]
        return tuple(self.root / file.path for file in sorted(found, key=lambda file: (file.origin.suffix != ".yml", file.origin.name)))

    def image(self, spec: OverlaySpec) -> str:
        """Path of the overlay's image, checked to be one. Refused where it is missing or no picture."""
        path = self.find(spec.file)
        if path is None:
            raise Refused("file", f"the image '{spec.file}' does not exist")
        try:
            with Image.open(path) as image:
                size = scaled(image.size, spec.scale_width, spec.scale_height)
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise Refused("file", f"'{spec.file}' is not a picture that can be read") from error
        if min(size) < 1:
            raise Refused("scale_width" if spec.scale_width else "scale_height", "nothing is left of the image at this scale")
        return str(path)

    def font(self, text: Text) -> tuple[str, str]:
        """Path of the text's font, and a warning. An empty path is Pillow's built-in font. Refused where it is no font."""
        written = text.font or DEFAULT_FONT
        path = self.find(written)
        if path is None and self.kometa_home is not None:
            places = (self.kometa_home / written, self.kometa_home / "fonts" / written)
            path = next((place for place in places if place.is_file()), None)
        if path is None:
            what = f"the font '{written}'" if text.font else f"Kometa's own font, {DEFAULT_FONT},"
            return "", f"{what} is not there; the draft writes with Pillow's built-in font, whose letters are of another width"
        try:
            font = ImageFont.truetype(path, text.size)
        except (OSError, ValueError) as error:
            raise Refused("font", f"'{written}' is not a font that can be read") from error
        if text.style:
            try:
                styles = [name.decode("utf-8", "replace") for name in font.get_variation_names()]
            except OSError:
                return str(path), f"the font '{written}' has no styles; font_style is ignored, by Kometa too"
            if text.style not in styles:
                raise Refused("font_style", f"'{written}' has no style '{text.style}'; it has {', '.join(styles)}")
        return str(path), ""
