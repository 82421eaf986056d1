"""What filters and sorts mean: each field's kind and how it is read from an item. Pure but for the clock."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from urllib.parse import quote

from sidecar.demo.items import TAG_FIELDS, Item
from sidecar.demo.world import World

Value = str | int | float | None
Getter = Callable[[World, Item], Iterable[Value]]


@dataclass(frozen=True, slots=True)
class Field:
    """A field that can be filtered or sorted by. Kinds are Plex's ``FieldType``: string, integer, tag, boolean, date, ..."""

    kind: str
    get: Getter
    levels: frozenset[str] = frozenset()
    """The item types that have it; empty for all."""


def _one(get: Callable[[Item], Value]) -> Getter:
    return lambda _world, item: (get(item),)


def _day(text: str) -> int | None:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) if text else None


def _tags(name: str) -> Getter:
    return lambda _world, item: item.tags.get(name, ())


def _languages(kind: str) -> Getter:
    def get(_world: World, item: Item) -> Iterable[Value]:
        for media in item.media:
            for stream in media.profile.audio if kind == "audio" else media.profile.subtitles:
                yield stream.language

    return get


def _hdr(_world: World, item: Item) -> Iterable[Value]:
    return (int(any(media.profile.video and media.profile.video.hdr for media in item.media)),)


def _dovi(_world: World, item: Item) -> Iterable[Value]:
    return (int(any(media.profile.video and media.profile.video.dolby_vision for media in item.media)),)


def _unwatched_leaves(world: World, item: Item) -> int:
    return sum(not leaf.view_count for leaf in world.leaves(item))


LEAVES = frozenset({"movie", "episode", "track"})
PLAYED = frozenset({"movie", "episode", "track", "show", "season", "artist", "album"})
HOLDERS = PLAYED - LEAVES
VIDEO = frozenset({"movie", "episode"})

FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "title": Field("string", _one(lambda item: item.title)),
        "titleSort": Field("string", _one(lambda item: item.sort_title)),
        "studio": Field("string", _one(lambda item: item.studio or None)),
        "editionTitle": Field("string", _one(lambda item: item.edition or None), frozenset({"movie"})),
        "summary": Field("string", _one(lambda item: item.summary or None)),
        "tagline": Field("string", _one(lambda item: item.tagline or None)),
        "originalTitle": Field("string", _one(lambda item: item.original_title or None)),
        "guid": Field("guid", lambda _world, item: (item.guid,)),
        "id": Field("integer", _one(lambda item: item.rating_key)),
        "index": Field("integer", _one(lambda item: item.index)),
        "year": Field("integer", _one(lambda item: item.year)),
        "decade": Field("integer", _one(lambda item: item.year // 10 * 10 if item.year else None)),
        "rating": Field("integer", _one(lambda item: item.rating)),
        "audienceRating": Field("integer", _one(lambda item: item.audience_rating)),
        "userRating": Field("integer", _one(lambda item: item.user_rating)),
        "duration": Field("integer", _one(lambda item: item.duration)),
        "viewCount": Field("integer", lambda world, item: (sum(leaf.view_count for leaf in world.leaves(item)),)),
        "viewOffset": Field("integer", _one(lambda item: item.view_offset or None), LEAVES),
        "unviewedLeafCount": Field("integer", lambda world, item: (_unwatched_leaves(world, item),), HOLDERS),
        "mediaSize": Field("integer", lambda _world, item: [media.size for media in item.media], LEAVES),
        "mediaBitrate": Field("integer", lambda _world, item: [media.profile.bitrate for media in item.media], LEAVES),
        "mediaHeight": Field("integer", lambda _world, item: [m.profile.video.height for m in item.media if m.profile.video], VIDEO),
        "addedAt": Field("date", _one(lambda item: item.added_at)),
        "updatedAt": Field("date", _one(lambda item: item.updated_at)),
        "lastViewedAt": Field("date", _one(lambda item: item.last_viewed_at)),
        "originallyAvailableAt": Field("date", _one(lambda item: _day(item.originally_available))),
        "contentRating": Field("tag", _one(lambda item: item.content_rating or None)),
        "resolution": Field("resolution", lambda _world, item: [m.profile.video.resolution for m in item.media if m.profile.video], VIDEO),
        "audioLanguage": Field("audioLanguage", _languages("audio"), VIDEO),
        "subtitleLanguage": Field("subtitleLanguage", _languages("subtitle"), VIDEO),
        "hdr": Field("boolean", _hdr, VIDEO),
        "dovi": Field("boolean", _dovi, VIDEO),
        "unwatched": Field("boolean", _one(lambda item: int(not item.view_count)), LEAVES),
        "unwatchedLeaves": Field("boolean", lambda world, item: (int(_unwatched_leaves(world, item) > 0),), HOLDERS),
        "inProgress": Field("boolean", _one(lambda item: int(item.view_offset > 0)), LEAVES),
        "unmatched": Field("boolean", _one(lambda item: int(item.guid.startswith("local://")))),
        "duplicate": Field("boolean", _one(lambda item: int(len(item.media) > 1)), LEAVES),
        "trash": Field("boolean", _one(lambda item: 0), LEAVES),
        **{name: Field("tag", _tags(name)) for name in TAG_FIELDS},
    }
)

