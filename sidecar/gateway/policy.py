"""What a renderer may ask of Plex: a table, and a pure function that judges by it. What is not in the table is refused.

Each row names a method, a path matched whole segment by whole segment, the query keys that may stand with it and the
shape of their values, and what becomes of it. ``GET is safe`` is not true of Plex (scrobble, refresh, rate, terminate
are GETs), so reads are enumerated too, and library facets one by one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sidecar.gateway.canonical import Canonical, Refusal
from sidecar.model import Scope


class Action(StrEnum):
    """What becomes of a request that stands in the table."""

    FORWARD = "forward"
    """Read from Plex and passed on as it comes (images)."""
    CUT = "cut"
    """Read from Plex, cut to what the grant may see, then passed on."""
    CAPTURE = "capture"
    """An upload: kept, answered as done, never sent."""
    RECORD = "record"
    """A write that Kometa must believe in: written down, answered as done, never sent."""


class View(StrEnum):
    """How an answer is cut; see scope.py."""

    WHOLE = "whole"
    PREFS = "prefs"
    SECTIONS = "sections"
    LISTING = "listing"
    CHILDREN = "children"
    ITEMS = "items"
    PICTURES = "pictures"
    IMAGE = "image"
    NONE = "none"


Keys = Mapping[str, "re.Pattern[str]"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_INT: Final = re.compile(r"[0-9]{1,10}")
_FLAG: Final = re.compile(r"[01]")
_TEXT: Final = re.compile(r".{0,1000}")
_SORT: Final = re.compile(r"[A-Za-z.]{1,60}(:(asc|desc|nullsLast|[A-Za-z]{1,20}))?(,[A-Za-z.]{1,60}(:[A-Za-z]{1,20})?)*")
_STORED: Final = re.compile(r"(?=.{1,300}\Z)(upload|metadata)://[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
"""Plex's own stored pictures; any other scheme would make Plex fetch it. No part begins with a dot: it could lead out of their folder."""

_STANDARD: Final[Keys] = {
    "X-Plex-Container-Start": _INT,
    "X-Plex-Container-Size": _INT,
}

LEVELS: Final = ("movie", "show", "season", "episode", "artist", "album", "track", "collection")

FIELDS: Final = _words("""
    actor addedAt art audienceRating audioCodec audioChannels audioLanguage authorRating collection contentRating country criticRating
    decade director dovi duplicate duration editionTitle episode format genre guid hdr id inProgress index label
    lastRatedAt lastSkippedAt lastViewedAt location mediaBitrate mediaSize mood network originallyAvailableAt originalTitle
    producer rating resolution similar skipCount source studio style subformat subtitleLanguage summary tag tagline
    title titleSort trash unmatched unviewedLeafCount unwatched unwatchedLeaves updatedAt userRating viewCount viewOffset
    videoCodec writer year
""")
"""Filter fields of a library listing, as Plex's own Meta lists them for its kinds of library."""

FACETS: Final = _words("""
    actor audioLanguage collection contentRating country decade director dovi editionTitle firstCharacter format genre hdr
    label location mood network originallyAvailableAt producer resolution source studio style subformat subtitleLanguage
    writer year
""")
"""The filter choices (`/library/sections/N/FACET`) that may be read. Not among them, because they change Plex:
analyze, emptyTrash, match, optimize, refresh, unmatch, edit, and whatever else comes."""

_FIELD_KEY: Final = re.compile(r"(?:(" + "|".join(LEVELS) + r")\.)?([A-Za-z]{2,40})(!|=|!=|<|>|<<|>>|>>=|<<=|&)?")

_INCLUDES: Final[Keys] = {
    name: re.compile(r"[A-Za-z0-9,_-]{0,200}")
    for name in _words(
        "includeAllConcerts includeBandwidths includeChapters includeChildren includeConcerts includeExtras includeFields "
        "includeGeolocation includeGuids includeLoudnessRamps includeMarkers includeOnDeck includePopularLeaves includeRelated "
        "includeRelatedCount includeReviews includeStations includePreferences excludeElements excludeFields excludeAllLeaves"
    )
}

STRIPPED: Final = _words("""
    checkFiles asyncCheckFiles checkFileAvailability refreshAnalysis refreshLocalMediaAgent asyncRefreshAnalysis
    asyncRefreshLocalMediaAgent asyncAugmentMetadata includeExternalMedia includeExternalMetadata skipRefresh
""")
"""Taken off reads: each makes Plex look at files, refresh, start an activity or ask another server (skipRefresh is put back as 1)."""

