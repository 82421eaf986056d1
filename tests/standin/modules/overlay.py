"""One overlay: what to draw and where. Its pixels are the stand-in's own, not Kometa's."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image, ImageColor, ImageDraw, ImageFont

from modules import util
from modules.util import OverlayError, parse_int

logger = util.logger

HOME = Path(__file__).parent.parent
CANVAS = {"episode": (1920, 1080), "album": (1000, 1000)}
PORTRAIT = (1000, 1500)
ALIGNMENTS = {"horizontal_align": ("left", "center", "right"), "vertical_align": ("top", "center", "bottom")}

SPECIAL = {
    "title": lambda item: item.title,
    "year": lambda item: item.year,
    "edition": lambda item: item.editionTitle,
    "content_rating": lambda item: item.contentRating,
    "critic_rating": lambda item: item.rating,
    "audience_rating": lambda item: item.audienceRating,
    "user_rating": lambda item: item.userRating,
    "runtime": lambda item: round(item.duration / 60000) if item.duration else None,
    "season_number": lambda item: item.seasonNumber,
    "episode_number": lambda item: item.index,
    "show_title": lambda item: item.grandparentTitle if item.type == "episode" else item.parentTitle,
}
"""What ``<<name>>`` in a text stands for; a rating may carry % (times ten) or # (without .0)."""

VARIABLE = re.compile(r"<<(\w+)([%#]?)>>")


