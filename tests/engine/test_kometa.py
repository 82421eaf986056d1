"""Pictures by the worker against pictures by a cold ``kometa.py``: byte for byte; and a render that is cancelled."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from sidecar.demo import DemoHosts, DemoPlex
from sidecar.engine.process import ProcessEngine
from sidecar.model import EngineEvent, LogLine, OutcomeKind, OverlayReport, Phase
from sidecar.tasks import Tasks
from tests.cold import KometaInstall
from tests.cold_demo import cold_demo, small_world
from tests.engine.rig import PassThrough, make_homes, make_job
from tests.renderer.talk import gone

CONFIGS = Path(__file__).parents[1] / "e2e"


@pytest.fixture
def custom(tmp_path: Path) -> Path:
    directory = tmp_path / "custom"
    shutil.copytree(CONFIGS / "custom", directory)
    Image.new("RGBA", (220, 120), (20, 120, 220, 200)).save(directory / "overlays" / "badge.png")
    return directory


@pytest.fixture
async def engine(kometa: KometaInstall, short_dir: Path) -> AsyncIterator[ProcessEngine]:
    tasks = Tasks()
    made = ProcessEngine(kometa.home, kometa.python, short_dir / "worker", spawn=tasks.spawn, nice=0)
    yield made
    await made.stop()
    await tasks.close()


async def warm(
    engine: ProcessEngine, kometa: KometaInstall, config: Path, short_dir: Path, shards: int
) -> tuple[PassThrough, list[EngineEvent]]:
    """One render of ``config`` by ``shards`` children, each of which sees the whole demo; nothing is written to it."""
    events: list[EngineEvent] = []
    async with DemoPlex(small_world()) as plex, DemoHosts(small_world()) as hosts:
        async with PassThrough(short_dir / "g.sock", plex.url, hosts.map, plex.token) as gateway:
            homes = await asyncio.to_thread(make_homes, kometa, config, short_dir / "homes", shards)
            outcome = await engine.render(make_job(gateway.path, homes), events.append)
            assert outcome.kind is OutcomeKind.FINISHED, "\n".join(e.text for e in events if isinstance(e, LogLine))
            assert (outcome.detail, outcome.problems) == ("", ())
        assert not plex.writes
    return gateway, events


async def test_custom_overlays_are_identical(
    kometa: KometaInstall, engine: ProcessEngine, custom: Path, tmp_path: Path, short_dir: Path
) -> None:
    """Movies, shows, seasons and episodes, by two children that run at the same time."""
    cold = await cold_demo(kometa, custom, tmp_path / "cold")
    gateway, events = await warm(engine, kometa, custom, short_dir, 2)
    assert cold.uploads
    for token in ("grant-0", "grant-1"):
        assert {key: body for (grant, key), body in gateway.uploads.items() if grant == token} == cold.uploads
    for shard in (0, 1):
        phases = [event.name for event in events if isinstance(event, Phase) and event.shard == shard]
        assert list(dict.fromkeys(phases)) == ["start", "connect", "compile", "draw", "finish"]
    assert any(isinstance(event, LogLine) and event.text.startswith("Overlays Applied:") for event in events)


async def test_default_overlays_are_identical(kometa: KometaInstall, engine: ProcessEngine, tmp_path: Path, short_dir: Path) -> None:
    cold = await cold_demo(kometa, CONFIGS / "defaults", tmp_path / "cold")
    gateway, _ = await warm(engine, kometa, CONFIGS / "defaults", short_dir, 1)
    assert cold.uploads
    assert {key: body for (_, key), body in gateway.uploads.items()} == cold.uploads


@pytest.mark.kometa
async def test_overlays_are_reported(real_kometa: KometaInstall, custom: Path, short_dir: Path) -> None:
    tasks = Tasks()
    engine = ProcessEngine(real_kometa.home, real_kometa.python, short_dir / "worker", spawn=tasks.spawn)
    try:
        gateway, events = await warm(engine, real_kometa, custom, short_dir, 1)
    finally:
        await engine.stop()
        await tasks.close()
    reports = {event.rating_key: event for event in events if isinstance(event, OverlayReport)}
    assert set(reports) == {key for _, key in gateway.uploads}
    assert all(report.server == "plex-0" and report.applied for report in reports.values())
    assert {entry["kind"] for report in reports.values() for entry in report.applied} >= {"text", "image"}


@pytest.mark.parametrize("phase", ["connect", "compile", "draw"])
async def test_a_cancelled_kometa_is_gone_within_a_second(
    kometa: KometaInstall, engine: ProcessEngine, custom: Path, short_dir: Path, phase: str
) -> None:
    """Whatever it was at; the worker stays, and renders what comes next."""
    await engine.start()
    worker = engine.pid
    there = asyncio.Event()

    def hear(event: EngineEvent) -> None:
        if isinstance(event, Phase) and event.name == phase:
            there.set()

    async with (
        DemoPlex(small_world()) as plex,
        DemoHosts(small_world()) as hosts,
        PassThrough(short_dir / "g.sock", plex.url, hosts.map, plex.token) as gateway,
    ):
        homes = await asyncio.to_thread(make_homes, kometa, custom, short_dir / "homes", 2)
        render = asyncio.create_task(engine.render(make_job(gateway.path, homes), hear))
        await asyncio.wait_for(there.wait(), 60)
        children = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
        assert len(children) == 2
        asked = time.monotonic()
        render.cancel()
        with pytest.raises(asyncio.CancelledError):
            await render
        assert time.monotonic() - asked < 1.5  # the daemon promises one second; the machine may be busy
        assert gone(*map(int, children))
        homes = await asyncio.to_thread(make_homes, kometa, custom, short_dir / "again", 1)
        outcome = await engine.render(make_job(gateway.path, homes), lambda _event: None)
    assert outcome.kind is OutcomeKind.FINISHED
    assert engine.pid == worker
