"""A config directory that a test fills."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sidecar.model import Level, Problem, Severity, Target
from sidecar.revision import Reading, ReadOptions, read

PLEX = "plex: {url: 'http://10.0.0.2:32400', token: plex-token-0001}\ntmdb: {apikey: 0123456789abcdef0123456789abcdef}\n"


class Site:
    """``root/config`` is the Kometa config directory; ``root/kometa`` a Kometa checkout's fonts and defaults."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.dir = root / "config"
        self.dir.mkdir()
        self.options = ReadOptions(seed=b"tests")

    def write(self, path: str, text: str | bytes) -> Path:
        """Write below the config directory; an absolute path or ``../x`` leads out of it."""
        file = Path(os.path.normpath(self.dir / path))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    def image(self, path: str, size: tuple[int, int] = (8, 12), colour: str = "red") -> Path:
        file = Path(os.path.normpath(self.dir / path))
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGBA", size, colour).convert("RGB").save(file)
        return file

    def config(self, text: str, *, plex: str = PLEX) -> None:
        self.write("config.yml", plex + text)

    def overlays(self, text: str, *, more: str = "", path: str = "overlays/my.yml") -> None:
        """One library, Movies, with one overlay file."""
        self.config(f"{more}libraries:\n  Movies:\n    overlay_files:\n      - file: config/{path}\n")
        self.write(path, text)

    def kometa(self) -> Path:
        """A stand-in checkout: two fonts, two defaults."""
        home = self.root / "kometa"
        for path in ("fonts/Inter-Medium.ttf", "fonts/Roboto-Medium.ttf", "defaults/overlays/templates.yml"):
            (home / path).parent.mkdir(parents=True, exist_ok=True)
            (home / path).write_text("templates: {}\n")
        (home / "defaults/overlays/resolution.yml").write_text("overlays:\n  4K: {plex_all: true}\n")
        (home / "defaults/overlays/episode_info.yml").write_text(
            "external_templates:\n  default: templates\n  template_variables:\n    builder_level: episode\n"
            "overlays:\n  Episode Info:\n    template: {name: standard}\n"
        )
        return home

    def read(self, **options: Any) -> Reading:
        return read(self.dir, ReadOptions(seed=b"tests", **options))

    def named(self, reading: Reading) -> dict[str, str]:
        """Path below the home -> role, without config.yml."""
        return {place: role for place, role in reading.files.values() if role != "config"}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def told(reading: Reading, severity: Severity | None = None) -> list[str]:
    """``file:line what [mend]`` of each problem."""
    return [line_of(problem) for problem in reading.problems if severity is None or problem.severity is severity]


def line_of(problem: Problem) -> str:
    return f"{problem.place} {problem.what} [{problem.mend}]"


def movie(key: int = 101, folder: str = "Heat (1995)", library: str = "Movies") -> Target:
    return Target(rating_key=key, level=Level.MOVIE, library=library, section=1, title="Heat", locations=(f"/media/{folder}/file.mkv",))


def show(level: Level = Level.SHOW, *, key: int = 201, season: int | None = None, episode: int | None = None) -> Target:
    return Target(
        rating_key=key,
        level=level,
        library="Shows",
        section=2,
        title="Dark",
        season_number=season,
        episode_number=episode,
        locations=("/tv/Dark",),
    )
