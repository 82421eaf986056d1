"""Copies what a reading names into a content-hashed, read-only tree: the revision. Same bytes, same id."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from sidecar.errors import ConfigError, StoreError
from sidecar.model import FrozenFile, LibraryPlan, Problem, Revision, Severity, Target
from sidecar.revision.assets import BACKUP_SUFFIXES, backup_directory, find_assets, plans_of
from sidecar.revision.collect import IMAGES
from sidecar.revision.files import copy
from sidecar.revision.overlay_files import mapping
from sidecar.revision.places import Finder
from sidecar.revision.reading import Reading
from sidecar.revision.secrets import MASK, keyed_secrets, mask, redacted
from sidecar.yamlfile import Document, Span

FORMAT: Final = 1
"""Part of every id: raised when the tree's layout changes."""
OBJECTS: Final = ".objects"
TEMPORARY: Final = ".tmp-"
_ID: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(slots=True)
class _Source:
    """One file to be frozen."""

    path: Path
    role: str
    raw: bytes | None = None
    """Bytes to store instead of the file's (a YAML file, read before, its secrets masked)."""
    sha256: str = ""
    size: int = 0
    libraries: frozenset[str] = frozenset()


def freeze(reading: Reading, targets: Collection[Target], store_dir: Path) -> Revision:
    """Freeze ``reading`` and the assets and backups of ``targets`` into ``store_dir/<id>/``.

    In the stored YAML secrets are masked and paths lead to the frozen files; what was there counts for the id. Files are
    linked to ``store_dir/.objects``, so that a new revision costs what changed. ConfigError where a limit is passed or a
    file keeps changing; StoreError where the store cannot be written. Safe to call twice, and from two processes.
    """
    return _Freezer(reading, targets, store_dir.absolute()).freeze()


def prune(store_dir: Path, keep: Iterable[str]) -> int:
    """Remove the revisions whose id is not in ``keep``, and contents that none holds any more. How many revisions went."""
    kept, gone = set(keep), 0
    for path in sorted(store_dir.iterdir()) if store_dir.is_dir() else ():
        if path.is_dir() and path.name not in kept and (path.name.startswith(TEMPORARY) or _ID.fullmatch(path.name)):
            shutil.rmtree(path, ignore_errors=True)
            gone += not path.name.startswith(TEMPORARY)
    objects = store_dir / OBJECTS
    for path in objects.iterdir() if objects.is_dir() else ():
        if path.stat().st_nlink == 1:
            path.unlink(missing_ok=True)
    return gone


