"""Real Kometa reads the stand-in hosts: each source of ratings, on each level that it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.demo import World
from tests.cold import KometaInstall
from tests.cold_demo import cold_demo

CONFIG = """
libraries:
  Movies:
    overlay_files: [{file: config/movies.yml}]
  Shows:
    overlay_files: [{file: config/shows.yml}]
settings: {cache: true, run_order: [operations, metadata, collections, overlays]}
plex: {url: http://127.0.0.1:1, token: none, timeout: 60}
tmdb: {apikey: demo, language: en}
mdblist: {apikey: demo}
omdb: {apikey: demo}
"""

SOURCES = [
    "tmdb_rating",
    "imdb_rating",
    "omdb_rating",
    "omdb_metascore_rating",
    "omdb_tomatoes_rating",
    "mdb_rating",
    "mdb_average_rating",
    "mdb_imdb_rating",
    "mdb_metacritic_rating",
    "mdb_metacriticuser_rating",
    "mdb_trakt_rating",
    "mdb_tomatoes_rating",
    "mdb_tomatoesaudience_rating",
    "mdb_tmdb_rating",
    "mdb_letterboxd_rating",
    "plex_imdb_rating",
    "plex_tmdb_rating",
    "plex_tomatoes_rating",
    "plex_tomatoesaudience_rating",
]


def overlays(levels: dict[str, list[str]]) -> str:
    """An overlay file that writes each rating out."""
    lines = ["overlays:"]
    for level, names in levels.items():
        for place, name in enumerate(names):
            lines += [f"  {level} {name}:", "    plex_all: true"]
            if level in ("season", "episode"):
                lines.append(f"    builder_level: {level}")
            box = f"horizontal_align: left, vertical_align: top, horizontal_offset: 10, vertical_offset: {10 + 50 * place}"
            lines.append(
                f'    overlay: {{name: "text(<<{name}>>)", {box}, font_size: 40, back_color: "#000000", back_width: 200, back_height: 45}}'
            )
    return "\n".join(lines) + "\n"


@pytest.mark.kometa
async def test_every_source_of_ratings(real_kometa: KometaInstall, tmp_path: Path) -> None:
    config = tmp_path / "given"
    config.mkdir()
    (config / "config.yml").write_text(CONFIG)
    (config / "movies.yml").write_text(overlays({"movie": SOURCES}))
    episode = ["tmdb_rating", "imdb_rating", "critic_rating", "plex_imdb_rating"]
    (config / "shows.yml").write_text(overlays({"show": SOURCES, "season": ["tmdb_rating"], "episode": episode}))
    world = World.sized(2)
    run = await cold_demo(real_kometa, config, tmp_path / "run", world=world)
    assert run.result.messages("ERROR", "CRITICAL") == []
    assert sorted(run.uploads) == sorted(item.rating_key for item in world.items.values() if item.type != "collection")
    hosts = {request.path.split("/")[1] for request in run.hosts}
    assert hosts == {"api.themoviedb.org", "raw.githubusercontent.com", "api.mdblist.com", "www.omdbapi.com", "datasets.imdbws.com"}
