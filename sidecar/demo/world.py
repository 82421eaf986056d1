"""The demo's content: deterministic libraries that can be edited while servers play them.

``World.sample()`` is what people see and most tests use; ``World.sized(n)`` is any number of movies, cheap enough for
20,000 (about 2 s, pictures drawn when asked for).
"""

from __future__ import annotations

import hashlib
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from threading import Lock

from sidecar.demo import build, content
from sidecar.demo.items import EPOCH, TAG_FIELDS, Item, Library, Picture
from sidecar.demo.media import PROFILES, MediaFile
from sidecar.demo.posters import Drawing, draw

DRAWN = 256
"""Drawn pictures kept in memory; the rest are drawn again."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something in the world changed: told to listeners (the servers' notifications)."""

    item: Item
    what: str
    """Names of what changed, or created, deleted."""


Listener = Callable[[Change], None]


class World:
    """Libraries, items and their pictures. Not thread-safe but for drawing: edit it on the servers' event loop."""

    def __init__(self, name: str = "Sidecar Demo") -> None:
        self.name = name
        """The Plex server's friendly name; two worlds of different names play two servers."""
        self.libraries: dict[int, Library] = {}
        self.items: dict[int, Item] = {}
        self.tag_ids: dict[tuple[str, str], int] = {}
        self._tag_folded: dict[tuple[str, str], int] = {}
        self._tag_numbers: set[int] = set()
        self.version = 0
        """Counts changes: an answer made at the same version is still true."""
        self._by_guid: dict[str, int] | None = None
        self._listeners: list[Listener] = []
        self._files = 0
        self._drawn: OrderedDict[Drawing, bytes] = OrderedDict()
        self._drawing = Lock()

    # ── making ───────────────────────────────────────────────────────────────────────────────────────────

    @classmethod
    def sample(cls, name: str = "Sidecar Demo", *, music: bool = False) -> World:
        """Two libraries, Movies (section 1, from rating key 101) and Shows (section 2, from 201); with ``music`` Music (3, from 401)."""
        world = cls(name)
        movies = world.add_library("movie", "Movies")
        for number, fact in enumerate(content.MOVIES):
            build.add_movie(world, movies, 101 + number, fact, number)
        build.add_shows(world, 201)
        if music:
            build.add_music(world, 401)
        world.sync_collections()
        return world

    @classmethod
    def sized(cls, movies: int, name: str = "Sidecar Demo", *, music: bool = False) -> World:
        """The sample's first titles and then as many made-up ones as it takes to have ``movies`` movies; shows as in the sample."""
        world = cls(name)
        library = world.add_library("movie", "Movies")
        chance = random.Random(movies)  # noqa: S311 (repeatable content, not a secret)
        for number in range(movies):
            fact = content.MOVIES[number] if number < len(content.MOVIES) else build.invent(number, chance)
            build.add_movie(world, library, 101 + number, fact, number)
        shows = 201 if movies <= 100 else -(-(101 + movies) // 1000) * 1000 + 1
        build.add_shows(world, shows)
        if music:
            build.add_music(world, shows + 200)
        world.sync_collections()
        return world

    def add_library(self, kind: str, title: str) -> Library:
        """An empty library section of type movie, show or artist."""
        agent, scanner = {
            "movie": ("tv.plex.agents.movie", "Plex Movie"),
            "show": ("tv.plex.agents.series", "Plex TV Series"),
            "artist": ("tv.plex.agents.music", "Plex Music"),
        }[kind]
        key = len(self.libraries) + 1
        location = f"/media/{title.lower()}"
        library = Library(key, kind, title, agent, scanner, location, _uuid(f"{self.name}/{title}"), updated_at=EPOCH, scanned_at=EPOCH)
        self.libraries[key] = library
        return library

    def add(self, item: Item) -> Item:
        """Put an item into its library; its tags become filter choices."""
        self.items[item.rating_key] = item
        self.version += 1
        self._by_guid = None
        if item.parent is not None:
            self.items[item.parent].children.append(item.rating_key)
        elif item.type != "collection":
            self.libraries[item.section].items.append(item.rating_key)
        for field, names in item.tags.items():
            for name in names:
                self.tag_id(field, name)
        return item

    def file(self, profile: str, path: str, duration: int) -> MediaFile:
        """A new media file of one of ``media.PROFILES``; ``duration`` in milliseconds."""
        self._files += 1
        kind = PROFILES[profile]
        return MediaFile(5000 + self._files, kind, f"{path} {kind.tags}-DEMO.{kind.container}", kind.bitrate * duration // 8)

    def make(self, rating_key: int, kind: str, section: int, title: str, **fields: object) -> Item:
        """A new item with its guid, dates and art derived from ``rating_key``; ``fields`` as in ``Item``."""
        guid = f"plex://{kind}/{hashlib.sha256(f'{kind}/{rating_key}'.encode()).hexdigest()[:24]}"
        added = EPOCH + (rating_key * 1_299_709) % 20_000_000
        item = Item(rating_key, kind, section, title, guid, added, added + 3600, seed=rating_key * 31 + len(title))
        for name, value in fields.items():
            setattr(item, name, value)
        return self.add(item)

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────

    def item(self, rating_key: int) -> Item:
        """KeyError where there is none."""
        return self.items[rating_key]

    def parent(self, item: Item) -> Item | None:
        return None if item.parent is None else self.items[item.parent]

    def ancestor(self, item: Item, kind: str) -> Item | None:
        """The item itself or the one above it that is of type ``kind``."""
        found: Item | None = item
        while found is not None and found.type != kind:
            found = self.parent(found)
        return found

    def children(self, item: Item) -> list[Item]:
        return [self.items[key] for key in item.children]

    def leaves(self, item: Item) -> Iterator[Item]:
        """Episodes or tracks below an item, or the item itself where it is one."""
        if item.leaf:
            yield item
            return
        for child in self.children(item):
            yield from self.leaves(child)

    def of_type(self, library: Library, kind: str) -> Iterator[Item]:
        """A library's items of one type, in order."""
        if kind == "collection":
            yield from (item for item in self.items.values() if item.type == "collection" and item.section == library.key)
            return
        below: Iterable[int] = library.items
        for level in library.levels:
            if level == kind:
                yield from (self.items[key] for key in below)
                return
            below = [child for key in below for child in self.items[key].children]

    def by_guid(self, guid: str) -> Item | None:
        """The item that bears an external id such as ``imdb://tt9100101``."""
        if self._by_guid is None:
            self._by_guid = {guid: item.rating_key for item in self.items.values() for guid in (*item.guids, item.guid)}
        key = self._by_guid.get(guid)
        return None if key is None else self.items[key]

    def locations(self, item: Item) -> tuple[str, ...]:
        """Files of a leaf, folders of the rest: what Kometa finds assets by."""
        return item.locations or tuple(media.file for media in item.media)

    def tag_id(self, field: str, name: str) -> int:
        """The id of a tag; a new one is given where the tag is new."""
        found = self.tag_ids.get((field, name))
        if found is None:
            found = self.tag_ids[field, name] = 10_001 + len(self.tag_ids)
            self._tag_folded[field, name.casefold()] = found
            self._tag_numbers.add(found)
        return found

    def find_tag(self, field: str, text: str) -> int | None:
        """The id of the tag with this id or this name in any case, or None."""
        if text.isdecimal() and int(text) in self._tag_numbers:
            return int(text)
        return self._tag_folded.get((field, text.casefold()))

    def picture(self, item: Item, kind: str = "posters", key: str = "") -> tuple[bytes, str]:
        """Bytes and media type of an item's picture: ``key``'s, or the selected one. May draw (up to 0.3 s): call it in a thread.

        KeyError where there is no such picture.
        """
        key = key or item.selected.get(kind, "")
        for picture in item.pictures.get(kind, ()):
            if picture.key == key:
                return picture.content, picture.media_type
        drawing = self.drawing(item, kind, 1 if key.endswith("_1") else 0)
        if key and key != self.agent_key(item, kind, 0) and key != self.agent_key(item, kind, 1):
            raise KeyError(key)
        with self._drawing:
            if drawing not in self._drawn:
                self._drawn[drawing] = draw(drawing)
                while len(self._drawn) > DRAWN:
                    self._drawn.popitem(last=False)
            self._drawn.move_to_end(drawing)
            return self._drawn[drawing], drawing.media_type

    def drawing(self, item: Item, kind: str = "posters", variant: int = 0) -> Drawing:
        """What an agent's picture of an item shows. KeyError for kinds that agents have none of (logos, themes)."""
        seed = item.seed + variant * 1009
        if kind in ("arts", "squareArts"):
            size = (1920, 1080) if kind == "arts" else (1000, 1000)
            return Drawing(item.title, "", seed + 17, *size, words=False)
        if kind != "posters":
            raise KeyError(kind)
        top = self.ancestor(item, "show") or self.ancestor(item, "artist") or item
        if item.type == "season":
            title, subtitle = top.title, item.title
        elif item.type == "episode":
            season = self.parent(item)
            title, subtitle = item.title, f"{top.title} · S{(season.index if season else 0) or 0:02}E{item.index or 0:02}"
        else:
            title, subtitle = item.title, " · ".join(part for part in (str(item.year or ""), item.studio) if part)
        return Drawing(title, subtitle, seed, *item.poster_size, format=item.poster_format)

    @staticmethod
    def agent_key(item: Item, kind: str, variant: int) -> str:
        """``ratingKey`` of a picture that an agent found."""
        return f"metadata://{kind}/tv.plex.agents.demo_{item.rating_key}_{variant}"

    # ── changing ─────────────────────────────────────────────────────────────────────────────────────────

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` at every change until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def change(self, rating_key: int, **fields: object) -> Item:
        """Set fields of an item (names as in ``Item``; ``labels``, ``genres``... set tags) as an edit on the server would.

        ``updatedAt`` moves on, so does the library's ``contentChangedAt``, and listeners hear of it. KeyError for an
        unknown rating key, AttributeError for an unknown field.
        """
        item = self.items[rating_key]
        for name, value in fields.items():
            field = name.removesuffix("s")
            if field in TAG_FIELDS and name != field:
                names = tuple(str(tag) for tag in value) if isinstance(value, Iterable) else ()
                item.tags = {**item.tags, field: names}
                for tag in names:
                    self.tag_id(field, tag)
            else:
                setattr(item, name, value)
        if "collections" in fields:
            self.sync_collections()
        self._touch(item, ", ".join(fields))
        return item

    def add_picture(self, rating_key: int, kind: str, content: bytes, media_type: str, source: str = "") -> Picture:
        """Upload a picture and select it, as POST /library/metadata/RK/posters does. ``source``: the URL it came from."""
        item = self.items[rating_key]
        key = source or f"upload://{kind}/{hashlib.sha1(content, usedforsecurity=False).hexdigest()}"
        picture = Picture(key, content, media_type)
        kept = [old for old in item.pictures.get(kind, ()) if old.key != key]
        item.pictures[kind] = [picture, *kept]
        item.selected[kind] = key
        self._touch(item, kind)
        return picture

    def redraw(self, rating_key: int) -> Item:
        """Give an item new art, as an agent's refresh would."""
        item = self.items[rating_key]
        item.seed += 100_003
        item.selected.pop("posters", None)
        self._touch(item, "posters")
        return item

    def delete(self, rating_key: int) -> Item:
        """Take an item and all below it away. KeyError where there is none."""
        item = self.items[rating_key]
        for child in list(item.children):
            self.delete(child)
        if item.parent is not None:
            self.items[item.parent].children.remove(rating_key)
        elif item.type != "collection":
            self.libraries[item.section].items.remove(rating_key)
        del self.items[rating_key]
        self._by_guid = None
        item.deleted = True
        self._touch(item, "deleted")
        return item

    def _touch(self, item: Item, what: str) -> None:
        self.version += 1
        item.updated_at = max(item.updated_at + 1, int(time.time()))
        library = self.libraries[item.section]
        library.changed += 1
        library.updated_at = item.updated_at
        for listener in list(self._listeners):
            listener(Change(item, what))

    def sync_collections(self) -> None:
        """Keep one collection item per collection tag in use."""
        for library in self.libraries.values():
            top = [self.items[key] for key in library.items]
            wanted: dict[str, list[int]] = {}
            for item in top:
                for name in item.tags.get("collection", ()):
                    wanted.setdefault(name, []).append(item.rating_key)
            present = {item.title: item for item in self.of_type(library, "collection")}
            for name, members in wanted.items():
                collection = present.get(name) or self.make(
                    self.tag_id("collection", name) + 1_000_000_000, "collection", library.key, name
                )
                collection.children[:] = members
            for name, collection in present.items():
                if name not in wanted:
                    del self.items[collection.rating_key]


def _uuid(text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
