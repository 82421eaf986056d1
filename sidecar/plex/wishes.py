"""What somebody wants to see, and finding it: by rating key, GUID or title. Missing and ambiguous ones become problems."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from sidecar.model import Level, LibraryPlan, Problem, Severity
from sidecar.plex.client import Reader, Section
from sidecar.plex.items import HIERARCHY, SEARCH_TYPE, Item, items_of

PAGE: Final = 500
"""Items asked for at once where a library must be looked through."""
MOST_GUIDS: Final = 100_000
"""Items looked through for a GUID that Plex cannot search by."""

_BARE: Final = {"excludeElements": "Media,Image,Genre,Country,Director,Writer,Producer,Role,Collection,Label,Rating,UltraBlurColors"}
"""Parts of a listing that a search for titles and GUIDs can do without."""


class Listed(Protocol):
    """One listed target, as the settings have it. One of rating_key, guid and title is given."""

    @property
    def rating_key(self) -> int | None: ...
    @property
    def guid(self) -> str | None: ...
    @property
    def title(self) -> str | None: ...
    @property
    def year(self) -> int | None: ...
    @property
    def season(self) -> int | None: ...
    @property
    def episode(self) -> int | None: ...
    @property
    def library(self) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A :class:`Listed` for those who have no settings."""

    rating_key: int | None = None
    guid: str | None = None
    title: str | None = None
    year: int | None = None
    season: int | None = None
    episode: int | None = None
    library: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetWishes:
    """What is to be previewed."""

    listed: Sequence[Listed] = ()
    extra: Sequence[Listed] = ()
    """Likewise, asked for in passing: one that cannot be previewed is passed over in silence."""
    per_library: int = 8
    """Items of each library's top level chosen by themselves; 0 for the listed ones only."""
    seasons: bool | int = True
    """Per library, where its overlays have that level: True for ``CHILDREN``, False for none, or how many."""
    episodes: bool | int = True
    """Likewise."""


@dataclass(frozen=True, slots=True)
class Place:
    """A library that overlays are drawn for, as its server has it."""

    plan: LibraryPlan
    section: Section
    reader: Reader
    machine: str

    @property
    def levels(self) -> tuple[Level, ...]:
        """Of the section's type, from the top; empty for photos."""
        return HIERARCHY.get(self.section.type, ())


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one listed target. ``gone``: the rating key that is no longer there; ``notes``: to be remembered."""

    place: Place | None = None
    item: Item | None = None
    problem: Problem | None = None
    gone: int | None = None
    notes: tuple[tuple[Place, str, int], ...] = ()


def name_of(wish: Listed) -> str:
    """For people: ``Heat (1995)``, ``imdb://tt0113277``, ``item 101``; with the season and episode."""
    name = wish.title or wish.guid or f"item {wish.rating_key}"
    if wish.title and wish.year:
        name += f" ({wish.year})"
    if wish.season is not None:
        name += f" S{wish.season:02}" + (f"E{wish.episode:02}" if wish.episode is not None else "")
    return name


def memory_of(wish: Listed) -> str:
    """The name under which a find is remembered; empty for what needs no search."""
    if wish.guid:
        return f"guid {wish.guid}"
    return f"title {wish.title} {wish.year or ''}".rstrip() if wish.title else ""


async def find(wish: Listed, places: Sequence[Place], remembered: Mapping[tuple[str, int], Mapping[str, int]]) -> Found:
    """Look for one listed target in ``places`` (of several servers). PlexError where a server cannot be asked."""
    chosen = [place for place in places if wish.library in (None, place.section.title, place.plan.key)]
    if not chosen:
        near = _near(wish.library or "", [place.section.title for place in places])
        return _missing(wish, f"there is no library {wish.library} with overlay files{near}")
    if wish.rating_key is not None:
        found = await _by_key(wish, wish.rating_key, chosen)
    else:
        found = await _by_name(wish, chosen, remembered)
    if found.item is None or found.place is None or (wish.season is None and wish.episode is None):
        return found
    return await _below(wish, found.place, found.item)


async def _by_key(wish: Listed, key: int, places: Sequence[Place]) -> Found:
    elsewhere = ""
    for reader in dict.fromkeys(place.reader for place in places):
        for item in items_of(await reader.items([key])):
            for place in places:
                if place.reader is reader and place.section.key == item.section:
                    return Found(place, item)
            elsewhere = item.section_title
    if elsewhere:
        return _missing(wish, f"it is in the library {elsewhere}, which has no overlay files")
    found = _missing(wish, "Plex has no such item (any more)")
    return Found(places[0], None, found.problem, key)


