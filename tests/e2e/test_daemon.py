"""The daemon as people live with it: edits, broken files, Plex and the worker going and coming, kill -9."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sidecar.demo import DemoHosts, DemoPlex, World
from sidecar.model import Change, PictureState, RunState
from sidecar.store import State
from tests.cold import KometaInstall
from tests.cold_demo import small_world
from tests.e2e.house import house
from tests.e2e.test_warm import config_of


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return config_of("custom", tmp_path / "config")


def edit(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text()))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_save_becomes_new_pictures(kometa: KometaInstall, config: Path, data_dir: Path) -> None:
    async with house(kometa, config, data_dir, world=small_world()) as home:
        first = await home.run("done")
        assert {picture.state for picture in first.pictures} == {PictureState.RENDERED}
        edit(config / "overlays" / "movies.yml", lambda text: text + "\n# a comment changes the revision, not a pixel\n")
        second = await home.run("done", after=1)
        assert second.changed == ()
        new = config / "overlays" / "new.yml"
        shutil.copy(config / "overlays" / "shows.yml", new)
        edit(new, lambda text: text.replace("text(SHOW)", "text(SHOWN)"))
        new.replace(config / "overlays" / "shows.yml")
        third = await home.run("done", after=2)
        shows = [picture.target.id for picture in third.pictures if picture.target.level == "show"]
        assert list(third.changed) == shows
        home.assert_plex_untouched()
        summary = json.loads((data_dir / "gallery" / "summary.json").read_text())
        assert (summary["run"], summary["state"], summary["counts"]["changed"]) == (third.id, "done", len(shows))


@pytest.mark.parametrize(
    ("broken", "line", "words"),
    [("libraries: [\n", None, "config.yml"), ("", 1, "empty"), ("libraries:\n  Movies:\n\toverlay_files: []\n", 3, "tab")],
)
async def test_a_broken_config_keeps_the_last_good_gallery(
    standin: KometaInstall, config: Path, data_dir: Path, broken: str, line: int | None, words: str
) -> None:
    async with house(standin, config, data_dir, world=small_world()) as home:
        good = await home.run("done")
        text = (config / "config.yml").read_text()
        (config / "config.yml").write_text(broken)
        run = await home.run("invalid", after=1)
        assert run.pictures == ()
        problem = run.problems[0]
        assert problem.file == "config.yml"
        assert line is None or problem.line == line
        assert problem.mend
        page = (data_dir / "gallery" / "index.html").read_text()
        assert "config.yml" in page
        assert words in page.lower()
        assert all(f'id="t-{picture.target.id}"' in page for picture in good.pictures)
        summary = json.loads((data_dir / "gallery" / "summary.json").read_text())
        assert summary["run"] == good.id
        (config / "config.yml").write_text(text)
        mended = await home.run("done", after=2)
        assert mended.changed == ()
        home.assert_plex_untouched()


async def test_a_newer_revision_ends_the_render_in_progress(standin: KometaInstall, config: Path, data_dir: Path) -> None:
    async with house(standin, config, data_dir, world=small_world(12), engine={"shards": 1}) as home:
        await home.until(lambda: any(kind == "picture" for kind, _ in home.heard))
        edit(config / "overlays" / "movies.yml", lambda text: text + "\n# newer\n")
        superseded = await home.run("superseded")
        done = await home.run("done", after=1)
        assert superseded.revision != done.revision
        assert [run.state for run in await home.app.state.runs()] == [RunState.DONE, RunState.SUPERSEDED]
        await home.until(lambda: not any((data_dir / "work").iterdir()))  # cleared up once the run has ended


async def test_what_is_asked_the_moment_a_run_ends_is_rendered(standin: KometaInstall, config: Path, data_dir: Path) -> None:
    """The run before is still being cleared up after; its config and targets are the same."""
    async with house(standin, config, data_dir, world=small_world(3)) as home:
        async with asyncio.timeout(60):
            for number in range(1, 4):
                while home.ended < number:
                    await asyncio.sleep(0)
                home.app.pipeline.submit(Change(reason="request", seen=time.monotonic()))
        await home.until(lambda: home.ended == 4)


async def test_plex_away_at_the_start_and_back_later(standin: KometaInstall, config: Path, data_dir: Path) -> None:
    world = small_world()
    async with DemoPlex(world) as plex:
        plex.fail("maintenance")
        async with house(standin, config, data_dir, world=world, plex=plex) as home:
            await home.until(lambda: any(not part.ok and part.part == "plex" for part in home.app.showcase.health))
            async with aiohttp.ClientSession() as session, session.get(f"{home.app.url}readyz") as answer:
                assert answer.status == 503
                assert "plex" in {reason["part"] for reason in (await answer.json())["reasons"]}
            assert home.ended == 0
            plex.heal()
            await home.run("done")
            assert all(part.ok for part in home.app.showcase.health)


async def test_a_killed_worker_is_replaced_and_the_render_made_again(standin: KometaInstall, config: Path, data_dir: Path) -> None:
    async with house(standin, config, data_dir, world=small_world(10), engine={"shards": 1}) as home:
        await home.until(lambda: any(kind == "picture" for kind, _ in home.heard))
        pid = home.app.engine.pid  # type: ignore[attr-defined]
        os.kill(pid, signal.SIGKILL)
        failed = await home.run("failed")
        assert failed.errors
        done = await home.run("done", after=1)
        assert {picture.state for picture in done.pictures} == {PictureState.RENDERED}


async def test_a_target_that_is_gone_is_reported_and_the_others_are_drawn(standin: KometaInstall, config: Path, data_dir: Path) -> None:
    targets = {"per_library": 2, "list": [{"rating_key": 999_999}, {"title": "No Such Film", "year": 1901}]}
    async with house(standin, config, data_dir, world=small_world(), targets=targets) as home:
        run = await home.run("done")
        assert [picture.target.rating_key for picture in run.pictures if picture.state is PictureState.GONE] == [999_999]
        assert any(picture.state is PictureState.RENDERED for picture in run.pictures)
        told = " ".join(problem.what for problem in run.problems if problem.source == "targets")
        assert "No Such Film (1901)" in told


@contextlib.asynccontextmanager
async def listener() -> AsyncIterator[tuple[dict[str, object], list[dict[str, Any]]]]:
    """A webhook receiver: its destination in the settings, and what it got."""
    got: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        got.append(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield {"name": "x", "url": f"http://127.0.0.1:{runner.addresses[0][1]}/hook", "private": True}, got
    finally:
        await runner.cleanup()


async def test_a_webhook_hears_of_changes_and_failures(standin: KometaInstall, config: Path, data_dir: Path) -> None:
    async with listener() as (destination, got):
        async with house(standin, config, data_dir, world=small_world(), notifications=[destination]) as home:
            await home.run("done")
            edit(config / "config.yml", lambda text: text + "\nlibraries: [\n")
            await home.run("invalid", after=1)
            await home.until(lambda: len(got) == 2)
            edit(config / "config.yml", lambda text: text.replace("\nlibraries: [\n", ""))
            await home.until(lambda: len(got) == 3)
        assert [message["event"] for message in got] == ["preview.changed", "preview.failed", "preview.recovered"]
        assert got[0]["run"]["writes_blocked"] > 0
        assert got[1]["problems"][0]["file"] == "config.yml"


async def test_nobody_is_told_of_a_killed_worker_whose_render_is_made_again(
    standin: KometaInstall, config: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.notify.notifier.GRACE", timedelta(minutes=10))  # a busy machine takes its time
    async with listener() as (destination, got):
        async with house(standin, config, data_dir, world=small_world(10), engine={"shards": 1}, notifications=[destination]) as home:
            await home.until(lambda: any(kind == "picture" for kind, _ in home.heard))
            os.kill(home.app.engine.pid, signal.SIGKILL)  # type: ignore[attr-defined]
            await home.run("failed")
            await home.run("done", after=1)
            await home.until(lambda: got)
            assert home.app.desk.notifier is not None
            states = {letter["event"]: letter["state"] for letter in (await home.app.desk.notifier.status())["letters"]}
            assert states["preview.failed"] == "dropped"
        assert [message["event"] for message in got] == ["preview.changed"]


async def test_the_draft_is_never_called_kometa(config: Path, data_dir: Path) -> None:
    async with house(None, config, data_dir, world=small_world()) as home:
        run = await home.run("done")
        assert run.engine is not None
        assert run.engine.kind == "draft"
        summary = json.loads((data_dir / "gallery" / "summary.json").read_text())
        assert (summary["engine"], summary["kometa"]) == ("draft", None)
        assert "draft" in (data_dir / "gallery" / "index.html").read_text().lower()
        home.assert_plex_untouched()


SECRETS = ("s3cr3t-plex-token-PLANTED", "feedfacefeedfacefeedfacefeedface", "webhook-PLANTED-part")


async def test_no_secret_is_in_anything_that_is_kept(standin: KometaInstall, config: Path, data_dir: Path) -> None:
    world = small_world()
    edit(
        config / "config.yml",
        lambda text: (
            text.replace("apikey: demo", f"apikey: {SECRETS[1]}") + f"\nwebhooks:\n  error: https://discord.example/api/{SECRETS[2]}\n"
        ),
    )
    async with DemoPlex(world, token=SECRETS[0]) as plex, house(standin, config, data_dir, world=world, plex=plex) as home:
        work = data_dir / "work"
        await home.until(lambda: any(kind == "run.started" for kind, _ in home.heard))
        during = [path.read_bytes() for path in work.rglob("*") if path.is_file()]
        run = await home.run("done")
        home.assert_plex_untouched()
        async with aiohttp.ClientSession() as session, session.get(f"{home.app.url}api/v1/status") as answer:
            during.append(await answer.read())
    kept = {path: path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}
    assert run.id.encode() in b"".join(kept.values())
    for secret in SECRETS:
        assert [str(path) for path, content in kept.items() if secret.encode() in content] == []
        assert not any(secret.encode() in content for content in during)


async def test_killed_at_any_moment_nothing_is_lost(standin: KometaInstall, config: Path, data_dir: Path) -> None:
    """``kill -9`` of the daemon in its render, several times; then a run to the end, and the history is whole."""
    world = small_world()
    async with DemoPlex(world) as plex, DemoHosts(world) as hosts:
        env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("KOMETA")},
            "KOMETA_PLEX_URL": plex.url,
            "KOMETA_PLEX_TOKEN": plex.token,
            "KOMETA_HOME": str(standin.home),
            "KOMETA_PYTHON": str(standin.python),
            "KOMETA_SIDECAR_GATEWAY__HOST_MAP": json.dumps(hosts.map),
        }
        command = [sys.executable, "-m", "sidecar", "run", str(config), "--data", str(data_dir), "--port", str(free_port())]
        for pause in (0.4, 0.8, 1.3, 2.0):
            process = await asyncio.create_subprocess_exec(*command, env=env, stderr=asyncio.subprocess.DEVNULL)
            await asyncio.sleep(pause)
            process.kill()
            await process.wait()
        process = await asyncio.create_subprocess_exec(*command, env=env, stderr=asyncio.subprocess.PIPE)
        assert process.stderr is not None
        try:
            async with asyncio.timeout(60):
                while b": done in " not in await process.stderr.readline():
                    pass
        finally:
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(40):
                await process.communicate()
        assert process.returncode == 0
        assert plex.writes == []
    state = await State.open(data_dir / "state.db")
    try:
        runs = await state.runs()
        assert runs[0].state is RunState.DONE
        assert all(run.state.final for run in runs)
        assert state.problems == ()
    finally:
        await state.close()
    summary = json.loads((data_dir / "gallery" / "summary.json").read_text())
    assert summary["run"] == runs[0].id


def test_the_sample_world_is_what_the_demo_config_names() -> None:
    titles = {library.title for library in World.sample().libraries.values()}
    assert {"Movies", "Shows"} <= titles
