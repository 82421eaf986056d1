"""The engine on a real demo Plex: what it delivers, reports and says, and how it ends."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sidecar import __version__
from sidecar.demo import DemoPlex, World
from sidecar.engine import Engine
from sidecar.engine.draft import DraftEngine
from sidecar.engine.draft.compose import EXIF_OVERLAY, has_overlay
from sidecar.errors import EngineAway, PlexAway
from sidecar.model import (
    EngineEvent,
    LibraryPlan,
    LogLine,
    Outcome,
    OutcomeKind,
    OverlayReport,
    Phase,
    Problem,
    RenderJob,
    Severity,
)
from tests.engine_draft.drawing import gradient
from tests.engine_draft.plexsource import PlexSource, job, revision, targets, write

BOX = {"name": "backdrop", "back_color": "#F00", "back_width": 50, "back_height": 50}
CONFIG = {
    "libraries": {
        "Movies": {"overlay_files": [{"file": "config/movies.yml"}]},
        "Shows": {"overlay_files": [{"file": "config/shows.yml"}]},
    },
    "settings": {"overlay_artwork_filetype": "jpg"},
}
MOVIES = {"box": {"plex_all": True, "overlay": BOX}, "listed": {"imdb_chart": "top_movies", "overlay": BOX}}
SHOWS = {level: {"plex_all": True, "builder_level": level, "overlay": BOX} for level in ("show", "season", "episode")}
FILES = {"movies.yml": {"overlays": MOVIES}, "shows.yml": {"overlays": SHOWS}}


class Desk:
    """A running demo Plex, a frozen config and an engine on them, and what came of it."""

    def __init__(self, plex: DemoPlex, items: PlexSource, folder: Path) -> None:
        self.plex, self.items, self.folder = plex, items, folder
        self.delivered: list[tuple[str, str, int, bytes]] = []
        self.events: list[EngineEvent] = []
        self.plans = [LibraryPlan(name="Movies", key="Movies"), LibraryPlan(name="Shows", key="Shows")]
        self.source = write(folder / "source", {"config.yml": CONFIG, **FILES})
        self.engine = DraftEngine(items, self.deliver)

    async def deliver(self, token: str, server: str, rating_key: int, data: bytes) -> None:
        self.delivered.append((token, server, rating_key, data))

    def job(self, *keys: int, types: tuple[str, ...] = ("movie",), **more: Any) -> RenderJob:
        wanted = [target for target in targets(self.plex.world, *types) if not keys or target.rating_key in keys]
        config = more.pop("config", CONFIG)
        return job(revision(self.source, self.folder / "frozen", self.plans), config, wanted, **more)

    async def render(self, what: RenderJob) -> Outcome:
        await self.engine.start()
        return await self.engine.render(what, self.events.append)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with DemoPlex(World.sample()) as plex, PlexSource(plex) as items:
        one = Desk(plex, items, tmp_path)
        yield one
        await one.engine.stop()
        assert not plex.writes
        assert not plex.mutations


def errors(outcome: Outcome) -> list[Problem]:
    return [problem for problem in outcome.problems if problem.severity is Severity.ERROR]


async def test_it_says_that_it_is_no_kometa(desk: Desk) -> None:
    engine: Engine = desk.engine
    assert engine.info is None
    info = await engine.start()
    assert engine.info == info
    assert (info.kind, info.via, info.version) == ("draft", "draft", __version__)
    assert info.layout in ("raqm", "basic")
    await engine.stop()
    assert engine.info is None
    await engine.stop()


async def test_every_item_goes_to_its_own_grant(desk: Desk) -> None:
    what = desk.job(101, 103, 201, 207, 208, 213, 214, types=("movie", "show", "season", "episode"), shards=3)
    outcome = await desk.render(what)
    assert outcome.kind is OutcomeKind.FINISHED
    assert errors(outcome) == []
    expected = {(shard.token, target.server, target.rating_key) for shard in what.shards for target in shard.targets}
    assert {entry[:3] for entry in desk.delivered} == expected
    assert len(desk.delivered) == len(expected) == 7
    for _, _, key, data in desk.delivered:
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == ((1920, 1080) if desk.plex.world.items[key].type == "episode" else (1000, 1500))
            assert image.getexif()[EXIF_OVERLAY] == "overlay"


async def test_it_reports_phases_lines_and_overlays(desk: Desk) -> None:
    await desk.render(desk.job(101))
    assert [phase.name for phase in desk.of(Phase)] == ["start", "compile", "draw", "finish"]
    assert [line.text for line in desk.of(LogLine)] == ["The Salt Meridian: box"]
    (report,) = desk.of(OverlayReport)
    assert (report.server, report.rating_key) == ("plex-0", 101)
    assert report.applied == ({"name": "box", "kind": "backdrop", "file": "movies.yml", "line": 2, "order": 1, "box": [0, 0, 50, 50]},)
    (left,) = report.left_out
    assert (left["name"], left["by"]) == ("listed", "imdb_chart")


async def test_what_it_cannot_draw_is_named_for_the_file_and_for_the_item(desk: Desk) -> None:
    outcome = await desk.render(desk.job(101, 102))
    of_file = [problem for problem in outcome.problems if problem.file]
    of_items = [problem for problem in outcome.problems if problem.target]
    assert [(problem.place, problem.source) for problem in of_file] == [("movies.yml:10", "engine")]
    assert {problem.target for problem in of_items} == {"101", "102"}
    assert all("the draft cannot" in problem.what for problem in outcome.problems)


async def test_an_item_that_is_gone_fails_alone(desk: Desk) -> None:
    what = desk.job(101, 102)
    desk.plex.world.delete(102)
    outcome = await desk.render(what)
    assert outcome.kind is OutcomeKind.FINISHED
    assert [entry[2] for entry in desk.delivered] == [101]
    assert [problem.target for problem in errors(outcome)] == ["102"]


async def test_nothing_delivered_is_a_failure(desk: Desk) -> None:
    what = desk.job(101, 102)
    desk.plex.world.delete(101)
    desk.plex.world.delete(102)
    outcome = await desk.render(what)
    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.detail


async def test_a_library_without_overlays_is_said(desk: Desk) -> None:
    desk.plans = desk.plans[1:]
    outcome = await desk.render(desk.job(101))
    assert outcome.kind is OutcomeKind.FAILED
    assert "no overlays for the library 'Movies'" in outcome.detail


async def test_remove_overlays_draws_nothing(desk: Desk) -> None:
    movies = {**CONFIG["libraries"]["Movies"], "remove_overlays": True}
    outcome = await desk.render(desk.job(101, config={**CONFIG, "libraries": {"Movies": movies}}))
    assert outcome.kind is OutcomeKind.FINISHED
    assert desk.delivered == []
    assert "remove_overlays" in desk.of(LogLine)[0].text


def picture(path: Path, colour: str, overlaid: bool = False) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (100, 150), colour)
    exif = image.getexif()
    if overlaid:
        exif[EXIF_OVERLAY] = "overlay"
    image.save(path, exif=exif)
    return path.read_bytes()


def colour_of(data: bytes) -> tuple[int, ...]:
    with Image.open(io.BytesIO(data)) as image:
        pixel = image.getpixel((700, 700))
        assert isinstance(pixel, tuple)
        return tuple(1 if band > 127 else 0 for band in pixel)


async def test_an_asset_is_the_base(desk: Desk) -> None:
    item = desk.plex.world.items[101]
    folder = Path(item.media[0].file).parent.name
    assets = desk.source / "assets"
    picture(assets / folder / "poster.png", "lime")
    picture(assets / folder / "background.png", "blue")
    picture(assets / "other" / "poster.png", "blue")
    desk.plans[0] = LibraryPlan(name="Movies", key="Movies", asset_directories=(assets,))
    await desk.render(desk.job(101))
    assert colour_of(desk.delivered[0][3]) == (0, 1, 0)


async def test_assets_of_seasons_and_episodes_and_flat_ones(desk: Desk) -> None:
    folder = Path(desk.plex.world.items[201].locations[0]).name
    assets = desk.source / "assets"
    picture(assets / folder / "Season02.jpg", "lime")
    picture(assets / folder / "S02E01.jpg", "blue")
    desk.plans[1] = LibraryPlan(name="Shows", key="Shows", asset_directories=(assets,))
    await desk.render(desk.job(207, 208, types=("season", "episode")))
    assert {entry[2]: colour_of(entry[3]) for entry in desk.delivered} == {207: (0, 1, 0), 208: (0, 0, 1)}
    desk.delivered.clear()
    picture(assets / f"{folder}_Season02.png", "red")
    picture(assets / f"{folder}.png", "blue")
    desk.plans[1] = LibraryPlan(name="Shows", key="Shows", asset_directories=(assets,), asset_folders=False)
    await desk.render(desk.job(201, 207, types=("show", "season")))
    assert {entry[2]: colour_of(entry[3]) for entry in desk.delivered} == {201: (0, 0, 1), 207: (1, 0, 0)}


async def test_a_labelled_item_is_drawn_on_its_backup(desk: Desk) -> None:
    desk.plex.world.items[101].tags["label"] = ("Overlay",)
    picture(desk.source / "overlays" / "Movies Original Posters" / "101.png", "lime")
    outcome = await desk.render(desk.job(101))
    assert colour_of(desk.delivered[0][3]) == (0, 1, 0)
    assert not any("backup" in problem.what for problem in outcome.problems)


async def test_a_labelled_item_without_backup_is_drawn_with_a_warning(desk: Desk) -> None:
    desk.plex.world.items[101].tags["label"] = ("Overlay",)
    outcome = await desk.render(desk.job(101))
    assert len(desk.delivered) == 1
    assert any("no backup" in problem.what and problem.target == "101" for problem in outcome.problems)


@pytest.mark.parametrize("labelled", [True, False])
async def test_a_poster_with_overlays_is_not_drawn_on_again(desk: Desk, labelled: bool) -> None:
    desk.plex.world.items[101].tags["label"] = ("Overlay",) if labelled else ()
    content = picture(desk.folder / "overlaid.jpg", "red", overlaid=True)
    assert has_overlay(content)
    desk.plex.world.add_picture(101, "posters", content, "image/jpeg")
    outcome = await desk.render(desk.job(101))
    assert desk.delivered == []
    assert "already has overlays" in errors(outcome)[0].what
    # A backup is taken as it is, as Kometa takes it: only what Plex gives is looked at.
    picture(desk.source / "overlays" / "Movies Original Posters" / "101.jpg", "lime", overlaid=True)
    outcome = await desk.render(desk.job(101))
    assert len(desk.delivered) == labelled


async def test_a_doubtful_tag_is_warned_of(desk: Desk) -> None:
    movies = {
        "no": {"plex_all": True, "filters": {"label.not": "Nowhere"}, "overlay": BOX},
        "yes": {"plex_all": True, "filters": {"label.not": "family night"}, "overlay": BOX},
    }
    write(desk.source, {"movies.yml": {"overlays": movies}})
    outcome = await desk.render(desk.job(101, 104))
    assert [problem.what.split(";")[0] for problem in outcome.problems] == ["filters.label: no target has 'Nowhere' (overlay 'no')"]


async def test_parents_are_read_once(desk: Desk) -> None:
    await desk.render(desk.job(203, 204, 208, 214, types=("episode",)))
    paths = [request.path for request in desk.plex.requests]
    assert [paths.count(f"/library/metadata/{key}") for key in (201, 202, 207, 212)] == [1, 1, 1, 1]


async def test_a_cancelled_render_ends_and_the_next_one_works(desk: Desk) -> None:
    started = asyncio.Event()

    async def stuck(token: str, server: str, rating_key: int, data: bytes) -> None:
        started.set()
        await asyncio.Event().wait()

    desk.engine = DraftEngine(desk.items, stuck)
    task = asyncio.create_task(desk.render(desk.job(101, 102, 103)))
    await asyncio.wait_for(started.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert desk.delivered == []
    await desk.engine.stop()
    desk.engine = DraftEngine(desk.items, desk.deliver)
    assert (await desk.render(desk.job(101))).kind is OutcomeKind.FINISHED


async def test_the_deadline_ends_a_render(desk: Desk) -> None:
    async def stuck(token: str, server: str, rating_key: int, data: bytes) -> None:
        await asyncio.Event().wait()

    desk.engine = DraftEngine(desk.items, stuck)
    outcome = await desk.render(desk.job(101, deadline=0.3))
    assert outcome.kind is OutcomeKind.DEADLINE


async def test_the_loop_goes_on_while_it_draws(desk: Desk) -> None:
    """Drawing and compiling are off the loop: a task beside them gets its turns while an item is under way."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counter = asyncio.create_task(count())
    await desk.render(desk.job(101))
    counter.cancel()
    assert turns > 100