async def _by_name(wish: Listed, places: Sequence[Place], remembered: Mapping[tuple[str, int], Mapping[str, int]]) -> Found:
    known: tuple[Place, int] | None = None
    hits: list[tuple[Place, Item]] = []
    for place in places:
        key = remembered.get((place.machine, place.section.key), {}).get(memory_of(wish))
        if key is not None:
            known = (place, key)
            hits += [
                (place, item)
                for item in items_of(await place.reader.items([key]))
                if item.section == place.section.key and _fits(wish, item)
            ]
    notes: list[tuple[Place, str, int]] = []
    for place in places if not hits else ():
        if wish.guid:
            missed = remembered.get((place.machine, place.section.key), {}).get(_missed(wish.guid))
            items, total = await _by_guid(wish.guid, place, missed)
            if not items and total:
                notes.append((place, _missed(wish.guid), total))
        else:
            items = await _by_title(wish, place)
        hits += [(place, item) for item in items]
    if len(hits) == 1:
        [(place, short)] = hits
        full = items_of(await place.reader.items([short.key]))
        if full:
            return Found(place, full[0])
        hits = []
    if hits:
        listed = "; ".join(f"{item.title} ({item.year}) in {place.section.title}, rating_key {item.key}" for place, item in hits[:5])
        return _missing(wish, f"{len(hits)} items are meant by it: {listed}", "add the year or the library, or give the rating_key")
    missing = _missing(wish, "Plex has no such item" + ("" if wish.guid else await _nearest(wish, places)))
    where, gone = known or (None, None)
    return Found(where, None, missing.problem, gone, tuple(notes))


def _missed(guid: str) -> str:
    return f"missed {guid}"


async def _by_guid(guid: str, place: Place, missed: int | None) -> tuple[list[Item], int]:
    """The items, and how many were looked at in vain.

    Plex searches by its own GUIDs only. For others' the library is looked through: once, since what is found is remembered;
    and so is how large the library was (``missed``) when nothing was found, until it has another size.
    """
    params = {"type": _type(place), "includeGuids": "1", **_BARE}
    if guid.startswith("plex://"):
        found = await place.reader.listing(place.section.key, {**params, "guid": guid}, size=5)
        return [item for item in items_of(found.items) if item.guid == guid], 0
    if missed and missed == (await place.reader.listing(place.section.key, {"type": _type(place)}, size=0)).total:
        return [], missed
    start = 0
    while start < MOST_GUIDS:
        page = await place.reader.listing(place.section.key, params, size=PAGE, start=start)
        hits = [item for item in items_of(page.items) if guid in item.guids or item.guid == guid]
        start += PAGE
        if hits or not page.items or start >= page.total:
            return hits, page.total
    return [], 0


async def _by_title(wish: Listed, place: Place) -> list[Item]:
    found = await place.reader.listing(place.section.key, {"type": _type(place), "title": wish.title or "", **_BARE}, size=PAGE)
    return [item for item in items_of(found.items) if _fits(wish, item)]


def _fits(wish: Listed, item: Item) -> bool:
    if wish.guid:
        return wish.guid in item.guids or item.guid == wish.guid
    return plain(item.title) == plain(wish.title or "") and wish.year in (None, item.year)


async def _below(wish: Listed, place: Place, item: Item) -> Found:
    """The season or episode of a show that was found."""
    if item.level is not Level.SHOW:
        return _missing(wish, f"{item.title} is a {item.level}, not a show: it has no seasons")
    leaves = wish.episode is not None
    listing = await place.reader.children(item.key, leaves=leaves, size=PAGE * 4)
    for child in items_of(listing.items):
        where = (child.parent_index, child.index) if leaves else (child.index, None)
        if where == (wish.season, wish.episode):
            full = items_of(await place.reader.items([child.key]))
            if full:
                return Found(place, full[0])
    seasons = sorted({number for child in items_of(listing.items) if (number := child.parent_index if leaves else child.index) is not None})
    return _missing(
        wish, f"{item.title} has no such {'episode' if leaves else 'season'}; there are seasons {', '.join(map(str, seasons)) or 'none'}"
    )


async def _nearest(wish: Listed, places: Sequence[Place]) -> str:
    """Compared with the titles that hold one of its longer words, and with some others."""
    words = sorted({word for word in (wish.title or "").split() if len(word) > 3}, key=len, reverse=True)[:3]
    titles: dict[str, str] = {}
    for place in places:
        for params in ({}, *({"title": word} for word in words)):
            page = await place.reader.listing(place.section.key, {"type": _type(place), **_BARE, **params}, size=PAGE)
            titles |= {item.title: f"{item.title} ({item.year})" if item.year else item.title for item in items_of(page.items)}
    return _near(wish.title or "", titles, titles)


def _near(name: str, names: Iterable[str], shown: Mapping[str, str] | None = None) -> str:
    by_plain = {plain(one): one for one in names}
    close = difflib.get_close_matches(plain(name), by_plain, n=3, cutoff=0.5)
    close += [one for one in by_plain if plain(name) and plain(name) in one and one not in close][: 3 - len(close)]
    told = [(shown or {}).get(by_plain[one], by_plain[one]) for one in close]
    return f"; the nearest: {', '.join(told)}" if told else ""


def plain(title: str) -> str:
    """For comparing titles: no case, accents, punctuation, or leading article of English."""
    letters = unicodedata.normalize("NFKD", title.casefold())
    words = "".join(letter if letter.isalnum() else " " for letter in letters if not unicodedata.combining(letter)).split()
    return " ".join(words[1:] if len(words) > 1 and words[0] in ("the", "a", "an") else words)


def _missing(wish: Listed, why: str, mend: str = "correct or remove it in sidecar.yml's targets.list") -> Found:
    return Found(problem=Problem(severity=Severity.WARNING, what=f"target {name_of(wish)}: {why}", mend=mend, source="targets"))


def _type(place: Place) -> str:
    return str(SEARCH_TYPE[place.levels[0]])
