"""Makes listings cost what the targets cost, not what the library costs.

A listing or search of a library is asked with one more filter, the rating keys of the targets at its level: Plex then
evaluates the search over these items only. That is done only where it is known to be the same answer, cut:

* Plex showed for this very level, library and set of keys that it honours the filter (``Levels`` asks once: the answer
  must be exactly the keys that it should be);
* the search has no ``limit`` (which must count the others, too) and no bare ``or`` (which the filter would not bind).

Anything else is read whole and intersected: a slow answer is better than a wrong one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from sidecar.gateway.canonical import Canonical
from sidecar.gateway.plex import Declined
from sidecar.gateway.scope import Garbled, listed_keys, parse
from sidecar.model import Scope

LEVELS: Final[Mapping[str, str]] = {
    "1": "movie",
    "2": "show",
    "3": "season",
    "4": "episode",
    "8": "artist",
    "9": "album",
    "10": "track",
}
"""Plex's ``type=`` numbers."""

_OWN: Final = frozenset({"movie", "show", "artist"})
"""What a library can be a library of."""

REMEMBERED: Final = 300.0
"""Seconds for which what was found of a scope is believed."""
MOST: Final = 200
"""More targets than this at one level are read whole: the address would grow too long."""
BATCH: Final = 100


class Server(Protocol):
    """Whose listings they are. What was found is believed of the very same server only..."""

    @property
    def who(self) -> str: ...

    @property
    def word(self) -> str | None:
        """...and where its items are, only until something changes there, if that is known."""


_Places = dict[int, tuple[int, str]]
Read = Callable[[Canonical], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Narrowed:
    """How a listing of one level of a library is asked. No ``keys``: no target is there, so the answer is empty."""

    keys: tuple[int, ...]
    field: str = ""
    """The filter that Plex honours; empty where it honours none."""


class Levels:
    """What was found out of scopes, for a while: which keys are at which level of which library, and whether Plex filters by them."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Scope], tuple[float, _Places | None]] = {}
        self._asked: dict[tuple[str, int, str, tuple[int, ...]], tuple[float, str]] = {}
        self._lock = asyncio.Lock()

    async def narrowed(self, request: Canonical, server: Server, section: int, scope: Scope, read: Read) -> Narrowed | None:
        """How to ask ``request`` for the targets alone; None where it must be read whole. Errors of ``read`` are passed on."""
        number = narrowable(request)
        if number is None:
            return None
        async with self._lock:  # shards ask at the same time; the first finds out for all
            places = await self._places(server.word or server.who, scope, read)
            if places is None:
                return None
            number = number or _top(places, section)
            if not number:
                return Narrowed(())
            level = LEVELS[number]
            keys = tuple(sorted(key for key in listed_keys(scope, level) if places.get(key) == (section, level)))
            if not keys:
                return Narrowed(())
            if len(keys) > MOST:
                return None
            field = await self._honoured(server.who, section, number, keys, read)
            return Narrowed(keys, field) if field else None

    async def _places(self, state: str, scope: Scope, read: Read) -> _Places | None:
        """Rating key -> (library section, level) of everything visible, from the items' own metadata, in batches.

        What Plex does not have any more is left out. None where an answer does not say where its items are.
        """
        known = self._found.get((state, scope))
        if known and time.monotonic() - known[0] < REMEMBERED:
            return known[1]
        places: _Places = {}
        visible = sorted(scope.visible)
        for start in range(0, len(visible), BATCH):
            keys = ",".join(str(key) for key in visible[start : start + BATCH])
            try:
                root = parse(await read(Canonical("GET", ("library", "metadata", keys), (("skipRefresh", "1"),))))
            except Declined:  # none of them is there any more
                continue
            found = [
                (item.get("ratingKey") or "", item.get("librarySectionID") or root.get("librarySectionID") or "", item) for item in root
            ]
            if not all(key.isdecimal() and section.isdecimal() for key, section, _ in found):
                return self._believe(state, scope, None)
            places.update({int(key): (int(section), item.get("type") or "") for key, section, item in found})
        return self._believe(state, scope, places)

    def _believe(self, state: str, scope: Scope, places: _Places | None) -> _Places | None:
        _forget_old(self._found)
        self._found[(state, scope)] = (time.monotonic(), places)
        return places

    async def _honoured(self, server: str, section: int, number: str, keys: tuple[int, ...], read: Read) -> str:
        """The filter field for rating keys that gives exactly ``keys``, or ``""``."""
        known = self._asked.get((server, section, number, keys))
        if known and time.monotonic() - known[0] < REMEMBERED:
            return known[1]
        level = LEVELS[number]
        found = ""
        for field in ("id",) if level == "movie" else (f"{level}.id", "id"):
            base = Canonical(
                "GET", ("library", "sections", str(section), "all"), (("type", number), ("X-Plex-Container-Size", str(MOST * 2)))
            )
            try:
                root = parse(await read(with_keys(base, field, keys)))
            except (Garbled, Declined):  # it does not know the field
                continue
            if sorted(item.get("ratingKey", "") for item in root if item.get("ratingKey")) == sorted(str(key) for key in keys):
                found = field
                break
        _forget_old(self._asked)
        self._asked[(server, section, number, keys)] = (time.monotonic(), found)
        return found


def narrowable(request: Canonical) -> str | None:
    """The ``type=`` of a listing whose answer a filter by rating keys would only cut, or None. Pure.

    Empty where it has no ``type=``: it lists the library's own type.
    """
    types = request.values("type") or [""]
    if len(types) != 1 or (types[0] and types[0] not in LEVELS):
        return None
    depth = 0
    for key, value in request.query:
        if key in ("limit", "includeMeta") or key.partition(".")[2] == "id" or key.rstrip("!<>=") == "id":
            return None
        if value == "1" and key in ("push", "pop"):
            depth += 1 if key == "push" else -1
        if key == "or" and depth < 1:
            return None
    return types[0] if depth == 0 else None


def _top(places: Mapping[int, tuple[int, str]], section: int) -> str:
    """The ``type=`` of a library's own items, told by those that are visible; empty where none is."""
    own = {level for place, level in places.values() if place == section}
    return next((number for number, level in LEVELS.items() if level in own and level in _OWN), "")


def with_keys(request: Canonical, field: str, keys: tuple[int, ...]) -> Canonical:
    """``request`` with the filter put before everything else, where no group binds it."""
    return replace(request, query=((field, ",".join(str(key) for key in keys)), *request.query))


def _forget_old(found: MutableMapping[Any, tuple[float, Any]]) -> None:
    """Takes out what is believed no longer, so that years of runs leave nothing behind."""
    now = time.monotonic()
    for key in [key for key, (at, _) in found.items() if now - at >= REMEMBERED]:
        del found[key]
