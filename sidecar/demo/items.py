"""What a library holds: one mutable class for every level, shaped after Plex's metadata elements."""

from __future__ import annotations

from dataclasses import dataclass, field

from sidecar.demo.media import MediaFile

EPOCH = 1_700_000_000
"""When the libraries were filled, Unix seconds; fixed, so that answers repeat."""

TYPES = {"movie": 1, "show": 2, "season": 3, "episode": 4, "artist": 8, "album": 9, "track": 10, "collection": 18}
"""Plex's search types."""

PARENTS = {"season": "show", "episode": "season", "album": "artist", "track": "album"}
CHILDREN = {parent: child for child, parent in PARENTS.items()}

TAG_FIELDS = {
    "genre": "Genre",
    "country": "Country",
    "director": "Director",
    "writer": "Writer",
    "producer": "Producer",
    "actor": "Role",
    "network": "Network",
    "collection": "Collection",
    "label": "Label",
    "mood": "Mood",
    "style": "Style",
}
"""Filter name -> XML element."""


@dataclass(frozen=True, slots=True)
class Rating:
    """A ``Rating`` element. ``value`` 0 to 10."""

    image: str
    """``imdb://image.rating``, ``rottentomatoes://image.rating.ripe``, ``themoviedb://image.rating``, ..."""
    value: float
    type: str
    """critic or audience."""


@dataclass(slots=True)
class Picture:
    """A picture that somebody uploaded or chose; the agents' own are drawn and not kept here."""

    key: str
    """``upload://posters/<sha1>`` or the URL it was taken from."""
    content: bytes
    media_type: str


@dataclass(slots=True)
class Item:
    """A movie, show, season, episode, artist, album, track or collection. Times are Unix seconds, durations milliseconds."""

    rating_key: int
    type: str
    section: int
    title: str
    guid: str
    added_at: int
    updated_at: int
    title_sort: str = ""
    original_title: str = ""
    year: int | None = None
    summary: str = ""
    tagline: str = ""
    studio: str = ""
    content_rating: str = ""
    edition: str = ""
    rating: float | None = None
    rating_image: str = ""
    audience_rating: float | None = None
    audience_rating_image: str = ""
    user_rating: float | None = None
    ratings: tuple[Rating, ...] = ()
    duration: int | None = None
    originally_available: str = ""
    """YYYY-MM-DD."""
    view_count: int = 0
    view_offset: int = 0
    last_viewed_at: int | None = None
    index: int | None = None
    parent: int | None = None
    children: list[int] = field(default_factory=list)
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By filter name (``TAG_FIELDS``)."""
    guids: tuple[str, ...] = ()
    media: list[MediaFile] = field(default_factory=list)
    locations: tuple[str, ...] = ()
    """Folders, of a show or artist; other levels have their files'."""
    locked: frozenset[str] = frozenset()
    pictures: dict[str, list[Picture]] = field(default_factory=dict)
    """Uploads by kind: posters, arts, clearLogos, squareArts, themes."""
    selected: dict[str, str] = field(default_factory=dict)
    """Key of the selected picture by kind, where it is not the agent's first."""
    seed: int = 0
    poster_size: tuple[int, int] = (1000, 1500)
    poster_format: str = "jpg"
    stale: bool = True
    """The server has not looked at its files since it started: the next detailed read without ``skipRefresh=1`` makes it do so."""
    deleted: bool = False

    @property
    def leaf(self) -> bool:
        return self.type in ("movie", "episode", "track")

    @property
    def key(self) -> str:
        """Plex's ``key``: of a container it lists the children."""
        if self.type == "collection":
            return f"/library/collections/{self.rating_key}/children"
        return f"/library/metadata/{self.rating_key}" + ("" if self.leaf else "/children")

    @property
    def sort_title(self) -> str:
        """As Plex sorts: without a leading article unless set."""
        if self.title_sort:
            return self.title_sort
        first, _, rest = self.title.partition(" ")
        return rest if rest and first.lower() in ("the", "a", "an") else self.title


@dataclass(slots=True)
class Library:
    """A library section."""

    key: int
    type: str
    """movie, show or artist."""
    title: str
    agent: str
    scanner: str
    location: str
    uuid: str
    items: list[int] = field(default_factory=list)
    """Rating keys of the top level, in the order they were added."""
    created_at: int = 1_600_000_000
    updated_at: int = 1_700_000_000
    scanned_at: int = 1_700_000_000
    changed: int = 1
    """``contentChangedAt``: a counter, not a time."""

    @property
    def levels(self) -> tuple[str, ...]:
        """From the top: show, season, episode."""
        return {"movie": ("movie",), "show": ("show", "season", "episode"), "artist": ("artist", "album", "track")}[self.type]
