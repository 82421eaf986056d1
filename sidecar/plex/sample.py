"""Candidates for automatic targets: a number of requests and items that does not grow with the library."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from types import MappingProxyType
from typing import Final

from sidecar.errors import PlexAway, PlexError, PlexRefused
from sidecar.model import Level
from sidecar.plex.choose import Choice, choose
from sidecar.plex.items import SEARCH_TYPE, Item, items_of
from sidecar.plex.together import together
from sidecar.plex.wishes import Place

SHORTLIST: Final = 40
"""Items whose full metadata is read before choosing."""
_VALUES: Final = 12
"""Values tried of each filter."""
_EACH: Final = 3
"""Items taken for each value."""

_SORTS: Final = MappingProxyType(
    {
        "titleSort": 40,
        "addedAt:desc": 30,
        "year": 8,
        "audienceRating:desc": 8,
        "audienceRating": 8,
    }
)
"""Sort -> how many of it."""
_MEDIA_SORTS: Final = MappingProxyType({"mediaBitrate:desc": 12, "mediaBitrate": 8, "mediaHeight:desc": 12})
_FILTERS: Final = ("contentRating",)
_MEDIA_FILTERS: Final = ("resolution", "audioLanguage")
_MEDIA_FLAGS: Final = ("hdr", "dovi", "duplicate")
"""Filters that are 0 or 1."""
_LEAF: Final = MappingProxyType({Level.SHOW: Level.EPISODE, Level.ARTIST: Level.TRACK})
"""Where the media are that a top level shows of."""


async def total_of(place: Place) -> int:
    """How many items the library's top level has."""
    return (await place.reader.listing(place.section.key, {"type": str(SEARCH_TYPE[place.levels[0]])}, size=0)).total


async def pick(place: Place, count: int, kept: Sequence[Item]) -> list[Choice]:
    """Up to ``count`` top-level items: ``kept`` first, then the most different ones of a sample. PlexError where Plex cannot be asked."""
    keys = [item.key for item in kept]
    if len(keys) >= count or len(keys) >= await total_of(place):
        return choose(kept, count, keys)
    top = place.levels[0]
    if top is Level.MOVIE:
        sampled = {item.key: item for item in await _sample(place, top, media=True)}
        media: dict[int, list[Item]] = {}
    else:
        sampled = {item.key: item for item in await _sample(place, top, media=False)}
        media = {}
        for leaf in await _sample(place, _LEAF[top], media=True):
            media.setdefault(leaf.top, []).append(leaf)
        unseen = [key for key in media if key not in sampled]
        sampled |= {item.key: item for item in items_of(await place.reader.items(unseen[:SHORTLIST]))}
    short = [with_leaves(item, media.get(key, ())) for key, item in sampled.items() if key not in keys]
    shortlist = [choice.item for choice in choose(short, SHORTLIST)]
    bare, whole = await _in_full(place, shortlist, media)
    return [choice._replace(item=bare.get(choice.item.key, choice.item)) for choice in choose([*kept, *whole], count, keys)]


async def _in_full(place: Place, items: Sequence[Item], media: dict[int, list[Item]]) -> tuple[dict[int, Item], list[Item]]:
    """The items as /library/metadata has them, by key; and again with, of shows, the features of up to two of their episodes."""
    leaves = [leaf.key for item in items for leaf in islice(media.get(item.key, ()), 2)]
    found = {item.key: item for item in items_of(await place.reader.items([*(item.key for item in items), *leaves]))}
    below: dict[int, list[Item]] = {}
    for key in leaves:
        if (leaf := found.get(key)) is not None:
            below.setdefault(leaf.top, []).append(leaf)
    return found, [with_leaves(found[item.key], below.get(item.key, ())) for item in items if item.key in found]


def with_leaves(item: Item, leaves: Iterable[Item]) -> Item:
    """With the features of the media below it; what is said of ratings and age stays its own."""
    more = {(kind, value) for leaf in leaves for kind, value in leaf.features if kind not in ("ratings", "content rating")}
    return replace(item, features=item.features | more)


async def _sample(place: Place, level: Level, *, media: bool) -> list[Item]:
    kind = str(SEARCH_TYPE[level])
    sorts = dict(_SORTS) | (dict(_MEDIA_SORTS) if media else {})
    queries = [({"type": kind, "sort": sort}, size) for sort, size in sorts.items()]
    filters = [*(_FILTERS if level in (Level.MOVIE, Level.SHOW) else ()), *(_MEDIA_FILTERS if media else ())]
    for field, values in zip(filters, await together(_choices(place, field, level) for field in filters), strict=True):
        queries += [({"type": kind, field: value, "sort": "titleSort"}, _EACH) for value in values[:_VALUES]]
    queries += [({"type": kind, flag: "1", "sort": "titleSort"}, _EACH * 2) for flag in (_MEDIA_FLAGS if media else ())]
    found = await together(_ask(place, params, size) for params, size in queries)
    return list({item.key: item for items in found for item in items}.values())


async def _choices(place: Place, field: str, level: Level) -> list[str]:
    try:
        return await place.reader.choices(place.section.key, field, SEARCH_TYPE[level])
    except (PlexAway, PlexRefused):
        raise
    except PlexError:
        return []  # a filter that this server does not know


async def _ask(place: Place, params: dict[str, str], size: int) -> list[Item]:
    try:
        return items_of((await place.reader.listing(place.section.key, params, size=size)).items)
    except (PlexAway, PlexRefused):
        raise
    except PlexError:
        return []  # a filter or sort that this server does not know