class Overlay:
    """OverlayError where a value is wrong; unknown attributes are passed over, as Kometa does."""

    def __init__(self, config, library, overlay_file, original_mapping_name, overlay_data, suppress, level) -> None:
        logger.debug("Validating Method: overlay")
        logger.debug(f"Value: {overlay_data}")
        if not isinstance(overlay_data, dict):
            overlay_data = {"name": str(overlay_data)}
            logger.warning(f"Overlay Warning: No overlay attribute using mapping name {original_mapping_name} as the overlay name")
        if not overlay_data.get("name"):
            raise OverlayError("Overlay Error: Overlays must have the 'name' attribute")
        self.data = overlay_data
        self.library = library
        self.overlay_file = overlay_file
        self.original_mapping_name = original_mapping_name
        self.level = level
        self.name = str(overlay_data["name"])
        prefix = f"Overlay File ({overlay_file.file_num}) "
        self.mapping_name = f"{prefix}{original_mapping_name}"
        self.suppress = [prefix + each for each in suppress]
        self.keys: list[int] = []
        self._read_rank(overlay_file)
        self.place = read_place(overlay_data)
        self.back_color = self._color("back_color")
        self.back_line_color = self._color("back_line_color")
        self.back_line_width = self._int("back_line_width", 1 if self.back_line_color else 0)
        self.back_radius = self._int("back_radius", 0)
        self.back_padding = self._int("back_padding", 0)
        self.back_box = (self._int("back_width", -1), self._int("back_height", -1))
        self.has_back = bool(self.back_color or self.back_line_color)
        self.image: Image.Image | None = None
        self.font = None
        if "|" in self.name:
            raise OverlayError(f"Overlay Error: Overlay name '{self.name}' cannot contain the '|' character")
        self.kind = next((kind for kind in ("blur", "backdrop", "text") if self.name.startswith(kind)), "image")
        if self.kind == "blur":
            match = re.search(r"\((\d+)\)", self.name)
            self.blur = int(match[1]) if match and 0 < int(match[1]) <= 100 else 50
        elif self.kind == "text":
            self._read_text()
        elif self.kind == "image":
            self._read_image(self._image_path())

    def _read_rank(self, overlay_file) -> None:
        data = self.data
        self.group = str(data["group"]) if data.get("group") else None
        self.queue_name = str(data["queue"]) if data.get("queue") else None
        self.weight = parse_int(data["weight"], "weight", 0) if "weight" in data else None
        if self.group and self.queue_name:
            raise OverlayError("Overlay Error: Overlay attributes 'group' and 'queue' cannot be used together")
        for attribute in ("group", "queue"):
            if data.get(attribute) and self.weight is None:
                raise OverlayError(f"Overlay Error: Overlay attribute '{attribute}' requires the 'weight' attribute")
        if self.queue_name and self.queue_name not in overlay_file.queue_names:
            raise OverlayError(f"Overlay Error: Specified queue '{self.queue_name}' not found")
        self.queue = overlay_file.queue_names.get(self.queue_name)

    def _int(self, name, default):
        value = self.data.get(name)
        return default if value is None else parse_int(value, name, 0)

    def _color(self, name):
        if not self.data.get(name):
            return None
        try:
            return ImageColor.getcolor(str(self.data[name]), "RGBA")
        except ValueError as error:
            raise OverlayError(f"Overlay Error: Overlay value '{name}: {self.data[name]}' invalid") from error

    def _image_path(self) -> Path:
        if self.data.get("default"):
            name = str(self.data["default"]).removeprefix("overlays/images/")
            return HOME / "defaults" / "overlays" / "images" / (name if name.endswith(".png") else f"{name}.png")
        if self.data.get("file"):
            return Path(str(self.data["file"]))
        for far in ("url", "git", "repo"):
            if self.data.get(far):
                raise OverlayError(f"Overlay Error: the stand-in does not fetch images ({far})")
        return self.library.overlay_folder / f"{util.safe_name(self.name)}.png"

    def _read_image(self, path: Path) -> None:
        if not path.exists():
            raise OverlayError(f"Overlay Error: Overlay image not found at '{path}'")
        try:
            with Image.open(path) as image:
                self.image = image.convert("RGBA")
        except OSError as error:
            raise OverlayError(f"Overlay Error: Overlay image '{path}' failed to load") from error

    def _read_text(self) -> None:
        match = re.search(r"\((.+)\)", self.name, re.DOTALL)
        if not match:
            raise OverlayError(f"Overlay Error: Failed to parse overlay text name '{self.name}'")
        if self.place is None and not self.queue_name:
            raise OverlayError("Overlay Error: Overlay attributes 'horizontal_offset' and 'vertical_offset' are required when using 'text'")
        self.text = match[1]
        size = self._int("font_size", 36)
        wanted = str(self.data.get("font") or "")
        self.font_color = self._color("font_color")
        self.stroke_color = self._color("stroke_color")
        self.stroke_width = self._int("stroke_width", 0)
        path = next((each for each in (Path(wanted), HOME / wanted) if wanted and each.is_file()), None)
        if path is None and wanted and Path(wanted).name not in shipped_fonts():
            raise OverlayError(
                f"Overlay Error: Overlay font '{Path(wanted).absolute()}' not found. Available fonts: {', '.join(shipped_fonts())}"
            )
        self.font = ImageFont.truetype(path, size) if path else ImageFont.load_default(size)

    def text_for(self, item) -> str | None:
        """The text with its variables put in; None where the item lacks one."""
        missing = []

        def value(match: re.Match) -> str:
            name, mod = match.groups()
            found = SPECIAL[name](item) if name in SPECIAL else match[0]
            if found is None:
                missing.append(name)
            elif mod == "%":
                return str(round(float(found) * 10))
            elif mod == "#":
                return str(found).removesuffix(".0")
            return str(found)

        text = VARIABLE.sub(value, self.text)
        if missing:
            logger.warning(f"  Overlay Warning: No {missing[0]} found for {item.title}")
            return None
        return text

    def draw(self, poster: Image.Image, item, place=None) -> Image.Image:
        """``poster`` with this overlay on it; ``place`` is that of its queue."""
        place = place or self.place
        if self.kind == "backdrop":
            self._backdrop(poster, poster.size, place or Place())
        elif self.kind == "text":
            text = self.text_for(item)
            if text is not None:
                self._write(poster, text, place)
        elif place is None:
            full = self.image.resize(poster.size)
            poster.paste(full, (0, 0), full)
        else:
            poster.paste(self.image, self._backdrop(poster, self.image.size, place), self.image)
        return poster

    def _write(self, poster: Image.Image, text: str, place) -> None:
        box = self.get_text_size(text)
        at = self._backdrop(poster, (round(box[2]), round(box[3])), place)
        layer = Image.new("RGBA", poster.size, (255, 255, 255, 0))
        ImageDraw.Draw(layer).text(
            at, text, font=self.font, fill=self.font_color, stroke_width=self.stroke_width, stroke_fill=self.stroke_color, anchor="lt"
        )
        poster.paste(layer, (0, 0), layer)

    def _backdrop(self, poster: Image.Image, size, place) -> tuple[int, int]:
        """Draw the box behind content of ``size``, if there is one; returns where the content goes: in its middle."""
        left, top = self.get_coordinates(poster.size, size, place)
        wide, high = self._back(size)
        if self.has_back:
            pad = self.back_padding
            layer = Image.new("RGBA", poster.size, (255, 255, 255, 0))
            ImageDraw.Draw(layer).rounded_rectangle(
                (left - pad, top - pad, left + wide + pad, top + high + pad),
                self.back_radius,
                fill=self.back_color,
                outline=self.back_line_color,
                width=self.back_line_width,
            )
            poster.paste(layer, (0, 0), layer)
        return left + (wide - size[0]) // 2, top + (high - size[1]) // 2

    def _back(self, size) -> tuple[int, ...]:
        return tuple(own if own >= 0 else content for own, content in zip(self.back_box, size, strict=True))

    def has_coordinates(self) -> bool:
        return self.place is not None

    def get_text_size(self, text):
        return ImageDraw.Draw(Image.new("RGBA", (1, 1))).textbbox((0, 0), text, font=self.font, anchor="lt")

    def get_coordinates(self, canvas_box, box, new_cords=None) -> tuple[int, int]:
        """Where the backdrop (or, without one, the content) of this size begins."""
        return (new_cords or self.place or Place()).corner(canvas_box, self._back(box))

    def compare(self) -> str:
        """Equal for equal definitions: kept in the cache to tell whether a picture must be made again."""
        return f"{self.kind}{sorted((str(key), str(value)) for key, value in self.data.items())}".replace("|", "/")


