"""One ``overlay:`` mapping read into an OverlaySpec, with Kometa's defaults and limits. Only stdlib and Pillow.

What is wrong for Kometa too is :class:`Refused`; what only the draft cannot do is :class:`Beyond`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from PIL import ImageColor

from sidecar.engine.draft import subset
from sidecar.engine.draft.geometry import Back, Offset, Place

Colour = tuple[int, ...]

DEFAULT_BLUR: Final = 50
"""Kometa's radius where a blur's own cannot be read."""

_OLD_TEXT: Final = re.compile(r"(audience_rating|critic_rating|user_rating)([0%#]?)")
"""Text variables as they were written before ``<<>>``."""


class NotDrawn(Exception):
    """An overlay that is left out. ``attribute`` names what is to blame."""

    def __init__(self, attribute: str, what: str = "") -> None:
        self.attribute = attribute
        self.what = what
        super().__init__(f"{attribute}: {what}" if what else attribute)


class Beyond(NotDrawn):
    """Kometa will draw this; the draft cannot."""


class Refused(NotDrawn):
    """Kometa refuses this, and so does the draft."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """How a text overlay's letters look. ``font`` is as written; empty for Kometa's default font."""

    template: str
    font: str = ""
    size: int = 36
    style: str = ""
    colour: Colour | None = None
    stroke_colour: Colour | None = None
    stroke_width: int = 0


@dataclass(frozen=True, kw_only=True)
class OverlaySpec:
    """What one overlay looks like, before an item is known."""

    name: str
    kind: str
    """text, backdrop, blur or image."""
    file: str = ""
    """The image as written; empty for a text without one, a backdrop or a blur."""
    group: str = ""
    queue: str = ""
    weight: int = 0
    place: Place = field(default_factory=Place)
    scale_width: Offset | None = None
    scale_height: Offset | None = None
    text: Text | None = None
    back: Back = field(default_factory=Back)
    back_colour: Colour | None = None
    back_radius: int = 0
    line_colour: Colour | None = None
    line_width: int = 1
    addon_gap: int = 0
    addon_side: str | None = None
    blur: int = 0
    unknown: tuple[str, ...] = ()
    """Attributes that Kometa ignores in silence."""
    beyond: Beyond | None = None
    """Why it cannot be drawn; it still takes its part in groups, queues and suppression."""


def read_overlay(given: object, mapping_name: str) -> OverlaySpec:
    """Read ``overlay:``, or the definition's name where there is none. Refused where Kometa refuses it.

    Beyond is raised only where not even its place among the others can be told; else it is in the result.
    """
    data = given if isinstance(given, Mapping) else {"name": str(mapping_name if given is None else given)}
    name = str(data.get("name") or "")
    if not name:
        raise Refused("name", "an overlay needs a name")
    if "|" in name:
        raise Refused("name", f"'{name}' must not hold the '|' character")
    kind = _kind(name)
    weight = _integer(data, "weight", 0) if "weight" in data else None
    group, queue = str(data.get("group") or ""), str(data.get("queue") or "")
    for attribute, value in (("group", group), ("queue", queue)):
        if attribute in data and (weight is None or not value):
            raise Refused(attribute, "it needs 'weight' beside it")
    if group and queue:
        raise Refused("queue", "'group' and 'queue' cannot be used together")
    place = read_place(data)
    if (place.horizontal_offset is None) != (place.vertical_offset is None):
        raise Refused("horizontal_offset", "'horizontal_offset' and 'vertical_offset' must be used together")
    back_colour, line_colour = _colour(data, "back_color"), _colour(data, "back_line_color")
    back = _back(data, kind, bool(back_colour or line_colour))
    if kind == "backdrop":
        if not back.drawn:
            raise Refused("back_color", "a backdrop without 'back_color' or 'back_line_color' makes Kometa fail on the item")
        if queue:
            raise Refused("queue", "a backdrop in a queue makes Kometa fail on the item")
    elif back.drawn and not place.given and not queue:
        raise Refused("horizontal_offset", "'horizontal_offset' and 'vertical_offset' are required with a box behind the overlay")
    if kind == "text" and not place.given and not queue:
        raise Refused("horizontal_offset", "'horizontal_offset' and 'vertical_offset' are required with 'text'")
    file, beyond = "", None
    try:
        file = _file(data, name, kind)
    except Beyond as cause:
        beyond = cause
    return OverlaySpec(
        name=name,
        kind=kind,
        file=file,
        group=group,
        queue=queue,
        weight=weight or 0,
        place=place,
        scale_width=_scale(data, "scale_width"),
        scale_height=_scale(data, "scale_height"),
        text=_text(data, name) if kind == "text" else None,
        back=back,
        back_colour=back_colour,
        back_radius=_integer(data, "back_radius", 1) if data.get("back_radius") else 0,
        line_colour=line_colour,
        line_width=_integer(data, "back_line_width", 1) if data.get("back_line_width") else 1,
        addon_gap=_integer(data, "addon_offset", 1) if kind == "text" and file and "addon_offset" in data else 0,
        addon_side=_addon_side(data) if kind == "text" and file else None,
        blur=_blur(name) if kind == "blur" else 0,
        unknown=tuple(str(key) for key in data if key not in subset.OVERLAY_ATTRIBUTES and key not in subset.OVERLAY_ELSEWHERE),
        beyond=beyond,
    )


def read_place(data: Mapping[object, object]) -> Place:
    """Offsets and alignments of an overlay or of a queue's position."""
    horizontal = _option(data, "horizontal_align", ("left", "center", "right"))
    vertical = _option(data, "vertical_align", ("top", "center", "bottom"))
    return Place(
        horizontal_offset=_offset(data, "horizontal_offset", horizontal == "center"),
        horizontal_align=horizontal,
        vertical_offset=_offset(data, "vertical_offset", vertical == "center"),
        vertical_align=vertical,
    )


