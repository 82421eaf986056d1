"""What an engine needs around it in tests: a gateway that passes everything through and keeps uploads, shards, a job."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import ClientSession, ClientTimeout, web
from yarl import URL

from renderer.protocol import GRANT_HEADER, ORIGIN_HEADER, PLEX_SUFFIX
from sidecar.model import PreviewConfig, RenderJob, Revision, Shard
from tests.cold import KometaInstall, lay_out

_POSTER = re.compile(r"/library/metadata/(\d+)/posters")
_HOP = frozenset({"host", "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length"})


class PassThrough:
    """A gateway without rules, on a unix socket: reads go to the demo, writes stay here."""

    def __init__(self, path: Path, plex: str, hosts: Mapping[str, str], token: str) -> None:
        self.path = path
        self.uploads: dict[tuple[str, int], bytes] = {}
        """By grant and rating key."""
        self.requests: list[tuple[str, str]] = []
        """Origin, and method with raw target."""
        self._plex = plex
        self._hosts = hosts
        self._token = token

    async def __aenter__(self) -> Self:
        self._client = ClientSession(auto_decompress=False, timeout=ClientTimeout(total=60))
        app = web.Application(client_max_size=10**8)
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self.path)).start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._runner.cleanup()
        await self._client.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        origin = URL(request.headers[ORIGIN_HEADER])
        host = origin.host or ""
        self.requests.append((str(origin), f"{request.method} {request.raw_path}"))
        body = await request.read()
        if host.endswith(PLEX_SUFFIX) and request.method != "GET":
            if (match := _POSTER.fullmatch(request.path)) and body:
                self.uploads[request.headers[GRANT_HEADER], int(match[1])] = body
            return web.Response(text='<MediaContainer size="0"/>', content_type="text/xml")
        base = self._plex if host.endswith(PLEX_SUFFIX) else self._hosts.get(host)
        if base is None:
            return web.Response(status=502, text=f"{host} is not part of this test")
        target = request.raw_path.replace(request.headers[GRANT_HEADER], self._token)
        headers = {key: value for key, value in request.headers.items() if key.lower() not in _HOP}
        headers = {key: self._token if key.lower() == "x-plex-token" else value for key, value in headers.items()}
        url = URL(base.rstrip("/") + target, encoded=True)
        async with self._client.request(request.method, url, headers=headers, data=body or None, allow_redirects=False) as answer:
            kept = {key: value for key, value in answer.headers.items() if key.lower() not in _HOP}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())


def make_homes(kometa: KometaInstall, config_dir: Path, base: Path, count: int) -> list[tuple[Path, str]]:
    """``count`` working directories below ``base``, each with a copy of ``config_dir`` and a token of its own."""
    homes = []
    for number in range(count):
        home, token = base / f"shard-{number}", f"grant-{number}"
        lay_out(config_dir, kometa, home, (f"http://plex-0{PLEX_SUFFIX}:32400", token))
        homes.append((home, token))
    return homes


def make_job(gateway: Path, homes: Iterable[tuple[Path, str]], deadline: float = 120.0, run_id: str = "run") -> RenderJob:
    """A job with a shard per home; its revision and config are not an engine's concern."""
    return RenderJob(
        run_id=run_id,
        revision=Revision(id="0" * 64, root=Path("/nonexistent"), files=(), libraries=(), servers=()),
        preview=PreviewConfig(data={}, placeholders=(), connectors=frozenset(), hosts=frozenset()),
        shards=tuple(Shard(index=number, token=token, home=home, targets=()) for number, (home, token) in enumerate(homes)),
        gateway=gateway,
        deadline=deadline,
    )
