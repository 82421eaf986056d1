"""How quick the API is with many runs in the store.

    python -m benchmarks.api [--quick]

Fills a store with 10,000 runs of 24 targets each (reviews, decisions, blocked writes, some logs), serves it in a process of its own,
and asks 50 questions a second of every kind, whatever came of the ones before (an open loop: latency counts from when a question was
due), while 20 listeners follow the events. The last line is one JSON object: p95_ms, rps, errors; and by question.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from sidecar import reviewing
from sidecar.backend import Archive
from sidecar.logs import Redactor
from sidecar.model import Blob, BlockedWrite, EngineInfo, Level, LogLine, Picture, PictureState, Problem, Run, RunState, Severity, Target
from sidecar.pipeline.runlog import RunLogs
from sidecar.pipeline.showcase import Showcase
from sidecar.publish import Gallery
from sidecar.review import Against, Comparison, Decision, ReviewStatus, RunReview, TargetReview, Verdict
from sidecar.settings import ReviewSettings
from sidecar.store import Blobs, State
from sidecar.telling import Desk
from sidecar.web import Events, make_app
from tests.web.site import Asked

RATE: Final = 50
"""Questions a second."""
RUNS: Final = 10_000
TARGETS: Final = 24
LOGGED: Final = 40
"""The newest runs, which have a log."""
LINES: Final = 3_000
LISTENERS: Final = 20
FIRST: Final = datetime(2026, 1, 1, tzinfo=UTC)
TITLES: Final = tuple(f"A Movie of Some Length {number}" for number in range(TARGETS))

QUESTIONS: Final = (
    ("status", 10, "/status"),
    ("runs", 10, "/runs"),
    ("runs, deep", 10, "/runs?limit=50&before={any}"),
    ("runs, many", 3, "/runs?limit=200&before={any}"),
    ("runs, failed", 3, "/runs?state=failed&limit=50&before={any}"),
    ("run", 10, "/runs/{any}"),
    ("targets", 10, "/runs/{any}/targets"),
    ("captures", 4, "/runs/{any}/captures"),
    ("run problems", 4, "/runs/{any}/problems"),
    ("review", 6, "/runs/{any}/review"),
    ("problems", 5, "/problems"),
    ("log", 4, "/runs/{logged}/logs?limit=500"),
    ("log, searched", 2, "/runs/{logged}/logs?q=tmdb&level=WARNING"),
    ("timeline", 3, "/targets/{target}/timeline"),
    ("baselines", 3, "/baselines"),
    ("decisions", 2, "/decisions"),
    ("openapi", 1, "/openapi.json"),
)
"""Kind, how often, path."""


def run_id(number: int) -> str:
    return f"{FIRST + timedelta(minutes=number):%Y%m%dT%H%M%S}000-{number:06x}"


def blob(number: int) -> Blob:
    return Blob(sha256=f"{number:064x}", size=200_000, media_type="image/webp", width=1000, height=1500)


def a_run(number: int) -> Run:
    """Each run changes one target's picture; one in ten fails."""
    started = FIRST + timedelta(minutes=number)
    state = RunState.FAILED if number % 10 == 3 else RunState.DONE
    report = {"name": "resolution", "kind": "image", "box": [15, 15, 305, 105], "file": "overlays/my.yml"}
    pictures = tuple(
        Picture(
            target=Target(rating_key=101 + index, level=Level.MOVIE, library="Movies", section=1, title=title, year=1990 + index, why="4K"),
            state=PictureState.RENDERED,
            before=blob(index),
            after=blob(1000 + (number - (number - index) % TARGETS) * TARGETS + index),
            overlays=(report,) * 3,
            left_out=({"name": "audio", "reason": "outweighed", "by": "dolby"},) * 2,
        )
        for index, title in enumerate(TITLES)
    )
    write = BlockedWrite(
        run_id=run_id(number),
        server="plex-0",
        method="PUT",
        path="/library/sections/1/all?id=101",
        meaning="edit 101",
        answered=200,
        at=started,
    )
    return Run(
        id=run_id(number),
        state=state,
        reason="edit",
        started=started,
        ended=started + timedelta(seconds=2),
        seconds=2.1,
        revision=f"{number:064x}",
        engine=EngineInfo(kind="kometa", via="process", version="2.4.4", speedups={f"speed-up {n}": "on" for n in range(8)}),
        pictures=pictures,
        blocked=(write,) * TARGETS,
        problems=(Problem(severity=Severity.WARNING, what="a font is missing", mend="put it there", file="overlays/my.yml", line=3),) * 5,
        changed=(pictures[number % TARGETS].target.id,),
    )


