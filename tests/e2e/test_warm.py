"""What the daemon shows is, pixel for pixel, what a cold, stock Kometa uploads; and Plex stays as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from sidecar.demo import World
from tests.cold import KometaInstall
from tests.cold_demo import small_world
from tests.e2e.compare import compare

HERE = Path(__file__).parent


def config_of(name: str, to: Path) -> Path:
    """A config directory of its own, with our overlay files; Plex's address and token come from the environment."""
    shutil.copytree(HERE / name, to)
    shutil.copytree(HERE / "custom" / "overlays", to / "overlays", dirs_exist_ok=True)
    Image.new("RGBA", (220, 120), (20, 120, 220, 200)).save(to / "overlays" / "badge.png")
    text = (to / "config.yml").read_text()
    if "\nplex:" not in text and not text.startswith("plex:"):
        text = "plex:\n  url: http://127.0.0.1:1\n  token: replaced\ntmdb:\n  apikey: demo\nsettings:\n  cache: false\n" + text
    (to / "config.yml").write_text(text.replace("http://127.0.0.1:1", "env").replace("token: replaced", "token: env"))
    return to


async def test_our_own_overlays_on_every_level(kometa: KometaInstall, tmp_path: Path, data_dir: Path) -> None:
    await compare(kometa, config_of("custom", tmp_path / "config"), small_world, tmp_path / "cold", data_dir)


async def test_kometas_defaults(kometa: KometaInstall, tmp_path: Path, data_dir: Path) -> None:
    await compare(kometa, config_of("defaults", tmp_path / "config"), small_world, tmp_path / "cold", data_dir)


@pytest.mark.kometa
@pytest.mark.timeout(400)
async def test_defaults_and_our_own_on_every_level(real_kometa: KometaInstall, tmp_path: Path, data_dir: Path) -> None:
    await compare(real_kometa, config_of("full", tmp_path / "config"), World.sample, tmp_path / "cold", data_dir)
