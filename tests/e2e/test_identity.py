"""Each overlay file of Kometa's, on movies, shows, seasons and episodes: cold and through the daemon, the pictures are the same."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from renderer.speedups import VERIFIED
from tests.cold import KometaInstall
from tests.e2e import identity
from tests.e2e.compare import compare

FILES = [
    pytest.param(name, id=name, marks=() if default.quick else pytest.mark.slow)  #
    for name, default in identity.DEFAULTS.items()
]


@pytest.mark.kometa
def test_every_overlay_file_is_known_here(real_kometa: KometaInstall) -> None:
    there = {path.stem for path in (real_kometa.home / "defaults" / "overlays").glob("*.yml")}
    assert there == {*identity.DEFAULTS, *identity.NOT_OVERLAYS}


@pytest.mark.kometa
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", FILES)
async def test_an_overlay_file_draws_the_same(
    real_kometa: KometaInstall, name: str, tmp_path: Path, data_dir: Path, record_property: pytest.RecordProperty
) -> None:
    default = identity.DEFAULTS[name]
    config = identity.write_config(tmp_path / "config", name, default)
    found = await compare(real_kometa, config, identity.world, tmp_path / "cold", data_dir, engine={"shards": 3})
    drawn = Counter(picture.target.level.value for picture in found.rendered)
    record_property("pictures", dict(drawn))
    record_property("same bytes", found.same_bytes)
    assert set(drawn) == set(default.draws), dict(drawn)
    assert len(found.shards) > 1
    speedups = found.engine.speedups
    if real_kometa.version in VERIFIED:
        assert set(speedups.values()) == {"on"}, speedups