def a_review(run: Run, before: str) -> RunReview:
    comparison = Comparison(fraction=0.02, pixels=30_000, boxes=((15, 15, 305, 105),) * 6)
    targets = tuple(
        TargetReview(
            target=picture.target.id,
            status=ReviewStatus.CHANGED if picture.target.id in run.changed else ReviewStatus.UNCHANGED,
            shown=picture.after,
            reference=picture.after,
            against=Against.PREVIOUS,
            reference_run=before,
            comparison=comparison,
            threshold=0.0001,
        )
        for picture in run.pictures
    )
    return RunReview(run_id=run.id, at=run.started, previous=before, targets=targets)


async def fill(data: Path, runs: int) -> None:
    """Through the store's own methods, but for waiting until each of them is on the disk."""
    state = await State.open(data / "state.db")
    logs = RunLogs(data / "logs", str)
    for number in range(runs):
        run = a_run(number)
        await state.save_run(run)
        if run.state is RunState.DONE:
            await state.save_review(a_review(run, run_id(number - 1) if number else ""))
        if number % 5 == 0:
            picture = run.pictures[number % TARGETS]
            assert picture.after is not None
            await state.decide(
                [
                    Decision(
                        batch=run.id,
                        target=picture.target.id,
                        verdict=Verdict.APPROVED,
                        blob=picture.after,
                        run_id=run.id,
                        who="Ada",
                        at=run.started,
                    )
                ]
            )
        if number >= runs - LOGGED:
            log = logs.open(run.id)
            for line in range(LINES):
                level = "WARNING" if line % 50 == 0 else "DEBUG"
                log.write(
                    LogLine(level=level, text=f"line {line} of {run.id}: asked tmdb for something, and so on", source="overlays.py:100")
                )
            await log.save()
    await state.close()


