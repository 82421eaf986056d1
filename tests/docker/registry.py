"""The least registry that Docker pulls an image from, on loopback (which Docker takes without TLS): one image, given out slowly."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
PIECE = 1024 * 1024


def _blobs(image: str, folder: Path) -> tuple[bytes, dict[str, Path]]:
    """The manifest of ``image`` of the local Docker, and its blobs by digest."""
    archive = folder / "image.tar"
    with archive.open("wb") as file:
        subprocess.run(["docker", "save", image], stdout=file, check=True)
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "image", filter="data")
    (said,) = json.loads((folder / "image" / "manifest.json").read_text())
    blobs: dict[str, Path] = {}

    def about(name: str, kind: str) -> dict[str, Any]:
        path = (folder / "image" / name).resolve()
        digest = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
        blobs[digest] = path
        return {"mediaType": f"application/vnd.docker.{kind}", "size": path.stat().st_size, "digest": digest}

    config = about(said["Config"], "container.image.v1+json")
    layers = [about(name, "image.rootfs.diff.tar.gzip") for name in said["Layers"]]
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}).encode(), blobs


@asynccontextmanager
async def registry(image: str, folder: Path, pause: float) -> AsyncIterator[str]:
    """The name under which Docker can pull ``image``; ``pause`` seconds between two MiB."""
    manifest, blobs = await asyncio.to_thread(_blobs, image, folder)
    digest = "sha256:" + hashlib.sha256(manifest).hexdigest()

    async def answer(request: web.Request) -> web.StreamResponse:
        what = request.match_info["what"]
        if "/manifests/" in what:
            return web.Response(body=manifest, content_type=MANIFEST, headers={"Docker-Content-Digest": digest})
        if "/blobs/" in what and (path := blobs.get(what.rpartition("/")[2])):
            response = web.StreamResponse(headers={"Content-Length": str(path.stat().st_size)})
            await response.prepare(request)
            with path.open("rb") as file:
                while piece := file.read(PIECE):
                    await response.write(piece)
                    await asyncio.sleep(pause)
            return response
        return web.Response(status=404) if what else web.json_response({})

    app = web.Application()
    app.router.add_get("/v2/{what:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"127.0.0.1:{runner.addresses[0][1]}/worker:v1"
    finally:
        await runner.cleanup()
