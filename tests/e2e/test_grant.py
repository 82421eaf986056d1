"""A stock Kometa, started by hand, that previews through the gateway's loopback port."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import aiohttp
import pytest
from ruamel.yaml import YAML

from sidecar import stock
from sidecar.app import App
from sidecar.demo import DemoHosts, DemoPlex, World
from sidecar.errors import PlexError, StoreError
from sidecar.logs import Redactor
from sidecar.settings import load_settings
from tests.cold import KometaInstall, cold_run
from tests.cold_demo import cold_demo, small_world
from tests.e2e.house import house
from tests.e2e.test_warm import config_of


async def test_a_stock_kometa_previews_safely(kometa: KometaInstall, data_dir: Path, tmp_path: Path) -> None:
    config = config_of("custom", tmp_path / "config")
    direct = await cold_demo(kometa, config, tmp_path / "direct", world=small_world())
    world = small_world()
    told: list[str] = []
    async with house(None, config, data_dir, world=world, serving=False, gateway={"tcp_port": 0}) as home:
        async with stock.lend(home.app, tmp_path / "pictures", told.append) as loan:
            home.plex.forget()
            given = YAML().load(loan.snippet)["plex"]
            result = await cold_run(kometa, config, home.hosts.map, tmp_path / "stock", plex=(given["url"], given["token"]))
            assert result.messages("CRITICAL") == []
            await loan.settled()
        home.assert_plex_untouched()
        assert {capture.rating_key: path.read_bytes() for path, capture in loan.pictures.items()} == direct.uploads
        assert len(told) == len(loan.pictures) == len(list((tmp_path / "pictures").iterdir()))
        assert loan.writes
        assert all(write.expected for write in loan.writes), [write.meaning for write in loan.writes if not write.expected]
        assert loan.notes == []
        async with aiohttp.ClientSession() as session, session.get(f"{given['url']}/?X-Plex-Token={given['token']}") as answer:
            assert answer.status == 403, "the grant has ended"


async def test_nothing_to_preview(data_dir: Path, tmp_path: Path) -> None:
    async with house(None, config_of("custom", tmp_path / "config"), data_dir, world=World("Empty"), serving=False) as home:
        with pytest.raises(PlexError, match="no item to preview"):
            async with stock.lend(home.app, tmp_path / "pictures", lambda _name: None):
                pass


async def test_the_command(tmp_path: Path) -> None:
    """As typed: it says what to write into config.yml, and Ctrl-C ends it."""
    config = config_of("custom", tmp_path / "config")
    world = small_world()
    async with DemoPlex(world) as plex, DemoHosts(world):
        env = {**os.environ, "KOMETA_PLEX_URL": plex.url, "KOMETA_PLEX_TOKEN": plex.token}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sidecar", "grant", str(config), "--output", str(tmp_path / "out")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=env,
        )
        assert process.stdout is not None
        snippet = b"".join([await asyncio.wait_for(process.stdout.readline(), 30) for _ in range(3)])
        given = YAML().load(snippet.decode())["plex"]
        async with aiohttp.ClientSession() as session, session.get(given["url"], headers={"X-Plex-Token": given["token"]}) as answer:
            assert answer.status == 200
            assert "Sidecar Demo" in await answer.text()
        process.send_signal(signal.SIGINT)
        _, told = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0, told
        assert b"0 pictures" in told
        assert plex.token not in told.decode()
        assert plex.writes == []


async def test_one_at_a_time_in_a_data_directory(data_dir: Path, tmp_path: Path) -> None:
    config = config_of("custom", tmp_path / "config")
    async with house(None, config, data_dir, serving=False):
        app = App(load_settings(None, {}, {"data": str(data_dir)}), config, {}, redact=Redactor(), serving=False)
        with pytest.raises(StoreError, match=rf"another kometa-sidecar \(process {os.getpid()}\)"):
            await app.__aenter__()
    async with house(None, config, data_dir, serving=False):
        pass