TOKEN_KEY: Final = "X-Plex-Token"  # noqa: S105 a query key's name, no secret

_ALL_KEYS: Final[Keys] = {
    **_STANDARD,
    **_INCLUDES,
    "type": _INT,
    "sort": _SORT,
    "limit": _INT,
    "push": _FLAG,
    "pop": _FLAG,
    "or": _FLAG,
    "and": _FLAG,
    "includeMeta": _FLAG,
    "includeAdvanced": _FLAG,
    "includeCollections": _FLAG,
}
_REPEATABLE: Final = frozenset({"push", "pop", "or", "and"})


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table. In ``path``: ``{section}``, ``{key}``, ``{keys}``, ``{facet}``, ``{image}``, ``{stamp}``, or a word."""

    method: str
    path: str
    action: Action
    view: View
    why: str
    keys: Keys = field(default_factory=dict)
    fields: bool = False
    """Filter fields (FIELDS, with level and operator) may stand in the query."""
    strip: bool = False
    """STRIPPED keys are taken off, and skipRefresh=1 put on."""

    parts: tuple[str, ...] = field(init=False)
    """``path``'s segments."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.path.split("/")[1:]) if self.path != "/" else ())


def _read(path: str, view: View, why: str, keys: Keys | None = None, *, fields: bool = False, strip: bool = False) -> Rule:
    action = Action.FORWARD if view is View.IMAGE else Action.CUT
    return Rule("GET", path, action, view, why, {**_STANDARD, **(keys or {})}, fields=fields, strip=strip)


_METADATA: Final = "/library/metadata"

RULES: Final[tuple[Rule, ...]] = (
    _read("/", View.WHOLE, "the server's name, version and id"),
    _read("/identity", View.WHOLE, "the server's id"),
    _read("/:/prefs", View.PREFS, "server settings; those that name an account, a token or a key are left out"),
    _read("/library", View.WHOLE, "the library's root"),
    _read("/library/sections", View.SECTIONS, "the libraries in scope"),
    _read("/library/sections/{section}", View.WHOLE, "one library", {"includeDetails": _FLAG}),
    _read("/library/sections/{section}/prefs", View.WHOLE, "a library's settings"),
    _read("/library/sections/{section}/filters", View.WHOLE, "which filters a library has", {"type": _INT}),
    _read("/library/sections/{section}/sorts", View.WHOLE, "which sorts a library has", {"type": _INT}),
    _read("/library/sections/{section}/all", View.LISTING, "listings and searches, cut to the targets", _ALL_KEYS, fields=True, strip=True),
    _read("/library/sections/{section}/collections", View.LISTING, "collections", _ALL_KEYS, fields=True, strip=True),
    _read("/library/sections/{section}/{facet}", View.WHOLE, "filter choices", _ALL_KEYS, fields=True, strip=True),
    _read(_METADATA + "/{keys}", View.ITEMS, "items in full", _INCLUDES, strip=True),
    _read(_METADATA + "/{key}/children", View.CHILDREN, "seasons of a show, episodes of a season", _ALL_KEYS, fields=True, strip=True),
    _read(_METADATA + "/{key}/grandchildren", View.CHILDREN, "episodes of a show", _ALL_KEYS, fields=True, strip=True),
    _read(_METADATA + "/{key}/allLeaves", View.CHILDREN, "episodes of a show", _ALL_KEYS, fields=True, strip=True),
    _read(_METADATA + "/{key}/posters", View.PICTURES, "an item's posters"),
    _read(_METADATA + "/{key}/arts", View.PICTURES, "an item's backgrounds"),
    _read(_METADATA + "/{key}/clearLogos", View.PICTURES, "an item's logos"),
    _read(_METADATA + "/{key}/squareArts", View.PICTURES, "an item's square art"),
    _read(_METADATA + "/{key}/{image}", View.IMAGE, "the current picture"),
    _read(_METADATA + "/{key}/{image}/{stamp}", View.IMAGE, "the picture of a given time"),
    _read(_METADATA + "/{key}/file", View.IMAGE, "a picture that Plex stores", {"url": _STORED}),
    _read("/library/collections/{collection}", View.ITEMS, "a collection", _INCLUDES, strip=True),
    _read("/library/collections/{collection}/items", View.CHILDREN, "a collection's items, cut to the targets", _ALL_KEYS, strip=True),
    _read("/library/collections/{collection}/children", View.CHILDREN, "likewise", _ALL_KEYS, strip=True),
    Rule("POST", _METADATA + "/{key}/posters", Action.CAPTURE, View.NONE, "the poster that Kometa made"),
    Rule("POST", _METADATA + "/{key}/arts", Action.CAPTURE, View.NONE, "a background"),
    Rule("POST", _METADATA + "/{key}/clearLogos", Action.CAPTURE, View.NONE, "a logo"),
    Rule("POST", _METADATA + "/{key}/logos", Action.CAPTURE, View.NONE, "a logo"),
    Rule("POST", _METADATA + "/{key}/squareArts", Action.CAPTURE, View.NONE, "square art"),
    Rule("POST", _METADATA + "/{key}/themes", Action.CAPTURE, View.NONE, "theme music"),
    Rule("PUT", "/library/sections/{section}/all", Action.RECORD, View.NONE, "tag and field edits of a target"),
    Rule("PUT", _METADATA + "/{key}", Action.RECORD, View.NONE, "edits of a target"),
    Rule("PUT", _METADATA + "/{key}/refresh", Action.RECORD, View.NONE, "refresh of an item without ids"),
    Rule("PUT", _METADATA + "/{key}/poster", Action.RECORD, View.NONE, "selecting one of the item's posters"),
    Rule("PUT", _METADATA + "/{key}/art", Action.RECORD, View.NONE, "selecting one of the item's backgrounds"),
    Rule("PUT", "/:/prefs", Action.RECORD, View.NONE, "Kometa's db_cache setting"),
)
"""The whole of it. Order does not matter: where two rows match, the one with more words wins."""

