"""What overlays look at, taken from an item's element of Plex's XML (``/library/metadata/RK``). Pure; only stdlib."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import Element


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One item. What Plex does not say is None, or empty; ``parents`` are by level (show, season)."""

    level: str
    title: str
    attributes: dict[str, str]
    """The element's own attributes, as Plex sends them."""
    tags: dict[str, tuple[str, ...]]
    """Element name (Genre, Label, Role, ...) -> the ``tag`` of each."""
    ratings: tuple[tuple[str, float], ...]
    """Image and value of each Rating element."""
    media: tuple[dict[str, str], ...]
    """Attributes of each Media element."""
    files: tuple[str, ...]
    streams: tuple[dict[str, str], ...]
    """Attributes of each Stream element; ``streamType`` is 1 video, 2 audio, 3 subtitles."""
    show: Facts | None = None
    season: Facts | None = None

    def text(self, name: str) -> str | None:
        """An attribute, or None where it is missing or empty."""
        return self.attributes.get(name) or None

    def number(self, name: str) -> float | None:
        """A numeric attribute, or None where it is missing or no number."""
        return _number(self.attributes.get(name))

    def date(self, name: str) -> datetime | None:
        """An attribute that is a day (YYYY-MM-DD) or Unix seconds, as naive local time: Kometa compares it so."""
        value = self.attributes.get(name)
        if not value:
            return None
        try:
            if value.lstrip("-").isdigit():
                return datetime.fromtimestamp(int(value)).astimezone().replace(tzinfo=None)
            return datetime.fromisoformat(value[:10])
        except (ValueError, OverflowError, OSError):
            return None

    def media_values(self, name: str) -> tuple[str, ...]:
        """An attribute of every version that has it."""
        return tuple(media[name] for media in self.media if media.get(name))

    def streams_of(self, kind: int) -> tuple[dict[str, str], ...]:
        return tuple(stream for stream in self.streams if stream.get("streamType") == str(kind))

    @property
    def labels(self) -> tuple[str, ...]:
        return self.tags.get("Label", ())

    @property
    def overlaid(self) -> bool:
        """Whether the label that Kometa gives to what it has drawn on is there."""
        return any(label.lower() == "overlay" for label in self.labels)

    @property
    def dolby_vision(self) -> bool:
        return any(stream.get("DOVIPresent") in ("1", "true") for stream in self.streams_of(1))

    @property
    def hdr(self) -> bool:
        """PQ or HLG transfer in any video stream, or Dolby Vision: what Plex's own ``hdr`` search finds."""
        return self.dolby_vision or any(stream.get("colorTrc") in ("smpte2084", "arib-std-b67") for stream in self.streams_of(1))


def read_facts(element: Element, level: str, *, show: Facts | None = None, season: Facts | None = None) -> Facts:
    """Facts of an item's element (``<Video>`` or ``<Directory>``)."""
    tags: dict[str, list[str]] = {}
    for child in element:
        if child.get("tag"):
            tags.setdefault(child.tag, []).append(child.get("tag", ""))
    ratings = ((rating.get("image", ""), _number(rating.get("value"))) for rating in element.iter("Rating"))
    return Facts(
        level=level,
        title=element.get("title", ""),
        attributes=dict(element.attrib),
        tags={name: tuple(values) for name, values in tags.items()},
        ratings=tuple((image, value) for image, value in ratings if value is not None),
        media=tuple(dict(media.attrib) for media in element.findall("Media")),
        files=tuple(part.get("file", "") for part in element.iter("Part") if part.get("file"))
        or tuple(place.get("path", "") for place in element.iter("Location") if place.get("path")),
        streams=tuple(dict(stream.attrib) for stream in element.iter("Stream")),
        show=show,
        season=season,
    )


def _number(value: str | None) -> float | None:
    try:
        return None if value is None or value == "" else float(value)
    except ValueError:
        return None