def _kind(name: str) -> str:
    if name.startswith("blur"):
        return "blur"
    if name.startswith("text"):
        return "text"
    if name.startswith("backdrop"):
        if name != "backdrop":
            raise Refused("name", f"'{name}' makes Kometa fail on the item: the name must be exactly 'backdrop'")
        return "backdrop"
    return "image"


def _blur(name: str) -> int:
    match = re.search(r"\((.+)\)", name)
    try:
        return int(match[1]) if match else DEFAULT_BLUR
    except ValueError:
        return DEFAULT_BLUR


def _back(data: Mapping[object, object], kind: str, drawn: bool) -> Back:
    width = _integer(data, "back_width", 0) if "back_width" in data else None
    height = _integer(data, "back_height", 0) if "back_height" in data else None
    align = "center"
    if "back_align" in data:
        align = _option(data, "back_align", ("left", "right", "center", "top", "bottom"), "center") or "center"
    if kind != "backdrop" and align != "center" and width is None:
        raise Refused("back_align", "it only works with 'back_width'")
    padding = 0
    if "back_padding" in data:
        try:
            padding = _integer(data, "back_padding", 0)
        except Refused:
            padding = 0  # Kometa warns and goes on without
    return Back(drawn=drawn, width=width, height=height, align=align, padding=padding, whole=kind == "backdrop")


def _file(data: Mapping[object, object], name: str, kind: str) -> str:
    if kind in ("blur", "backdrop"):
        return ""
    for attribute in ("default", "pmm"):
        if data.get(attribute):
            raise Beyond(attribute, subset.OVERLAY_ELSEWHERE[attribute])
    if str(data.get("git") or "").startswith("PMM/"):
        raise Beyond("git", subset.OVERLAY_ELSEWHERE["default"])
    if data.get("file"):
        return str(data["file"])
    for attribute in ("git", "repo", "url"):
        if data.get(attribute):
            raise Beyond(attribute, subset.OVERLAY_ELSEWHERE[attribute])
    if kind == "text":
        return ""
    if re.search(r'[\\/:*?"<>|]', name) or name != name.strip():
        raise Beyond("name", f"'{name}' as a file name; give the image with 'file'")
    return f"config/overlays/{name}.png"