_WRITES: Final = frozenset({Action.CAPTURE, Action.RECORD})

_PARTS: Final[Mapping[str, re.Pattern[str]]] = {
    "{section}": _INT,
    "{key}": _INT,
    "{collection}": _INT,
    "{keys}": re.compile(r"[0-9]{1,10}(,[0-9]{1,10}){0,199}"),
    "{image}": re.compile(r"thumb|art|clearLogo|squareArt|banner"),
    "{stamp}": re.compile(r"-?[0-9]{1,20}"),
    "{facet}": re.compile("|".join(sorted(FACETS))),
}


_BY_SHAPE: Final[Mapping[tuple[str, int], tuple[Rule, ...]]] = {
    shape: tuple(
        sorted(
            (rule for rule in RULES if (rule.method, len(rule.parts)) == shape),
            key=lambda rule: sum(part.startswith("{") for part in rule.parts),
        )
    )
    for shape in {(rule.method, len(rule.parts)) for rule in RULES}
}
"""Method and number of segments -> rows, those with the most words first."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A request that stands in the table. ``send`` is the whole of what may go to Plex; a write, of which nothing goes, stays as it is."""

    rule: Rule
    send: Canonical
    section: int | None = None
    keys: tuple[int, ...] = ()
    """Visible rating keys that the path names."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """A read of an item that the grant may not see: answered as if it did not exist."""

    what: str
    listing: bool
    """Whether an empty listing is the answer (else 404, as Plex says for an item that is not there)."""


def judge(request: Canonical, scope: Scope) -> Verdict | Unseen | Refusal:
    """The verdict on a request under a grant's scope. Pure: the same request and scope, the same verdict."""
    rule = match(request)
    if rule is None:
        return Refusal(_why_not(request))
    found = dict(zip(rule.parts, request.segments, strict=True))
    section = int(found["{section}"]) if "{section}" in found else None
    if section is not None and section not in scope.sections:
        return Refusal("this library is not part of the preview")
    asked = tuple(int(key) for key in (found.get("{keys}") or found.get("{key}") or "").split(",") if key)
    keys = tuple(key for key in dict.fromkeys(asked) if key in scope.visible)
    if rule.action in _WRITES:
        edited = _edited(request, asked)
        if rule.path.endswith("{section}/all") and not edited:
            return Refusal("an edit of a whole library")
        if any(key not in scope.visible for key in edited):
            return Refusal("this item is not part of the preview")
        return Verdict(rule, request, section, keys)
    send = _clean(request, rule)
    if isinstance(send, Refusal):
        return send
    if asked and not keys:
        return Unseen("an item that is not part of the preview", listing=rule.view in (View.CHILDREN, View.PICTURES))
    if "{keys}" in found:
        send = Canonical(send.method, (*send.segments[:-1], ",".join(str(key) for key in keys)), send.query)
    return Verdict(rule, send, section, keys)


def match(request: Canonical) -> Rule | None:
    """The row that a request stands in, by method and path; rows with words win over rows with placeholders."""
    for rule in _BY_SHAPE.get((request.method, len(request.segments)), ()):
        if _fits(rule.parts, request.segments):
            return rule
    return None


