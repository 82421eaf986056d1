"""Plex's XML of an item, read: what it is, where it stands, and the features that overlays look at. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from xml.etree.ElementTree import Element

from sidecar.model import Level, Target

HIERARCHY: Final = MappingProxyType(
    {
        "movie": (Level.MOVIE,),
        "show": (Level.SHOW, Level.SEASON, Level.EPISODE),
        "artist": (Level.ARTIST, Level.ALBUM, Level.TRACK),
    }
)
"""Levels by the section's type, from the top."""

SEARCH_TYPE: Final = MappingProxyType(
    {
        Level.MOVIE: 1,
        Level.SHOW: 2,
        Level.SEASON: 3,
        Level.EPISODE: 4,
        Level.ARTIST: 8,
        Level.ALBUM: 9,
        Level.TRACK: 10,
    }
)
"""Plex's numbers for ``type=``."""

Feature = tuple[str, str]
"""A kind of ``WEIGHTS`` and a value in words for people: ``("resolution", "4K")``."""

WEIGHTS: Final = MappingProxyType(
    {
        "resolution": 8,
        "hdr": 8,
        "audio": 6,
        "edition": 5,
        "versions": 5,
        "content rating": 3,
        "aspect": 3,
        "ratings": 3,
        "language": 3,
        "channels": 1,
        "subtitles": 1,
    }
)
"""Kinds of features, in the order they are told, and how much a new value of each is worth when choosing."""

_RESOLUTIONS: Final = MappingProxyType({"4k": "4K", "sd": "SD", "8k": "8K"})
_AUDIO: Final = MappingProxyType(
    {
        "aac": "AAC",
        "ac3": "Dolby Digital",
        "eac3": "Dolby Digital+",
        "truehd": "TrueHD",
        "dca": "DTS",
        "flac": "FLAC",
        "pcm": "PCM",
        "opus": "Opus",
        "mp3": "MP3",
    }
)
_DTS: Final = MappingProxyType({"ma": "DTS-HD MA", "hra": "DTS-HD HRA", "x": "DTS:X", "es": "DTS-ES"})
_RATERS: Final = MappingProxyType({"imdb": "IMDb", "rottentomatoes": "Rotten Tomatoes", "themoviedb": "TMDb"})


@dataclass(frozen=True, slots=True)
class Item:
    """An element of a listing (short) or of /library/metadata (full)."""

    key: int
    level: Level
    title: str
    year: int | None
    index: int | None
    parent_index: int | None
    parents: tuple[int, ...]
    """Nearest first."""
    top_title: str
    """Of the show or artist, for what is below one."""
    section: int | None
    """Told by full elements only."""
    section_title: str
    guid: str
    guids: tuple[str, ...]
    locations: tuple[str, ...]
    thumb: str
    features: frozenset[Feature]

    @property
    def top(self) -> int:
        """Rating key of the movie, show or artist that it belongs to, or is."""
        return self.parents[-1] if self.parents else self.key

    def target(self, *, server: str, section: int, library: str, why: str, locations: tuple[str, ...] = ()) -> Target:
        """As a Target; ``locations`` are its show's, for what has none of its own."""
        return Target(
            rating_key=self.key,
            level=self.level,
            library=library,
            section=section,
            title=self.title,
            server=server,
            year=self.year,
            show_title=self.top_title,
            season_number=self.index if self.level is Level.SEASON else self.parent_index,
            episode_number=self.index if self.level is Level.EPISODE else None,
            parents=self.parents,
            locations=locations or self.locations,
            guids=self.guids,
            thumb=self.thumb,
            why=why,
        )


def item_of(element: Element) -> Item | None:
    """Reads an element; None for what is no movie, show, season, episode, artist, album or track."""
    key, kind = _number(element.get("ratingKey")), element.get("type", "")
    if key is None or kind not in SEARCH_TYPE:
        return None
    level = Level(kind)
    parents = tuple(number for name in ("parentRatingKey", "grandparentRatingKey") if (number := _number(element.get(name))) is not None)
    below = level in (Level.SEASON, Level.ALBUM)
    return Item(
        key=key,
        level=level,
        title=element.get("title", ""),
        year=_number(element.get("year")),
        index=_number(element.get("index")),
        parent_index=_number(element.get("parentIndex")),
        parents=parents,
        top_title=(element.get("parentTitle", "") if below else element.get("grandparentTitle", "")) if parents else "",
        section=_number(element.get("librarySectionID")),
        section_title=element.get("librarySectionTitle", ""),
        guid=element.get("guid", ""),
        guids=tuple(guid for row in element.findall("Guid") if (guid := row.get("id"))),
        locations=tuple(dict.fromkeys((*_texts(element.findall("Location"), "path"), *_texts(element.iter("Part"), "file")))),
        thumb=element.get("thumb", ""),
        features=frozenset(_features(element)),
    )