class Place:
    """Where on the canvas: offsets in pixels or per cent, from the aligned side."""

    def __init__(self, x="0", horizontal="left", y="0", vertical="top") -> None:
        self.x, self.horizontal, self.y, self.vertical = str(x), horizontal, str(y), vertical

    def corner(self, canvas, size) -> tuple[int, int]:
        return self._along(self.x, self.horizontal, canvas[0], size[0]), self._along(self.y, self.vertical, canvas[1], size[1])

    @staticmethod
    def _along(offset: str, align: str, canvas: int, size: int) -> int:
        pixels = int(canvas * int(offset[:-1]) / 100) if offset.endswith("%") else int(offset)
        if align in ("right", "bottom"):
            return canvas - size - pixels
        return (canvas - size) // 2 + pixels if align == "center" else pixels


def read_place(data: dict) -> Place | None:
    """Offsets and alignments; None where no offset is given. OverlayError where one is wrong."""
    for name, options in ALIGNMENTS.items():
        if data.get(name) and data[name] not in options:
            raise OverlayError(f"Overlay Error: overlay {name} attribute: {data[name]} invalid. Options: {', '.join(options)}")
    x, y = data.get("horizontal_offset"), data.get("vertical_offset")
    if (x is None) != (y is None):
        raise OverlayError("Overlay Error: Overlay attributes 'horizontal_offset' and 'vertical_offset' must be used together")
    if x is None:
        return None
    for name, value in (("horizontal_offset", x), ("vertical_offset", y)):
        if not re.fullmatch(r"-?\d+%?", str(value)):
            raise OverlayError(f"Overlay Error: overlay {name}: {value} must be a number")
    return Place(x, data.get("horizontal_align") or "left", y, data.get("vertical_align") or "top")


def shipped_fonts() -> list[str]:
    """Names of the fonts that Kometa ships; the stand-in has none of them and draws with Pillow's own."""
    return (HOME / "fonts" / "names.txt").read_text(encoding="utf-8").split()
