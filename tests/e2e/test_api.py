"""The API of a whole daemon: what it tells while and after it renders, and that no secret is in it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sidecar.demo import DemoPlex
from tests.cold import KometaInstall
from tests.cold_demo import small_world
from tests.e2e.house import House, house
from tests.e2e.test_daemon import edit
from tests.e2e.test_warm import config_of

PLEX, TMDB, WEB, HOOK, URL = (
    "plex-tok-0123456789abcdef",
    "tmdbkey0123456789abcdef",
    "web-token-0123456789",
    "hook-0123456789abcdef",
    "url-pass-0123456789",
)
SECRETS = (PLEX, TMDB, WEB, HOOK, URL)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return config_of("custom", tmp_path / "config")


def client(home: House, token: str = "") -> aiohttp.ClientSession:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return aiohttp.ClientSession(f"{home.app.url}api/v1/", headers=headers, timeout=aiohttp.ClientTimeout(total=30))


async def asked(session: aiohttp.ClientSession, path: str, status: int = 200) -> Any:
    async with session.get(path) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def test_no_answer_holds_a_secret(standin: KometaInstall, config: Path, data_dir: Path) -> None:
    """Secrets in every place that a config has for them, one of them misplaced: into an overlay's URL, which then fails and is logged."""
    world = small_world()
    edit(
        config / "config.yml",
        lambda text: text.replace("apikey: demo", f"apikey: {TMDB}") + f"\nwebhooks:\n  error: https://discord.example/api/{HOOK}\n",
    )
    overlays = config / "overlays" / "movies.yml"
    async with (
        DemoPlex(world, token=PLEX) as plex,
        house(standin, config, data_dir, world=world, plex=plex, web={"port": 0, "token": WEB}) as home,
        client(home, WEB) as session,
    ):
        await home.run("done")
        bad = f'\n  Misplaced:\n    plex_all: true\n    overlay: {{name: misplaced, url: "https://ada:{URL}@pictures.example/x.png?apikey={TMDB}"}}\n'
        edit(overlays, lambda text: text + bad)
        await home.until(lambda: home.ended >= 2)
        await home.app.reviews.settle()
        document = await asked(session, "openapi.json")
        told: dict[str, str] = {}
        for path, methods in document["paths"].items():
            if "get" in methods and path != "/api/v1/events":
                address = path.removeprefix("/api/v1/").format(run="latest", target=min(world.items))
                async with session.get(address) as answer:
                    told[path] = await answer.text()
        async with session.get(home.app.url + "readyz") as answer:
            told["readyz"] = await answer.text()
        told["events"] = json.dumps([event.data for _, event in home.app.events._ring])
    assert len(told) > 15
    for path, text in told.items():
        for secret in SECRETS:
            assert secret not in text, path


async def test_a_log_is_followed_while_kometa_writes_it(standin: KometaInstall, config: Path, data_dir: Path) -> None:
    async with house(standin, config, data_dir, world=small_world()) as home, client(home) as session:
        await home.until(lambda: any(kind == "run.started" for kind, _ in home.heard))
        async with session.get("runs/latest/logs/stream") as stream:
            raw = (await stream.content.read()).decode()
        followed = [json.loads(line.removeprefix("data: ")) for line in raw.split("\n") if line.startswith('data: {"number')]
        run = await home.run("done")
        log = await asked(session, f"runs/{run.id}/logs?limit=2000")
        assert log["lines"]
        assert followed == log["lines"]
        assert log["live"] is False
        assert (await asked(session, "runs/latest"))["id"] == run.id
        targets = (await asked(session, "runs/latest/targets"))["targets"]
        async with session.get(home.app.url + targets[0]["after"]["url"]) as picture:
            assert (picture.status, len(await picture.read())) == (200, targets[0]["after"]["bytes"])
        home.assert_plex_untouched()


async def test_a_render_is_cancelled(standin: KometaInstall, config: Path, data_dir: Path) -> None:
    async with house(standin, config, data_dir, world=small_world()) as home, client(home) as session:
        await home.until(lambda: any(kind == "run.started" for kind, _ in home.heard))
        async with session.post("cancel") as answer:
            assert await answer.json() == {"cancelled": True}
        run = await home.run("cancelled")
        async with session.post("cancel") as answer:
            assert await answer.json() == {"cancelled": False}
        assert (await asked(session, "status"))["rendering"] is None
        async with session.post("render") as answer:
            assert answer.status == 202
        good = await home.run("done")
        assert good.id > run.id
        decided = await _approved(session)
        assert len(decided["targets"]) == len(good.pictures)


async def _approved(session: aiohttp.ClientSession) -> Any:
    async with asyncio.timeout(30), session.post("approve", json={"who": "Ada"}) as answer:
        assert answer.status == 200
        return await answer.json()
