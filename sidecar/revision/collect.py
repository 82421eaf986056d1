"""Gathers the local files that a config names: finds them, refuses stray links, names what is missing.

Also remembers how each path's text must read in the preview's home, where everything lies below ``config/``.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from sidecar.model import Problem, Severity
from sidecar.revision.places import Finder, Places
from sidecar.sight import exists, is_closed, is_dir, is_file
from sidecar.yamlfile import Document, Where, nearest

IMAGES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
FONTS: Final = frozenset({".ttf", ".otf", ".ttc"})
YAMLS: Final = frozenset({".yml", ".yaml"})
TEXTS: Final = frozenset({".txt", ".json", ".csv"})
SUFFIXES: Final[Mapping[str, frozenset[str]]] = {"image": IMAGES, "font": FONTS, "overlay": YAMLS, "other": TEXTS}
MOST_EXPANSIONS: Final = 400
"""Values tried for one path with ``<<variables>>``."""

_INNERMOST = re.compile(r"<<[^<>]+>>")


@dataclass(slots=True)
class Collector:
    """What has been found so far."""

    finder: Finder
    most: int
    """Files that one pattern may match."""
    roles: dict[Path, str] = field(default_factory=dict)
    """File on this host -> role."""
    users: dict[Path, set[str]] = field(default_factory=dict)
    """File on this host -> keys of the libraries that reach it."""
    library: str = ""
    """Key of the library that is being read; empty for what belongs to none."""
    problems: list[Problem] = field(default_factory=list)
    watch: set[Path] = field(default_factory=set)
    outside: list[Path] = field(default_factory=list)
    _texts: dict[str, tuple[Path, str]] = field(default_factory=dict)
    """Text of a path -> the file or directory it stands for, and what follows."""
    _own: dict[str, str] = field(default_factory=dict)
    _told: set[tuple[str, str]] = field(default_factory=set)

    def file(self, text: str, role: str, document: Document, where: Where, *, required: bool = True) -> Path | None:
        """The file that ``text`` names, taken into the revision; None (and a problem, where it is required) if there is none."""
        found = next((path for path in self._spellings(text, role) if is_file(path)), None)
        if found is None:
            if required:
                self._missing(text, role, document, where)
            return None
        if not self._take(found, role, document, where):
            return None
        self._texts[text] = (found, "")
        return found

    def directory(self, text: str, document: Document, where: Where, *, what: str = "") -> Path | None:
        """The directory that ``text`` names; a warning in the words of ``what`` where there is none."""
        found = next((path for path in self.finder.candidates(text) if is_dir(path)), None)
        if found is None:
            if what:
                self._missing(text, what, document, where, severity=Severity.WARNING)
            return None
        stray = self.finder.strays(found, named=found if not self.finder.inside(found) else None)
        if stray is not None:
            self._refuse(found, stray, document, where)
            return None
        self._announce(found)
        self._texts[text] = (found, "/" if text.endswith("/") else "")
        return found

    def pattern(self, text: str, role: str, document: Document, where: Where, values: Mapping[str, Iterable[str]], *, loud: bool) -> None:
        """All files that ``text`` with its ``<<variables>>`` may name: by known values, and by what lies in its directory."""
        found = False
        for expanded in expansions(text, values):
            if "<<" not in expanded:
                path = next((path for path in self._spellings(expanded, role) if is_file(path)), None)
                found = (path is not None and self._take(path, role, document, where)) or found
        fixed, tail = text[: text.index("<<")].rpartition("/")[0::2]
        tail += text[text.index("<<") :]
        base = next((path for path in self.finder.candidates(fixed) if is_dir(path)), None) if fixed.strip("/") else None
        if base is not None and self.finder.strays(base, named=base.parent) is None:
            matches = self._matches(base, tail, role)
            for path in matches:
                self._take(path, role, document, where)
            found = found or bool(matches)
            self._announce(base)
            self._texts[text] = (base, f"/{tail}")
        if not found and loud and fixed:
            mend = "Check the directory and the variable's values; Kometa leaves the overlay out when the file is not there."
            self._say(document.problem(Severity.WARNING, f"no file here matches '{text}'", *where, mend=mend))

    def kometas(self, text: str) -> bool:
        """Whether ``text`` names one of Kometa's own fonts; an absolute path to one is made relative to its directory."""
        path = PurePosixPath(os.path.normpath(text))
        home = self.finder.kometa_home
        inside = path
        if path.is_absolute():
            if home is not None and path.is_relative_to(home):
                inside = path.relative_to(home)
            elif path.parts[1:2] == ("fonts",) and not exists(Path(path)):
                inside = path.relative_to("/")
        if inside.is_absolute() or inside.parts[:1] != ("fonts",):
            return False
        if home is not None and not is_file(home / inside):
            return False
        if str(inside) != text:
            self._own[text] = str(inside)
        return True

    def rewrites(self, places: Places) -> dict[str, str]:
        """Text of a path -> how it must read in the preview's home, for those that must change."""
        found = dict(self._own)
        for text, (path, tail) in self._texts.items():
            place = places(path)
            if place is not None and place + tail != text:
                found[text] = place + tail
        return found

    def say(self, problem: Problem) -> None:
        self._say(problem)

    def _spellings(self, text: str, role: str) -> Iterable[Path]:
        """Kometa adds ``.yml`` to overlay files and takes ``.yaml`` where that is what there is."""
        if role != "overlay":
            yield from self.finder.candidates(text)
            return
        named = text if text.endswith((".yml", ".yaml")) else f"{text}.yml"
        stem, dot, suffix = named.rpartition(".")
        for path in self.finder.candidates(named):
            yield path
            yield path.with_name(f"{Path(stem).name}{dot}{'yaml' if suffix == 'yml' else 'yml'}")

    def _take(self, path: Path, role: str, document: Document, where: Where) -> bool:
        named = None
        if not self.finder.inside(path):
            if path.suffix.lower() not in SUFFIXES.get(role, frozenset()) and self.finder.strays(path) is not None:
                self._refuse(path, path, document, where)
                return False
            named = path.parent
        stray = self.finder.strays(path, named=named)
        if stray is not None:
            self._refuse(path, stray, document, where)
            return False
        self.roles.setdefault(path, role)
        self.users.setdefault(path, set()).add(self.library)
        self._announce(path.parent, watch=path)
        return True

    def _announce(self, directory: Path, watch: Path | None = None) -> None:
        watched = watch or directory
        if not self.finder.inside(directory):
            self.outside.append(directory)
            self.watch.add(watched)
        real = watched.resolve()
        if not real.is_relative_to(self.finder.config_dir.resolve()):
            self.watch.add(real)

    def _matches(self, base: Path, tail: str, role: str) -> list[Path]:
        wild = tail
        while _INNERMOST.search(wild):
            wild = _INNERMOST.sub("\0", wild)
        wild = "".join("*" if char == "\0" else glob.escape(char) for char in wild)
        suffixes = SUFFIXES.get(role, frozenset())
        matches = (Path(base, found) for found in glob.glob(wild, root_dir=base))  # noqa: PTH207 (base.glob() cannot escape names)
        return sorted(path for path in matches if path.suffix.lower() in suffixes and is_file(path))[: self.most]

    def _missing(self, text: str, role: str, document: Document, where: Where, severity: Severity = Severity.ERROR) -> None:
        tried = self.finder.candidates(text)
        beside = self.finder.config_dir / text
        if not self.finder.inside(tried[0]):
            parent = next(parent for parent in tried[0].parents if is_dir(parent))
            self.watch.update({parent} if parent != Path(parent.anchor) else ())
        close = next((near for path in tried if is_dir(path.parent) and (near := nearest(path.name, _names(path.parent)))), "")
        if exists(beside) and not text.startswith("/"):
            mend = f"Write config/{text}: Kometa looks from its own directory, not from the config directory."
        elif text.startswith("/"):
            mend = (
                close or "Check the path; where it is a path inside a container, say in sidecar.yml's path_map where it lies on this host."
            )
        else:
            mend = close or f"Put it at {self.finder.shown(tried[0])}, or correct the path."
        what = "is not there"
        if any(map(is_closed, tried)):
            what = f"may not be read by this user (uid {os.geteuid()})"
            mend = "Give it the right to read the file and to enter the directories above it."
        self._say(document.problem(severity, f"{ROLES.get(role, role)} '{text}' {what}", *where, mend=mend))

    def _refuse(self, path: Path, stray: Path, document: Document, where: Where) -> None:
        shown = self.finder.shown(path)
        if stray == path:
            what = f"'{shown}' is refused: it is no image, font or YAML file, and outside the allowed directories"
        else:
            what = f"'{shown}' is a link that leads to {stray}, outside the allowed directories"
        mend = f"Add {stray.parent} to roots in sidecar.yml, or copy the file into the config directory."
        self._say(document.problem(Severity.ERROR, what, *where, mend=mend))

    def _say(self, problem: Problem) -> None:
        """Each fault once per place, however many libraries share the file."""
        if (problem.place, problem.what) not in self._told:
            self._told.add((problem.place, problem.what))
            self.problems.append(problem)


ROLES: Final = {"overlay": "the overlay file", "image": "the image", "font": "the font", "other": "the file"}


def _names(directory: Path) -> list[str]:
    with contextlib.suppress(OSError):  # it may be closed to us
        return sorted(path.name for path in directory.iterdir())
    return []


def expansions(text: str, values: Mapping[str, Iterable[str]]) -> set[str]:
    """``text`` with its ``<<variables>>`` replaced by every combination of their known values, innermost first; bounded."""
    done: set[str] = set()
    pending = [text]
    for _ in range(6):
        following: list[str] = []
        for current in pending:
            known = next((found for found in _INNERMOST.findall(current) if list(values.get(found[2:-2], ()))), None)
            if known is None:
                done.add(current)
                continue
            following += [current.replace(known, value) for value in values[known[2:-2]] if value != known]
        pending = list(dict.fromkeys(following))[:MOST_EXPANSIONS]
        if not pending:
            break
    return {*done, *pending}
