"""Secrets are planted wherever a person may put one; a day's worth of things happens; nothing that is kept or told holds any."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import signal
import sys
import tarfile
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web

from tests.cold import KometaInstall
from tests.cold_demo import small_world
from tests.e2e.test_warm import config_of
from tests.service.test_service import daemon

PLANTED: Final = {
    "plex token": "plexPLANTEDtoken1234",
    "tmdb key": "feedfacefeedfacefeedfacefeedface",
    "mdblist key": "mdbPLANTED0123456789abcde",
    "trakt secret": "traktPLANTED" + "0123456789abcdef" * 3,
    "trakt access token": "accessPLANTED" + "0123456789abcdef" * 3,
    "radarr token": "radarrPLANTED0123456789abcdef012",
    "config's webhook": "configPLANTEDwebhook-part",
    "environment": "environmentPLANTED-9876",
    "web token": "webPLANTED-token-that-is-long",
    "hook secret": "hookPLANTED-secret-that-is-long",
    "destination's address": "destinationPLANTED-path",
    "destination's key": "signingPLANTED-key-0123456789",
    "destination's header": "headerPLANTED-value-x",
}

CONFIG = """
mdblist: {apikey: MDBLIST}
trakt:
  client_id: not-a-secret
  client_secret: TRAKTSECRET
  authorization: {access_token: TRAKTACCESS, token_type: Bearer, expires_in: 7776000, refresh_token: refresh-x}
