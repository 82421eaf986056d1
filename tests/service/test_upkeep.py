"""The schedule in a whole daemon: its status, the page, a drift render that shows what changed in Plex, sizes, one module each."""

from __future__ import annotations

import ast
from pathlib import Path

import aiohttp

from sidecar.model import RunState
from tests.cold import KometaInstall
from tests.cold_demo import small_world
from tests.e2e.house import house
from tests.e2e.test_warm import config_of
from tests.service.test_data import spoil

ROOT = Path(__file__).parents[2]


async def test_the_schedule_is_told_and_its_jobs_work(standin: KometaInstall, tmp_path: Path, data_dir: Path) -> None:
    config = config_of("custom", tmp_path / "config")
    schedule = {"time_zone": "Europe/Berlin", "cache": "off", "backups": 2}
    async with house(standin, config, data_dir, world=small_world(), schedule=schedule) as home:
        await home.run("done")
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{home.app.url}api/v1/status") as answer:
                told = (await answer.json())["schedule"]
            async with session.get(home.app.url) as answer:
                page = await answer.text()
            async with session.get(f"{home.app.url}metrics") as answer:
                assert answer.status == 200
                metrics = await answer.text()
        assert told["time_zone"] == "Europe/Berlin"
        jobs = {job["job"]: job for job in told["jobs"]}
        assert set(jobs) == {"drift", "retention", "cache", "maintenance", "health"}
        assert (jobs["cache"]["cron"], jobs["cache"]["next"]) == (None, None)
        assert "T04:30:00+0" in jobs["drift"]["next"]
        assert "Rendered without an edit at" in page
        assert 'kometa_sidecar_runs_total{state="done"} 1.0' in metrics
        assert 'kometa_sidecar_phase_seconds_count{phase="draw",state="done"}' in metrics
        assert 'kometa_sidecar_gateway_requests_total{decision="captured"}' in metrics

        done = {name: await home.app.upkeep.chores.do(name) for name in ("retention", "cache", "maintenance", "health", "drift")}
        assert all(each.ok for each in done.values()), done
        assert "backup state-" in done["maintenance"].says
        assert len(list(data_dir.glob("backups/state-*.db"))) == 1
        await home.until(lambda: home.ended == 2)
        newest, first = await home.app.state.runs()
        assert (newest.reason, newest.state, newest.changed) == ("drift", RunState.DONE, ())
        assert first.reason == "start"
        figures = await home.app.upkeep.figures()
        assert figures.sizes["gallery"] > 10_000
        assert figures.worker_starts == 1
        home.assert_plex_untouched()

        spoil(data_dir / "state.db", "baselines")
        damaged = await home.app.upkeep.chores.do("maintenance")
        assert not damaged.ok
        assert "damaged: restart" in damaged.says
        async with aiohttp.ClientSession() as session, session.get(f"{home.app.url}readyz") as answer:
            assert answer.status == 503
            assert [reason["part"] for reason in (await answer.json())["reasons"]] == ["database"]


def test_each_library_has_one_module() -> None:
    """docker, plexapi, watchdog, apscheduler and prometheus_client can be replaced in one place each."""
    users: dict[str, set[str]] = {name: set() for name in ("docker", "plexapi", "watchdog", "apscheduler", "prometheus_client")}
    for path in (ROOT / "sidecar").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom) and not node.level
                else []
            )
            for name in names:
                if (top := name.partition(".")[0]) in users:
                    users[top].add(path.relative_to(ROOT).as_posix())
    assert {name: len(paths) for name, paths in users.items()} == dict.fromkeys(users, 1), users