NAMES = MappingProxyType({field.lower(): field for field in FIELDS})

_RESOLUTION_TITLES = {"4k": "4K", "1080": "1080p", "720": "720p", "576": "576p", "480": "480p", "sd": "SD"}
_RELATIVE = re.compile(r"^-?(\d+)(mon|[smhdwy])$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "mon": 2_592_000, "y": 31_536_000}


def moment(text: str) -> int | None:
    """A date filter's value: Unix seconds, ``2024-01-31`` or a time ago such as ``-30d``."""
    if match := _RELATIVE.match(text):
        return int(time.time()) - int(match.group(1)) * _SECONDS[match.group(2)]
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    try:
        return _day(text)
    except ValueError:
        return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def holds(world: World, item: Item, name: str, operator: str, wanted: tuple[str, ...]) -> bool:
    """Does one condition hold for one item? ``name`` is a key of FIELDS."""
    field = FIELDS[name]
    have = [value for value in field.get(world, item) if value is not None]
    negative = operator in ("!", "!=")
    if field.kind == "string":
        return _string([str(value) for value in have], operator, wanted)
    if field.kind == "boolean":
        asked = any(text not in ("0", "false", "") for text in wanted)
        return bool(have and have[0]) == (asked != negative)
    if field.kind in ("integer", "date"):
        return _numeric(field, name, have, operator, wanted)
    folded = {str(value).casefold() for value in have}
    for text in wanted:
        if name in TAG_FIELDS:
            tag = world.find_tag(name, text)
            hit = tag is not None and any(world.find_tag(name, str(value)) == tag for value in have)
        else:
            hit = text.casefold() in folded or text.casefold().partition("-")[0] in folded or _by_title(field.kind, text, folded)
        if hit:
            return not negative
    return negative


def _by_title(kind: str, text: str, have: set[str]) -> bool:
    return kind == "resolution" and any(_RESOLUTION_TITLES.get(value, "").casefold() == text.casefold() for value in have)


def _string(have: list[str], operator: str, wanted: tuple[str, ...]) -> bool:
    tests: dict[str, Callable[[str, str], bool]] = {
        "": lambda value, text: text in value,
        "!": lambda value, text: text in value,
        "=": lambda value, text: text == value,
        "==": lambda value, text: text == value,
        "!=": lambda value, text: text == value,
        "!==": lambda value, text: text == value,
        "<": lambda value, text: value.startswith(text),
        ">": lambda value, text: value.endswith(text),
    }
    test = tests.get(operator, tests[""])
    hit = any(test(value.casefold(), text.casefold()) for value in have for text in wanted)
    return hit != operator.startswith("!")


def _numeric(field: Field, name: str, have: Iterable[Value], operator: str, wanted: tuple[str, ...]) -> bool:
    values = [float(value) for value in have if not isinstance(value, str) and value is not None]
    read: Callable[[str], float | None] = moment if field.kind == "date" else _number
    texts = [number for number in map(read, wanted) if number is not None]
    if name == "userRating" and not values:
        values = [-1.0]  # Plex stores "not rated" as -1: userRating=-1, userRating!=-1
    tests: dict[str, Callable[[float, float], bool]] = {
        "<<": lambda value, text: value < text,
        ">>": lambda value, text: value > text,
        "<": lambda value, text: value <= text,
        ">": lambda value, text: value >= text,
    }
    test = tests.get(operator, float.__eq__)
    hit = any(test(value, float(text)) for value in values for text in texts)
    return hit != operator.startswith("!")


def choices(world: World, items: Iterable[Item], name: str) -> list[tuple[str, str]]:
    """Filter choices of a field among items: (key, title), sorted by title."""
    field = FIELDS[name]
    seen: set[Value] = set()
    for item in items:
        seen.update(value for value in field.get(world, item) if value is not None)
    if name in TAG_FIELDS:
        found = [(str(world.tag_id(name, str(value))), str(value)) for value in seen]
    elif field.kind == "resolution":
        found = [(str(value), _RESOLUTION_TITLES.get(str(value), str(value))) for value in seen]
    elif field.kind in ("audioLanguage", "subtitleLanguage"):
        found = [(str(value), _language(str(value))) for value in seen]
    elif name == "decade":
        found = [(str(value), f"{value}s") for value in seen]
    elif field.kind in ("string", "tag"):
        found = [(quote(str(value), safe=""), str(value)) for value in seen]
    else:
        found = [(str(value), str(value)) for value in seen]
    return sorted(found, key=lambda choice: choice[1].casefold(), reverse=name in ("year", "decade"))


def _language(tag: str) -> str:
    names = {"en": "English", "fr": "French", "de": "German", "es": "Spanish", "it": "Italian", "ja": "Japanese", "ko": "Korean"}
    return names.get(tag) or {"da": "Danish", "pt": "Portuguese"}.get(tag, tag)
