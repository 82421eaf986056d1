"""Overlays for the comparison with real Kometa: each case is the ``overlays:`` and ``queues:`` of one file, for one item."""

from __future__ import annotations

import itertools
from typing import Any

MOVIE = """
<Video ratingKey="101" type="movie" title="Heat" originalTitle="Heat 1995" editionTitle="Definitive" contentRating="R" year="1995"
  rating="7.9" audienceRating="9.0" userRating="8.5" duration="10242000" originallyAvailableAt="1995-12-15" addedAt="1700000000">
  <Media bitrate="8000" videoResolution="1080" audioCodec="ac3"/><Media bitrate="22000" videoResolution="4k" audioCodec="truehd"/>
  <Rating image="imdb://image.rating" value="8.3"/><Rating image="rottentomatoes://image.rating.ripe" value="8.0"/>
  <Rating image="rottentomatoes://image.rating.upright" value="9.4"/><Rating image="themoviedb://image.rating" value="7.9"/></Video>"""
SHOW = """
<Directory ratingKey="201" type="show" title="Dark" contentRating="TV-MA" year="2017" rating="8.7" leafCount="26" childCount="3"
  duration="3000000" originallyAvailableAt="2017-12-01"/>"""
SEASON = """
<Directory ratingKey="202" type="season" title="Season 1" parentTitle="Dark" parentIndex="1" index="1" leafCount="10"
  userRating="6.0"/>"""
EPISODE = """
<Video ratingKey="203" type="episode" title="Lies" grandparentTitle="Dark" parentTitle="Season 1" parentIndex="1" index="2"
  contentRating="TV-MA" rating="8.1" audienceRating="8.4" duration="2640000" originallyAvailableAt="2017-12-01">
  <Media bitrate="3000" videoResolution="720"/></Video>"""
ITEMS = {"movie": MOVIE, "show": SHOW, "season": SEASON, "episode": EPISODE}

VARIABLES = {
    "movie": """title titleU titleL titleP original_title edition content_rating runtime runtimeH runtimeM bitrate bitrateH bitrateL
        versions versions0 versions00 originally_available critic_rating critic_rating% critic_rating# critic_rating/ audience_rating
        audience_rating# audience_rating% user_rating user_rating/ plex_imdb_rating plex_imdb_rating% plex_tmdb_rating#
        plex_tomatoes_rating plex_tomatoes_rating# plex_tomatoesaudience_rating/""",
    "show": "title runtime episode_count episode_count0 episode_count00 content_rating critic_rating originally_available[%d.%m.%y]",
    "season": "title show_title show_titleU season_number season_number0 season_number00 episode_count user_rating",
    "episode": """title show_title season_title season_number episode_number0 episode_number00 runtime runtimeM critic_rating
        originally_available[%b_%Y]""",
}

BACK = {"back_color": "#00000099", "back_radius": 30, "back_padding": 12}
CORNER: dict[str, Any] = {"horizontal_align": "left", "horizontal_offset": 30, "vertical_align": "top", "vertical_offset": 30}
TEXT: dict[str, Any] = {"name": "text(LAB 4K)", "font": "font.ttf", "font_size": 63, "font_color": "#FFC800"}
IMAGE: dict[str, Any] = {"name": "badge", "file": "badge.png"}
TEXT_HERE, IMAGE_HERE = TEXT | CORNER, IMAGE | CORNER
SLOTS = [{"horizontal_align": "right", "horizontal_offset": 20, "vertical_align": "bottom", "vertical_offset": n} for n in (30, 150, 270)]


def case(name: str, *overlays: dict[str, Any], level: str = "movie", **more: Any) -> dict[str, Any]:
    """A case of some overlays; ``queues``, ``suppress`` ({index: [indexes]}) and ``art`` (file) as keywords."""
    return {"name": name, "level": level, "overlays": list(overlays), "queues": {}, "suppress": {}, "art": "tall.jpg", **more}


def cases() -> list[dict[str, Any]]:
    """All of them; ``font.ttf``, ``badge.png``, ``wide.png``, ``frame.png`` and the art lie in the working directory."""
    return [*_single(), *_places(), *_boxes(), *_queues(), *_variables()]


