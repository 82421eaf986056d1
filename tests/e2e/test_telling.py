"""The daemon tells and is told: Discord with a contact sheet after an edit, Plex's webhook for a new item, silence otherwise."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import aiohttp
import pytest
from PIL import Image

from sidecar.model import Change, PictureState
from tests.cold import KometaInstall
from tests.cold_demo import small_world
from tests.e2e.house import house
from tests.e2e.test_warm import config_of
from tests.notify.standin import DiscordStandIn


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return config_of("custom", tmp_path / "config")


SECRET = "a-hook-secret-PLANTED"


async def test_an_edit_is_told_with_a_contact_sheet(standin: KometaInstall, config: Path, data_dir: Path) -> None:
    discord = DiscordStandIn(time.monotonic, burst=1000, hidden=(1000, 60.0))
    runner = await discord.start()
    told = [{"name": "discord", "kind": "discord", "url": discord.url, "private": True}]
    try:
        async with house(standin, config, data_dir, world=small_world(), notifications=told) as home:
            await home.run("done")
            await home.until(lambda: discord.messages)
            (message,) = discord.messages.values()
            assert len(message.deliveries) == 1
            shows = config / "overlays" / "shows.yml"
            shows.write_text(shows.read_text().replace("text(SHOW)", "text(SHOWN)"))
            second = await home.run("done", after=1)
            await home.until(lambda: len(message.deliveries) == 2)
        assert len(discord.messages) == 1, "the same editing session"
        assert discord.violations == []
        (embed,) = message.payload["embeds"]
        assert "overlays/shows.yml" in embed["description"]
        assert "text(SHOWN)" in embed["description"]
        assert embed["url"].endswith(f"/runs/{second.id}/")
        assert "edit 2 in a row" in embed["footer"]["text"]
        sheet = Image.open(io.BytesIO(message.files["changes.jpg"]))
        assert sheet.width > 300
        assert "before" in message.payload["attachments"][0]["description"]
        assert not any(discord.url.encode() in path.read_bytes() for path in data_dir.rglob("*") if path.is_file())
    finally:
        await runner.cleanup()


async def test_a_hook_previews_a_new_item(standin: KometaInstall, config: Path, data_dir: Path) -> None:
    world = small_world()
    targets = {"per_library": 1, "seasons": 0, "episodes": 0}
    async with house(standin, config, data_dir, world=world, targets=targets, hooks={"secret": SECRET}) as home:
        first = await home.run("done")
        shown = {picture.target.rating_key for picture in first.pictures}
        (reader,) = home.app.planner.readers.values()
        sections = await reader.sections()
        movies = await reader.listing(sections["Movies"].key, {"type": "1"}, size=50)
        other = next(int(item.get("ratingKey", "0")) for item in movies.items if int(item.get("ratingKey", "0")) not in shown)
        body = aiohttp.MultipartWriter("form-data")
        payload = f'{{"event": "library.new", "Metadata": {{"ratingKey": "{other}", "librarySectionTitle": "Movies"}}}}'
        body.append(payload).set_content_disposition("form-data", name="payload")
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{home.app.url}hooks/{SECRET}/plex", data=body) as answer:
                assert (answer.status, await answer.json()) == (202, {"asked": True})
            second = await home.run("done", after=1)
            assert {picture.target.rating_key for picture in second.pictures} == {*shown, other}
            (picture,) = [picture for picture in second.pictures if picture.target.rating_key == other]
            assert picture.state is PictureState.RENDERED
            async with session.post(
                f"{home.app.url}hooks/render", json={"library": "Movies"}, headers={"Authorization": f"Bearer {SECRET}"}
            ) as answer:
                assert answer.status == 202
            third = await home.run("done", after=2)
            states = {picture.target.library: picture.state for picture in third.pictures}
            assert states["Movies"] is PictureState.RENDERED
        home.assert_plex_untouched()
    async with house(standin, config, data_dir, world=world, targets=targets, hooks={"secret": SECRET}) as home:
        shows = config / "overlays" / "movies.yml"
        shows.write_text(shows.read_text() + "# after a restart\n")
        await home.until(lambda: {target.rating_key for target in home.app.planner.targets} == {*shown, other})


async def test_kometas_run_refreshes_what_plex_shows(config: Path, data_dir: Path) -> None:
    world = small_world()
    shown = data_dir / "gallery" / "data" / "plex.json"

    def now() -> dict[str, str]:
        return {target: shot["sha256"] for target, shot in json.loads(shown.read_text())["targets"].items()}

    async with house(None, config, data_dir, world=world, hooks={"secret": SECRET}) as home:
        first = await home.run("done")
        await home.until(lambda: len(now()) == len(first.pictures))
        before = now()
        changed = first.pictures[0].target.rating_key
        asked = len(home.plex.requests)
        home.app.pipeline.submit(Change(reason="request"))
        await home.run("done", after=1)
        assert not any("/thumb/" in request.target for request in home.plex.requests[asked:]), "posters that stayed are not read again"
        world.redraw(changed)
        async with aiohttp.ClientSession() as session:
            hook = f"{home.app.url}hooks/{SECRET}/kometa"
            async with session.post(hook, json={"event": "run_end", "run_time": "0:09:00"}) as answer:
                assert answer.status == 202
        await home.until(lambda: now() != before)
        assert {target for target, sha256 in now().items() if before[target] != sha256} == {str(changed)}
        assert (data_dir / "gallery" / json.loads(shown.read_text())["targets"][str(changed)]["url"]).is_file()
        assert any(kind == "plex.shown" for kind, _ in home.heard)
        home.assert_plex_untouched()
