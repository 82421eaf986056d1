"""The ``Meta`` block of ``includeMeta=1``: which filters, sorts, fields and operators a library offers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from sidecar.demo.items import TYPES, Library
from sidecar.demo.plex.fields import FIELDS
from sidecar.demo.plex.xml import element


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FILTERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "movie": _words(
            "genre year decade contentRating collection director actor writer producer country studio resolution hdr dovi "
            "unwatched inProgress unmatched audioLanguage subtitleLanguage editionTitle label duplicate"
        ),
        "show": _words(
            "genre year contentRating studio network country collection director actor writer producer unwatchedLeaves unmatched label"
        ),
        "season": (),
        "episode": _words("year collection resolution hdr dovi unwatched inProgress audioLanguage subtitleLanguage unmatched duplicate"),
        "artist": _words("genre country collection mood style unmatched"),
        "album": _words("genre year decade collection mood style studio unmatched label"),
        "track": _words("mood"),
        "collection": (),
    }
)

SORTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "movie": _words(
            "titleSort year originallyAvailableAt rating audienceRating userRating contentRating duration viewOffset "
            "viewCount addedAt lastViewedAt mediaHeight mediaBitrate random"
        ),
        "show": _words(
            "titleSort year originallyAvailableAt rating audienceRating userRating contentRating unviewedLeafCount "
            "episode.addedAt addedAt lastViewedAt random"
        ),
        "season": _words("season.index,season.titleSort show.titleSort,index userRating addedAt random"),
        "episode": _words(
            "titleSort "
            "show.titleSort,season.index:nullsLast,episode.index:nullsLast,"
            "episode.originallyAvailableAt:nullsLast,episode.titleSort,episode.id "
            "year originallyAvailableAt rating audienceRating userRating duration viewOffset viewCount addedAt lastViewedAt "
            "mediaHeight mediaBitrate random"
        ),
        "artist": _words("titleSort userRating addedAt lastViewedAt viewCount random"),
        "album": _words(
            "titleSort artist.titleSort,album.titleSort,album.index,album.id,album.originallyAvailableAt year "
            "originallyAvailableAt rating userRating addedAt lastViewedAt viewCount random"
        ),
        "track": _words(
            "titleSort artist.titleSort,album.titleSort,album.year,track.absoluteIndex,track.index,track.titleSort,track.id "
            "userRating duration viewCount addedAt lastViewedAt mediaBitrate random"
        ),
        "collection": ("titleSort",),
    }
)

SEARCH_FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "movie": _words(
            "title studio userRating contentRating year decade originallyAvailableAt duration unmatched duplicate genre "
            "collection director writer producer actor country addedAt viewCount lastViewedAt unwatched resolution hdr dovi "
            "mediaSize mediaBitrate subtitleLanguage audioLanguage inProgress trash editionTitle label"
        ),
        "show": _words(
            "title studio network country userRating contentRating year viewCount lastViewedAt genre collection director "
            "writer producer actor addedAt unmatched unwatchedLeaves label"
        ),
        "season": (),
        "episode": _words(
            "title addedAt originallyAvailableAt year userRating viewCount lastViewedAt unwatched inProgress duplicate hdr "
            "dovi resolution mediaSize mediaBitrate subtitleLanguage audioLanguage trash unmatched"
        ),
        "artist": _words("title userRating genre collection country mood style addedAt viewCount lastViewedAt unmatched"),
        "album": _words(
            "title year decade userRating rating studio genre collection mood style addedAt viewCount lastViewedAt "
            "originallyAvailableAt unmatched label"
        ),
        "track": _words("title userRating viewCount lastViewedAt mood addedAt mediaBitrate trash"),
        "collection": (),
    }
)

TITLES = MappingProxyType(
    {
        "contentRating": "Content Rating", "audioLanguage": "Audio Language", "subtitleLanguage": "Subtitle Language",
        "hdr": "HDR", "dovi": "Dolby Vision",
        "unwatched": "Unplayed", "unwatchedLeaves": "Unplayed Episodes", "inProgress": "In Progress", "titleSort": "Title",
        "originallyAvailableAt": "Release Date", "rating": "Critic Rating", "audienceRating": "Audience Rating", "userRating": "Rating",
        "viewOffset": "Progress", "viewCount": "Plays", "addedAt": "Date Added", "lastViewedAt": "Date Viewed",
        "mediaHeight": "Resolution",
        "mediaBitrate": "Bitrate", "mediaSize": "File Size", "random": "Randomly", "editionTitle": "Edition",
    }
)  # fmt: skip

_ASCENDING = frozenset({"titleSort", "mediaHeight", "season.index,season.titleSort", "show.titleSort,index"})

_OPERATORS = (
    ("tag", (("=", "is"), ("!=", "is not"))),
    ("integer", (("=", "is"), ("!=", "is not"), (">>=", "is greater than"), ("<<=", "is less than"))),
    (
        "string",
        (("=", "contains"), ("!=", "does not contain"), ("==", "is"), ("!==", "is not"), ("<=", "begins with"), (">=", "ends with")),
    ),
    ("boolean", (("=", "is true"), ("!=", "is false"))),
    ("date", (("<<=", "is before"), (">>=", "is after"))),
    ("subtitleLanguage", (("=", "is"), ("!=", "is not"))),
    ("audioLanguage", (("=", "is"), ("!=", "is not"))),
    ("resolution", (("=", "is"), ("!=", "is not"))),
)


def block(library: Library, active: str) -> str:
    """``<Meta>`` of a library's listing of type ``active``; collections have a block of their own."""
    kinds = (active,) if active == "collection" else library.levels
    types = [_type(library, kind, kind == active) for kind in kinds]
    if active != "collection":
        types.append(element("Type", {"key": f"/library/sections/{library.key}/folder", "type": "folder", "title": "Folders", "active": 0}))
    return element("Meta", {}, types + list(_field_types()))