def _single() -> list[dict[str, Any]]:
    low = {**TEXT_HERE, "vertical_offset": 500}
    dark = {"name": "backdrop", "back_color": "#000000A0"}
    line = {"name": "backdrop", "back_line_color": "red", "back_line_width": 9, "back_width": 400, "back_height": 200, "back_radius": 40}
    far = {"horizontal_align": "center", "horizontal_offset": -700, "vertical_align": "center", "vertical_offset": -760}
    right = {"horizontal_align": "right", "horizontal_offset": 7, "vertical_align": "center", "vertical_offset": "10%"}
    mutual = {"0": [1], "1": [0], "2": [3], "3": [2]}
    return [
        case("frame over all", {"name": "frame", "file": "frame.png"}),
        case("frame of another size", {"name": "wide", "file": "wide.png"}),
        case("frame on an episode", {"name": "frame", "file": "frame.png"}, level="episode", art="wide.jpg"),
        case("scaled frame", {"name": "wide", "file": "wide.png", "scale_width": 700}),
        case("text white by default", {**TEXT_HERE, "font_color": None}),
        case("stroke", {**TEXT_HERE, "stroke_width": 4, "stroke_color": "#102030"}),
        case("stroke without colour", {**TEXT_HERE, "stroke_width": 3}),
        case("blur", {"name": "blur(12)"}, TEXT_HERE),
        case("two blurs", {"name": "blur(5)"}, {"name": "blur(20)"}),
        case("blur unreadable", {"name": "blur(much)"}),
        case("backdrop whole", {"name": "backdrop", "back_color": "#11223380"}),
        case("backdrop line", line),
        case("backdrop bottom", {**dark, "back_height": 300, "vertical_align": "bottom", "vertical_offset": 0, "horizontal_offset": 0}),
        case(
            "backdrop bottom, wide", {**dark, "back_width": 300, "vertical_align": "bottom", "vertical_offset": 9, "horizontal_offset": 0}
        ),
        case("backdrop right", {**dark, **right, "back_width": 300, "back_padding": 5}),
        case("backdrop right, high", {**dark, **right, "back_height": 300, "back_padding": 5}),
        case("old rating", {**TEXT_HERE, "name": "text(critic_rating%)"}),
        case("old rating bare", {**TEXT_HERE, "name": "text(audience_rating)"}),
        case("old rating zero", {**TEXT_HERE, "name": "text(user_rating0)"}),
        case("old rating hash", {**TEXT_HERE, "name": "text(audience_rating#)"}),
        case("opaque colours", {**TEXT_HERE, "back_color": "navy", "font_color": "#FFF"}),
        case("line without fill", {**TEXT_HERE, "back_line_color": "#00FF00", "back_line_width": 4, "back_padding": 20}),
        case("line thin", {**IMAGE_HERE, "back_line_color": "#00FF0080", "back_color": "#00000040", "back_radius": 10}),
        case("group", {**IMAGE_HERE, "group": "g", "weight": 10}, {**TEXT_HERE, "group": "g", "weight": 20}),
        case("group tie", {**IMAGE_HERE, "group": "g", "weight": 10}, {**TEXT_HERE, "group": "g", "weight": 10}),
        case("suppress", IMAGE_HERE, low, suppress={"1": [0]}),
        case("suppress each other", IMAGE_HERE, {**IMAGE_HERE, "horizontal_offset": 300}, low, TEXT_HERE, suppress=mutual),
        case("scale width", {**IMAGE_HERE, "scale_width": 333}),
        case("scale height", {**IMAGE_HERE, "scale_height": "37%"}),
        case("scale both", {**IMAGE_HERE, "scale_width": "150%", "scale_height": 40}),
        case("scale addon", {**TEXT_HERE, "file": "badge.png", "scale_width": 50, "addon_offset": 10}),
        case("off the canvas", {**TEXT, **far, **BACK}),
        case("small base", IMAGE_HERE, art="small.jpg"),
        case("large base", IMAGE_HERE, art="large.jpg", level="episode"),
        case("palette png base", IMAGE_HERE, art="palette.png"),
        case("base with alpha and icc", IMAGE_HERE, art="alpha.png"),
        case("value missing", {**TEXT_HERE, "name": "text(<<audience_rating>>)"}, IMAGE_HERE, level="show"),
        case("nothing but a missing value", {**TEXT_HERE, "name": "text(<<audience_rating>>)"}, level="show"),
        case("unknown variable", {**TEXT_HERE, "name": "text(<<nonsense>> <<title>>)"}),
        *(case(f"as {kind}", TEXT_HERE, filetype=kind, quality=73, saved=True) for kind in ("jpg", "png", "webp_lossy", "webp_lossless")),
    ]