def _text(data: Mapping[object, object], name: str) -> Text:
    match = re.search(r"\((.+)\)", name)
    if not match:
        raise Refused("name", f"no text between brackets in '{name}'")
    template = match[1]
    if "\n" in template:
        raise Refused("name", "a text of several lines makes Kometa fail on the item")
    old = _OLD_TEXT.fullmatch(template)
    if old:
        variable, modifier = old.groups()
        template = {"": f"<<{variable}>>", "#": f"<<{variable}#>>", "0": f"<<{variable}%>>", "%": f"<<{variable}%>>%"}[modifier]
    stroke = 0
    if "stroke_width" in data:
        try:
            stroke = _integer(data, "stroke_width", 1)
        except Refused:
            stroke = 0  # Kometa warns and goes on without
    size = 36
    if "font_size" in data:
        try:
            size = _integer(data, "font_size", 1)
        except Refused:
            size = 36  # likewise
    return Text(
        template=template,
        font=str(data.get("font") or ""),
        size=size,
        style=str(data.get("font_style") or ""),
        colour=_colour(data, "font_color"),
        stroke_colour=_colour(data, "stroke_color"),
        stroke_width=stroke,
    )


def _addon_side(data: Mapping[object, object]) -> str:
    if "addon_position" not in data:
        return "left"
    return _option(data, "addon_position", ("left", "right", "top", "bottom")) or "left"


def _integer(data: Mapping[object, object], attribute: str, minimum: int) -> int:
    try:
        value = int(str(data[attribute]))
    except ValueError:
        value = minimum - 1
    if value < minimum:
        raise Refused(attribute, f"'{data[attribute]}' must be a whole number, {minimum} or greater")
    return value


def _colour(data: Mapping[object, object], attribute: str) -> Colour | None:
    value = data.get(attribute)
    if not value:
        return None
    try:
        colour = ImageColor.getcolor(str(value), "RGBA")
    except ValueError as error:
        raise Refused(attribute, f"'{value}' is no colour; write #RGB, #RGBA, #RRGGBB or #RRGGBBAA in quotes") from error
    return colour if isinstance(colour, tuple) else (colour,)


def _option(data: Mapping[object, object], attribute: str, options: tuple[str, ...], default: str | None = None) -> str | None:
    if attribute not in data:
        return None
    value = data[attribute]
    if value is None or str(value).lower() not in options:
        if default is not None:
            return default
        raise Refused(attribute, f"'{'' if value is None else value}' must be one of {', '.join(options)}")
    if str(value) not in options:
        raise Beyond(attribute, f"'{value}' written with capitals, which Kometa takes in part only")
    return str(value)


def _offset(data: Mapping[object, object], attribute: str, centred: bool) -> Offset | None:
    value = data.get(attribute)
    if value is None:
        return None
    percent = str(value).endswith("%")
    try:
        number = int(str(value).removesuffix("%"))
    except ValueError as error:
        raise Refused(attribute, f"'{value}' must be a whole number or a whole percentage") from error
    low, high = (-50, 50) if centred else (0, 100)
    if percent and not low <= number <= high:
        raise Refused(attribute, f"'{value}' must be between {low}% and {high}%")
    if not percent and not centred and number < 0:
        raise Refused(attribute, f"'{value}' must be 0 or greater unless the alignment is center")
    return f"{number}%" if percent else number


def _scale(data: Mapping[object, object], attribute: str) -> Offset | None:
    value = data.get(attribute)
    if value is None:
        return None
    try:
        number = int(str(value).removesuffix("%"))
    except ValueError:
        number = 0
    if number < 1:
        raise Refused(attribute, f"'{value}' must be a whole number or percentage greater than 0")
    return f"{number}%" if str(value).endswith("%") else number