class _Freezer:
    def __init__(self, reading: Reading, targets: Collection[Target], store: Path) -> None:
        self._reading = reading
        self._targets = targets
        self._store = store
        self._limits = reading.options.limits
        self._finder = Finder.make(reading.config_dir, reading.options.kometa_home, reading.options.path_map, reading.options.roots)
        self._problems: list[Problem] = []

    def freeze(self) -> Revision:
        sources = self._sources()
        try:
            (self._store / OBJECTS).mkdir(parents=True, exist_ok=True, mode=0o700)
            self._store.chmod(0o700)
            total = 0
            for place in list(sources):
                total += self._hash(place, sources)
                if total > self._limits.total_size:
                    largest = max(sources.values(), key=lambda source: source.size)
                    what = f"the files together have more than {self._limits.total_size:,} bytes"
                    raise _limit(what, "limits.total_size", self._finder.shown(largest.path))
            identity = self._identity(sources)
            root = self._store / identity
            if root.is_dir() and not all(_has_size(root / place, source.size) for place, source in sources.items()):
                shutil.rmtree(root)
            if not root.is_dir():
                self._build(root, sources)
        except OSError as error:
            raise StoreError(f"the revision cannot be stored in {self._store}: {os.strerror(error.errno or 0)}") from error
        return self._revision(identity, root, sources)

    def _sources(self) -> dict[str, _Source]:
        reading = self._reading
        documents = {**reading.documents, reading.config_dir / "config.yml": reading.config}
        found: dict[str, _Source] = {}
        for path, (place, role) in reading.files.items():
            document = documents.get(path)
            raw = _stored(document, reading.secrets, reading.rewrites) if document is not None else None
            found[place] = _Source(path, role, raw, libraries=reading.users.get(path, frozenset()))
        for place, path, library in self._target_files():
            if path.suffix.lower() in IMAGES and self._allowed(path):
                source = found.setdefault(
                    place, _Source(path, "backup" if "Original Posters" in place else "asset", libraries=frozenset({library}))
                )
                source.libraries |= frozenset({library}) if source.libraries else frozenset()
        if len(found) > self._limits.files:
            what = f"the config names {len(found):,} files; at most {self._limits.files:,} are taken"
            raise _limit(what, "limits.files", "config.yml")
        return found

    def _target_files(self) -> Iterable[tuple[str, Path, str]]:
        """Place in the home, file, and the library's key."""
        general = mapping(self._reading.data.get("settings"))
        sections = {library.plan.key: mapping(library.section.get("settings")) for library in self._reading.libraries}
        for target in self._targets:
            for plan in plans_of([library.plan for library in self._reading.libraries], target):
                settings = {**general, **sections[plan.key]}
                for asset in find_assets(plan, target, settings):
                    place = self._asset_place(asset.directory)
                    if place is not None:
                        yield str(PurePosixPath(place) / asset.place), asset.path, plan.key
                for suffix in BACKUP_SUFFIXES:
                    backup = backup_directory(plan.key) / f"{target.rating_key}{suffix}"
                    path = self._reading.config_dir.joinpath(*backup.parts[1:])
                    if path.is_file():
                        yield str(backup), path, plan.key

    def _asset_place(self, directory: Path) -> str | None:
        if self._finder.inside(directory):
            return str(PurePosixPath("config", directory.relative_to(self._reading.config_dir).as_posix()))
        return self._reading.directories.get(directory)

    def _allowed(self, path: Path) -> bool:
        """Assets may be links within the directories that the config names."""
        named = [directory for library in self._reading.libraries for directory in library.plan.asset_directories]
        if self._finder.strays(path) is None or any(self._finder.strays(path, named=directory) is None for directory in named):
            return True
        what = f"'{self._finder.shown(path)}' is a link that leads to {path.resolve()}, outside the allowed directories"
        mend = f"Add {path.resolve().parent} to roots in sidecar.yml."
        self._problems.append(Problem(severity=Severity.ERROR, what=what, mend=mend, file="config.yml", source="config"))
        return False

    def _hash(self, place: str, sources: dict[str, _Source]) -> int:
        """Hash one file and keep its bytes in the store; its size."""
        source, shown = sources[place], self._finder.shown(sources[place].path)
        if source.raw is not None:
            source.sha256, source.size = hashlib.sha256(source.raw).hexdigest(), len(source.raw)
            self._keep(source)
            return source.size
        try:
            status = source.path.stat()
            known = self._reading.options.hashes.get(status)
            if known is not None and _has_size(self._store / OBJECTS / known, status.st_size):
                source.sha256, source.size = known, status.st_size
                return source.size
            temporary = self._store / OBJECTS / f"{TEMPORARY}{uuid.uuid4().hex}"
            try:
                source.sha256, source.size = copy(source.path, temporary, most=self._limits.file_size, name=shown)
                self._settle(temporary, source)
                self._reading.options.hashes.put(status, source.sha256)
            finally:
                temporary.unlink(missing_ok=True)
        except FileNotFoundError:
            del sources[place]
            what = f"'{shown}' went away while it was read"
            self._problems.append(Problem(severity=Severity.ERROR, what=what, mend="Put it back.", file=shown, source="config"))
        return source.size

    def _keep(self, source: _Source) -> None:
        if _has_size(self._store / OBJECTS / source.sha256, source.size):
            return
        temporary = self._store / OBJECTS / f"{TEMPORARY}{uuid.uuid4().hex}"
        try:
            temporary.write_bytes(source.raw or b"")
            self._settle(temporary, source)
        finally:
            temporary.unlink(missing_ok=True)

    def _settle(self, temporary: Path, source: _Source) -> None:
        kept = self._store / OBJECTS / source.sha256
        if not _has_size(kept, source.size):  # a power cut may have left an empty one
            temporary.chmod(0o444)
            temporary.rename(kept)

    def _identity(self, sources: dict[str, _Source]) -> str:
        reading = self._reading
        shape: dict[str, Any] = {
            "format": FORMAT,
            "files": sorted((place, source.sha256) for place, source in sources.items()),
            "yaml": sorted(
                (reading.files[path][0], document.sha256)
                for path, document in {**reading.documents, reading.config_dir / "config.yml": reading.config}.items()
                if path in reading.files
            ),
            "resolved": hashlib.sha256(repr(reading.data).encode("utf-8", "surrogatepass")).hexdigest(),
            "servers": [(server.url, server.token.get_secret_value()) for server in reading.servers],
            "libraries": [library.plan.key for library in reading.libraries],
            "folders": [
                [[reading.files[path][0] for path in paths] for paths in library.folders.values()] for library in reading.libraries
            ],
        }
        return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()

    def _build(self, root: Path, sources: dict[str, _Source]) -> None:
        temporary = self._store / f"{TEMPORARY}{uuid.uuid4().hex}"
        try:
            for place, source in sources.items():
                path = temporary / place
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
                stored = self._store / OBJECTS / source.sha256
                try:
                    path.hardlink_to(stored)
                except OSError as error:
                    if error.errno not in (errno.EPERM, errno.EMLINK, errno.EXDEV, errno.ENOTSUP):
                        raise
                    shutil.copyfile(stored, path)
                    path.chmod(0o444)
            try:
                temporary.rename(root)
            except OSError as error:
                # another process was quicker: the same id is the same bytes
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY) or not root.is_dir():
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _revision(self, identity: str, root: Path, sources: dict[str, _Source]) -> Revision:
        reading = self._reading
        plans: tuple[LibraryPlan, ...] = tuple(library.plan for library in reading.libraries)
        return Revision(
            id=identity,
            root=root,
            files=tuple(
                FrozenFile(
                    path=place,
                    sha256=source.sha256,
                    size=source.size,
                    origin=source.path,
                    role=source.role,
                    libraries=source.libraries,
                )
                for place, source in sorted(sources.items())
            ),
            libraries=plans,
            servers=reading.servers,
            problems=(*reading.problems, *(redacted(problem, reading.secrets) for problem in self._problems)),
            watch=reading.watch,
        )


def _stored(document: Document, hidden: frozenset[str], rewrites: Mapping[str, str]) -> bytes:
    """The file's bytes; where it holds secrets or paths out of the config directory, its text without the one, with new ones."""
    keyed = {(where, value) for where, value in keyed_secrets(document.data)}

    def change(span: Span) -> str | None:
        if span.key:
            return mask(span.value, hidden)
        if (span.where, span.value) in keyed:
            return MASK
        return None if span.where[-1:] == ("name",) else rewrites.get(span.value)

    edit = keyed or any(text in document.text for text in rewrites)
    text = mask(document.edited(change) if edit else document.text, hidden)
    return document.raw if text == document.text else text.encode()


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


def _limit(what: str, setting: str, file: str) -> ConfigError:
    mend = f"Raise {setting} in sidecar.yml, or name fewer files."
    return ConfigError([Problem(severity=Severity.ERROR, what=what, mend=mend, file=file, source="config")])
