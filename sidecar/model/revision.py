"""What ``sidecar.revision`` makes of a config directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from sidecar.model.words import DEFAULT_SERVER, Level, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class PlexServer:
    """Where one Plex server is and how to enter it; from config.yml's ``plex:``."""

    name: str
    url: str
    token: SecretStr
    timeout: float = 60.0
    verify_ssl: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryPlan:
    """One library of config.yml that has overlay files."""

    name: str
    """Plex's name of the library section (``library_name`` where given, else the mapping's key)."""
    key: str
    """The mapping's key under ``libraries:`` in config.yml."""
    server: str = DEFAULT_SERVER
    levels: frozenset[Level] = frozenset()
    """Levels at which the overlay files build; empty where it cannot be told (then: the library's own level)."""
    asset_directories: tuple[Path, ...] = ()
    """As on this host, existing directories only."""
    asset_folders: bool = True
    asset_depth: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenFile:
    """One file of a revision."""

    path: str
    """POSIX path below ``Revision.root``, e.g. ``config/overlays/my.yml``."""
    sha256: str
    size: int
    origin: Path
    """Where it was read."""
    role: str
    """config, overlay, image, font, asset, backup, or other."""
    libraries: frozenset[str] = frozenset()
    """Keys of the libraries that reach it; empty where that is not known: it may concern all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A frozen, content-hashed copy of config.yml and every local file that it names. Same bytes, same id."""

    id: str
    root: Path
    """Read-only tree; Kometa's working directory is laid out from it (``root/config/config.yml``)."""
    files: tuple[FrozenFile, ...]
    libraries: tuple[LibraryPlan, ...]
    servers: tuple[PlexServer, ...]
    problems: tuple[Problem, ...] = ()
    watch: frozenset[Path] = frozenset()
    """Every file and directory outside the config directory whose change makes a new revision."""

    @property
    def short(self) -> str:
        return self.id[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """A secret's stand-in in what Kometa is given. The gateway swaps it back, only towards ``hosts``."""

    text: str
    secret: SecretStr
    hosts: tuple[str, ...]
    connector: str
    """The top-level key of config.yml it came from: tmdb, mdblist, ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewConfig:
    """What Kometa is given instead of config.yml. ``text`` holds no secret; ``plex_url``/``plex_token`` are filled per shard."""

    data: Mapping[str, object]
    """Plain YAML data; ``plex.url``/``plex.token`` are left out until :func:`sidecar.revision.materialise` writes a shard."""
    placeholders: tuple[Placeholder, ...]
    connectors: frozenset[str]
    """Connectors kept because overlays can need them; the egress allow-list follows from these."""
    hosts: frozenset[str]
    """Hosts (lower case, no port) that Kometa may read for these connectors and for URLs that the overlay files name."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Overlay files as Kometa gets them (paths rewritten, secrets replaced): path below the home -> text."""
    problems: tuple[Problem, ...] = ()
