"""From a save to the pictures: the running daemon against a cold ``kometa.py``, in one run, with the real Kometa.

    KOMETA_HOME=... KOMETA_PYTHON=... python -m benchmarks.render [--quick]

Cold is ``kometa.py -r --overlays-only`` straight at the demo's Plex, process start to end. The daemon's time runs from the save to
the event that says the last exact picture is published: events are told once the pages show what they tell. Each edit changes every
picture. Medians; the last line is one JSON object: per case

    cold_s          the cold run
    sidecar_s       the exact pictures of all targets are published
    visible_s       of every target the new picture is to be seen, be it the quick one
    first_s         of the first target
    ended_s         the run is recorded and its pages are complete
    ratio           sidecar_s / cold_s
    start_s         the first render after the daemon's start, from its start
    unchanged_runs  renders begun by a save that changes nothing
    identical       the last pictures equal those of a cold run on the same files

two_libraries: seconds of an edit that touches one of two, of a render of both, and of an edit of a comment;
first_edit_after_restart_s of the largest standard case; floor_ratio, what that case takes relative to Pillow's part of it: the
opens, resizes, pastes and saves that a cold run makes, made again alone on all cores (pillow/; floor_ratios has the largest case of
both kinds); first_picture_share, first_s / sidecar_s there; and identical, whether all are.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidecar.demo import DemoPlex, World
from sidecar.model import Change
from tests.cold import SITE, KometaInstall
from tests.cold_demo import cold_demo
from tests.conftest import real_install
from tests.e2e.house import House, house

PILLOW = Path(__file__).parent / "pillow"

CONFIG = """\
plex: {url: env, token: env, timeout: 60}
tmdb: {apikey: demo, language: en}
settings:
  run_order: [operations, metadata, collections, overlays]
  cache: false
  overlay_artwork_filetype: webp_lossy
  overlay_artwork_quality: 90
libraries:
  Movies:
    overlay_files:
"""
CUSTOM = """\
overlays:
  Bar:
    plex_all: true
    overlay: {name: backdrop, back_color: "#000000A0", back_height: 160, vertical_align: bottom, horizontal_align: center}
  Title:
    plex_all: true
    overlay: {name: "text(<<title>>)", font_size: SIZE, font_color: "#FFFFFF", horizontal_align: center, vertical_align: bottom,
              horizontal_offset: 0, vertical_offset: 40}
  Badge:
    plex_all: true
    overlay: {name: text(NEW), font_size: 60, back_color: "#C02020", back_padding: 20, back_radius: 20, horizontal_align: left,
              vertical_align: top, horizontal_offset: 30, vertical_offset: 30}
"""
STANDARD = """\
      - default: resolution
      - default: audio_codec
      - default: ratings
        template_variables: {rating1: critic, rating1_image: rt_tomato, rating2: audience, rating2_image: imdb}
"""
OWN = "      - file: config/overlays/own.yml\n"


@dataclass(frozen=True, slots=True)
class Case:
    """One row."""

    name: str
    movies: int
    entries: str


CASES = [
    *(Case(f"custom{count}", count, OWN) for count in (1, 5, 10)),
    *(Case(f"std{count}", count, STANDARD + OWN) for count in (1, 5, 10)),
]


def lay_out(case: Case, directory: Path) -> Path:
    (directory / "overlays").mkdir(parents=True)
    (directory / "config.yml").write_text(CONFIG + case.entries)
    save(directory, 60)
    return directory


def save(directory: Path, size: int) -> None:
    """An editor's save: the whole file, closed."""
    (directory / "overlays" / "own.yml").write_text(CUSTOM.replace("SIZE", str(size)))


@dataclass(frozen=True, slots=True)
class Edit:
    """Seconds from a save to what became of it."""

    first: float
    """Something new is to be seen of the first target."""
    visible: float
    """Likewise of all."""
    exact: float
    """Kometa's own files are published of all."""
    ended: float
    """The run is over."""


