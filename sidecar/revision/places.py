"""Where a path that Kometa reads lies on this host, and where the preview's Kometa finds it.

Kometa runs in its own directory, config beside it: ``config/x`` and ``fonts/x`` are relative to that. In a container the
config directory is ``/config``; ``path_map`` tells of other mounts. In the preview's home everything of the config
directory keeps its place, and what lies elsewhere goes to ``config/.frozen/N/``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from sidecar.sight import exists

FROZEN: Final = "config/.frozen"
"""POSIX path below the home."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """Finds Kometa's paths on this host. Looks, never writes."""

    config_dir: Path
    """Absolute, not resolved."""
    kometa_home: Path | None
    path_map: Mapping[str, Path]
    allowed: tuple[Path, ...]
    """Resolved directories that links may lead into."""

    @classmethod
    def make(cls, config_dir: Path, kometa_home: Path | None, path_map: Mapping[str, Path], roots: Iterable[Path]) -> Finder:
        known = {config_dir, *roots, *path_map.values(), *([kometa_home] if kometa_home else [])}
        return cls(
            config_dir=config_dir,
            kometa_home=kometa_home,
            path_map=dict(path_map),
            allowed=tuple(sorted({root.resolve() for root in known})),
        )

    def candidates(self, text: str) -> tuple[Path, ...]:
        """Where ``text``, as written for Kometa, may lie on this host, likeliest first."""
        path = PurePosixPath(os.path.normpath(text))
        if path.is_absolute():
            return self._absolute(path)
        found = []
        if path.parts[:1] == ("config",):
            found.append(self.config_dir.joinpath(*path.parts[1:]))
        found.append(Path(os.path.normpath(self.config_dir.parent / path)))
        if self.kometa_home is not None:
            found.append(Path(os.path.normpath(self.kometa_home / path)))
        return tuple(dict.fromkeys(found))

    def _absolute(self, path: PurePosixPath) -> tuple[Path, ...]:
        for start in sorted(self.path_map, key=len, reverse=True):
            prefix = PurePosixPath(os.path.normpath(start))
            if path.is_relative_to(prefix):
                return (Path(os.path.normpath(self.path_map[start] / path.relative_to(prefix))),)
        here = Path(path)
        if path.is_relative_to("/config") and not exists(Path("/config")):
            return (self.config_dir / path.relative_to("/config"),)
        return (here,)

    def find(self, text: str) -> Path | None:
        """The first candidate that exists."""
        return next((path for path in self.candidates(text) if exists(path)), None)

    def inside(self, path: Path) -> bool:
        """Lexically inside the config directory."""
        return path.is_relative_to(self.config_dir)

    def strays(self, path: Path, *, named: Path | None = None) -> Path | None:
        """Where a link leads outside the allowed directories; ``named``: a directory that the config itself names."""
        real = path.resolve()
        roots = (*self.allowed, named.resolve()) if named is not None else self.allowed
        return None if any(real.is_relative_to(root) for root in roots) else real

    def shown(self, path: Path) -> str:
        """The path for people: relative to the config directory where it lies in it."""
        return path.relative_to(self.config_dir).as_posix() if self.inside(path) else str(path)


class Places:
    """Gives every file of a revision its path below the home. Made once all directories outside are known."""

    def __init__(self, finder: Finder, outside: Iterable[Path]) -> None:
        self._finder = finder
        named = list(dict.fromkeys(path for path in outside if not finder.inside(path)))
        tops = [path for path in named if not any(path != other and path.is_relative_to(other) for other in named)]
        self._tops = {path: f"{FROZEN}/{number}" for number, path in enumerate(tops)}

    def __call__(self, path: Path) -> str | None:
        """Path below the home; None for one that was not announced."""
        if self._finder.inside(path):
            return PurePosixPath("config", path.relative_to(self._finder.config_dir)).as_posix()
        for top, place in self._tops.items():
            if path.is_relative_to(top):
                return PurePosixPath(place, path.relative_to(top)).as_posix()
        return None