async def test_worker_processes_draw_the_same(desk: Desk) -> None:
    await desk.render(desk.job(101))
    await desk.engine.stop()
    desk.engine = DraftEngine(desk.items, desk.deliver, processes=1)
    await desk.render(desk.job(101))
    assert desk.delivered[0] == desk.delivered[1]


async def test_a_worker_that_dies_is_replaced(desk: Desk) -> None:
    desk.engine = DraftEngine(desk.items, desk.deliver, processes=1)
    await desk.render(desk.job(101))
    executor: Any = desk.engine._executor
    for process in list(executor._processes.values()):
        process.kill()
        process.join()
    with pytest.raises(EngineAway):
        await desk.render(desk.job(102))
    assert desk.engine.info is None
    assert (await desk.render(desk.job(102))).kind is OutcomeKind.FINISHED


async def test_it_does_not_draw_before_it_is_started(desk: Desk) -> None:
    with pytest.raises(EngineAway):
        await desk.engine.render(desk.job(101), desk.events.append)


async def test_an_error_of_delivery_ends_the_render(desk: Desk) -> None:
    async def broken(token: str, server: str, rating_key: int, data: bytes) -> None:
        raise EngineAway("the gateway is closed")

    desk.engine = DraftEngine(desk.items, broken)
    with pytest.raises(EngineAway, match="gateway"):
        await desk.render(desk.job(101, 102))


async def test_plex_away_is_a_failure_with_its_reason(desk: Desk) -> None:
    class Away(PlexSource):
        async def art(self, server: str, rating_key: int) -> bytes:
            raise PlexAway("Plex does not answer")

    async with Away(desk.plex) as items:
        desk.engine = DraftEngine(items, desk.deliver)
        outcome = await desk.render(desk.job(101, 102))
    assert outcome.kind is OutcomeKind.FAILED
    assert "Plex does not answer" in outcome.detail
    assert len(errors(outcome)) == 2


async def test_a_large_picture_is_drawn(desk: Desk) -> None:
    assets = desk.source / "assets"
    folder = Path(desk.plex.world.items[101].media[0].file).parent.name
    (assets / folder).mkdir(parents=True)
    gradient((4000, 6000)).save(assets / folder / "poster.jpg")
    desk.plans[0] = LibraryPlan(name="Movies", key="Movies", asset_directories=(assets,))
    await desk.render(desk.job(101))
    with Image.open(io.BytesIO(desk.delivered[0][3])) as image:
        assert image.size == (1000, 1500)
