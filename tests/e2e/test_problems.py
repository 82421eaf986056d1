"""What Kometa complains of comes back with the file and the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.model import RunState
from tests.cold import KometaInstall
from tests.cold_demo import small_world
from tests.e2e.house import house

CONFIG = """\
plex: {url: env, token: env, timeout: 60}
tmdb: {apikey: demo, language: en}
settings: {cache: false}
libraries:
  Movies:
    overlay_files:
      - file: config/own.yml
"""
OWN = """\
templates:
  T:
    plex_all: true
    overlay: {name: "text(<<what>>)", font_color: "#ZZZZZZ", horizontal_align: left, vertical_align: top, horizontal_offset: 0,
              vertical_offset: 0}
overlays:
  Fine:
    plex_all: true
    overlay: {name: text(A), horizontal_align: left, vertical_align: top, horizontal_offset: 0, vertical_offset: 0}
  Bad Colour:
    template: {name: T, what: B}
  Bad Align:
    plex_all: true
    overlay:
      name: text(A)
      horizontal_align: nowhere
      vertical_align: top
      horizontal_offset: 0
      vertical_offset: 0
  No Offset:
    plex_all: true
    overlay: {name: text(A)}
"""


@pytest.mark.kometa
async def test_errors_of_real_kometa_have_a_file_and_a_line(real_kometa: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "config.yml").write_text(CONFIG)
    (config / "own.yml").write_text(OWN)
    async with house(real_kometa, config, data_dir, world=small_world(), serving=False) as home:
        run = await home.app.render_once()
    assert run.state is RunState.DONE, "what is sound is drawn all the same"
    told = {problem.line: problem.what for problem in run.problems if problem.source == "kometa" and problem.file == "own.yml"}
    assert sorted(told) == [10, 16, 20], [(problem.what, problem.file, problem.line) for problem in run.problems]
    assert "font_color" in told[10]
    assert "horizontal_align" in told[16]
    assert "horizontal_offset" in told[20]
