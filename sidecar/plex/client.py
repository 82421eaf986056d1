"""One Plex server, for reading: the only module that knows python-plexapi.

plexapi names the server and its sections; items are read as XML elements, since its objects fetch what they lack by
themselves, one request each. All of it goes through ``Transport``, which cannot write.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar
from xml.etree.ElementTree import Element

import plexapi.server
from plexapi.library import LibrarySection

from sidecar.errors import PlexError
from sidecar.model import PlexServer
from sidecar.plex.transport import MOST_ART, MOST_XML, Memory, Transport, ask_anew

T = TypeVar("T")

BATCH: Final = 40
"""Items asked for in one /library/metadata request."""
AT_ONCE: Final = 4
"""Requests to one server at the same time."""

_PICTURE: Final = re.compile(r"/library/(metadata|collections)/\d+/(thumb|art|poster|composite|clearLogo|squareArt)(/[\w-]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What a server says of itself."""

    name: str
    version: str
    machine_identifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A library section. ``type``: movie, show, artist or photo."""

    key: int
    type: str
    title: str
    agent: str = ""
    language: str = ""
    uuid: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A part of a listing; ``total`` counts all of it."""

    items: tuple[Element, ...]
    total: int


class Reader(Protocol):
    """What choosing targets needs of a server; :class:`PlexReader` is one."""

    async def facts(self) -> ServerFacts: ...

    async def sections(self) -> dict[str, Section]: ...

    async def listing(self, section: int, params: Mapping[str, str], *, size: int, start: int = 0) -> Listing: ...

    async def choices(self, section: int, field: str, kind: int) -> list[str]: ...

    async def items(self, rating_keys: Iterable[int]) -> list[Element]: ...

    async def children(self, rating_key: int, *, leaves: bool = False, size: int) -> Listing: ...


class _PlexApi(plexapi.server.PlexServer):
    """plexapi over our transport: all that it asks comes through ``query``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        # The token is the transport's; plexapi gets a stand-in, lest it looks for one in its own config file.
        super().__init__(transport.shown, token="in-the-session", session=transport.session)  # type: ignore[no-untyped-call]  # noqa: S106

    def query(self, key: str, method: Any = None, headers: Any = None, params: Any = None, timeout: Any = None, **_options: Any) -> Element:
        if method is not None:
            raise PlexError("Plex is only read")
        root = self._transport.xml(key, params, headers=headers)
        if root is None:
            raise PlexError(f"Plex at {self._transport.shown} has no {key}: is it Plex that answers there?")
        return root


class PlexReader:
    """Reads one server. Everything may raise PlexAway, PlexRefused or PlexError, whose words never hold the token."""

    def __init__(self, server: PlexServer, memory: Memory = ask_anew) -> None:
        """Nothing is sent yet. ``memory`` may answer for the server where nothing changed there."""
        self.server = server
        self._transport = Transport(server, memory)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._api: Any = None  # plexapi's view of the server, once it was there

    async def ping(self) -> None:
        """GET / of the server itself: is it there, and does it take the token?"""
        if await self._in_thread(lambda: self._transport.ask("/", most=MOST_XML)) is None:
            raise PlexError(f"Plex at {self._transport.shown} has no /: is it Plex that answers there?")

    async def facts(self) -> ServerFacts:
        """GET /: what the server says of itself."""
        self._api = api = await self._in_thread(lambda: _PlexApi(self._transport))
        name = self.server.name
        return ServerFacts(name=api.friendlyName or name, version=api.version or "", machine_identifier=api.machineIdentifier or name)

    async def sections(self) -> dict[str, Section]:
        """The server's library sections by title; of equal titles the first, as Kometa takes it."""
        if self._api is None:
            await self.facts()
        api, found = self._api, dict[str, Section]()
        for section in await self._in_thread(lambda: api.fetchItems("/library/sections", cls=LibrarySection)):
            about = {"agent": section.agent or "", "language": section.language or "", "uuid": section.uuid or ""}
            found.setdefault(section.title, Section(key=int(section.key), type=section.type, title=section.title, **about))
        return found

    async def metadata(self, rating_key: int) -> Element:
        """The item's ``<Video>`` or ``<Directory>`` with Media, Part, Stream, Label, ...; PlexError where there is none."""
        found = await self.items([rating_key])
        if not found:
            raise PlexError(f"Plex at {self._transport.shown} has no item {rating_key}")
        return found[0]

    async def items(self, rating_keys: Iterable[int]) -> list[Element]:
        """The items of these keys that exist, in full and in the order of the keys."""
        keys = list(dict.fromkeys(rating_keys))
        found: dict[str | None, Element] = {}
        for start in range(0, len(keys), BATCH):
            some = ",".join(map(str, keys[start : start + BATCH]))
            # skipRefresh: else the server looks at the items' files again.
            root = await self._xml(f"/library/metadata/{some}", {"includeGuids": "1", "skipRefresh": "1"})
            if root is not None:
                found |= {item.get("ratingKey"): item for item in root if item.get("ratingKey")}
        return [found[str(key)] for key in keys if str(key) in found]

    async def listing(self, section: int, params: Mapping[str, str], *, size: int, start: int = 0) -> Listing:
        """Up to ``size`` items of /library/sections/N/all. ``params`` as Plex's filters, such as type, sort, resolution."""
        return await self._list(f"/library/sections/{section}/all", params, size, start)

    async def choices(self, section: int, field: str, kind: int) -> list[str]:
        """The values a filter can take (keys, as filters want them) for items of search type ``kind``; empty where it is unknown."""
        root = await self._xml(f"/library/sections/{section}/{field}", {"type": str(kind)})
        return [] if root is None else [key for row in root.iter("Directory") if (key := row.get("key"))]

    async def children(self, rating_key: int, *, leaves: bool = False, size: int) -> Listing:
        """Seasons of a show, episodes of a season; with ``leaves`` all episodes of either. None of an item that is gone."""
        return await self._list(f"/library/metadata/{rating_key}/{'allLeaves' if leaves else 'children'}", {}, size, 0)

    async def art(self, which: int | str) -> bytes:
        """A picture's bytes: of an item (its current poster), or of a path such as /library/metadata/101/thumb/1700000000."""
        path = which if isinstance(which, str) else (await self.metadata(which)).get("thumb", "")
        if not _PICTURE.fullmatch(path):
            raise PlexError(f"{path!r} is no picture of an item of Plex" if path else f"item {which!r} has no picture")
        data: bytes | None = await self._in_thread(lambda: self._transport.read(path, most=MOST_ART))
        if data is None:
            raise PlexError(f"Plex at {self._transport.shown} has no picture {path}")
        return data

    async def close(self) -> None:
        """Close kept connections."""
        await asyncio.to_thread(self._transport.close)

    async def _list(self, path: str, params: Mapping[str, str], size: int, start: int) -> Listing:
        page = {"X-Plex-Container-Start": str(start), "X-Plex-Container-Size": str(size)}
        root = await self._xml(path, {**params, **page})
        if root is None:
            return Listing((), 0)
        items = tuple(item for item in root if item.get("ratingKey"))
        total = root.get("totalSize") or root.get("size") or ""
        return Listing(items[:size], int(total) if total.isdecimal() else len(items))

    async def _xml(self, path: str, params: dict[str, str]) -> Element | None:
        return await self._in_thread(lambda: self._transport.xml(path, params))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        async with self._slots:
            return await asyncio.to_thread(work)
