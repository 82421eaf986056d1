"""Requests that change the server, whatever their method: writes, and the GETs that Plex lets change or leak state.

Sources: python-plexapi 4.18 and Plex's own OpenAPI description. Paths are matched without regard to case, and HEAD and
OPTIONS act like GET: nobody may rely on a server being strict.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_plus

from sidecar.demo.items import TAG_FIELDS, Item
from sidecar.demo.plex import xml
from sidecar.demo.plex.call import Answer, Call, Refused, text
from sidecar.demo.plex.query import pairs

if TYPE_CHECKING:
    from sidecar.demo.plex.state import State

EMPTY = Answer()
PICTURES = {"posters": "posters", "poster": "posters", "thumb": "posters", "arts": "arts", "art": "arts", "clearlogos": "clearLogos"}
PICTURES |= {"clearlogo": "clearLogos", "squarearts": "squareArts", "squareart": "squareArts", "themes": "themes", "theme": "themes"}

_FIELDS = {
    "title": "title", "titleSort": "title_sort", "originalTitle": "original_title", "summary": "summary", "tagline": "tagline",
    "studio": "studio",
    "contentRating": "content_rating", "editionTitle": "edition", "year": "year", "originallyAvailableAt": "originally_available",
    "userRating": "user_rating", "rating": "rating", "audienceRating": "audience_rating", "addedAt": "added_at", "index": "index",
}  # fmt: skip
_NUMBERS = {"year": int, "user_rating": float, "rating": float, "audience_rating": float, "added_at": int, "index": int}

Act = Callable[["Effects", Call], Answer]


@dataclass(frozen=True, slots=True)
class Rule:
    """A path (``*`` stands for one segment, a last ``**`` for any rest) and what asking for it does."""

    path: tuple[str, ...]
    act: Act
    methods: frozenset[str] = frozenset()
    """Empty: every method."""
    given: str = ""
    """Only where the query has this name."""

    def fits(self, call: Call) -> bool:
        have, want = call.lower, self.path
        if want and want[-1] == "**":
            have, want = have[: len(want) - 1], want[:-1]
        if len(have) != len(want) or any(part not in ("*", word) for part, word in zip(want, have, strict=True)):
            return False
        return (not self.methods or call.method in self.methods) and (not self.given or self.given in call.params)


class Effects:
    """Applies the rules to a state."""

    def __init__(self, state: State) -> None:
        self.state = state

    def apply(self, call: Call) -> Answer | None:
        """The answer of the first rule that fits, or None where the request changes nothing."""
        for rule in RULES:
            if rule.fits(call):
                return rule.act(self, call)
        return None

    def note(self, call: Call, kind: str, target: object = "", detail: str = "") -> None:
        self.state.mutated(kind, str(target), detail, call.method, call.path)

    def item(self, text: str) -> Item:
        try:
            return self.state.world.item(int(text.rpartition("/")[2]))
        except (KeyError, ValueError) as error:
            raise Refused(404, "Not Found") from error

    # ── play state ───────────────────────────────────────────────────────────────────────────────────────

    def scrobble(self, call: Call) -> Answer:
        item = self.item(call.params.get("key", ""))
        for leaf in self.state.world.leaves(item):
            self.state.world.change(leaf.rating_key, view_count=leaf.view_count + 1, view_offset=0)
        self.note(call, "scrobble", item.rating_key)
        return EMPTY

    def unscrobble(self, call: Call) -> Answer:
        item = self.item(call.params.get("key", ""))
        for leaf in self.state.world.leaves(item):
            self.state.world.change(leaf.rating_key, view_count=0, view_offset=0)
        self.note(call, "unscrobble", item.rating_key)
        return EMPTY

    def rate(self, call: Call) -> Answer:
        item = self.item(call.params.get("key", ""))
        rating = _number(call.params.get("rating", ""))
        self.state.world.change(item.rating_key, user_rating=None if rating is None or rating < 0 else rating)
        self.note(call, "rate", item.rating_key, call.params.get("rating", ""))
        return EMPTY

    def progress(self, call: Call) -> Answer:
        item = self.item(call.params.get("key") or call.params.get("ratingKey", ""))
        self.state.world.change(item.rating_key, view_offset=int(_number(call.params.get("time", "")) or 0))
        self.note(call, "progress", item.rating_key, call.params.get("state", ""))
        return text(xml.container({}))

    # ── pictures ─────────────────────────────────────────────────────────────────────────────────────────

    def upload(self, call: Call) -> Answer:
        item, kind = self.item(call.segments[2]), PICTURES[call.lower[3]]
        url = call.params.get("url", "")
        if url:
            content = self.state.fetched(url)
            self.state.world.add_picture(item.rating_key, kind, content, _sniff(content), url)
            self.note(call, "upload", item.rating_key, f"{kind} from {url}")
            return EMPTY
        content = _picture(call)
        if not content:
            raise Refused(400, "Bad Request")
        self.state.uploads.setdefault(item.rating_key, []).append(content)
        self.state.world.add_picture(item.rating_key, kind, content, _sniff(content))
        self.note(call, "upload", item.rating_key, f"{kind}, {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")
        return EMPTY

    def select(self, call: Call) -> Answer:
        item, kind = self.item(call.segments[2]), PICTURES[call.lower[3]]
        url = call.params.get("url", "")
        world = self.state.world
        if url.startswith(("http://", "https://")) and all(picture.key != url for picture in item.pictures.get(kind, ())):
            content = self.state.fetched(url)
            world.add_picture(item.rating_key, kind, content, _sniff(content), url)
        else:
            world.change(item.rating_key, selected={**item.selected, kind: url})
        self.note(call, "select", item.rating_key, f"{kind} {url}")
        return EMPTY

    def drop(self, call: Call) -> Answer:
        item, kind = self.item(call.segments[2]), PICTURES[call.lower[3]]
        self.state.world.change(item.rating_key, selected={name: key for name, key in item.selected.items() if name != kind})
        self.note(call, "drop", item.rating_key, kind)
        return EMPTY

    # ── edits ────────────────────────────────────────────────────────────────────────────────────────────

    def edit_many(self, call: Call) -> Answer:
        keys = [key for key in call.params.get("id", "").split(",") if key]
        items = [self.item(key) for key in keys]
        if not items:  # locks or unlocks a field of the whole library
            self.note(call, "edit", f"section {call.segments[2]}", call.query)
        for item in items:
            self.edit(call, item, replace=len(items) == 1)
        return EMPTY

    def edit_one(self, call: Call) -> Answer:
        for key in call.segments[2].split(","):
            self.edit(call, self.item(key), replace=True)
        return EMPTY

    def edit(self, call: Call, item: Item, *, replace: bool) -> None:
        """``field.value``, ``field.locked``, ``label[0].tag.tag`` (one item: the whole list; several: additions), ``label[].tag.tag-``."""
        fields: dict[str, object] = {}
        tags: dict[str, list[str]] = {}
        locked = set(item.locked)
        for name, value in pairs(call.query):
            field, dot, rest = name.partition(".")
            bare = field.partition("[")[0]
            if dot and rest == "locked":
                (locked.add if value == "1" else locked.discard)(field)
            elif dot and rest == "value" and field in _FIELDS:
                attribute = _FIELDS[field]
                fields[attribute] = _NUMBERS.get(attribute, str)(value) if value else ("" if attribute not in _NUMBERS else None)
            elif bare in TAG_FIELDS and rest == "tag.tag":
                tags.setdefault(bare, [] if replace else list(item.tags.get(bare, ()))).append(value)
            elif bare in TAG_FIELDS and rest == "tag.tag-":
                gone = {unquote_plus(word) for word in value.split(",")} | {unquote(word) for word in value.split(",")}
                tags[bare] = [tag for tag in item.tags.get(bare, ()) if tag not in gone]
        fields |= {f"{name}s": tuple(dict.fromkeys(names)) for name, names in tags.items()}
        self.state.world.change(item.rating_key, locked=frozenset(locked), **fields)
        self.note(call, "edit", item.rating_key, ", ".join(sorted([*fields, *locked ^ item.locked])) or call.query)

    def delete(self, call: Call) -> Answer:
        for key in call.segments[2].split(","):
            item = self.item(key)
            self.state.world.delete(item.rating_key)
            self.note(call, "delete", item.rating_key, item.title)
        return EMPTY

    def work(self, call: Call) -> Answer:
        """Refresh, analyze, match and so on, of an item: the work is noted, its result is the same item."""
        for key in call.segments[2].split(","):
            item = self.item(key)
            self.state.world.change(item.rating_key, stale=False)
            self.note(call, call.lower[3], item.rating_key)
        return EMPTY

    def detail_flags(self, call: Call) -> None:
        """What reading an item's details makes the server do: see ``checkFiles`` and ``skipRefresh``."""
        for name in ("checkFiles", "asyncCheckFiles", "asyncRefreshLocalMediaAgent", "asyncRefreshAnalysis", "asyncAugmentMetadata"):
            if call.on(name):
                self.note(call, name, call.segments[2])
        if not call.on("skipRefresh"):
            for key in call.segments[2].split(","):
                item = self.state.world.items.get(int(key)) if key.isdecimal() else None
                if item and item.stale:
                    item.stale = False
                    self.note(call, "refresh_stale", item.rating_key, "read without skipRefresh=1")

    # ── the server ───────────────────────────────────────────────────────────────────────────────────────

    def section_work(self, call: Call) -> Answer:
        self.note(call, call.lower[3], f"section {call.segments[2]}", call.query)
        return EMPTY

    def set_prefs(self, call: Call) -> Answer:
        for name, value in call.params.items():
            if name in self.state.prefs:
                self.state.prefs[name] = value
                self.note(call, "prefs", name, value)
        return EMPTY

    def mint(self, call: Call) -> Answer:
        self.note(call, "leak", "token", call.query)
        return text(xml.container({"token": f"transient-{secrets.token_hex(10)}"}))

    def leak(self, call: Call) -> Answer:
        self.note(call, "leak", call.path)
        return text(xml.container({}))

    def act(self, call: Call) -> Answer:
        """Whatever else works on the server's state: noted under its path."""
        self.note(call, "act", call.path, call.query)
        return text(xml.container({}))