def _places() -> list[dict[str, Any]]:
    found = []
    offsets = ({"horizontal_offset": 45, "vertical_offset": 15}, {"horizontal_offset": "7%", "vertical_offset": "13%"})
    for horizontal, vertical, offset in itertools.product(("left", "center", "right"), ("top", "center", "bottom"), offsets):
        place = {"horizontal_align": horizontal, "vertical_align": vertical, **offset}
        name = f"{horizontal} {vertical} {offset['vertical_offset']}"
        found.append(case(f"text {name}", {**TEXT, **place, **BACK}))
        found.append(case(f"image {name}", {**IMAGE, **place}, level="episode", art="wide.jpg"))
    return found


def _boxes() -> list[dict[str, Any]]:
    found = []
    for align in ("left", "right", "center", "top", "bottom"):
        plain = {"back_width": 405, "back_height": 117, "back_align": align}
        narrow = {**BACK, "back_width": 405, "back_align": align, "horizontal_align": "right"}
        found += [
            case(f"{align} text", {**TEXT_HERE, **BACK, **plain}),
            case(f"{align} image", {**IMAGE_HERE, **BACK, **plain}),
            case(f"{align} width only", {**TEXT_HERE, **narrow}),
            case(f"{align} without colour", {**TEXT_HERE, **plain}),
            case(f"{align} image without colour", {**IMAGE_HERE, **plain}),
        ]
    for side, file, gap in itertools.product(("left", "right", "top", "bottom"), ("badge.png", "wide.png"), (None, 25)):
        addon = {**TEXT_HERE, **BACK, "file": file, "addon_position": side, **({"addon_offset": gap} if gap else {})}
        found.append(case(f"addon {side} {file} {gap}", addon))
        found.append(case(f"addon {side} {file} {gap} in a box", {**addon, "back_width": 800, "back_align": "right"}))
    return found


def _queues() -> list[dict[str, Any]]:
    boxed = {**IMAGE, "queue": "q", "weight": 5, "back_width": 300, "back_align": "right"}
    queued = [
        {**TEXT, "queue": "q", "weight": 10, **BACK},
        {**IMAGE, "queue": "q", "weight": 30},
        {**TEXT, "name": "text(<<runtimeH>>h <<runtimeM>>m)", "queue": "q", "weight": 20, **BACK, "back_width": 300, "back_align": "left"},
        {**IMAGE, "queue": "q", "weight": 5, **BACK},
    ]
    missing = {**queued[0], "name": "text(<<audience_rating>>)", "weight": 99}
    queues = {"q": SLOTS}
    return [
        case("queue", *queued, queues=queues),
        case("queue with room", *queued[:2], queues=queues),
        case("queue, own offset", {**queued[1], "horizontal_offset": 400, "vertical_offset": "50%"}, queues=queues),
        case("queue, own align", {**queued[0], "horizontal_align": "left"}, queues=queues),
        case("queue, image with box", {**boxed, **BACK}, queues=queues),
        case("queue, box without colour", boxed, queues=queues),
        case("queue, value missing", missing, queued[1], queues=queues, level="show"),
    ]


def _variables() -> list[dict[str, Any]]:
    """Five variables in a line, small enough to fit on the canvas."""
    found = []
    for level, names in VARIABLES.items():
        written = [f"<<{name.replace('_%Y', ' %Y')}>>" for name in names.split()]
        for start in range(0, len(written), 5):
            line = "; ".join(written[start : start + 5])
            found.append(case(f"{level} {line}", {**TEXT_HERE, "name": f"text({line})", "font_size": 24}, level=level))
    return found
