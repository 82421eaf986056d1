"""A cold, stock Kometa against the demo: what every picture of the product is compared with must itself be sound."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import Image

from sidecar.demo import World
from sidecar.demo.record import Request
from tests.cold import KometaInstall
from tests.cold_demo import DemoRun, cold_demo

HERE = Path(__file__).parent
SIZES = {"movie": (1000, 1500), "show": (1000, 1500), "season": (1000, 1500), "episode": (1920, 1080)}


@pytest.fixture
def custom(tmp_path: Path) -> Path:
    """Our own overlay files: text, image and backdrop, on movies, shows, seasons and episodes."""
    directory = tmp_path / "custom"
    shutil.copytree(HERE / "custom", directory)
    Image.new("RGBA", (220, 120), (20, 120, 220, 200)).save(directory / "overlays" / "badge.png")
    return directory


def keys(world: World, *types: str) -> list[int]:
    """Rating keys of all items of these types."""
    return sorted(item.rating_key for item in world.items.values() if item.type in types)


ROUTINE = re.compile(r"Plex Error: \w+: No matches found with regex pattern|Overlay Error: No Items found")
"""Kometa's own defaults log these as errors wherever a library lacks a resolution, a codec, ...; they mean nothing."""


def check_pictures(run: DemoRun) -> None:
    """Each upload is a whole picture of its item's size, marked as overlaid, and nothing went wrong."""
    assert [text for text in run.result.messages("ERROR", "CRITICAL") if not ROUTINE.match(text)] == []
    for rating_key, content in run.uploads.items():
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            assert image.format == "WEBP"
            assert image.size == SIZES[run.world.items[rating_key].type]
            assert image.getexif()[0x04BC] == "overlay"


async def test_custom_overlays_on_every_level(kometa: KometaInstall, custom: Path, tmp_path: Path) -> None:
    run = await cold_demo(kometa, custom, tmp_path / "run")
    check_pictures(run)
    assert sorted(run.uploads) == keys(run.world, "movie", "show", "season", "episode")


async def test_default_overlays(kometa: KometaInstall, tmp_path: Path) -> None:
    run = await cold_demo(kometa, HERE / "defaults", tmp_path / "run")
    check_pictures(run)
    assert sorted(run.uploads) == keys(run.world, "movie")


async def test_a_cold_run_repeats_itself(kometa: KometaInstall, custom: Path, tmp_path: Path) -> None:
    first = await cold_demo(kometa, custom, tmp_path / "first")
    second = await cold_demo(kometa, custom, tmp_path / "second")
    assert first.uploads == second.uploads


def shape(request: Request) -> str:
    """A request without what differs from run to run: tokens, times, sizes; its query in order of names."""
    path = re.sub(r"/thumb/\d+", "/thumb/TS", request.path)
    query = sorted(part for part in unquote(request.query).split("&") if part and not part.startswith("X-Plex-Token="))
    return f"{request.method} {path}?{'&'.join(query)}"


@pytest.mark.kometa
async def test_the_stand_in_asks_plex_what_kometa_asks(
    standin: KometaInstall, real_kometa: KometaInstall, custom: Path, tmp_path: Path
) -> None:
    ours = await cold_demo(standin, custom, tmp_path / "ours")
    theirs = await cold_demo(real_kometa, custom, tmp_path / "theirs")
    assert [shape(request) for request in ours.plex] == [shape(request) for request in theirs.plex]
    assert [shape(request) for request in ours.hosts] == [shape(request) for request in theirs.hosts]
