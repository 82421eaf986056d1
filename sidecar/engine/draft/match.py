"""Single conditions: one filter or search on one item's facts. Pure; only stdlib.

A ``filters:`` condition is Kometa's own comparison; a ``plex_search:`` condition is what Plex's server finds. They differ
in small ways (a missing number fails every filter; ``.not`` of a search also finds items without any value).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from sidecar.engine.draft.facts import Facts

_TAG_ELEMENTS = {
    "genre": "Genre",
    "label": "Label",
    "collection": "Collection",
    "country": "Country",
    "actor": "Role",
    "director": "Director",
    "producer": "Producer",
    "writer": "Writer",
}
_ATTRIBUTES = {
    "title": "title",
    "summary": "summary",
    "studio": "studio",
    "edition": "editionTitle",
    "season_title": "parentTitle",
    "critic_rating": "rating",
    "audience_rating": "audienceRating",
    "user_rating": "userRating",
    "release": "originallyAvailableAt",
    "air_date": "originallyAvailableAt",
    "added": "addedAt",
    "year": "year",
    "plays": "viewCount",
}
_MEDIA = {
    "audio_codec": "audioCodec",
    "video_codec": "videoCodec",
    "video_profile": "videoProfile",
    "resolution": "videoResolution",
    "aspect": "aspectRatio",
    "channels": "audioChannels",
    "height": "height",
    "width": "width",
}


def strings_of(name: str, facts: Facts) -> tuple[str, ...]:
    """The texts a string condition looks at."""
    if name in _MEDIA:
        return facts.media_values(_MEDIA[name])
    if name == "filepath":
        return facts.files
    if name in ("audio_track_title", "subtitle_track_title"):
        streams = facts.streams_of(2 if name == "audio_track_title" else 3)
        return tuple(stream["extendedDisplayTitle"] for stream in streams if stream.get("extendedDisplayTitle"))
    attribute = _ATTRIBUTES.get(name, name)
    if name == "show_title":
        attribute = "parentTitle" if facts.level == "season" else "grandparentTitle"
    value = facts.text(attribute)
    return (value,) if value else ()


def tags_of(name: str, facts: Facts) -> tuple[str, ...]:
    """The tags a tag condition looks at, in lower case: Kometa finds a library's tag whatever its case."""
    if name == "resolution":
        return tuple(resolution(value) for value in facts.media_values("videoResolution"))
    if name == "content_rating":
        value = facts.text("contentRating")
        return (value.lower(),) if value else ()
    return tuple(tag.lower() for tag in facts.tags.get(_TAG_ELEMENTS[name], ()))


def number_of(name: str, facts: Facts) -> float | None:
    """The number a numeric condition looks at: minutes for duration, the largest of all versions for media."""
    if name in ("channels", "height", "width", "aspect"):
        values = [float(value) for value in facts.media_values(_MEDIA[name]) if _is_number(value)]
        return max(values, default=0)
    if name == "duration":
        length = facts.number("duration")
        return length / 60_000 if length else length
    if name == "plays":
        return facts.number("viewCount") or 0
    return facts.number(_ATTRIBUTES[name])


def date_of(name: str, facts: Facts) -> datetime | None:
    return facts.date(_ATTRIBUTES[name])


def flag_of(name: str, facts: Facts) -> bool:
    """Whether a boolean condition's property holds."""
    flags: dict[str, Callable[[], bool]] = {
        "has_collection": lambda: bool(facts.tags.get("Collection")),
        "has_edition": lambda: bool(facts.text("editionTitle")),
        "has_overlay": lambda: any(label.lower() == "overlay" or label.lower().endswith(" overlay") for label in facts.labels),
        "has_dolby_vision": lambda: facts.dolby_vision,
        "dovi": lambda: facts.dolby_vision,
        "hdr": lambda: facts.hdr,
    }
    return flags[name]()


def resolution(value: str) -> str:
    """``4K``, ``1080p`` and Plex's own ``4k``, ``1080`` alike."""
    return re.sub(r"^(\d+)p$", r"\1", value.strip().lower())


def match_strings(values: Iterable[str], modifier: str, wanted: Sequence[str]) -> bool:
    """One of ``values`` contains (is, begins with, ends with, matches) one of ``wanted``; ``.not`` and ``.isnot`` turn it round."""

    def meets(value: str, want: str) -> bool:
        if modifier == ".regex":
            return re.search(want, value) is not None
        value, want = value.lower(), want.lower()
        if modifier in (".is", ".isnot"):
            return value == want
        if modifier == ".begins":
            return value.startswith(want)
        if modifier == ".ends":
            return value.endswith(want)
        return want in value

    found = any(meets(value, want) for value in values for want in wanted)
    return not found if modifier in (".not", ".isnot") else found


def match_number(value: float | None, modifier: str, wanted: float) -> bool:
    """A missing number meets no condition, not even ``.not``."""
    if value is None:
        return False
    return {
        "": value == wanted,
        ".not": value != wanted,
        ".gt": value > wanted,
        ".gte": value >= wanted,
        ".lt": value < wanted,
        ".lte": value <= wanted,
    }[modifier]


def match_date(value: datetime | None, modifier: str, wanted: datetime | timedelta, now: datetime) -> bool:
    """Within (``.not``: before) the last ``wanted``, or before/after a day. A missing date meets nothing."""
    if value is None:
        return False
    edge = now - wanted if isinstance(wanted, timedelta) else wanted
    return value < edge if modifier in (".not", ".before") else value > edge if modifier == ".after" else value >= edge


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
