"""A gateway over a short unix socket, a recording Plex behind it, and a raw HTTP client before it."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import SecretStr

from sidecar.gateway import Gateway, Limits
from sidecar.model import Blob, BlockedWrite, Capture, Grant, PlexServer, Problem, Scope
from tests.gateway.upstream import Reply, Seen, Upstream

REAL = "the-real-plex-token"
TOKEN = "grant-token-0123456789"


@dataclass
class Heard:
    """A sink that keeps what it is told."""

    captures: list[Capture] = field(default_factory=list)
    writes: list[BlockedWrite] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

    def captured(self, capture: Capture) -> None:
        self.captures.append(capture)

    def blocked(self, write: BlockedWrite) -> None:
        self.writes.append(write)

    def note(self, problem: Problem) -> None:
        self.notes.append(problem)


@dataclass
class Answered:
    """What the gateway answered, as bytes on the wire say."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Bench:
    """All a test needs."""

    gateway: Gateway
    sink: Heard
    blobs: dict[str, bytes]
    socket: Path
    plex: Upstream
    directory: Path
    grant: Grant

    async def raw(self, data: bytes) -> bytes:
        """Sends bytes over the unix socket; everything that comes back until the gateway closes the connection."""
        reader, writer = await asyncio.open_unix_connection(str(self.socket))
        out = b""
        try:
            writer.write(data)
            while chunk := await asyncio.wait_for(reader.read(65536), 20):
                out += chunk
        except ConnectionError:
            pass
        finally:
            writer.close()
        return out

    async def ask(
        self,
        line: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        origin: str = "http://plex-0.plex.invalid:32400",
        token: str | None = TOKEN,
    ) -> Answered:
        """One well-formed request: ``ask("GET /identity")``."""
        wanted = {"Host": "plex", "X-Sidecar-Origin": origin, "Connection": "close", **(headers or {})}
        if token is not None:
            wanted["X-Sidecar-Grant"] = token
        if body is not None:
            wanted.setdefault("Content-Length", str(len(body)))
        head = f"{line} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in wanted.items()) + "\r\n"
        return parse(await self.raw(head.encode() + (body or b"")))


def parse(data: bytes) -> Answered:
    """The first response in ``data``; status 0 where there is none."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/1."):
        return Answered(0, {}, data)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if headers.get("transfer-encoding") == "chunked":
        body = _unchunk(body)
    return Answered(int(lines[0].split(" ")[1]), headers, body)


def _unchunk(data: bytes) -> bytes:
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size or b"0", 16)
        if not length:
            break
        out, data = out + data[:length], data[length + 2 :]
    return out


LISTING = """<?xml version="1.0" encoding="UTF-8"?>
<MediaContainer size="{size}" totalSize="{total}" offset="{offset}" allowSync="1" librarySectionID="1">{items}</MediaContainer>
"""


class Library:
    """Answers as a small Plex: movies 1..n in section 1, everything else an empty container."""

    def __init__(self, movies: int = 5) -> None:
        self.movies = movies
        self.special: dict[str, Reply] = {}

    def __call__(self, seen: Seen) -> Reply:
        path, _, _ = seen.target.partition("?")
        if path in self.special:
            return self.special[path]
        if path == "/library/sections/1/all":
            start, size = int(seen.header("X-Plex-Container-Start") or 0), int(seen.header("X-Plex-Container-Size") or 10_000)
            keys = range(1, self.movies + 1)[start : start + size]
            items = "".join(f'<Video ratingKey="{key}" key="/library/metadata/{key}" type="movie" title="M{key}"/>' for key in keys)
            return Reply(LISTING.format(size=len(keys), total=self.movies, offset=start, items=items).encode())
        if path.startswith("/library/metadata/") and path.count("/") == 3:
            keys_asked = path.split("/")[3].split(",")
            items = "".join(f'<Video ratingKey="{key}" type="movie" title="M{key}"/>' for key in keys_asked)
            return Reply(LISTING.format(size=len(keys_asked), total=len(keys_asked), offset=0, items=items).encode())
        return Reply(b'<?xml version="1.0" encoding="UTF-8"?>\n<MediaContainer size="0"></MediaContainer>')


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory whose path is short enough for a unix socket."""
    path = Path(tempfile.mkdtemp(prefix="ks-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def library() -> Library:
    return Library()


@pytest.fixture
async def bench(directory: Path, library: Library) -> AsyncIterator[Bench]:
    """Targets 1 and 3 of section 1; 2 is visible only as a relative."""
    blobs: dict[str, bytes] = {}

    async def put(data: bytes, media_type: str = "") -> Blob:
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return Blob(sha256=digest, size=len(data), media_type=media_type)

    scope = Scope(targets=frozenset({1, 3}), visible=frozenset({1, 2, 3}), sections=frozenset({1}))
    grant = Grant(token=TOKEN, run_id="run", shard=0, scopes={"plex-0": scope})
    async with Upstream(library) as plex:
        limits = Limits(upload=100_000, xml=500_000, stop_seconds=0.2)
        gateway = Gateway(socket=directory / "g.sock", put_blob=put, cache_dir=directory / "cache", tcp_port=0, limits=limits)
        gateway.set_servers([PlexServer(name="plex-0", url=plex.url, token=SecretStr(REAL), timeout=5.0)])
        await gateway.start()
        sink = Heard()
        gateway.open(grant, sink)
        try:
            yield Bench(gateway, sink, blobs, directory / "g.sock", plex, directory, grant)
        finally:
            await gateway.stop()