def _number(words: str) -> float | None:
    try:
        return float(words)
    except ValueError:
        return None


def _picture(call: Call) -> bytes:
    """The bytes of an upload: the body as it is, or the first file of a multipart form."""
    kind = call.headers.get("content-type", "")
    if not kind.startswith("multipart/"):
        return call.body
    message = message_from_bytes(b"Content-Type: " + kind.encode("latin-1") + b"\r\n\r\n" + call.body, policy=policy.HTTP)
    for part in message.iter_parts():
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes) and payload:
            return payload
    return b""


def _sniff(content: bytes) -> str:
    if content.startswith(b"\x89PNG"):
        return "image/png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return "image/gif" if content.startswith(b"GIF8") else "image/jpeg" if content.startswith(b"\xff\xd8") else "application/octet-stream"


def _rules() -> tuple[Rule, ...]:
    def path(words: str) -> tuple[str, ...]:
        return tuple(word for word in words.split("/") if word)

    write = frozenset({"POST", "PUT", "PATCH"})
    rules = [
        Rule(path(":/scrobble"), Effects.scrobble),
        Rule(path(":/unscrobble"), Effects.unscrobble),
        Rule(path(":/rate"), Effects.rate),
        Rule(path(":/progress"), Effects.progress),
        Rule(path(":/timeline"), Effects.progress),
        Rule(path(":/prefs"), Effects.set_prefs, write),
        Rule(path(":/prefs/set"), Effects.set_prefs),
        Rule(path("security/token"), Effects.mint),
        Rule(path("library/sections/*/refresh"), Effects.section_work),
        Rule(path("library/sections/all"), Effects.act, frozenset({"POST", "PUT", "PATCH", "DELETE"})),
        Rule(path("library/sections/*/all"), Effects.edit_many, write),
        Rule(path("library/sections/*/all"), Effects.act, frozenset({"DELETE"})),
    ]
    for word in ("emptyTrash", "optimize", "match", "unmatch", "edit", "analyze", "indexes", "delete", "move"):
        rules.append(Rule(path(f"library/sections/*/{word.lower()}"), Effects.section_work))
    for word in PICTURES:
        rules.append(Rule(path(f"library/metadata/*/{word}"), Effects.upload, frozenset({"POST"})))
        rules.append(Rule(path(f"library/metadata/*/{word}"), Effects.select, frozenset({"PUT", "PATCH"})))
        rules.append(Rule(path(f"library/metadata/*/{word}"), Effects.drop, frozenset({"DELETE"})))
    for word in ("refresh", "analyze", "unmatch", "split", "merge"):
        rules.append(Rule(path(f"library/metadata/*/{word}"), Effects.work))
    rules += [
        Rule(path("library/metadata/*/match"), Effects.work, write),
        Rule(path("library/metadata/*/prefs"), Effects.work, write),
        Rule(path("library/metadata/*/subtitles"), Effects.act, given="url"),
        Rule(path("library/metadata/*/**"), Effects.act, frozenset({"POST", "PATCH"})),
        Rule(path("library/metadata/*"), Effects.edit_one, write),
        Rule(path("library/metadata/*"), Effects.delete, frozenset({"DELETE"})),
        Rule(path("playQueues/*".lower()), Effects.act, given="own"),
        Rule(path("status/sessions/terminate"), Effects.act),
        Rule(path("player/**"), Effects.act),
        Rule(path("photo/:/transcode"), Effects.act, given="url"),
        Rule(path("services/ultrablur/colors"), Effects.act, given="url"),
        Rule(path("services/browse/**"), Effects.leak),
        Rule(path("security/resources"), Effects.leak),
        Rule(path("diagnostics/**"), Effects.leak),
        Rule(path("log/**"), Effects.act),
        Rule(path("library/optimize"), Effects.act),
        Rule(path("library/clean/bundles"), Effects.act),
        Rule(path("media/grabbers/**"), Effects.act),
        Rule(path("butler/**"), Effects.act, frozenset({"POST", "PUT", "DELETE", "PATCH"})),
        Rule(path("updater/check"), Effects.act),
        Rule(path("updater/apply"), Effects.act),
    ]
    for kind in ("video", "audio", "music", "subtitles"):
        rules.append(Rule(path(f"{kind}/:/transcode/**"), Effects.act))
    # Every other write: collections, playlists, play queues, sections, sync, ...
    rules.append(Rule(path("**"), Effects.act, frozenset({"POST", "PUT", "DELETE", "PATCH"})))
    return tuple(rules)


RULES = _rules()
