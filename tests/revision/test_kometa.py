"""The preview's home does what the user's own directory does: a stock, cold Kometa draws the same pictures from both."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from sidecar.demo import DemoHosts, DemoPlex, World
from sidecar.demo.items import Item
from sidecar.model import Level, Target
from sidecar.revision import Reading, ReadOptions, freeze, materialise, preview, read
from tests.cold import ColdResult, KometaInstall, cold_run
from tests.cold_demo import cold_demo, small_world

SAMPLE = Path(__file__).parents[2] / "config" / "kometa"
FAULTS = ("ERROR", "CRITICAL")


@dataclass(frozen=True)
class Rendered:
    result: ColdResult
    uploads: dict[int, bytes]
    reading: Reading
    config: bytes
    """config.yml as it was given to Kometa."""


def where(item: Item) -> tuple[str, ...]:
    return item.locations or tuple(file.file for file in item.media)


def targets(world: World) -> list[Target]:
    """Every item, as the plex stage would describe it."""
    found = []
    for item in world.items.values():
        if item.type not in list(Level):
            continue
        library = world.libraries[item.section]
        above = world.items[item.parent] if item.parent else item
        show = world.items[above.parent] if above.parent else above
        season, episode = {"season": (item.index, None), "episode": (above.index, item.index)}.get(item.type, (None, None))
        found.append(
            Target(
                rating_key=item.rating_key,
                level=Level(item.type),
                library=library.title,
                section=library.key,
                title=item.title,
                season_number=season,
                episode_number=episode,
                locations=where(show),
            ),
        )
    return found


async def render(kometa: KometaInstall, config: Path, scratch: Path, *, world: World) -> Rendered:
    """The preview's home, run by a stock Kometa straight at a demo Plex of its own."""
    async with DemoPlex(world) as plex, DemoHosts(world) as hosts:
        env = {"KOMETA_PLEX_URL": plex.url, "KOMETA_PLEX_TOKEN": plex.token}
        reading = read(config, ReadOptions(env=env, kometa_home=kometa.home))
        revision = freeze(reading, targets(world), scratch / "store")
        home = scratch / "home"
        path = materialise(revision, preview(reading), home, token=plex.token, kometa_home=kometa.home, plex_url=plex.url)
        given = path.read_bytes()
        result = await cold_run(kometa, home / "config", hosts.map, scratch / "run")
        return Rendered(result=result, uploads={key: pictures[-1] for key, pictures in plex.uploads.items()}, reading=reading, config=given)


async def same_as_cold(kometa: KometaInstall, config: Path, tmp_path: Path, *, movies: int = 3) -> Rendered:
    cold = await cold_demo(kometa, config, tmp_path / "cold", world=small_world(movies))
    ours = await render(kometa, config, tmp_path / "ours", world=small_world(movies))
    assert cold.uploads, cold.result.log
    assert set(ours.uploads) == set(cold.uploads), ours.result.messages(*FAULTS)
    different = [key for key, picture in cold.uploads.items() if ours.uploads[key] != picture]
    assert not different, ours.result.messages(*FAULTS)
    assert ours.result.messages(*FAULTS) == cold.result.messages(*FAULTS)
    assert (tmp_path / "ours/run/config/config.yml").read_bytes() == ours.config, "Kometa rewrote its config"
    return ours


async def test_the_sample(kometa: KometaInstall, tmp_path: Path) -> None:
    ours = await same_as_cold(kometa, SAMPLE, tmp_path)
    assert not ours.reading.problems
    assert not preview(ours.reading).problems
    assert {level for library in ours.reading.libraries for level in library.plan.levels} >= {Level.SEASON, Level.EPISODE}


