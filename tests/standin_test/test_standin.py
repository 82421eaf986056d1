"""The stand-in keeps to Kometa's contract; where a real Kometa is to be had, the same tests hold it to the same."""

from __future__ import annotations

import io
import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from sidecar.demo import World
from tests.cold import KometaInstall
from tests.cold_demo import DemoRun, cold_demo, small_world

CONFIG = """\
libraries:
  Movies:
    {library}
    overlay_files:
      - file: config/overlays/mine.yml
plex: {{url: http://127.0.0.1:1, token: replaced, timeout: 60}}
tmdb: {{apikey: demo, language: en}}
settings:
  run_order: [operations, metadata, collections, overlays]
  cache: {cache}
  overlay_artwork_filetype: webp_lossy
"""

TEXT = """\
overlays:
  Preview:
    overlay: {name: text(PREVIEW), horizontal_offset: 0, horizontal_align: center, vertical_offset: 40, vertical_align: bottom,
              font_size: 60, back_color: "#FF0000", back_padding: 40}
    plex_all: true
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config directory with one overlay file, and a picture for image overlays."""
    directory = tmp_path / "mine"
    (directory / "overlays").mkdir(parents=True)
    write(directory, TEXT)
    badge = Image.new("RGBA", (200, 100), (0, 0, 0, 0))
    ImageDraw.Draw(badge).rounded_rectangle((0, 0, 199, 99), 20, fill=(0, 200, 80, 255))
    badge.save(directory / "overlays" / "badge.png")
    return directory


def write(directory: Path, overlays: str, cache: bool = False, library: str = "{}") -> None:
    library = "" if library == "{}" else library
    (directory / "config.yml").write_text(CONFIG.format(cache=str(cache).lower(), library=library), encoding="utf-8")
    (directory / "overlays" / "mine.yml").write_text(overlays, encoding="utf-8")