async def edit_to_pictures(home: House, size: int, seen: int) -> Edit:
    """Save an edit that changes every picture, and wait for the run's end; ``seen``: how many runs had ended before."""
    begun = time.perf_counter()
    visible: dict[str, float] = {}
    exact: dict[str, float] = {}
    told = len(home.heard)
    save(home.config, size)
    while True:
        await asyncio.sleep(0.002)
        now = time.perf_counter() - begun
        for kind, data in home.heard[told:]:
            if kind == "picture":
                visible.setdefault(data["target"], now)
                if data["state"] == "rendered":
                    exact[data["target"]] = now
        told = len(home.heard)
        if home.ended > seen:
            assert visible.keys() == exact.keys(), "a target without its exact picture"
            return Edit(min(visible.values()), max(visible.values()), max(exact.values()), now)
        if now > 120:
            raise TimeoutError("the run did not end")


async def measure(case: Case, kometa: KometaInstall, repeats: int, scratch: Path) -> dict[str, Any]:
    config = lay_out(case, scratch / "config")
    colds, edits = [], []
    started = time.perf_counter()
    async with house(kometa, config, scratch / "data", world=World.sized(case.movies)) as home:
        await home.run("done")
        start_s = time.perf_counter() - started
        for number in range(repeats):  # interleaved, so that a busy moment of the machine meets both
            await asyncio.sleep(1.5)  # as a person pauses; the worker parses ahead meanwhile what the first render needed
            reviewed = said(home, "run.reviewed")
            edits.append(await edit_to_pictures(home, 61 + number, home.ended))
            await home.until(
                lambda before=reviewed: said(home, "run.reviewed") > before
            )  # the comparison is no part of the cold run's time
            cold = await cold_demo(kometa, config, scratch / f"cold{number}", world=World.sized(case.movies))
            colds.append(cold.result.seconds)
        run = await home.app.state.last_good()
        assert run is not None
        begun = said(home, "run.started")
        save(config, 60 + repeats)
        await asyncio.sleep(2)
        unchanged = said(home, "run.started") - begun
        warm = {p.target.rating_key: home.app.blobs.path(p.after).read_bytes() for p in run.pictures if p.after is not None}
        assert len(warm) == case.movies, run.problems
        assert home.plex.writes == []
        assert home.plex.mutations == []
    middle = {name: statistics.median(getattr(edit, name) for edit in edits) for name in Edit.__slots__}
    cold_s = statistics.median(colds)
    row: dict[str, Any] = {
        "cold_s": round(cold_s, 2),
        "sidecar_s": round(middle["exact"], 2),
        "visible_s": round(middle["visible"], 2),
        "first_s": round(middle["first"], 2),
        "ended_s": round(middle["ended"], 2),
        "ratio": round(middle["exact"] / cold_s, 3),
        "start_s": round(start_s, 2),
        "unchanged_runs": unchanged,
        "identical": warm == cold.uploads,
    }
    print(f"{case.name:9} {row}", flush=True)
    return row


def said(home: House, kind: str) -> int:
    return sum(heard == kind for heard, _ in home.heard)


async def two_libraries(kometa: KometaInstall, repeats: int, scratch: Path) -> dict[str, Any]:
    """An edit of the overlay file of the smaller library, beside a render of both that was asked for; and an edit of a comment."""
    config = scratch / "config"
    (config / "overlays").mkdir(parents=True)
    shows = STANDARD + "      - file: config/overlays/shows.yml\n"
    (config / "config.yml").write_text(CONFIG + STANDARD + OWN + "  Shows:\n    overlay_files:\n" + shows)
    shown = config / "overlays" / "shows.yml"
    shown.write_text(CUSTOM.replace("SIZE", "60"))
    save(config, 60)
    one, both, comments = [], [], []
    async with house(kometa, config, scratch / "data", world=World.sized(10)) as home:
        await home.run("done")
        for number in range(repeats):
            for times, change in (
                (one, lambda: shown.write_text(CUSTOM.replace("SIZE", str(61 + number)))),  # noqa: B023  # called at once
                (both, lambda: home.app.pipeline.submit(Change(reason="request", seen=time.monotonic()))),
                (comments, lambda: shown.write_text(shown.read_text() + "# a comment\n")),
            ):
                await asyncio.sleep(3)
                ended, begun = home.ended, time.perf_counter()
                change()
                await home.until(lambda: home.ended > ended)  # noqa: B023  # likewise
                times.append(time.perf_counter() - begun)
        last = await home.app.state.last_good()
        assert last is not None
        pictures = len(last.pictures)
    row = {
        "pictures": pictures,
        "one_library_s": round(statistics.median(one), 2),
        "both_s": round(statistics.median(both), 2),
        "comment_s": round(statistics.median(comments), 2),
    }
    print(f"two       {row}", flush=True)
    return row