@pytest.fixture
def scattered(tmp_path: Path) -> Path:
    """A config whose files lie all over the place: elsewhere, in folders, behind variables, in asset directories."""
    config, elsewhere = tmp_path / "site/config", tmp_path / "site/elsewhere"
    for directory in (config / "overlays", config / "folder", elsewhere / "deep", config / "assets"):
        directory.mkdir(parents=True)
    for path, colour in (
        (elsewhere / "red.png", "#ff0000"),
        (elsewhere / "deep/blue.png", "#0000ff"),
        (config / "overlays/green dot.png", "#00ff00"),
    ):
        Image.new("RGB", (120, 80), colour).save(path)
    corner = "horizontal_align: left, vertical_align: top, vertical_offset: 0"
    (config / "overlays/first.yml").write_text(
        "templates:\n  t:\n    default: {dir: none}\n    overlay:\n"
        f"      name: <<overlay_name>>\n      file: <<dir>>/deep/<<key>>.png\n      horizontal_offset: <<x>>\n      vertical_offset: 10\n"
        "      horizontal_align: left\n      vertical_align: top\n"
        "overlays:\n"
        f"  red: {{overlay: {{name: red, file: '{elsewhere}/red.png', {corner}, horizontal_offset: 0}}, plex_all: true}}\n"
        f"  green: {{overlay: {{name: 'green: dot', {corner}, horizontal_offset: 200}}, plex_all: true}}\n"
        "  blue: {template: {name: t, key: blue, x: 400}, plex_all: true}\n",
    )
    for name, offset in (("b", 600), ("a", 650), ("c", 700)):
        (config / f"folder/{name}.yml").write_text(
            "queues:\n  q:\n    settings: {default: {horizontal_align: left}}\n    left:\n"
            f"      - {{vertical_align: top, vertical_offset: {offset}, horizontal_offset: 20, horizontal_align: left}}\n"
            f"overlays:\n  {name}:\n    plex_all: true\n"
            f"    overlay: {{name: 'text(over {name})', queue: q, weight: 1, back_color: '#112233', font: fonts/Roboto-Medium.ttf}}\n",
        )
    (config / "config.yml").write_text(
        "plex: {url: env, token: env}\ntmdb: {apikey: 0123456789abcdef0123456789abcdef}\n"
        "webhooks: {run_start: 'http://127.0.0.1:9/never'}\n"
        f"settings: {{overlay_artwork_filetype: png, asset_directory: ['{elsewhere}', config/assets], cache: false}}\n"
        "libraries:\n  Movies:\n    schedule_overlays: range(01/01-01/01)\n    overlay_files:\n"
        f"      - file: config/overlays/first\n        template_variables: {{dir: '{elsewhere}'}}\n"
        "      - folder: config/folder\n",
    )
    return config


@pytest.mark.kometa
async def test_files_from_everywhere(real_kometa: KometaInstall, scattered: Path, tmp_path: Path) -> None:
    world = small_world(2)
    movies = [item for item in world.items.values() if item.type == "movie"]
    folder = Path(where(movies[0])[0]).parent.name
    for directory, colour in ((scattered / "assets" / folder, "#808000"), (scattered.parent / "elsewhere" / folder, "#008080")):
        directory.mkdir()
        Image.new("RGB", (500, 750), colour).save(directory / "poster.png")
    text = (scattered / "config.yml").read_text()
    cold_config = tmp_path / "unscheduled"
    # what the schedule and the webhook would do to the cold run is not the question here
    shutil.copytree(scattered, cold_config)
    (cold_config / "config.yml").write_text(
        text.replace("    schedule_overlays: range(01/01-01/01)\n", "").replace("webhooks: {run_start: 'http://127.0.0.1:9/never'}\n", "")
    )
    cold = await cold_demo(real_kometa, cold_config, tmp_path / "cold", world=small_world(2))
    ours = await render(real_kometa, scattered, tmp_path / "ours", world=small_world(2))
    assert not ours.reading.problems
    assert set(cold.uploads) == {movie.rating_key for movie in movies}
    assert ours.uploads == cold.uploads
    with Image.open(tmp_path / "ours/home/config/.frozen/0" / folder / "poster.png") as image:
        assert image.getpixel((0, 0)) == (0, 128, 128), "the first asset directory wins"


@pytest.mark.kometa
async def test_kometas_own_overlays(real_kometa: KometaInstall, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "config.yml").write_text(
        "plex: {url: env, token: env}\ntmdb: {apikey: 0123456789abcdef0123456789abcdef}\n"
        "libraries:\n  Movies:\n    overlay_files:\n      - default: audio_codec\n        template_variables: {horizontal_offset: 30}\n"
        "  Shows:\n    overlay_files:\n      - default: episode_info\n",
    )
    ours = await same_as_cold(real_kometa, config, tmp_path, movies=2)
    assert not ours.reading.problems
    assert ours.reading.libraries[1].plan.levels == {Level.EPISODE}


@pytest.mark.kometa
async def test_kometas_own_validation_accepts_it(real_kometa: KometaInstall, tmp_path: Path) -> None:
    world = small_world(1)
    async with DemoPlex(world) as plex, DemoHosts(world) as hosts:
        reading = read(SAMPLE, ReadOptions(env={"KOMETA_PLEX_URL": plex.url, "KOMETA_PLEX_TOKEN": plex.token}))
        home = tmp_path / "home"
        materialise(freeze(reading, [], tmp_path / "store"), preview(reading), home, token=plex.token, plex_url=plex.url)
        args = ("--validate", "--validate-level", "structure")
        result = await cold_run(real_kometa, home / "config", hosts.map, tmp_path / "run", args=args)
    assert "Result: PASSED" in result.log + result.console, result.log + result.console