def items_of(elements: Iterable[Element]) -> list[Item]:
    """Those of ``elements`` that are items."""
    return [item for element in elements if (item := item_of(element)) is not None]


def words(features: Iterable[Feature], most: int = 3) -> str:
    """``4K, Dolby Vision``: the first ``most`` features, the weightiest first."""
    order = {kind: number for number, kind in enumerate(WEIGHTS)}
    told = sorted(features, key=lambda feature: (order.get(feature[0], len(order)), feature[1]))
    return ", ".join(value for _, value in told[:most])


def _features(element: Element) -> Iterator[Feature]:
    media = element.findall("Media")
    for one in media:
        if resolution := one.get("videoResolution"):
            yield "resolution", _RESOLUTIONS.get(resolution.lower(), f"{resolution}p" if resolution.isdecimal() else resolution)
        if aspect := one.get("aspectRatio"):
            yield "aspect", f"{aspect}:1"
        if (channels := _number(one.get("audioChannels"))) is not None:
            yield "channels", {1: "mono", 2: "stereo", 6: "5.1", 7: "6.1", 8: "7.1"}.get(channels, f"{channels} channels")
        yield from _streams(one)
    if len(media) > 1:
        yield "versions", f"{len(media)} versions"
    if edition := element.get("editionTitle"):
        yield "edition", edition
    if element.get("type") != "season" and element.get("type") not in ("album", "track"):
        yield "content rating", element.get("contentRating") or "no content rating"
        yield from _ratings(element)


def _streams(media: Element) -> Iterator[Feature]:
    streams = list(media.iter("Stream"))
    for stream in streams:
        if stream.get("streamType") == "1":
            yield "hdr", _hdr(stream)
    sounds = [stream for stream in streams if stream.get("streamType") == "2"]
    first = next(
        (stream for stream in sounds if stream.get("selected") == "1" or stream.get("default") == "1"), sounds[0] if sounds else None
    )
    if first is not None:
        yield "audio", _audio(first.get("codec", ""), first.get("profile", ""), _shown(first))
    elif codec := media.get("audioCodec"):
        yield "audio", _audio(codec, media.get("audioProfile", ""), "")
    languages = list(dict.fromkeys(language for stream in sounds if (language := stream.get("language"))))
    yield from (("language", language) for language in languages[:1])
    if len(languages) > 1:
        yield "language", "dual audio" if len(languages) == 2 else "multi audio"
    if any(stream.get("streamType") == "3" for stream in streams):
        yield "subtitles", "subtitles"


def _hdr(video: Element) -> str:
    if video.get("DOVIPresent") == "1":
        return "Dolby Vision" if video.get("colorTrc") == "smpte2084" else "Dolby Vision without HDR10"
    if "HDR10+" in _shown(video):
        return "HDR10+"
    return {"smpte2084": "HDR10", "arib-std-b67": "HLG"}.get(video.get("colorTrc", ""), "SDR")


def _audio(codec: str, profile: str, shown: str) -> str:
    name = _AUDIO.get(codec, "PCM" if codec.startswith("pcm") else codec.upper())
    if codec == "dca":
        name = "DTS:X" if "DTS:X" in shown or "DTS-X" in shown else _DTS.get(profile, "DTS-HD MA" if "DTS-HD MA" in shown else name)
    return f"{name} Atmos" if "atmos" in shown.lower() else name


def _shown(stream: Element) -> str:
    return " ".join(stream.get(name, "") for name in ("extendedDisplayTitle", "displayTitle", "title"))


def _ratings(element: Element) -> Iterator[Feature]:
    raters = {row.get("image", "").partition("://")[0] for row in element.findall("Rating")}
    raters |= {element.get(name, "").partition("://")[0] for name in ("ratingImage", "audienceRatingImage")} - {""}
    for rater in sorted(raters & _RATERS.keys()):
        yield "ratings", _RATERS[rater]
    if element.get("userRating"):
        yield "ratings", "your own rating"
    if not any(element.get(name) for name in ("rating", "audienceRating", "userRating")):
        yield "ratings", "no ratings"


def _texts(rows: Iterable[Element], name: str) -> Iterator[str]:
    return (text for row in rows if (text := row.get(name)))


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None
