"""What a render is about: targets, scopes, grants, shards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sidecar.model.revision import Placeholder, PreviewConfig, Revision
from sidecar.model.words import DEFAULT_SERVER, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A Plex item to preview."""

    rating_key: int
    level: Level
    library: str
    """Plex's name of the library section."""
    section: int
    """Plex's key of the library section."""
    title: str
    server: str = DEFAULT_SERVER
    year: int | None = None
    show_title: str = ""
    """Of a season or episode."""
    season_number: int | None = None
    episode_number: int | None = None
    parents: tuple[int, ...] = ()
    """Rating keys of season and show (or album and artist), nearest first."""
    locations: tuple[str, ...] = ()
    """Plex's paths of the item's media files or folders: Kometa finds assets by their names."""
    guids: tuple[str, ...] = ()
    """``imdb://tt...``, ``tmdb://...``, ``tvdb://...`` of the item."""
    thumb: str = ""
    """Path of the current poster, ``/library/metadata/RK/thumb/TS``."""
    why: str = ""
    """listed, or what the automatic rule chose it for ("4K, Dolby Vision")."""

    @property
    def id(self) -> str:
        """Unique over all servers, stable, safe in paths: ``101``, or ``plex-1.101`` on another server."""
        return str(self.rating_key) if self.server == DEFAULT_SERVER else f"{self.server}.{self.rating_key}"

    @property
    def label(self) -> str:
        """For people: ``Heat (1995)``, ``Dark S01``, ``Dark S01E02 Lies``."""
        if self.level is Level.SEASON:
            return f"{self.show_title} S{self.season_number or 0:02}"
        if self.level is Level.EPISODE:
            return f"{self.show_title} S{self.season_number or 0:02}E{self.episode_number or 0:02} {self.title}".rstrip()
        return f"{self.title} ({self.year})" if self.year else self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The rating keys a grant may see, on one server."""

    targets: frozenset[int]
    """Listings show these, at their own level, and the parents they need."""
    visible: frozenset[int]
    """Targets, their parents, and the children Kometa reads of them."""
    sections: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One shard's capability: the random token that is Kometa's only "Plex token"."""

    token: str
    run_id: str
    shard: int
    scopes: Mapping[str, Scope]
    """By server name."""
    placeholders: tuple[Placeholder, ...] = ()
    hosts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A part of a render: some targets, a grant of their own, a Kometa config directory of their own."""

    index: int
    token: str
    home: Path
    """Kometa's working directory for this shard; ``home/config/config.yml`` is its config. Made by ``materialise``."""
    targets: tuple[Target, ...]
    plex: str = ""
    """A word that is the same again only while nothing changed on the Plex servers and the shard may see the same; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderJob:
    """What an engine is asked for."""

    run_id: str
    revision: Revision
    preview: PreviewConfig
    shards: tuple[Shard, ...]
    gateway: Path
    """The gateway's unix socket, as this process sees it."""
    deadline: float
    """Seconds from the start of the render."""
    phase_deadline: float | None = None
    """Seconds in which a shard must show some progress; None: it need not."""
    memory: int | None = None
    """Bytes of memory that one shard may take; None: any number."""

    @property
    def targets(self) -> tuple[Target, ...]:
        return tuple(target for shard in self.shards for target in shard.targets)
