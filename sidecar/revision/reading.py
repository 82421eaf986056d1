"""What :func:`sidecar.revision.read` finds: the config understood, before anything is copied."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sidecar.model import LibraryPlan, PlexServer, Problem
from sidecar.revision.files import HashMemory, Limits
from sidecar.yamlfile import Document, Where, parse


@dataclass(slots=True)
class DocumentMemory:
    """Parsed files by content: parsing costs about 10 ms per KB, and a save changes one file of many."""

    known: dict[tuple[str, str], Document] = field(default_factory=dict)
    most: int = 500

    def parse(self, raw: bytes, name: str) -> Document:
        key = (hashlib.sha256(raw).hexdigest(), name)
        if key not in self.known:
            document = parse(raw, name)
            if len(self.known) >= self.most:
                self.known.clear()
            self.known[key] = document
        return self.known[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How a config directory is read. Keep one for a daemon's life: it holds the memories and the placeholders' seed."""

    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables that ``<<name>>`` and ``plex.url: env`` may refer to (KOMETA_*, PMM_*)."""
    kometa_home: Path | None = None
    """Kometa's directory, where known: its fonts and defaults are checked there."""
    libraries: tuple[str, ...] = ()
    """Libraries to preview, by name or key; empty for all that have overlay files."""
    roots: tuple[Path, ...] = ()
    path_map: Mapping[str, Path] = field(default_factory=dict)
    extra_hosts: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    seed: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    """The same secret gets the same placeholder as long as this lives."""
    documents: DocumentMemory = field(default_factory=DocumentMemory, repr=False, compare=False)
    hashes: HashMemory = field(default_factory=HashMemory, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One overlay file that a library draws from, in Kometa's order."""

    kind: str
    """file, default, url, git or repo."""
    text: str
    """As written (of a folder's file: the file's path on this host)."""
    where: Where
    """The item of ``overlay_files`` in config.yml."""
    variables: Mapping[str, Any]
    """``template_variables``, the library's merged in."""
    path: Path | None = None
    """Of a file, on this host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryReading:
    """One previewed library of config.yml."""

    plan: LibraryPlan
    section: Mapping[str, Any]
    """Its mapping in config.yml, references resolved."""
    entries: tuple[Entry, ...]
    folders: Mapping[int, tuple[Path, ...]]
    """Item of ``overlay_files`` -> the files of its ``folder:``, in the order in which Kometa meets them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A config directory, read and understood. Nothing has been copied yet."""

    config_dir: Path
    options: ReadOptions
    config: Document
    data: Mapping[str, Any] = field(repr=False)
    """config.yml's data with ``<<name>>`` resolved."""
    documents: Mapping[Path, Document] = field(repr=False)
    """Overlay and template files by path on this host."""
    files: Mapping[Path, tuple[str, str]]
    """Every local file named: path on this host -> path below the home, role."""
    users: Mapping[Path, frozenset[str]]
    """File -> keys of the libraries that reach it, where it belongs to none but those."""
    directories: Mapping[Path, str]
    """Directories outside the config directory that it names -> path below the home."""
    rewrites: Mapping[str, str]
    """Text of a path -> how it reads in the preview's home."""
    libraries: tuple[LibraryReading, ...]
    servers: tuple[PlexServer, ...]
    hosts: frozenset[str]
    """Hosts that overlay files, entries and variables name."""
    defaults: tuple[str, ...] = field(repr=False)
    """Texts of Kometa's own overlay files in use, where kometa_home is known."""
    judged: bool
    """Whether every overlay file could be read: what it needs is known."""
    secrets: frozenset[str] = field(repr=False)
    """Every secret that config.yml, what it refers to, and the overlay files hold: for redaction."""
    problems: tuple[Problem, ...]
    watch: frozenset[Path]
