"""The product's promise, as a function: what the daemon captures is, pixel for pixel, what a cold, stock Kometa uploads."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from sidecar.demo import World
from sidecar.model import EngineInfo, Picture, PictureState, Run, RunState
from tests.cold import KometaInstall
from tests.cold_demo import DemoRun, cold_demo
from tests.e2e.house import House, house


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A cold run and the daemon's of the same config over equal worlds, found equal."""

    run: Run
    cold: DemoRun
    same_bytes: int
    """How many of the pictures are equal byte for byte; the others in their pixels."""
    shards: frozenset[int]
    """Those that took part."""

    @property
    def engine(self) -> EngineInfo:
        assert self.run.engine is not None
        return self.run.engine

    @property
    def rendered(self) -> list[Picture]:
        return [picture for picture in self.run.pictures if picture.state is PictureState.RENDERED]


async def compare(kometa: KometaInstall, config: Path, world: Callable[[], World], scratch: Path, data: Path, **settings: Any) -> Compared:
    """Render ``config`` cold and through a daemon, each against a ``world()`` of its own; fails where a picture differs."""
    cold = await cold_demo(kometa, config, scratch, world=world())
    async with house(kometa, config, data, world=world(), serving=False, **settings) as home:
        run = await home.app.render_once()
        assert run.state is RunState.DONE, run.problems
        assert run.engine is not None
        assert (run.engine.kind, run.engine.version) == ("kometa", kometa.version)
        warm = await asyncio.to_thread(uploads, home, run)
        home.assert_plex_untouched()
    assert [picture.target.label for picture in run.pictures if picture.state is PictureState.FAILED] == []
    assert sorted(warm) == sorted(cold.uploads)
    different = [key for key, content in warm.items() if content != cold.uploads[key]]
    drawn_otherwise = [key for key in different if pixels(warm[key]) != pixels(cold.uploads[key])]
    for key in drawn_otherwise:  # for whoever looks into it
        (scratch / f"{key}.warm").write_bytes(warm[key])
        (scratch / f"{key}.cold").write_bytes(cold.uploads[key])
    assert drawn_otherwise == [], {
        picture.target.label: [overlay.get("name") for overlay in picture.overlays]
        for picture in run.pictures
        if picture.target.rating_key in drawn_otherwise
    }
    assert all(picture.before is not None for picture in run.pictures)
    assert sum(write.expected for write in run.blocked) == len(run.blocked)
    log = (data / "logs" / f"{run.id}.jsonl").read_text(encoding="utf-8")
    shards = frozenset(json.loads(line)["shard"] for line in log.splitlines())
    return Compared(run=run, cold=cold, same_bytes=len(warm) - len(different), shards=shards)


def pixels(content: bytes) -> tuple[str | None, tuple[int, int], bytes]:
    """Format, size and every pixel of a picture."""
    with Image.open(io.BytesIO(content)) as image:
        return image.format, image.size, image.convert("RGB").tobytes()


def uploads(home: House, run: Run) -> dict[int, bytes]:
    """The run's pictures by rating key."""
    return {
        picture.target.rating_key: home.app.blobs.path(picture.after).read_bytes() for picture in run.pictures if picture.after is not None
    }