def _fits(parts: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    if len(parts) != len(segments):
        return False
    for part, segment in zip(parts, segments, strict=True):
        shape = _PARTS.get(part)
        if part != segment if shape is None else not shape.fullmatch(segment):
            return False
    return True


def _clean(request: Canonical, rule: Rule) -> Canonical | Refusal:
    """The request with its query checked against the row, tokens and side effects taken off."""
    kept: list[tuple[str, str]] = []
    seen: set[str] = set()
    for key, value in request.query:
        if key == TOKEN_KEY or (rule.strip and key in STRIPPED):
            continue
        shape = rule.keys.get(key) or (_TEXT if rule.fields and _is_field(key) else None)
        if shape is None:
            return Refusal(f"the query key {_quoted(key)} may not stand here")
        if not shape.fullmatch(value):
            return Refusal(f"the value of the query key {_quoted(key)} does not look as it should")
        if key in seen and key in rule.keys and key not in _REPEATABLE:
            return Refusal(f"the query key {_quoted(key)} comes twice")
        seen.add(key)
        kept.append((key, value))
    if rule.strip:
        kept.append(("skipRefresh", "1"))
    return Canonical(request.method, request.segments, tuple(kept))


def _is_field(key: str) -> bool:
    found = _FIELD_KEY.fullmatch(key)
    return bool(found and found[2] in FIELDS)


def _edited(request: Canonical, asked: tuple[int, ...]) -> tuple[int, ...]:
    """Rating keys that a write would change: those in its path, and those of ``id=`` (lists too). -1 for what is no key."""
    named = [part for value in request.values("id") for part in value.split(",")]
    return (*asked, *(int(part) if _INT.fullmatch(part) else -1 for part in named))


def _quoted(key: str) -> str:
    """A query key fit to be shown: short, and nothing but what a key is made of."""
    return re.sub(r"[^A-Za-z0-9_.\[\]-]", "?", key)[:40]


def _why_not(request: Canonical) -> str:
    if request.method in ("GET", "HEAD", "OPTIONS"):
        if any(rule.method == "GET" and _fits(rule.parts, request.segments) for rule in RULES):
            return f"{request.method} is not needed here, only GET"
        return "this address of Plex is not one that overlays need; some reads of Plex change it, so only known ones pass"
    return "this would change Plex and is nothing that an overlays run needs"


_GROUPS: Final[Mapping[str, frozenset[str]]] = {
    "listing keys": frozenset(_ALL_KEYS) - frozenset(_INCLUDES) - frozenset(_STANDARD),
    "include keys": frozenset(_INCLUDES),
    "paging": frozenset(_STANDARD),
}


def table() -> str:
    """The policy as Markdown, for docs/: the table, and what its words stand for."""
    lines = ["| Method | Path | What becomes of it | How it is cut | Query | What it is |", "|---|---|---|---|---|---|"]
    for rule in RULES:
        lines.append(f"| {rule.method} | `{rule.path}` | {rule.action} | {rule.view} | {_query(rule)} | {rule.why} |")
    lines += ["", "| Word | Stands for |", "|---|---|"]
    lines += [f"| {name} | {_code(keys)} |" for name, keys in _GROUPS.items()]
    lines += [f"| `{part}` | {_shape(shape)} |" for part, shape in _PARTS.items() if part != "{facet}"]
    lines.append(f"| `{{facet}}` | {_code(FACETS)} |")
    lines.append(f"| filter fields | {_code(FIELDS)}, each with a level before it (`show.`, `episode.`...) and an operator behind it |")
    lines.append(f"| *taken off* | {_code(STRIPPED)}: they make Plex look at files, refresh or ask others; `skipRefresh=1` is put on |")
    return "\n".join(lines) + "\n"


def _query(rule: Rule) -> str:
    if rule.action in _WRITES:
        return "any: it is not sent"
    left, said = set(rule.keys), []
    for name, keys in _GROUPS.items():
        if keys <= left:
            said.append(name)
            left -= keys
    said += [f"`{key}`" for key in sorted(left)]
    said += ["filter fields"] if rule.fields else []
    return ", ".join(said) + ("; *taken off*" if rule.strip else "")


def _code(words: Collection[str]) -> str:
    return ", ".join(f"`{word}`" for word in sorted(words))


def _shape(shape: re.Pattern[str]) -> str:
    """A pattern in a cell of a table, where a bar would end the cell."""
    return "`" + shape.pattern.replace("|", "`, `") + "`"
