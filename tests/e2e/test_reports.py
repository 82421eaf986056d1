"""What is told of each item's overlays, held against what real Kometa drew: the reasons against its rules, the boxes against pixels."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops
from ruamel.yaml import YAML

from sidecar.model import Blob, Run, RunState
from tests.cold import KometaInstall
from tests.cold_demo import small_world
from tests.e2e.house import House, house

CONFIG: Mapping[str, Any] = {
    "plex": {"url": "env", "token": "env", "timeout": 60},
    "tmdb": {"apikey": "demo", "language": "en"},
    "settings": {"cache": False, "overlay_artwork_filetype": "png"},
    "libraries": {"Movies": {"overlay_files": [{"file": "config/own.yml"}]}},
}


def configured(folder: Path, own: Mapping[str, Any]) -> Path:
    folder.mkdir()
    (folder / "overlays").mkdir()
    Image.new("RGBA", (220, 120), (20, 120, 220, 255)).save(folder / "overlays" / "badge.png")
    YAML().dump(dict(CONFIG), folder / "config.yml")
    YAML().dump(dict(own), folder / "own.yml")
    return folder


def place(x: int, y: int, across: str = "left", down: str = "top") -> dict[str, object]:
    return {"horizontal_align": across, "vertical_align": down, "horizontal_offset": x, "vertical_offset": y}


def text(words: str, **more: object) -> dict[str, object]:
    return {"name": f"text({words})", "font_size": 60, "font_color": "#FF00FF", **more}


BACK = {"back_color": "#00FF00", "back_width": 330, "back_height": 140}

BOXES: Mapping[str, tuple[dict[str, object], list[int]]] = {
    "image": ({"name": "badge", **place(30, 40)}, [30, 40, 220, 120]),
    "image from the right": ({"name": "badge", **place(30, 40, "right", "bottom")}, [750, 1340, 220, 120]),
    "image on a back": ({"name": "badge", **place(10, 20), **BACK}, [10, 20, 330, 140]),
    "image scaled": ({"name": "badge", "scale_width": 110, **place(0, 0, "center", "center")}, [445, 720, 110, 60]),
    "text on a back": (text("4K", **place(0, 15, "center", "bottom"), **BACK), [335, 1345, 330, 140]),
    "text with a value": (text("<<runtime>> min", **place(15, 15, "right"), **BACK), [655, 15, 330, 140]),
    "text beside an image": (
        text("7", **place(50, 60), file="config/overlays/badge.png", addon_position="left", addon_offset=10, back_color="#00FF00"),
        [50, 60, -1, 120],
    ),
    "value over an image": (
        text(
            "<<originally_available[%Y]>>",
            **place(50, 60),
            file="config/overlays/badge.png",
            addon_position="bottom",
            addon_offset=20,
            back_color="#00FF00",
        ),
        [50, 60, 220, -1],
    ),
    "backdrop": (
        {"name": "backdrop", "back_color": "#00FF0080", "back_height": 200, **place(0, 0, "left", "bottom")},
        [0, 1300, 1000, 200],
    ),
    "text in a queue": (text("<<originally_available[%Y]>>", queue="corner", weight=10, **BACK), [40, 50, 330, 140]),
}
"""By what it is, an overlay, alone on its poster, and its box; -1 where that depends on the font."""

QUEUE = [{**place(40, 50)}, {**place(40, 250)}]


@pytest.mark.kometa
async def test_boxes_are_where_the_pixels_changed(real_kometa: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    world = small_world(len(BOXES))
    titles = [item.title for item in world.items.values() if item.type == "movie"]
    overlays = {
        name: {"plex_search": {"all": {"title.is": title}}, "overlay": dict(overlay)}
        for (name, (overlay, _)), title in zip(BOXES.items(), titles, strict=True)
    }
    config = configured(tmp_path / "config", {"queues": {"corner": QUEUE}, "overlays": overlays})
    async with house(real_kometa, config, data_dir, world=world, serving=False) as home:
        run = await home.app.render_once()
        assert run.state is RunState.DONE
        told = {str(picture.overlays[0]["name"]): picture for picture in run.pictures if len(picture.overlays) == 1}
        assert set(told) == set(BOXES), run.problems
        for name, (overlay, expected) in BOXES.items():
            assert told[name].before is not None
            changed = difference(home, told[name].before, told[name].after)
            box = told[name].overlays[0]["box"]
            assert isinstance(box, list)
            if "back_color" in overlay and name != "backdrop":  # Pillow's rectangles hold their far edges too
                changed = [changed[0], changed[1], changed[2] - 1, changed[3] - 1]
            assert box == changed, name
            assert [want for want in zip(expected, box, strict=True) if want[0] >= 0 and want[0] != want[1]] == [], name
        assert {"2007", "2011"} <= {picture.overlays[0].get("text") for picture in told.values()}, "words as they were written"


def difference(home: House, before: Blob | None, after: Blob | None) -> list[int]:
    """The box of the pixels that differ, as x, y, width, height."""
    assert before is not None
    assert after is not None
    old, new = (Image.open(io.BytesIO(home.app.blobs.path(blob).read_bytes())).convert("RGB") for blob in (before, after))
    found = ImageChops.difference(old.resize(new.size, Image.Resampling.LANCZOS), new).getbbox()
    assert found is not None
    left, top, right, bottom = found
    return [left, top, right - left, bottom - top]


RULES: Mapping[str, Any] = {
    "queues": {"corner": QUEUE},
    "overlays": {
        name: {"plex_all": True, **extra, "overlay": overlay}
        for name, extra, overlay in (
            ("Before", {}, text("<<originally_available[%Y]>>", **place(0, 700))),
            ("Loud", {"suppress_overlays": ["Quiet", "Text Quiet", "Nothing"]}, {"name": "badge", **place(0, 0)}),
            ("Quiet", {"suppress_overlays": ["Spared"]}, {"name": "badge", **place(0, 200)}),
            ("Text Quiet", {}, text("quiet", **place(0, 400))),
            ("Turns", {"suppress_overlays": ["Before"]}, {"name": "badge", **place(0, 300)}),
            ("Not Asked", {"suppress_overlays": ["Spared"]}, {"name": "badge", **place(0, 600)}),
            ("Spared", {}, {"name": "badge", **place(0, 500)}),
            ("Light", {}, {"name": "badge", **place(300, 0), "group": "g", "weight": 10}),
            ("Heavy", {}, text("<<originally_available[%Y]>>", **place(300, 0), group="g", weight=30)),
            ("Equal", {}, text("as heavy", **place(300, 0), group="g", weight=30)),
            ("Third", {}, text("third", queue="corner", weight=5)),
            ("First", {}, text("<<runtime>>", queue="corner", weight=50)),
            ("Second", {}, {"name": "badge", "queue": "corner", "weight": 20}),
            ("Soft", {}, {"name": "blur(5)"}),
            ("Softer", {}, {"name": "blur(20)"}),
            ("Mine", {}, text("<<user_rating>>", **place(600, 0))),
        )
    },
}


@pytest.mark.kometa
async def test_reasons_are_kometas(real_kometa: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    config = configured(tmp_path / "config", RULES)
    async with house(real_kometa, config, data_dir, world=small_world(3), serving=False, targets={"per_library": 3}) as home:
        run = await home.app.render_once()
        assert run.state is RunState.DONE
        summary = json.loads((data_dir / "gallery" / "summary.json").read_text(encoding="utf-8"))
        detail = json.loads((data_dir / "gallery" / "runs" / run.id / "data.json").read_bytes())
    lines = (data_dir / "logs" / f"{run.id}.jsonl").read_text(encoding="utf-8")
    (kept,) = {json.loads(line)["text"] for line in lines.splitlines() if "Overlays Applied: " in line}
    for picture in run.pictures:
        rated = picture.target.title == "A Clockmaker's Winter"
        drawn = ["Softer", "Loud", "Turns", "Not Asked", "Spared", "Heavy", *(["Mine"] if rated else []), "First", "Second"]
        assert [overlay["name"] for overlay in picture.overlays] == drawn
        assert [overlay["order"] for overlay in picture.overlays] == list(range(1, len(drawn) + 1))
        out = {str(overlay["name"]): (overlay["reason"], overlay["by"]) for overlay in picture.left_out}
        assert out == {
            "Before": ("suppressed", "Turns"),  # in whose wake Kometa does not ask the next one
            "Quiet": ("suppressed", "Loud"),
            "Text Quiet": ("suppressed", "Loud"),
            "Light": ("outweighed", "Heavy"),
            "Equal": ("outweighed", "Heavy"),
            "Soft": ("outweighed", "Softer"),
            "Third": ("queue full", "corner"),
            **({} if rated else {"Mine": ("no value", "")}),
        }
        by_name = {str(overlay["name"]): overlay for overlay in picture.overlays}
        assert by_name["Heavy"]["text"] == str(picture.target.year)
        assert str(by_name["First"]["text"]).isdecimal()
        assert by_name["Second"]["box"] == [40, 250, 220, 120]
        # Kometa's own list is what is left after suppressions and groups: before blurs, queues and missing values
        own = set(drawn) | {"Soft", "Third", "Mine"}
        assert {name.partition(") ")[2] for name in kept.removeprefix("Overlays Applied: ").split(", ")} == own
    assert_shown(run, summary, detail)


def assert_shown(run: Run, summary: Mapping[str, Any], detail: Mapping[str, Any]) -> None:
    """All of it is in summary.json and in the gallery's detail."""
    shots = {shot["rating_key"]: shot for shot in summary["targets"]}
    for picture in run.pictures:
        shot = shots[picture.target.rating_key]
        assert shot["overlays"] == [dict(overlay) for overlay in picture.overlays]
        assert shot["left_out"] == [dict(overlay) for overlay in picture.left_out]
    told = json.dumps(detail["targets"])
    for word in ("suppressed", "outweighed", "queue full", "no value", "Not Asked", "[40, 250, 220, 120]"):
        assert word in told
