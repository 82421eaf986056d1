"""Hooks: who gets in, what Plex and Kometa say, and what comes of it."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from sidecar.errors import NotThere
from tests.web.site import Site, running

SECRET = "a-hook-secret-of-its-own"
TOKEN = "correct horse battery"


@dataclass
class Asked:
    """What hooks asked for."""

    got: list[Any] = field(default_factory=list)

    def everything(self) -> None:
        self.got.append("all")

    def library(self, name: str) -> None:
        if name != "Movies":
            raise NotThere(f"there is no library {name} with overlay files")
        self.got.append(name)

    async def item(self, rating_key: int, library: str = "") -> bool:
        self.got.append((rating_key, library))
        return library != "Photos"

    def plex_changed(self) -> None:
        self.got.append("plex")


def plex_body(event: str = "library.new", key: object = "1936545", library: object = "Movies") -> aiohttp.MultipartWriter:
    """As Plex sends it: the payload and a poster."""
    payload = {
        "event": event,
        "user": True,
        "owner": True,
        "Account": {"id": 1, "title": "me"},
        "Server": {"title": "Office", "uuid": "54664a3d8acc39983675640ec9ce00b70af9cc36"},
        "Metadata": {"librarySectionType": "movie", "ratingKey": key, "librarySectionTitle": library, "type": "movie", "title": "Heat"},
    }
    writer = aiohttp.MultipartWriter("form-data")
    writer.append(json.dumps(payload), {"Content-Type": "application/json"}).set_content_disposition("form-data", name="payload")
    writer.append(b"\xff\xd8" + b"x" * 200_000, {"Content-Type": "image/jpeg"}).set_content_disposition(
        "form-data", name="thumb", filename="thumb.jpg"
    )
    return writer


async def post(site: Site, path: str, **more: Any) -> tuple[int, Any]:
    async with site.session() as client, client.post(path, **more) as answer:
        return answer.status, await answer.json()


def hooked(site_files: Path, asked: Asked, **more: Any) -> Any:
    return running(Site(site_files), asking=asked, hook_secret=SecretStr(SECRET), **more)


async def test_plex_asks_for_a_new_item(site_files: Path) -> None:
    asked = Asked()
    async with hooked(site_files, asked, token=SecretStr(TOKEN)) as site:
        path = f"/hooks/{SECRET}/plex"
        assert await post(site, path, data=plex_body(), headers={"Host": "sidecar.docker:8420"}) == (202, {"asked": True})
        for event in ("media.play", "library.on.deck", "admin.database.backup"):
            assert await post(site, path, data=plex_body(event)) == (200, {"asked": False})
        assert await post(site, path, data=plex_body(library="Photos")) == (200, {"asked": False})
        for key in ("", "x", "-1", "9" * 30, None):
            assert await post(site, path, data=plex_body(key=key)) == (200, {"asked": False})
    assert asked.got == [(1936545, "Movies"), (1936545, "Photos")]


async def test_plex_bodies_that_are_none(site_files: Path) -> None:
    asked = Asked()
    async with hooked(site_files, asked) as site:
        path = f"/hooks/{SECRET}/plex"
        broken = aiohttp.MultipartWriter("form-data")
        broken.append("{not json").set_content_disposition("form-data", name="payload")
        large = aiohttp.MultipartWriter("form-data")
        large.append("[" * 100_000).set_content_disposition("form-data", name="payload")
        huge = aiohttp.MultipartWriter("form-data")
        huge.append(io.BytesIO(b"x" * 9_000_000)).set_content_disposition("form-data", name="thumb", filename="t.jpg")
        bodies: list[dict[str, Any]] = [
            {"data": broken},
            {"data": large},
            {"data": huge},
            {"json": {"event": "library.new"}},
            {"data": b"--x\r\nrubbish", "headers": {"Content-Type": "multipart/form-data; boundary=y"}},
            {"data": b"rubbish", "headers": {"Content-Type": "multipart/form-data"}},
            *(
                {"data": b"--y\r\n" + head + b"\r\n\r\n{}\r\n--y--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=y"}}
                for head in (b"X: " + b"a" * 20_000, b"X: a\r\n" * 20_000, b"no colon", b"Content-\xd1ype: x", b"X: a\0b")
            ),
        ]
        for body in bodies:
            status, told = await post(site, path, **body)
            assert (status, told["error"]["code"]) == (400, "bad_request"), body
    assert asked.got == []


async def test_kometa_says_that_it_has_run(site_files: Path) -> None:
    asked = Asked()
    async with hooked(site_files, asked) as site:
        path = f"/hooks/{SECRET}/kometa"
        ended = {"event": "run_end", "start_time": "2026-03-01 05:00:00", "end_time": "2026-03-01 05:09:00", "run_time": "0:09:00"}
        assert await post(site, path, json=ended) == (202, {"asked": True})
        for event in ("run_start", "changes", "error", "version"):
            assert await post(site, path, json={"event": event}) == (200, {"asked": False})
        assert (await post(site, path, data="[]"))[0] == 400
    assert asked.got == ["plex"]


async def test_anybody_with_the_secret_asks_for_what_he_wants(site_files: Path) -> None:
    asked = Asked()
    async with hooked(site_files, asked, token=SecretStr(TOKEN)) as site:
        auth = {"Authorization": f"Bearer {SECRET}"}
        for body in ({}, {"library": "Movies"}, {"rating_key": 101}):
            assert await post(site, "/hooks/render", json=body, headers=auth) == (202, {"asked": True})
        status, told = await post(site, "/hooks/render", json={"library": "Nowhere"}, headers=auth)
        assert (status, told["error"]["message"]) == (404, "There is no library Nowhere with overlay files.")
        wrong: tuple[Any, ...] = (
            [],
            {"what": 1},
            {"library": "Movies", "rating_key": 1},
            {"library": 7},
            {"library": ""},
            {"rating_key": "101"},
            {"rating_key": True},
            {"rating_key": -1},
        )
        for body in wrong:
            assert (await post(site, "/hooks/render", json=body, headers=auth))[0] == 400
    assert asked.got == ["all", "Movies", (101, "")]


async def test_a_wrong_secret(site_files: Path) -> None:
    asked = Asked()
    async with hooked(site_files, asked, token=SecretStr(TOKEN)) as site:
        answers = [
            await post(site, f"/hooks/{SECRET[:-1]}/plex", data=plex_body()),
            await post(site, "/hooks/x/kometa", json={"event": "run_end"}),
            await post(site, "/hooks/render", json={}),
            await post(site, "/hooks/render", json={}, headers={"Authorization": f"Bearer {TOKEN}"}),
        ]
        assert [status for status, _ in answers] == [404, 404, 401, 401]
        statuses = [(await post(site, f"/hooks/guess-{at}/plex", data=plex_body()))[0] for at in range(4)]
        assert statuses[-1] == 429
        assert (await post(site, f"/hooks/{SECRET}/kometa", json={"event": "run_end"}))[0] == 202, "the right one still gets in"
    assert asked.got == ["plex"]


async def test_without_a_secret_there_are_no_hooks(site_files: Path) -> None:
    async with running(Site(site_files), asking=Asked()) as site:
        for path in ("/hooks/render", "/hooks/x/plex", "/hooks//kometa"):
            async with site.session() as client, client.post(path, json={}) as answer:
                assert answer.status in (404, 405)


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_a_page_of_another_site_asks_for_nothing(site_files: Path, headers: dict[str, str]) -> None:
    asked = Asked()
    path = f"/hooks/{SECRET}/kometa"
    async with (
        hooked(site_files, asked) as site,
        site.session() as client,
        client.post(path, json={"event": "run_end"}, headers=headers) as answer,
    ):
        assert answer.status == 403
    assert asked.got == []


async def test_a_hooks_secret_is_no_wrong_token(site_files: Path) -> None:
    """Else whoever calls hooks from an address would be slowed down there with tokens."""
    async with hooked(site_files, Asked(), token=SecretStr(TOKEN)) as site:
        for _ in range(8):
            status, _ = await post(site, "/hooks/render", json={}, headers={"Authorization": f"Bearer {SECRET}"})
            assert status in (202, 429)
        async with site.session() as client, client.get("/api/v1/status", headers={"Authorization": "Bearer wrong"}) as answer:
            assert answer.status == 401
