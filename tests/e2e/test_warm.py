"""The product's promise: what the daemon shows is, pixel for pixel, what a cold, stock Kometa uploads; and Plex stays as it was."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from PIL import Image

from sidecar.demo import World
from sidecar.model import PictureState, Run, RunState
from tests.cold import KometaInstall
from tests.cold_demo import cold_demo, small_world
from tests.e2e.house import House, house

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


def pixels(content: bytes) -> tuple[str | None, tuple[int, int], bytes]:
    with Image.open(io.BytesIO(content)) as image:
        return image.format, image.size, image.convert("RGB").tobytes()


def uploads(home: House, run: Run) -> dict[int, bytes]:
    return {
        picture.target.rating_key: home.app.blobs.path(picture.after).read_bytes() for picture in run.pictures if picture.after is not None
    }


async def identical(kometa: KometaInstall, name: str, world: tuple[World, World], tmp_path: Path, data: Path) -> None:
    config = config_of(name, tmp_path / "config")
    cold = await cold_demo(kometa, config, tmp_path / "cold", world=world[0])
    async with house(kometa, config, data, world=world[1], serving=False) as home:
        run = await home.app.render_once()
        assert run.state is RunState.DONE, run.problems
        assert run.engine is not None
        assert (run.engine.kind, run.engine.version) == ("kometa", kometa.version)
        warm = uploads(home, run)
        home.assert_plex_untouched()
    assert [picture.target.label for picture in run.pictures if picture.state is PictureState.FAILED] == []
    assert sorted(warm) == sorted(cold.uploads)
    different = [key for key, content in warm.items() if content != cold.uploads[key]]
    assert [key for key in different if pixels(warm[key]) != pixels(cold.uploads[key])] == []
    assert all(picture.before is not None for picture in run.pictures)
    assert sum(write.expected for write in run.blocked) == len(run.blocked)


async def test_our_own_overlays_on_every_level(kometa: KometaInstall, tmp_path: Path, data_dir: Path) -> None:
    await identical(kometa, "custom", (small_world(), small_world()), tmp_path, data_dir)


async def test_kometas_defaults(kometa: KometaInstall, tmp_path: Path, data_dir: Path) -> None:
    await identical(kometa, "defaults", (small_world(), small_world()), tmp_path, data_dir)


@pytest.mark.kometa
@pytest.mark.timeout(400)
async def test_defaults_and_our_own_on_every_level(real_kometa: KometaInstall, tmp_path: Path, data_dir: Path) -> None:
    await identical(real_kometa, "full", (World.sample(), World.sample()), tmp_path, data_dir)
