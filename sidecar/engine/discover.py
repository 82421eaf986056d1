"""Finds Kometa on this host, and the Python it runs with.

Pure but for ``is_file``: what the environment, the settings and the usual places say, in that order. Whoever named a place
(settings, KOMETA_HOME) means that place: if it is wrong, no other is taken in its stead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sidecar import sight

VENVS = (".venv", "venv", "kometa-venv", "env")
"""Names of virtual environments that people make inside Kometa's directory (Kometa's guides use the first three)."""

SYSTEM_PYTHONS = ("/lsiopy/bin/python3", "/usr/local/bin/python3", "/usr/bin/python3")
"""linuxserver.io's image, the official image, a distribution."""


@dataclass(frozen=True, slots=True)
class KometaPlace:
    """A Kometa to start: the directory of kometa.py and its interpreter."""

    home: Path
    python: Path


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found and what was looked at."""

    found: KometaPlace | None
    looked: tuple[str, ...]
    """Each place, in order, with what it lacks."""

    @property
    def message(self) -> str:
        """For EngineMissing: one line for people, with the remedy."""
        return (
            f"no Kometa found. Looked at: {'; '.join(self.looked)}. Set KOMETA_HOME to the directory of kometa.py and KOMETA_PYTHON to the "
            "Python that Kometa's requirements are installed in"
        )


def discover(
    env: Mapping[str, str],
    user_home: Path,
    *,
    config_dir: Path | None = None,
    home: Path | None = None,
    python: Path | None = None,
    is_file: Callable[[Path], bool] = sight.is_file,
) -> Discovery:
    """Look for Kometa. ``home`` and ``python`` are the settings', ``config_dir`` is the watched Kometa config directory.

    ``env`` is read for KOMETA_HOME and KOMETA_PYTHON only. Virtual environments' interpreters are not resolved: through a
    link to it an interpreter would lose its packages.
    """
    looked: list[str] = []
    for where, place in _homes(env, user_home, config_dir, home):
        script = place / "kometa.py"
        if not is_file(script):
            looked.append(f"{script}{where}: not there, or not readable by this user")
            continue
        tried = []
        for origin, candidate in _pythons(env, place, python):
            if is_file(candidate):
                looked.append(f"{script}{where}: found, with {candidate}")
                return Discovery(KometaPlace(place, candidate), tuple(looked))
            tried.append(f"{candidate}{origin}")
        looked.append(f"{script}{where}: found, but none of these Pythons: {', '.join(tried)}")
    return Discovery(None, tuple(looked))


def _homes(env: Mapping[str, str], user_home: Path, config_dir: Path | None, home: Path | None) -> Iterator[tuple[str, Path]]:
    if home is not None:
        yield " (settings)", _expand(home, user_home)
        return
    if named := env.get("KOMETA_HOME", "").strip():
        yield " (KOMETA_HOME)", _expand(Path(named), user_home)
        return
    places = [] if config_dir is None else [config_dir.parent]
    places += [
        Path("/opt/kometa"),
        Path("/opt/Kometa"),
        user_home / "Kometa",
        user_home / "kometa",
        Path("/app/kometa"),
        Path("/app"),
        Path("/"),
    ]
    for place in dict.fromkeys(places):
        yield "", place


def _pythons(env: Mapping[str, str], home: Path, python: Path | None) -> Iterator[tuple[str, Path]]:
    if python is not None:
        yield " (settings)", python
        return
    if named := env.get("KOMETA_PYTHON", "").strip():
        yield " (KOMETA_PYTHON)", Path(named)
        return
    for venv in VENVS:
        yield "", home / venv / "bin" / "python"
    for sibling in dict.fromkeys((f"{home.name}-venv", "kometa-venv")):
        yield "", home.parent / sibling / "bin" / "python"
    for system in SYSTEM_PYTHONS:
        yield "", Path(system)


def _expand(path: Path, user_home: Path) -> Path:
    """``~`` as its owner means it."""
    return user_home / path.relative_to("~") if path.parts[:1] == ("~",) else path