radarr: {url: http://127.0.0.1:1, token: RADARR}
webhooks: {error: 'https://discord.example/api/HOOK'}
notifiarr: {apikey: <<planted>>}
"""


def forms(secret: str) -> list[bytes]:
    """As it is, and as it may hide."""
    return [
        secret.encode(),
        urllib.parse.quote(secret, safe="").encode(),
        json.dumps(secret)[1:-1].encode(),
        base64.b64encode(secret.encode()).rstrip(b"=")[:-2],
    ]


def found(where: str, content: bytes) -> list[str]:
    if content[:2] == b"\x1f\x8b":
        content += gzip.decompress(content)
    return [f"{name} in {where}" for name, secret in PLANTED.items() if any(form in content for form in forms(secret))]


async def test_nothing_that_is_kept_or_told_holds_a_secret(standin: KometaInstall, short_dir: Path) -> None:
    config = config_of("custom", short_dir / "config")
    text = (config / "config.yml").read_text().replace("apikey: demo", f"apikey: {PLANTED['tmdb key']}")
    extra = (
        CONFIG.replace("MDBLIST", PLANTED["mdblist key"])
        .replace("TRAKTSECRET", PLANTED["trakt secret"])
        .replace("TRAKTACCESS", PLANTED["trakt access token"])
        .replace("RADARR", PLANTED["radarr token"])
        .replace("HOOK", PLANTED["config's webhook"])
    )
    text += extra
    (config / "config.yml").write_text(text)
    movies = config / "overlays" / "movies.yml"
    told: list[bytes] = []
    refuse = 2

    async def take(request: web.Request) -> web.Response:
        nonlocal refuse
        told.append(await request.read())
        refuse -= 1
        return web.Response(status=503 if refuse >= 0 else 200)

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/{PLANTED['destination' + chr(39) + 's address']}"
    settings = short_dir / "sidecar.yml"
    sound = {
        "log": {"level": "debug", "format": "json"},
        "web": {"token": PLANTED["web token"]},
        "hooks": {"secret": PLANTED["hook secret"]},
        "targets": {"per_library": 20},
        "notifications": [
            {
                "name": "all",
                "kind": "webhook",
                "url": address,
                "events": ["preview.changed", "preview.failed", "preview.recovered", "preview.unchanged", "plex.down", "plex.up"],
                "private": True,
                "secret": PLANTED["destination's key"],
                "headers": {"X-Key": PLANTED["destination's header"]},
                "session": "1s",
            },
        ],
    }
    settings.write_text(json.dumps(sound))
    try:
        async with daemon(
            short_dir,
            small_world(),
            settings,
            kometa=standin,
            token=PLANTED["plex token"],
            more={"KOMETA_PLANTED": PLANTED["environment"]},
        ) as running:
            ready = await running.manager.until(lambda word: "READY=1" in word)
            url = ready.rpartition("gallery at ")[2].splitlines()[0]
            login = {"Authorization": f"Bearer {PLANTED['web token']}"}

            async def state(what: Callable[[dict[str, object]], bool]) -> None:
                async with asyncio.timeout(60):
                    while True:
                        async with session.get(f"{url}api/v1/status", headers=login) as answer:
                            if what(await answer.json()):
                                return
                        await asyncio.sleep(0.05)

            async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
                await running.manager.until(lambda word: word.startswith("STATUS=last render done"))
                # edits: good, broken beside a secret, good again
                movies.write_text(movies.read_text().replace("text(", "text(X "))
                seen = len(running.manager.heard)
                await running.manager.until(lambda word: word.startswith("STATUS=last render done"), after=seen)
                for broken in (
                    f"tmdb:\n\tapikey: {PLANTED['tmdb key']}\n",
                    f'plex: {{token: "{PLANTED["plex token"]}\n',
                    f"{PLANTED['tmdb key']}: [\n",
                    f"libraries: {PLANTED['radarr token']}\n",
                    text.replace("url: ", f"url: http://{PLANTED['plex token']}@"),
                ):
                    seen = len(running.manager.heard)
                    (config / "config.yml").write_text(broken)
                    await running.manager.until(lambda word: word.startswith("STATUS="), after=seen)
                # Plex refuses, falters, comes back
                (config / "config.yml").write_text(text + "# again\n")
                running.plex.fail("maintenance")
                await session.post(f"{url}hooks/{PLANTED['hook secret']}/kometa", json={"event": "run_end"})  # Plex is read anew
                await state(lambda status: any(part["part"] == "plex" and not part["ok"] for part in status["health"]))  # type: ignore[attr-defined]
                running.plex.heal()
                await state(lambda status: all(part["ok"] for part in status["health"]))  # type: ignore[attr-defined]
                # people and programs, right and wrong
                pages: dict[str, bytes] = {}
                runs = []
                async with session.get(f"{url}api/v1/runs", headers=login) as answer:
                    runs = [run["id"] for run in (await answer.json())["runs"]]
                paths = [
                    "",
                    "login",
                    "healthz",
                    "readyz",
                    "metrics",
                    "latest.json",
                    "summary.json",
                    "nothing",
                    "api/v1/nothing",
                    "api/v1/openapi.json",
                ]
                paths += ["api/v1/status", "api/v1/runs", "api/v1/problems", "api/v1/runs?limit=x", "api/v1/notifications"]
                paths += [
                    f"api/v1/runs/{run}{tail}" for run in runs for tail in ("", "/targets", "/captures", "/problems", "/logs?limit=200")
                ]
                wrong_login = {"Authorization": f"Bearer {PLANTED['hook secret']}", "X-Request-ID": "a"}
                for number, path in enumerate(paths):
                    for headers in (login, {}, *([wrong_login] if number < 4 else [])):  # more wrong ones are held for a second each
                        async with session.get(f"{url}{path}", headers=headers) as answer:
                            pages[f"{path} {answer.status}"] = await answer.read() + str(answer.headers).encode()
                async with session.post(f"{url}login", data={"token": PLANTED["web token"]}) as answer:
                    pages["login"] = await answer.read() + str(answer.headers).encode()
                async with session.post(f"{url}hooks/{PLANTED['hook secret']}/render", json={"library": "Movies"}) as answer:
                    pages["hook"] = await answer.read()
                async with session.post(f"{url}hooks/{PLANTED['plex token']}/render") as answer:
                    pages["wrong hook"] = await answer.read()
                assert sum(key.endswith(" 200") for key in pages) > 20
                # settings with a secret where none belongs
                for wrong in (
                    {**sound, "web": {"token": PLANTED["web token"], "base_url": PLANTED["web token"]}},
                    {**sound, "targets": {"per_library": PLANTED["hook secret"]}},
                    {**sound, "notifications": [{"name": "all", "url": PLANTED["destination's address"]}]},
                    {**sound, "notifications": PLANTED["destination's address"]},
                    {**sound, "web": PLANTED["web token"]},
                    {**sound, "hooks": [PLANTED["hook secret"]]},
                ):
                    settings.write_text(json.dumps(wrong))
                    seen = len(running.manager.heard)
                    running.process.send_signal(signal.SIGHUP)
                    await running.manager.until(lambda word: "the old stay" in word, after=seen)
                settings.write_text(json.dumps(sound))
            async with asyncio.timeout(60):
                while len(told) < 4:
                    await asyncio.sleep(0.05)
            backup = await asyncio.create_subprocess_exec(
                *(
                    sys.executable,
                    "-m",
                    "sidecar",
                    "backup",
                    "--quiet",
                    "--data",
                    str(short_dir / "data"),
                    "--output",
                    str(short_dir / "b.tar.gz"),
                )
            )
            assert await backup.wait() == 0
            running.process.send_signal(signal.SIGTERM)
            assert await running.stopped() == 0
            words = "\n".join(running.manager.heard).encode()
            assert running.plex.writes == []
    finally:
        await runner.cleanup()
    assert len(runs) > 3
    kept = {f"data: {path.relative_to(short_dir)}": path.read_bytes() for path in (short_dir / "data").rglob("*") if path.is_file()}
    assert len(kept) > 50
    with tarfile.open(short_dir / "b.tar.gz") as tar:
        for member in tar:
            file = tar.extractfile(member)
            kept[f"backup: {member.name}"] = file.read() if file else b""
    log = (short_dir / "log").read_bytes()
    assert log.count(b"\n") > 25
    finds: list[str] = []
    for where, content in {
        **kept,
        **{f"page {path}": content for path, content in pages.items()},
        **{f"webhook {number}": content for number, content in enumerate(told)},
        "log": log,
        "systemd": words,
    }.items():
        finds += found(where, content)
    assert finds == []
