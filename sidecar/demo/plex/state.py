"""What a demo Plex remembers besides its world: settings, uploads, what was asked and what that did."""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from sidecar.demo.posters import Drawing, draw
from sidecar.demo.record import Mutation, Request
from sidecar.demo.world import World

VERSION = "1.41.3.9314-a0bfb8370"


def _prefs() -> dict[str, str]:
    return {
        "FriendlyName": "",
        "DatabaseCacheSize": "40",
        "butlerUpdateChannel": "16",
        "butlerStartHour": "2",
        "butlerEndHour": "5",
        "autoEmptyTrash": "true",
        "cinemaTrailersPrerollID": "",
        "allowMediaDeletion": "true",
        "logDebug": "true",
    }


@dataclass(slots=True)
class State:
    """Of one server. Lists grow while it runs; tests read them."""

    world: World
    requests: list[Request] = field(default_factory=list)
    mutations: list[Mutation] = field(default_factory=list)
    uploads: dict[int, list[bytes]] = field(default_factory=dict)
    """Bytes of uploaded pictures by rating key, oldest first, exactly as they came."""
    prefs: dict[str, str] = field(default_factory=_prefs)

    @property
    def machine_identifier(self) -> str:
        return hashlib.sha1(self.world.name.encode(), usedforsecurity=False).hexdigest()

    def mutated(self, kind: str, target: str, detail: str, method: str, path: str) -> None:
        self.mutations.append(Mutation(kind, target, detail, method, path))

    def fetched(self, url: str) -> bytes:
        """What a server gets from a URL that a client pointed it at: its own pictures, else a stand-in, for the demo
        fetches nothing from anywhere."""
        parts = urlsplit(url)
        match = re.search(r"/library/metadata/(\d+)/(file|thumb|art)\b", parts.path)
        item = self.world.items.get(int(match.group(1))) if match else None
        if match and item:
            key = dict(parse_qsl(parts.query)).get("url", "")
            kind = "arts" if match.group(2) == "art" or "://arts/" in key else "posters"
            try:
                return self.world.picture(item, kind, key)[0]
            except KeyError:
                pass
        return draw(Drawing(parts.path.rpartition("/")[2] or "picture", parts.hostname or "", zlib.crc32(url.encode())))
