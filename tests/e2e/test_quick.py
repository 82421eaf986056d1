"""Each poster is seen as soon as it is drawn, and exactly as soon as Kometa has encoded it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sidecar.model import PictureState
from tests.cold import KometaInstall
from tests.cold_demo import small_world
from tests.e2e.house import house
from tests.e2e.test_warm import config_of


@pytest.mark.kometa
async def test_a_quick_picture_comes_before_each_exact_one(real_kometa: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    config = config_of("custom", tmp_path / "config")
    async with house(real_kometa, config, data_dir, world=small_world()) as home:
        run = await home.run("done")
        events: dict[str, list[str]] = {}
        for kind, data in home.heard:
            if kind == "picture":
                events.setdefault(str(data["target"]), []).append(str(data["state"]))
        assert events == {picture.target.id: ["quick", "rendered"] for picture in run.pictures}
        assert {picture.state for picture in run.pictures} == {PictureState.RENDERED}
        for picture in run.pictures:
            assert picture.quick is None
            assert picture.after is not None
            assert picture.after.media_type == "image/webp"
        targets = json.loads((data_dir / "gallery" / "summary.json").read_text())["targets"]
        assert {target["after"]["url"].rpartition(".")[2] for target in targets} == {"webp"}
