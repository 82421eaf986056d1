"""A thousand saves, a clock that jumps, a database whose writer is killed."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from sidecar.demo import DemoHosts, DemoPlex
from sidecar.model import RunState
from sidecar.pipeline.run import new_run_id
from tests.cold_demo import small_world
from tests.e2e.house import house
from tests.e2e.test_warm import config_of

FAKETIME = (Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"), Path("/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1"))


async def test_a_thousand_saves_in_ten_seconds(tmp_path: Path, data_dir: Path) -> None:
    """By three kinds of editors; the last one counts, few are rendered, and nothing piles up."""
    config = config_of("custom", tmp_path / "config")
    movies = config / "overlays" / "movies.yml"
    text = movies.read_text()
    async with house(None, config, data_dir, world=small_world(2)) as home:
        await home.run("done")
        before, tasks, descriptors = len(home.plex.requests), len(asyncio.all_tasks()), open_files()
        begun = time.monotonic()
        for number in range(1000):
            fresh = text.replace("text(", f"text({number} ") + f"# {number}\n"
            if number % 3 == 0:
                movies.write_text(fresh)
            elif number % 3 == 1:
                (config / "overlays" / ".movies.yml.swp").write_text(fresh)
                (config / "overlays" / ".movies.yml.swp").replace(movies)
            else:
                with movies.open("a") as file:
                    file.write("# and more\n")
            await asyncio.sleep(max(0.0, begun + (number + 1) * 0.01 - time.monotonic()))
        movies.write_text(text.replace("text(", "text(LAST ") + "# last\n")
        await home.until(
            lambda: home.app.showcase.view.current is None and not home.app.pipeline.busy and shows_last(home.app.showcase.view.shown)
        )
        runs = await home.app.state.runs(1000)
        assert all(run.state.final for run in runs)
        assert {run.state for run in runs} <= {RunState.DONE, RunState.SUPERSEDED}
        assert len(runs) < 60
        assert len(home.plex.requests) - before < 60 * 40
        await home.until(lambda: len(asyncio.all_tasks()) <= tasks + 3 and open_files() <= descriptors + 12)
        assert len(list((data_dir / "revisions").iterdir())) < 80
        home.assert_plex_untouched()


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def shows_last(run: object) -> bool:
    return "LAST" in json.dumps([picture.overlays for picture in getattr(run, "pictures", ())], default=str)


def test_ids_sort_by_the_order_of_runs_whatever_the_clock_does() -> None:
    now = datetime(2026, 11, 21, 1, 2, 3, 456_000, tzinfo=UTC)
    ids = [new_run_id(now)]
    for jump in (0, -1, -86_400 * 400, -86_400 * 399, 5, 86_400 * 3650, -86_400 * 3650, 0):
        now += timedelta(seconds=jump)
        ids.append(new_run_id(now, ids[-1]))
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert new_run_id(now, "not an id").startswith(f"{now:%Y%m%d}")


async def test_the_daemon_lives_through_a_clock_that_jumps(tmp_path: Path, short_dir: Path) -> None:
    """Ahead by a year at first, set right, then ahead by ten: the newest run is always the one that is shown."""
    library = next((path for path in FAKETIME if path.exists()), None)
    if library is None:
        pytest.skip("no libfaketime")
    config = config_of("custom", tmp_path / "config")
    movies = config / "overlays" / "movies.yml"
    text = movies.read_text()
    clock = tmp_path / "clock"
    clock.write_text("+365d")
    async with DemoPlex(small_world(2)) as plex, DemoHosts(small_world(2)) as hosts:
        env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("KOMETA")},
            "KOMETA_PLEX_URL": plex.url,
            "KOMETA_PLEX_TOKEN": plex.token,
            "KOMETA_SIDECAR_GATEWAY__HOST_MAP": json.dumps(hosts.map),
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        command = [
            sys.executable,
            "-m",
            "sidecar",
            "run",
            str(config),
            "--data",
            str(short_dir / "data"),
            "--port",
            "0",
            "--engine",
            "draft",
        ]
        process = await asyncio.create_subprocess_exec(*command, env=env, stderr=asyncio.subprocess.PIPE)
        assert process.stderr is not None
        try:
            url = ""
            runs: list[str] = []
            for number, jump in enumerate(("+365d", "+0d", "+3650d")):
                clock.write_text(jump)
                if number:
                    await asyncio.to_thread(movies.write_text, text + f"# {number}\n")
                async with asyncio.timeout(60):
                    while len(runs) == number:
                        line = (await process.stderr.readline()).decode()
                        assert line, "the daemon ended"
                        url = url or (line.split("gallery: ")[1].strip() if "gallery: " in line else "")
                        if ": done in " in line:
                            runs.append(line.split("run ")[1].split(":")[0])
                    async with aiohttp.ClientSession() as session:
                        latest: dict[str, dict[str, str]] = {}
                        while (latest.get("shown") or {}).get("run") != runs[-1]:
                            async with session.get(f"{url}latest.json") as answer:
                                latest = await answer.json(content_type=None)
                        async with session.get(f"{url}healthz") as answer:
                            assert answer.status == 200
            assert runs == sorted(runs)
            assert len({run[:4] for run in runs}) == 2, "the clock did jump"
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(40):
                await process.communicate()
        assert process.returncode == 0


WRITER = """
import asyncio, sys
from pathlib import Path
from sidecar.store import State

async def main():
    state = await State.open(Path(sys.argv[1]))
    assert state.problems == (), state.problems
    print("open", flush=True)
    number = 0
    while True:
        await state.note(f"note {number % 7}", "x" * 200_000)
        if number % 3 == 0:
            await state.tidy()
        if number % 2 == 0:
            await state.backup(keep=2)
        number += 1

asyncio.run(main())
"""


def test_a_database_whose_writer_is_killed(tmp_path: Path) -> None:
    """In the middle of writes, tidying and backups: the file and every backup under its own name are sound."""
    chance = random.Random(20261121)
    place = tmp_path / "data" / "state.db"
    for _ in range(6):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, place], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"open\n"
        time.sleep(chance.uniform(0.0, 0.4))
        writer.kill()
        writer.wait()
        writer.stdout.close()
        for path in (place, *place.parent.glob("backups/*.db")):
            connection = sqlite3.connect(path)
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)], path
            connection.close()
    assert len(list(place.parent.glob("backups/*.db"))) <= 3
    assert len(list(place.parent.glob("backups/*"))) <= 8
    assert list(place.parent.glob("*damaged*")) == []