def _field_types() -> Iterable[str]:
    for kind, operators in _OPERATORS:
        yield element("FieldType", {"type": kind}, [element("Operator", {"key": key, "title": title}) for key, title in operators])


def _type(library: Library, kind: str, active: bool) -> str:
    number = TYPES[kind]
    suffix = "" if kind == "movie" else f"?type={number}"
    rows = []
    for name in FILTERS[kind]:
        field = FIELDS[name]
        rows.append(
            element(
                "Filter",
                {
                    "filter": name,
                    "filterType": field.kind if field.kind in ("boolean", "integer") else "string",
                    "key": f"/library/sections/{library.key}/{name}{suffix}",
                    "title": TITLES.get(name, name.capitalize()),
                    "type": "filter",
                    "advanced": 1 if name == "duplicate" else None,
                },
            )
        )
    for place, key in enumerate(SORTS[kind]):
        direction = "asc" if key in _ASCENDING or key.partition(",")[2] else "desc"
        first, _, rest = key.partition(",")
        rows.append(
            element(
                "Sort",
                {
                    **({"active": 1, "activeDirection": direction, "default": direction} if place == 0 and active else {}),
                    "defaultDirection": direction,
                    "descKey": f"{first.removesuffix(':nullsLast')}:desc{',' + rest if rest else ''}",
                    "firstCharacterKey": f"/library/sections/{library.key}/firstCharacter{suffix}" if key == "titleSort" else None,
                    "key": key,
                    "title": TITLES.get(first.rpartition(".")[2], first.rpartition(".")[2].capitalize()),
                },
            )
        )
    prefix = "" if kind == "movie" else f"{kind}."
    for name in SEARCH_FIELDS[kind]:
        title = TITLES.get(name, name.capitalize())
        rows.append(element("Field", {"key": prefix + name, "title": title, "type": FIELDS[name].kind}))
    head = {
        "key": f"/library/sections/{library.key}/all?type={number}",
        "type": kind,
        "title": f"{kind.capitalize()}s",
        "active": int(active),
    }
    return element("Type", head, rows)
