"""What a demo Plex answers to GET: browsing, filters, metadata, pictures."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from sidecar.demo.items import TYPES, Item, Library
from sidecar.demo.plex import meta, xml
from sidecar.demo.plex.call import Answer, Call, Refused, text
from sidecar.demo.plex.fields import FIELDS, NAMES, choices
from sidecar.demo.plex.query import BadQuery, Query, Sort, parse
from sidecar.demo.plex.search import find, level_of, resolve
from sidecar.demo.plex.state import VERSION, State
from sidecar.demo.plex.xml import container, element

Handler = Callable[[Call], Awaitable[Answer]]

LISTINGS = 64
"""Query results kept."""

_KINDS = {
    "thumb": "posters",
    "poster": "posters",
    "art": "arts",
    "composite": "posters",
    "banner": "arts",
    "clearLogo": "clearLogos",
    "squareArt": "squareArts",
}
_ROOT = (
    "activities butler channels clients devices diagnostics hubs library livetv media metadata neighborhood playQueues player playlists "
    "resources search server servers statistics system transcode updater user"
)


class Reads:
    """Answers from a state; changes nothing."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.world = state.world
        self._listings: dict[tuple[int, int | None, str, bool], list[Item]] = {}
        self._listings_at = -1

    async def answer(self, call: Call) -> Answer:
        """Refused 404 where there is nothing."""
        match call.segments:
            case ():
                return text(self._root())
            case ("identity",):
                return text(container({"machineIdentifier": self.state.machine_identifier, "version": VERSION, "claimed": 1, "size": 0}))
            case (":", "prefs"):
                return text(self._prefs())
            case ("library",):
                words = {"allowSync": 0, "identifier": "com.plexapp.plugins.library", "title1": "Plex Library"}
                rows = [("sections", "Library Sections"), ("recentlyAdded", "Recently Added Content"), ("onDeck", "On Deck Content")]
                return text(container(words, [element("Directory", {"key": key, "title": title}) for key, title in rows]))
            case ("library", "sections", *rest):
                return self._sections(call, rest)
            case ("library", "all"):
                return self._everything(call)
            case ("library", "recentlyAdded" | "onDeck"):
                recent = sorted((item for item in self.world.items.values() if item.leaf), key=lambda item: -item.added_at)
                return self._list(call, recent if call.segments[1] == "recentlyAdded" else [], {**xml.IDENTIFIER, "mixedParents": 1})
            case ("library", "metadata", keys, *rest):
                return await self._metadata(call, keys, rest)
            case ("library", "collections", key, *rest):
                return self._collection(call, key, rest)
            case ("photo", ":", "transcode"):
                raise Refused(404, "Not Found")
            case ("hubs", "sections", _key, *_rest) | ("hubs", _key, *_rest):
                return text(self._hubs(call))
            case ("hubs",) | ("playlists", *_) | ("status", "sessions", *_) | ("clients",) | ("devices",) | ("activities",) | ("accounts",):
                return text(container({}))
            case ("media", "providers"):
                return text(self._providers())
            case ("system", *_) | ("statistics", *_) | ("transcode", *_) | ("butler",) | ("playQueues", *_) | ("myplex", "account"):
                return text(container({}))
            case (":", "resources", _name):
                raise Refused(404, "Not Found")
        raise Refused(404, "Not Found")

    # ── the server ───────────────────────────────────────────────────────────────────────────────────────

    def _root(self) -> str:
        attributes = {
            "allowCameraUpload": 0, "allowChannelAccess": 1, "allowMediaDeletion": 1, "allowSharing": 1, "allowSync": 1, "allowTuners": 0,
            "backgroundProcessing": 1, "certificate": 0, "companionProxy": 1, "countryCode": "usa",
            "diagnostics": "logs,databases,streaminglogs",
            "eventStream": 1, "friendlyName": self.state.prefs["FriendlyName"] or self.world.name, "hubSearch": 1,
            "itemClusters": 1, "livetv": 7,
            "machineIdentifier": self.state.machine_identifier, "mediaProviders": 1, "multiuser": 1, "musicAnalysis": 2, "myPlex": 1,
            "myPlexMappingState": "mapped", "myPlexSigninState": "ok", "myPlexSubscription": 1, "myPlexUsername": "demo@example.invalid",
            "offlineTranscode": 1, "ownerFeatures": "webhooks,home,pass", "platform": "Linux", "platformVersion": "6.1.0 (demo)",
            "pluginHost": 0,
            "pushNotifications": 0, "readOnlyLibraries": 0, "streamingBrainABRVersion": 3, "streamingBrainVersion": 2, "sync": 1,
            "transcoderActiveVideoSessions": 0, "transcoderAudio": 1, "transcoderLyrics": 1, "transcoderPhoto": 1,
            "transcoderSubtitles": 1,
            "transcoderVideo": 1, "updatedAt": 1_700_000_000, "updater": 1, "version": VERSION, "voiceSearch": 1,
        }  # fmt: skip
        return container(attributes, [element("Directory", {"count": 1, "key": name, "title": name}) for name in _ROOT.split()])

    def _prefs(self) -> str:
        rows = []
        for name, value in self.state.prefs.items():
            kind = "bool" if value in ("true", "false") else "int" if value.isdecimal() and name != "butlerUpdateChannel" else "text"
            shown = value or (self.world.name if name == "FriendlyName" else "")
            rows.append(xml.setting(name, name, kind, "", shown, "general"))
        return container({}, rows)

    def _providers(self) -> str:
        rows = []
        for library in self.world.libraries.values():
            sizes = [media.size for kind in library.levels for item in self.world.of_type(library, kind) for media in item.media]
            lengths = [item.duration or 0 for item in self.world.of_type(library, library.levels[-1])]
            key = f"/library/sections/{library.key}"
            attributes = {"id": library.key, "key": key, "title": library.title, "type": library.type, "uuid": library.uuid}
            pivot = element(
                "Pivot", {"id": "library", "key": f"{key}/all", "type": "list", "title": "Library", "context": "content.library"}
            )
            rows.append(element("Directory", {**attributes, "durationTotal": sum(lengths), "storageTotal": sum(sizes)}, [pivot]))
        feature = element("Feature", {"key": "/library/sections", "type": "content"}, rows)
        provider = element(
            "MediaProvider", {"identifier": "com.plexapp.plugins.library", "title": "Library", "types": "video,audio"}, [feature]
        )
        return container({"allowSync": 1, "friendlyName": self.world.name, "machineIdentifier": self.state.machine_identifier}, [provider])

    def _hubs(self, call: Call) -> str:
        """/hubs/search: titles that contain the words; every other hub is empty."""
        wanted = call.params.get("query", "").casefold()
        if not wanted or "search" not in call.segments:
            return container({"librarySectionID": call.params.get("sectionId")})
        rows = []
        for kind in ("movie", "show", "season", "episode", "artist", "album", "track"):
            found = [item for item in self.world.items.values() if item.type == kind and wanted in item.title.casefold()]
            if section := call.params.get("sectionId"):
                found = [item for item in found if str(item.section) == section]
            inside = [xml.describe(self.world, item) for item in found[: int(call.params.get("limit") or 10)]]
            rows.append(
                element("Hub", {"title": f"{kind}s".title(), "type": kind, "hubIdentifier": kind, "size": len(inside), "more": 0}, inside)
            )
        return container(xml.IDENTIFIER, rows)

    # ── sections ─────────────────────────────────────────────────────────────────────────────────────────

    def _sections(self, call: Call, rest: list[str]) -> Answer:
        if not rest:
            attributes = {"allowSync": 0, "title1": "Plex Library"}
            return text(container(attributes, [xml.section(library) for library in self.world.libraries.values()]))
        if rest == ["all"]:
            return self._everything(call)
        library = self.world.libraries.get(int(rest[0])) if rest[0].isdecimal() else None
        if library is None:
            raise Refused(404, "Not Found")
        match rest[1:]:
            case []:
                rows = [
                    ("all", f"All {library.title}"),
                    ("unwatched", "Unplayed"),
                    ("recentlyAdded", "Recently Added"),
                    ("collection", "By Collection"),
                ]
                attributes = {**self._secondary(library), "librarySectionID": library.key}
                return text(container(attributes, [element("Directory", {"key": key, "title": title}) for key, title in rows]))
            case ["all"]:
                return self._all(call, library)
            case ["collections"]:
                return self._all(call, library, "collection")
            case ["prefs"]:
                return text(container({}, self._library_prefs(library)))
            case ["recentlyAdded" | "newest"]:
                items = sorted(self.world.of_type(library, library.levels[-1]), key=lambda item: -item.added_at)
                return self._list(call, items, xml.section_attributes(library))
            case ["unwatched"]:
                items = [
                    item
                    for item in self.world.of_type(library, library.levels[0])
                    if any(not leaf.view_count for leaf in self.world.leaves(item))
                ]
                return self._list(call, items, xml.section_attributes(library))
            case ["sorts" | "filters" as what]:
                return text(self._old_filters(library, what))
            case ["firstCharacter"]:
                return text(self._first_characters(call, library))
            case ["timeline" | "onDeck" | "folder" | "hubs" | "agents" | "common" | "playlists"]:
                return text(container(xml.section_attributes(library)))
            case [name] if name.lower() in NAMES:
                return self._choices(call, library, NAMES[name.lower()])
        raise Refused(404, "Not Found")

    def _secondary(self, library: Library) -> dict[str, object]:
        return {
            **xml.IDENTIFIER,
            "allowSync": 0,
            "art": f"/:/resources/{library.type}-fanart.jpg",
            "content": "secondary",
            "thumb": f"/:/resources/{library.type}.png",
            "title1": library.title,
            "viewGroup": "secondary",
        }

    def _all(self, call: Call, library: Library, only: str = "") -> Answer:
        try:
            query = parse(call.query)
            if only:
                query = parse(f"{call.query}&type={TYPES[only]}")
        except BadQuery as error:
            raise Refused(400, "Bad Request") from error
        items = self._found(call, library, query)
        level = level_of(query, library)
        attributes = {
            **xml.section_attributes(library),
            "art": f"/:/resources/{library.type}-fanart.jpg",
            "nocache": 1,
            "sortAsc": 1,
            "thumb": f"/:/resources/{library.type}.png",
            "title1": library.title,
            "title2": f"All {library.title}",
            "viewGroup": level,
        }
        head = [meta.block(library, level)] if query.flag("includeMeta") else []
        return self._list(call, items, attributes, head, guids=query.flag("includeGuids"))

    def _found(self, call: Call, library: Library, query: Query) -> list[Item]:
        """What a query finds, remembered while the world stays as it is: clients page through a library with equal queries."""
        asked = "&".join(part for part in call.query.split("&") if not part.startswith("X-Plex-"))
        if "random" in asked or re.search(r"=-\d+[a-z]", asked):
            return find(self.world, library, query)
        counted = call.window()[1] == 0
        if counted:
            query = replace(query, sort=(Sort("as they come"),))
        key = (library.key, query.type, asked, counted)
        if self._listings_at != self.world.version:
            self._listings.clear()
            self._listings_at = self.world.version
        if key not in self._listings:
            if len(self._listings) >= LISTINGS:
                self._listings.pop(next(iter(self._listings)))
            self._listings[key] = find(self.world, library, query)
        return self._listings[key]

    def _everything(self, call: Call) -> Answer:
        """/library/all and /library/sections/all: every library that has the type asked for."""
        try:
            query = parse(call.query)
        except BadQuery as error:
            raise Refused(400, "Bad Request") from error
        items: list[Item] = []
        for library in self.world.libraries.values():
            if query.type is None or level_of(query, library) in (*library.levels, "collection"):
                items += find(self.world, library, query)
        return self._list(call, items, xml.IDENTIFIER, guids=query.flag("includeGuids"))

    def _list(
        self, call: Call, items: list[Item], attributes: dict[str, object], head: Iterable[str] = (), *, guids: bool = False
    ) -> Answer:
        start, size = call.window()
        page = items[start:] if size is None else items[start : start + size]
        without = frozenset((call.params.get("excludeElements", "") + "," + call.params.get("excludeFields", "")).split(","))
        rows = [xml.describe(self.world, item, guids=guids, without=without) for item in page]
        paging = {"size": len(rows)} if size is None and not start else {"size": len(rows), "totalSize": len(items), "offset": start}
        return text(
            container({**paging, **attributes, **{name: value for name, value in paging.items() if name == "size"}}, [*head, *rows])
        )

    def _choices(self, call: Call, library: Library, name: str) -> Answer:
        number = call.params.get("type", "")
        level = next((kind for kind, value in TYPES.items() if str(value) == number), library.levels[0])
        resolved = resolve(name, level, library)
        if not resolved or FIELDS[name].kind == "boolean":
            return text(container(self._secondary(library)))
        kind = resolved.partition(".")[0]
        suffix = f"type={number}&" if number else ""
        rows = []
        for key, title in choices(self.world, self.world.of_type(library, kind), name):
            attributes = {"fastKey": f"/library/sections/{library.key}/all?{suffix}{name}={key}", "key": key, "title": title, "type": name}
            rows.append(element("Directory", attributes))
        start, size = call.window()
        page = rows[start:] if size is None else rows[start : start + size]
        return text(container({**self._secondary(library), "title2": f"By {meta.TITLES.get(name, name.capitalize())}"}, page))

    def _first_characters(self, call: Call, library: Library) -> str:
        letters: dict[str, int] = {}
        for item in find(self.world, library, parse(call.query)):
            letter = item.sort_title[:1].upper()
            letters[letter if letter.isalpha() else "#"] = letters.get(letter, 0) + 1
        rows = [element("Directory", {"size": count, "key": letter, "title": letter}) for letter, count in sorted(letters.items())]
        return container(self._secondary(library), rows)

    def _old_filters(self, library: Library, what: str) -> str:
        kind = library.levels[0]
        if what == "sorts":
            rows = [
                {"defaultDirection": "asc", "descKey": f"{key}:desc", "key": key, "title": meta.TITLES.get(key, key)}
                for key in meta.SORTS[kind]
            ]
        else:
            key = f"/library/sections/{library.key}/"
            rows = [
                {"filter": name, "filterType": "string", "key": key + name, "title": name, "type": "filter"} for name in meta.FILTERS[kind]
            ]
        return container(self._secondary(library), [element("Directory", row) for row in rows])

    def _library_prefs(self, library: Library) -> list[str]:
        rows = [
            xml.setting("hidden", "Visibility", "int", 0, 0, values="0:Include in home screen and global search|2:Exclude from home screen")
        ]
        if library.type != "artist":
            values = "rottentomatoes:Rotten Tomatoes|imdb:IMDb|themoviedb:The Movie Database"
            rows.append(xml.setting("ratingsSource", "Ratings Source", "text", "rottentomatoes", "rottentomatoes", values=values))
            rows.append(xml.setting("respectTags", "Prefer local metadata", "bool", False, False))
        return rows

    # ── items ────────────────────────────────────────────────────────────────────────────────────────────

    def _item(self, key: str) -> Item:
        item = self.world.items.get(int(key)) if key.isdecimal() else None
        if item is None:
            raise Refused(404, "Not Found")
        return item

    async def _metadata(self, call: Call, keys: str, rest: list[str]) -> Answer:
        match rest:
            case []:
                items = [found for key in keys.split(",") if key.isdecimal() and (found := self.world.items.get(int(key)))]
                if not items:
                    raise Refused(404, "Not Found")
                without = frozenset((call.params.get("excludeElements", "") + "," + call.params.get("excludeFields", "")).split(","))
                rows = [xml.describe(self.world, item, full=True, without=without, files=call.on("checkFiles")) for item in items]
                return text(container(xml.section_attributes(self.world.libraries[items[0].section]), rows))
            case ["children"]:
                return self._children(call, self._item(keys), self.world.children(self._item(keys)))
            case ["grandchildren"]:
                item = self._item(keys)
                return self._children(call, item, [grand for child in self.world.children(item) for grand in self.world.children(child)])
            case ["allLeaves"]:
                item = self._item(keys)
                return self._children(call, item, list(self.world.leaves(item)))
            case ["posters" | "arts" | "clearLogos" | "squareArts" | "themes" as kind]:
                return text(xml.picture_list(self.world, self._item(keys), kind))
            case ["file"]:
                return await self._file(self._item(keys), call.params.get("url", ""))
            case [kind, *_stamp] if kind in _KINDS:
                return await self._picture(self._item(keys), _KINDS[kind])
            case [
                "matches" | "similar" | "related" | "extras" | "hubs" | "reviews" | "onDeck" | "tree" | "subtitles" | "nearest" | "prefs"
            ]:
                return text(container(xml.section_attributes(self.world.libraries[self._item(keys).section])))
        raise Refused(404, "Not Found")

    def _children(self, call: Call, item: Item, children: list[Item]) -> Answer:
        library = self.world.libraries[item.section]
        attributes = {
            **xml.section_attributes(library),
            "art": xml.art(item),
            "key": item.rating_key,
            "nocache": 1,
            "parentIndex": item.index,
            "parentTitle": item.title,
            "parentYear": item.year,
            "summary": item.summary,
            "thumb": xml.thumb(item),
            "title1": library.title,
            "title2": item.title,
            "viewGroup": children[0].type if children else "",
        }
        return self._list(call, children, attributes, guids=call.on("includeGuids"))

    def _collection(self, call: Call, key: str, rest: list[str]) -> Answer:
        item = self._item(key)
        if item.type != "collection":
            raise Refused(404, "Not Found")
        if rest in (["children"], ["items"]):
            return self._children(call, item, self.world.children(item))
        return text(container(xml.section_attributes(self.world.libraries[item.section]), [xml.describe(self.world, item, full=True)]))

    async def _file(self, item: Item, url: str) -> Answer:
        kind = next((kind for kind in ("arts", "clearLogos", "squareArts", "themes") if f"://{kind}/" in url), "posters")
        return await self._picture(item, kind, url)

    async def _picture(self, item: Item, kind: str, key: str = "") -> Answer:
        try:
            content, media_type = await asyncio.to_thread(self.world.picture, item, kind, key)
        except KeyError as error:
            raise Refused(404, "Not Found") from error
        return Answer(content, media_type)
