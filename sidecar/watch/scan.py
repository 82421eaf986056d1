"""What there is to watch: a walk over the config directory and over what else is followed, links included.

All paths are absolute and free of links (but for a last component that is one), so that they are the ones that
the kernel's events name.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sidecar.sight import is_dir
from sidecar.watch.ignore import ignored
from sidecar.watch.settle import Signature

MOST: Final = 20_000
"""Files looked at in one scan, by default; nearest the top first."""

_HOPS: Final = 40
"""Links followed for one path, as in the kernel (path_resolution(7))."""


@dataclass(frozen=True, slots=True)
class Interest:
    """Which paths matter. Made by a scan, read by the thread that gets the events."""

    config: Path = Path("/")
    """The config directory, resolved."""
    trees: frozenset[Path] = frozenset()
    """Directories of which everything below matters (but for what is ignored)."""
    spots: frozenset[Path] = frozenset()
    """Directories of which only ``names`` matter."""
    names: frozenset[Path] = frozenset()

    def wants(self, path: Path) -> bool:
        """Does an event at ``path`` matter?"""
        if path in self.names:
            return True
        for tree in (self.config, *self.trees):
            if path.is_relative_to(tree):
                return path != tree and not ignored(path.relative_to(tree).as_posix(), config=tree == self.config)
        return False


@dataclass(frozen=True, slots=True)
class Scan:
    """The state of all that is watched."""

    files: dict[Path, Signature]
    interest: Interest
    links: bool
    """Is any of it reached through a link? Then one file may go by several names."""
    cut: bool
    """Were there more than ``most`` files?"""


def signature_of(path: Path) -> Signature | None:
    """The signature of the regular file at ``path`` (links followed); None where there is none to be seen."""
    try:
        status = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Signature(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)


def scan(config_dir: Path, follow: Iterable[Path] = (), *, most: int = MOST) -> Scan:
    """Look at everything below ``config_dir`` and at ``follow`` (files and directories, there or not). Blocks."""
    walk = _Walk(most)
    walk.tree(config_dir, config=True)
    for path in sorted(follow):
        walk.path(path)
    return walk.result()


@dataclass(slots=True)
class _Walk:
    most: int
    config: Path = Path("/")
    files: dict[Path, Signature] = field(default_factory=dict)
    trees: set[Path] = field(default_factory=set)
    names: set[Path] = field(default_factory=set)
    seen: set[tuple[int, int]] = field(default_factory=set)
    links: bool = False
    cut: bool = False

    def path(self, path: Path) -> None:
        """A followed file or directory."""
        if is_dir(path):
            self.tree(path)
        else:
            self._file(self._trace(path), always=True)

    def tree(self, path: Path, *, config: bool = False) -> None:
        """A followed directory and all below it, nearest first."""
        root = self._trace(path)
        if config:
            self.config = root
        pending: deque[tuple[Path, Path]] = deque()
        self._plant(root, pending)
        while pending:
            self._directory(*pending.popleft(), pending)

    def result(self) -> Scan:
        others = frozenset(tree for tree in self.trees if not any(tree != other and tree.is_relative_to(other) for other in self.trees))
        trees = others | {self.config}
        spots = frozenset(_nearest(name.parent) for name in self.names)
        # A name below a missing directory is told of by that directory's appearing.
        names = frozenset(part for name in self.names for part in (name, *name.parents) if part.parent in spots)
        bare = frozenset(spot for spot in spots if not any(spot.is_relative_to(tree) for tree in trees))
        return Scan(self.files, Interest(self.config, trees, bare, names), self.links, self.cut)

    def _plant(self, root: Path, pending: deque[tuple[Path, Path]]) -> None:
        if not any(root.is_relative_to(tree) for tree in self.trees):
            self.trees.add(root)
            pending.append((root, root))

    def _directory(self, directory: Path, root: Path, pending: deque[tuple[Path, Path]]) -> None:
        try:
            status = directory.stat()
            if (status.st_dev, status.st_ino) in self.seen:
                return  # a loop, or two names of one directory
            self.seen.add((status.st_dev, status.st_ino))
            with os.scandir(directory) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            return  # gone, or closed to us, meanwhile: the next scan tells
        prefix = "" if directory == root else directory.relative_to(root).as_posix() + "/"
        for entry in found:
            if ignored(prefix + entry.name, config=root == self.config):
                continue
            path = directory / entry.name
            if entry.is_symlink():
                self.links = True
                final = self._trace(path)
                if is_dir(final):
                    self._plant(final, pending)
                else:
                    self._file(path)
            elif entry.is_dir():
                pending.append((path, root))
            else:
                self._file(path)

    def _file(self, path: Path, *, always: bool = False) -> None:
        if len(self.files) >= self.most and not always:
            self.cut = True
        elif (signature := signature_of(path)) is not None:
            self.files[path] = signature

    def _trace(self, path: Path) -> Path:
        """Note every link on the way, and the end of it; returns the end: no links in it, though it may not exist."""
        pending = deque(path.absolute().parts[1:])
        current, hops = Path("/"), 0
        while pending:
            part = pending.popleft()
            if part == "..":
                current = current.parent
                continue
            try:
                target = (current / part).readlink()
            except OSError:  # no link, or nothing there
                current = current / part
                continue
            self.links = True
            self.names.add(current / part)
            hops += 1
            if hops > _HOPS:
                break  # a loop of links: as good as missing
            pending.extendleft(reversed(target.parts[1:] if target.is_absolute() else target.parts))
            current = Path("/") if target.is_absolute() else current
        self.names.add(current)
        return current


def _nearest(path: Path) -> Path:
    """The nearest directory on the way up that exists."""
    while not is_dir(path) and path != path.parent:
        path = path.parent
    return path