def picture(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def movies(world: World) -> list[int]:
    return [item.rating_key for item in world.items.values() if item.type == "movie"]


def told(run: DemoRun) -> str:
    return "\n".join(run.result.messages("ERROR", "CRITICAL"))


async def test_every_movie_is_given_a_picture_and_the_label(kometa: KometaInstall, config: Path, tmp_path: Path) -> None:
    run = await cold_demo(kometa, config, tmp_path / "run")
    assert told(run) == ""
    assert sorted(run.uploads) == sorted(movies(run.world))
    for rating_key, content in run.uploads.items():
        image = picture(content)
        assert (image.format, image.size) == ("WEBP", (1000, 1500))
        assert image.getexif()[0x04BC] == "overlay"
        assert "Overlay" in run.world.items[rating_key].tags["label"]
        assert near(image, (500, 1480), (255, 0, 0))  # inside the backdrop, below the text
    assert "Finished Run" in run.result.log
    assert run.result.returncode == 0


async def test_state_is_kept_in_the_config_directory(kometa: KometaInstall, config: Path, tmp_path: Path) -> None:
    run = await cold_demo(kometa, config, tmp_path / "run")
    directory = run.result.home / "config"
    assert re.fullmatch(r"[0-9a-f-]{36}", (directory / "UUID").read_text(encoding="utf-8"))
    assert (directory / "overlays" / "temp.webp").exists()
    kept = {int(path.stem) for path in (directory / "overlays" / "Movies Original Posters").iterdir()}
    assert kept == set(movies(run.world))


async def test_the_pictures_follow_the_file(standin: KometaInstall, config: Path, tmp_path: Path) -> None:
    first = await cold_demo(standin, config, tmp_path / "one")
    same = await cold_demo(standin, config, tmp_path / "two")
    write(config, TEXT.replace("PREVIEW", "OTHER"))
    other = await cold_demo(standin, config, tmp_path / "three")
    assert first.uploads == same.uploads
    assert all(first.uploads[key] != other.uploads[key] for key in first.uploads)


RANKED = """\
overlays:
  Heavy:
    overlay: {name: backdrop, back_color: "#00FF00", back_height: 300, group: g, weight: 20}
    plex_all: true
  Light:
    overlay: {name: backdrop, back_color: "#0000FF", back_height: 300, group: g, weight: 10}
    plex_all: true
  Loud:
    overlay: {name: backdrop, back_color: "#FFFF00", back_height: 200, vertical_offset: 400, vertical_align: top,
              horizontal_offset: 0, horizontal_align: left}
    suppress_overlays: Quiet
    plex_all: true
  Quiet:
    overlay: {name: backdrop, back_color: "#FF00FF", back_height: 200, vertical_offset: 700, vertical_align: top,
              horizontal_offset: 0, horizontal_align: left}
    plex_all: true
  First:
    overlay: {name: badge, file: config/overlays/badge.png, queue: q, weight: 2}
    plex_all: true
queues:
  q:
    - {horizontal_align: right, horizontal_offset: 100, vertical_align: bottom, vertical_offset: 100}
"""


async def test_groups_suppression_and_queues(kometa: KometaInstall, config: Path, tmp_path: Path) -> None:
    write(config, RANKED)
    run = await cold_demo(kometa, config, tmp_path / "run")
    assert told(run) == ""
    for content in run.uploads.values():
        image = picture(content)
        assert near(image, (500, 150), (0, 255, 0))
        assert near(image, (500, 500), (255, 255, 0))
        assert not near(image, (500, 800), (255, 0, 255))
        assert near(image, (800, 1350), (0, 200, 80))


def near(image: Image.Image, at: tuple[int, int], colour: tuple[int, int, int]) -> bool:
    """Is this pixel of about that colour? Lossy compression moves colours a little."""
    box = image.convert("RGB").crop((*at, at[0] + 1, at[1] + 1)).tobytes()
    return max(abs(a - b) for a, b in zip(box, colour, strict=True)) < 40


def is_uhd(world: World, rating_key: int) -> bool:
    return any(file.profile.video is not None and file.profile.video.resolution == "4k" for file in world.items[rating_key].media)


SEARCH = """\
overlays:
  UHD:
    overlay: {name: backdrop, back_color: "#00FF00", back_height: 300}
    plex_search: {all: {resolution: 4K, year.gte: 2020}}
"""


async def test_searches_are_the_servers(kometa: KometaInstall, config: Path, tmp_path: Path) -> None:
    write(config, SEARCH)
    run = await cold_demo(kometa, config, tmp_path / "run")
    expected = [key for key in movies(run.world) if is_uhd(run.world, key) and (run.world.items[key].year or 0) >= 2020]
    assert 0 < len(expected) < len(movies(run.world))
    assert sorted(run.uploads) == sorted(expected)


async def test_with_a_cache_an_unchanged_item_is_left_alone(kometa: KometaInstall, config: Path, tmp_path: Path) -> None:
    write(config, TEXT, cache=True)
    first = await cold_demo(kometa, config, tmp_path / "run")
    assert first.uploads
    again = await cold_demo(kometa, first.result.home / "config", tmp_path / "again", world=first.world)
    assert not again.uploads
    assert "Overlay Update Not Needed" in again.result.log


async def test_taking_overlays_off_restores_the_backup(kometa: KometaInstall, config: Path, tmp_path: Path) -> None:
    first = await cold_demo(kometa, config, tmp_path / "run")
    directory = first.result.home / "config"
    backup = {int(path.stem): path.read_bytes() for path in (directory / "overlays" / "Movies Original Posters").iterdir()}
    write(directory, TEXT, library="remove_overlays: true")
    off = await cold_demo(kometa, directory, tmp_path / "off", world=first.world)
    assert off.uploads == backup
    assert not [key for key in movies(off.world) if "Overlay" in off.world.items[key].tags.get("label", ())]


TEMPLATED = """\
templates:
  band:
    default: {colour: "#0000FF", height: 200}
    optional: [line]
    overlay: {name: backdrop, back_color: <<colour>>, back_height: <<height>>, back_line_color: <<line>>}
    plex_all: true
overlays:
  One:
    template: {name: band, height: 400}
"""


async def test_templates_take_variables_and_defaults(kometa: KometaInstall, config: Path, tmp_path: Path) -> None:
    write(config, TEMPLATED)
    run = await cold_demo(kometa, config, tmp_path / "run")
    assert told(run) == ""
    assert sorted(run.uploads) == sorted(movies(run.world))
    for content in run.uploads.values():
        image = picture(content)
        assert near(image, (500, 380), (0, 0, 255))
        assert not near(image, (500, 450), (0, 0, 255))


async def test_a_labelled_item_without_overlay_is_restored_by_url(kometa: KometaInstall, config: Path, tmp_path: Path) -> None:
    write(config, SEARCH)
    world = small_world()
    left_out = next(key for key in movies(world) if not is_uhd(world, key))
    world.change(left_out, labels=("Overlay",))
    run = await cold_demo(kometa, config, tmp_path / "run", world=world)
    (restored,) = [request for request in run.plex if request.method == "POST" and request.params.get("url")]
    assert restored.path == f"/library/metadata/{left_out}/posters"
    assert "Overlay" not in run.world.items[left_out].tags.get("label", ())


async def test_a_picture_that_has_an_overlay_already_is_refused(kometa: KometaInstall, config: Path, tmp_path: Path) -> None:
    first = await cold_demo(kometa, config, tmp_path / "run")
    spoilt, *others = movies(first.world)
    first.world.change(spoilt, labels=())
    again = await cold_demo(kometa, config, tmp_path / "again", world=first.world)
    assert spoilt not in again.uploads
    assert "already has an Overlay" in told(again)
    assert set(again.uploads) <= set(others)


@pytest.mark.parametrize("order", ["operations, metadata, collections, overlays", "overlays"])
async def test_an_incomplete_run_order_is_completed_even_read_only(kometa: KometaInstall, config: Path, tmp_path: Path, order: str) -> None:
    file = config / "config.yml"
    file.write_text(file.read_text(encoding="utf-8").replace("operations, metadata, collections, overlays", order), encoding="utf-8")
    run = await cold_demo(kometa, config, tmp_path / "run", args=("-r", "--overlays-only", "--read-only-config"))
    written = (run.result.home / "config" / "config.yml").read_text(encoding="utf-8")
    assert ("metadata" in written, "cache_expiration" in written) == (True, False)


BROKEN = {
    "config does not parse": ("config.yml", "libraries: [", "CRITICAL", "YAML Error"),
    "no libraries": (
        "config.yml",
        "libraries: {}\nplex: {url: 'http://127.0.0.1:1', token: x}\ntmdb: {apikey: demo}\n",
        "CRITICAL",
        "No libraries",
    ),
    "file does not parse": ("overlays/mine.yml", "overlays: [", "ERROR", "YAML Error"),
    "no overlays": ("overlays/mine.yml", "templates: {}\n", "ERROR", "YAML Error: overlays attribute is required"),
    "colour": ("overlays/mine.yml", TEXT.replace("#FF0000", "#QQ"), "ERROR", "Overlay Error"),
    "image": (
        "overlays/mine.yml",
        "overlays:\n  a:\n    overlay: {name: nothing, horizontal_offset: 0, vertical_offset: 0}\n    plex_all: true\n",
        "ERROR",
        "Overlay Error: Overlay image not found",
    ),
    "font": ("overlays/mine.yml", TEXT.replace("font_size", "font: nothing.ttf, font_size"), "ERROR", "Overlay Error: Overlay font"),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_errors_are_logged_and_the_exit_code_is_0(kometa: KometaInstall, config: Path, tmp_path: Path, case: str) -> None:
    file, text, level, message = BROKEN[case]
    (config / file).write_text(text, encoding="utf-8")
    run = await cold_demo(kometa, config, tmp_path / "run", keep_config=file == "config.yml")
    assert any(message in entry.text for entry in run.result.entries if entry.level == level)
    assert not run.uploads
    assert "Finished Run" in run.result.log
    assert run.result.returncode == 0


@pytest.mark.parametrize(("missing", "result"), [(False, "Result: PASSED"), (True, "Result: FAILED")])
async def test_validate(kometa: KometaInstall, config: Path, tmp_path: Path, missing: bool, result: str) -> None:
    if missing:
        (config / "overlays" / "mine.yml").unlink()
    run = await cold_demo(kometa, config, tmp_path / "run", args=("--validate",))
    assert result in run.result.log
    assert run.result.returncode == 0
    assert not run.plex


RETRIES = """
import sys
sys.path.insert(0, sys.argv[1])
from modules import util
waits = []
util.sleep = waits.append

@util.retry(KeyError)
def fails(error):
    raise error

for error in (ConnectionError("gone"), KeyError("no")):
    try:
        fails(error)
    except Exception as raised:
        print(type(raised).__name__, len(waits), set(waits))
"""


def test_six_tries_ten_seconds_apart(standin: KometaInstall) -> None:
    done = subprocess.run([standin.python, "-c", RETRIES, standin.home], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["RetryError 5 {10}", "KeyError 5 {10}"]


def test_the_stand_in_does_not_pass_for_kometa(standin: KometaInstall) -> None:
    assert standin.version == "0.0.0-standin"