async def restarted(kometa: KometaInstall, scratch: Path) -> float:
    """Seconds of the first edit after the daemon was started again with nothing to render, ten seconds later."""
    case = CASES[-1]
    config = lay_out(case, scratch / "config")
    world = World.sized(case.movies)
    async with DemoPlex(world) as plex:
        async with house(kometa, config, scratch / "data", world=world, plex=plex) as home:
            await home.run("done")
            await asyncio.sleep(2)
        async with house(kometa, config, scratch / "data", world=world, plex=plex) as home:
            await asyncio.sleep(10)
            assert home.ended == 0, "there was nothing to render"
            edit = await edit_to_pictures(home, 99, 0)
    print(f"restarted {edit.exact:.2f} s", flush=True)
    return round(edit.exact, 2)


async def floor(kometa: KometaInstall, case: Case, scratch: Path) -> float:
    """Seconds of Pillow's part alone: the opens, resizes, pastes and saves of a cold run of ``case``, on all cores."""
    config, calls = lay_out(case, scratch / "config"), scratch / "calls"
    calls.mkdir()
    env = {
        "PYTHONPATH": str(PILLOW),
        "PILLOW_THEN": str(SITE / "sitecustomize.py"),
        "PILLOW_CALLS": str(calls),
    }
    await cold_demo(kometa, config, scratch / "cold", world=World.sized(case.movies), env=env)
    found = len(list(calls.glob("*.json")))
    assert found == case.movies, f"{found} posters were drawn, not {case.movies}"
    replay = await asyncio.create_subprocess_exec(kometa.python, PILLOW / "replay.py", calls, stdout=asyncio.subprocess.PIPE)
    said_, _ = await asyncio.wait_for(replay.communicate(), 120)
    return float(said_)


async def main(cases: list[Case], repeats: int) -> None:
    kometa = real_install()
    if isinstance(kometa, str):
        print(json.dumps({"skipped": kometa}))
        return
    rows = {}
    for case in cases:
        scratch = Path(tempfile.mkdtemp(prefix="ksb-", dir="/tmp"))
        try:
            rows[case.name] = await measure(case, kometa, repeats, scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix="ksb-", dir="/tmp"))
    try:
        two = await two_libraries(kometa, repeats, scratch / "two")
        first_edit = await restarted(kometa, scratch / "again")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    last = rows["std10"]
    floors = {}
    for case in CASES:
        if case.movies == CASES[-1].movies:
            scratch = Path(tempfile.mkdtemp(prefix="ksb-", dir="/tmp"))
            try:
                floors[case.name] = await floor(kometa, case, scratch)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    result = {
        **rows,
        "two_libraries": two,
        "first_edit_after_restart_s": first_edit,
        "floor_s": {name: round(seconds, 3) for name, seconds in floors.items()},
        "floor_ratio": round(last["sidecar_s"] / floors[CASES[-1].name], 2),
        "floor_ratios": {name: round(rows[name]["sidecar_s"] / seconds, 2) for name, seconds in floors.items()},
        "first_picture_share": round(last["first_s"] / last["sidecar_s"], 2),
        "kometa": kometa.version,
        "repeats": repeats,
        "identical": all(row["identical"] for row in rows.values()),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    asyncio.run(main([case for case in CASES if not quick or case.movies == 10], 1 if quick else 3))