@contextlib.asynccontextmanager
async def served(data: Path, runs: int) -> AsyncIterator[int]:
    """The web server over ``data`` as the daemon builds it; gives its port."""
    state = await State.open(data / "state.db")
    redact = Redactor()
    redact.learn(f"a secret of this config {number}" for number in range(8))
    events = Events()
    gallery = Gallery(data / "gallery", Blobs(data / "blobs").path)

    def tell(kind: str, told: Any) -> None:
        events.publish(kind, told)

    showcase = Showcase(gallery, tell, config_dir="config", watching=True)
    reviews, comparer = reviewing.build(
        ReviewSettings.model_validate({}),
        state=state,
        blobs=Blobs(data / "blobs"),
        gallery=gallery,
        showcase=showcase,
        revisions=data / "revisions",
        redact=redact,
    )
    newest = run_id(runs - 1)
    status: dict[str, object] = {"version": "0", "config": "config", "engine": "kometa", "engine_version": "2.4.4"}
    status |= {"rendering": None, "waiting": False, "polling": False, "shown": newest, "latest": newest}
    status |= {"health": [], "gateway": {"forwarded": 1}}
    archive = Archive(state=state, logs=RunLogs(data / "logs", redact), status=lambda: status, health=list, problems=list)
    app = make_app(
        gallery=data / "gallery",
        events=events,
        source=archive,
        actions=Asked(),
        reviewing=reviews,
        telling=Desk(),
        redact=redact,
        max_listeners=LISTENERS + 5,
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()

    async def happen() -> None:
        while True:
            events.publish("run.phase", {"run": run_id(runs - 1), "name": "drawing", "shard": 0, "detail": ""})
            await asyncio.sleep(0.1)

    try:
        async with asyncio.TaskGroup() as group:
            happening = group.create_task(happen())
            yield runner.addresses[0][1]
            happening.cancel()
    finally:
        await runner.cleanup()
        comparer.close()
        await state.close()


async def serve(data: Path, runs: int) -> None:
    """The child: tells its port, ends with its input."""
    async with served(data, runs) as port:
        print(port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def ask(url: str, runs: int, seconds: float) -> tuple[dict[str, list[float]], int, float]:
    """Milliseconds by kind of question, how many failed, and how many were answered a second."""
    chance = random.Random(20261121)
    times: dict[str, list[float]] = defaultdict(list)
    failed = 0

    async def one(client: aiohttp.ClientSession, kind: str, path: str, due: float) -> None:
        nonlocal failed
        try:
            async with client.get(f"/api/v1{path}") as answer:
                await answer.read()
                if answer.status != 200:
                    failed += 1
                    print(f"{kind}: {answer.status} {path}")
        except (aiohttp.ClientError, TimeoutError) as error:
            failed += 1
            print(f"{kind}: {error!r} {path}")
        times[kind].append((time.perf_counter() - due) * 1000)

    async def listen(client: aiohttp.ClientSession) -> None:
        async with client.get("/api/v1/events", timeout=aiohttp.ClientTimeout(total=None)) as stream:
            async for _ in stream.content:
                pass

    connector = aiohttp.TCPConnector(limit=200)
    patience = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(url, connector=connector, timeout=patience) as client, asyncio.TaskGroup() as listeners:
        for kind, _, path in QUESTIONS:  # each once, unmeasured: a daemon has been up for a while
            await one(client, kind, path.format(any=run_id(0), logged=run_id(runs - 1), target=101), 0.0)
        times.clear()
        listening = [listeners.create_task(listen(client)) for _ in range(LISTENERS)]
        begun = time.perf_counter() + 0.2
        async with asyncio.TaskGroup() as group:
            for number in range(int(RATE * seconds)):
                kind, _, path = chance.choices(QUESTIONS, [each[1] for each in QUESTIONS])[0]
                good = chance.randrange(runs)
                words = {
                    "any": run_id(good + 1 if kind == "review" and good % 10 == 3 else good),
                    "logged": run_id(runs - 1 - chance.randrange(LOGGED)),
                    "target": 101 + chance.randrange(TARGETS),
                }
                due = begun + number / RATE
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(one(client, kind, path.format(**words), due))
        took = time.perf_counter() - begun
        for task in listening:
            task.cancel()
    return times, failed, sum(map(len, times.values())) / took


def roomy() -> str | None:
    """Where there is memory for some gigabytes of files."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() and shutil.disk_usage(shared).free > 4e9 else None


async def main(*, quick: bool) -> dict[str, Any]:
    runs, seconds = (1_000, 4.0) if quick else (RUNS, 20.0)
    with tempfile.TemporaryDirectory(prefix="ks-") as folder:
        data = Path(folder)
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="ks-", dir=roomy()) as memory:  # no disk to wait for, 20,000 times
            await fill(Path(memory), runs)
            await asyncio.to_thread(shutil.copytree, memory, data, dirs_exist_ok=True)
        await asyncio.to_thread(os.sync)  # what was written just now must not be in the way of reading
        with contextlib.closing(sqlite3.connect(data / "state.db")) as database:
            pages, size = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
        print(f"{runs} runs of {TARGETS} targets, {pages * size / 1e6:.0f} MB, filled in {time.perf_counter() - begun:.0f} s")
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.api", "--serve", folder, "--runs", str(runs)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            port = int(await child.stdout.readline())
            times, failed, rate = await ask(f"http://127.0.0.1:{port}", runs, seconds)
        finally:
            child.stdin.close()
            await child.wait()
    for kind, found in sorted(times.items(), key=lambda item: -statistics.median(item[1])):
        print(f"{kind:14} {len(found):5} asked, median {statistics.median(found):7.1f} ms, worst {max(found):7.1f} ms")
    every = sorted(time for found in times.values() for time in found)
    return {
        "p95_ms": round(every[int(len(every) * 0.95)], 1),
        "rps": round(rate, 1),
        "errors": failed,
        "p50_ms": round(statistics.median(every), 1),
        "p99_ms": round(every[int(len(every) * 0.99)], 1),
        "runs": runs,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="1,000 runs, 4 seconds")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--runs", type=int, default=RUNS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.serve, options.runs))
    else:
        result = asyncio.run(main(quick=options.quick))
        sys.stdout.flush()
        print(json.dumps(result))
