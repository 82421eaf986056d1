"""Hostile requests by the thousand, over raw sockets, through the gateway, at a demo Plex whose GETs really change it.

    python -m tests.gateway.fuzz [--count 100000] [--seed 20261121]

A fixed seed makes the same requests every time. What the demo Plex saw is judged by an oracle of its own (ALLOWED), not
by the policy that is tested.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from pydantic import SecretStr

from sidecar.demo.plex import DemoPlex
from sidecar.demo.world import World
from sidecar.gateway import Gateway
from sidecar.model import Blob, BlockedWrite, Capture, Grant, PlexServer, Problem, Scope

SEED: Final = 20261121
TOKEN: Final = "fuzz-grant-token-0123456789"
ORIGIN: Final = "http://plex-0.plex.invalid:32400"

ALLOWED: Final = re.compile(
    r"GET (/|/identity|/:/prefs|/library|/library/sections|/library/sections/[12]"
    r"|/library/sections/[12]/(all|collections|prefs|filters|sorts|actor|audioLanguage|collection|contentRating|country|decade|director|dovi"
    r"|editionTitle|firstCharacter|format|genre|hdr|label|location|mood|network|originallyAvailableAt|producer|resolution|source|studio|style"
    r"|subformat|subtitleLanguage|writer|year)"
    r"|/library/metadata/(101|102|201|202|203)(,(101|102|201|202|203))*"
    r"|/library/metadata/(101|102|201|202|203)/(children|grandchildren|allLeaves|posters|arts|clearLogos|squareArts)"
    r"|/library/metadata/(101|102|201|202|203)/(thumb|art|clearLogo|squareArt|banner)(/-?[0-9]+)?"
    r"|/library/metadata/(101|102|201|202|203)/file|/library/collections/[0-9]+(/items|/children)?)(\?[^#;\\ ]*)?"
)
BAD_KEYS: Final = re.compile(
    r"[?&](url=(?!upload%3A%2F%2F|metadata%3A%2F%2F)|own=|checkFiles=|async|X-Plex-Token=|path=|force=|skipRefresh=0)", re.IGNORECASE
)


def _words(text: str) -> list[str]:
    return text.split()


WORDS: Final = _words("""
    library sections all refresh 1 2 9 101 102 999 101,102 metadata children allLeaves grandchildren posters arts thumb art file prefs :
    scrobble unscrobble rate progress timeline status sessions terminate security token resources player playback stop video audio transcode
    universal start.m3u8 subtitles playQueues photo services ultrablur colors log networked diagnostics databases logs browse websockets
    notifications eventsource emptyTrash optimize match unmatch edit analyze clean bundles media grabbers devices discover butler updater
    check apply collections items genre label resolution identity hubs search accounts myplex claim split merge matches delete
""")
TRICKS: Final = [
    *_words(". .. %2e %2e%2e .%2e %252e%252e %2f %5c %00 %0a %0d%0a ; ;x=1 \\ %c0%ae %u002e // %20 %09 ... ..;/ %3b %3f %23 ? # é \xff"),
    *("", " ", "\t"),
]
KEYS: Final = _words("""
    type sort url own checkFiles asyncCheckFiles asyncAugmentMetadata skipRefresh X-Plex-Token x-plex-token X-Plex-Container-Start key
    identifier rating path force title id push pop or limit label%5B0%5D.tag.tag _method method includeGuids includeMeta year%3E%3E a%3Db
    %2575rl url%00 %26own
""")
VALUES: Final = [
    *_words("1 0 -1 101 com.plexapp.plugins.library http%3A%2F%2F127.0.0.1%2F upload%3A%2F%2Fposters%2Fx file%3A%2F%2F%2Fetc%2Fpasswd"),
    *_words("%26own%3D1 1%26own%3D1 %23 %2B + %00 a%0d%0ab %ff all titleSort"),
    *("", TOKEN),
]
METHODS: Final = _words("GET GET GET GET GET GET PUT POST DELETE HEAD OPTIONS PATCH TRACE CONNECT get Get PROPFIND MOVE")
HEADERS: Final = (
    "X-HTTP-Method-Override: PUT",
    "X-HTTP-Method: DELETE",
    "X-Method-Override: PUT",
    "X-Original-URL: /:/scrobble",
    "X-Forwarded-Uri: /:/scrobble",
    "X-Forwarded-Host: plex",
    "X-Plex-Token: other",
    f"X-Plex-Token: {TOKEN}",
    "X-Plex-Target-Client-Identifier: tv",
    "X-Sidecar-Grant: other",
    "X-Sidecar-Origin: http://plex-1.plex.invalid",
    "Transfer-Encoding: chunked",
    "Content-Length: 5",
    "Content-Length: 0",
    "Upgrade: websocket",
    "Upgrade: h2c",
    "Connection: Upgrade",
    "Connection: X-Plex-Token, close",
    "Expect: 100-continue",
    "Content-Type: multipart/form-data; boundary=b",
    "Range: bytes=0-1",
    "Cookie: a=b",
    "Accept-Encoding: gzip",
    "X_Plex_Token: other",
)
DANGEROUS: Final = (
    "/library/sections/all/refresh",
    "/library/sections/1/refresh?force=1",
    "/:/scrobble?key=101&identifier=com.plexapp.plugins.library",
    "/:/unscrobble?key=101&identifier=com.plexapp.plugins.library",
    "/:/rate?key=101&rating=1&identifier=com.plexapp.plugins.library",
    "/:/progress?key=101&time=1&state=stopped",
    "/:/timeline?ratingKey=101&state=playing&time=1",
    "/status/sessions/terminate?sessionId=1&reason=x",
    "/security/token?type=delegation&scope=all",
    "/player/playback/stop",
    "/video/:/transcode/universal/start.m3u8?path=x",
    "/video/:/transcode/universal/stop?session=1",
    "/library/metadata/101?asyncAugmentMetadata=1",
    "/library/metadata/101?checkFiles=1",
    "/library/metadata/101/subtitles?url=http%3A%2F%2F127.0.0.1%2F",
    "/playQueues/1?own=1",
    "/photo/:/transcode?url=http%3A%2F%2F127.0.0.1%2F&width=1&height=1",
    "/services/ultrablur/colors?url=http%3A%2F%2F127.0.0.1%2F",
    "/log?message=x",
    "/log/networked?minutes=9",
    "/security/resources",
    "/diagnostics/databases",
    "/diagnostics/logs",
    "/services/browse/L2V0Yw",
    "/:/websockets/notifications",
    "/:/eventsource/notifications",
    "/library/sections/1/emptyTrash",
    "/library/sections/1/optimize",
    "/library/optimize",
    "/media/grabbers/devices/discover",
)
GOOD: Final = (
    "/",
    "/:/prefs",
    "/library/sections",
    "/library/sections/1/all?includeGuids=1&type=1",
    "/library/sections/2/all?type=4&sort=titleSort&push=1&episode.resolution=4k&or=1&year%3E%3E=1990&pop=1",
    "/library/sections/1/all?includeMeta=1&includeAdvanced=1&X-Plex-Container-Start=0&X-Plex-Container-Size=0",
    "/library/sections/1/resolution",
    "/library/sections/2/label?type=3",
    "/library/metadata/101?includeGuids=1&checkFiles=1",
    "/library/metadata/101,102,999",
    "/library/metadata/201/children",
    "/library/metadata/101/posters",
    f"/library/metadata/101/thumb/1700000000?X-Plex-Token={TOKEN}",
    "/library/metadata/101/file?url=upload%3A%2F%2Fposters%2Fx",
)
"""What Kometa reads; a hostile request is often one of these with a twist."""


@dataclass
class Verdict:
    """What came of a round of fuzzing."""

    requests: int
    seed: int
    seen: int
    """Requests that the demo Plex saw."""
    forbidden: list[str]
    mutations: int
    writes: int
    statuses: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


class Deaf:
    """A sink that keeps nothing."""

    def captured(self, capture: Capture) -> None: ...

    def blocked(self, write: BlockedWrite) -> None: ...

    def note(self, problem: Problem) -> None: ...


def make(rng: random.Random) -> bytes:
    """One hostile request, as bytes. Half are well-formed HTTP, so that they come as far as the policy."""
    clean = rng.random() < 0.5
    kind = rng.random()
    if kind < 0.6:
        target = rng.choice(DANGEROUS if kind < 0.35 else GOOD)
        for _ in range(0 if kind > 0.55 else rng.randrange(3)):
            target = _mangle(target, rng)
    else:
        path = rng.choice(["/", "/", "/library/metadata/101/", "/library/sections/1/", "/library/metadata/"]) + "/".join(
            rng.choice(TRICKS) if not clean and rng.random() < 0.2 else rng.choice(WORDS) for _ in range(rng.randrange(6))
        )
        query = "&".join(f"{rng.choice(KEYS)}={rng.choice(VALUES)}" for _ in range(rng.randrange(4)))
        target = f"{path}?{query}" if query else path
    if not clean and rng.random() < 0.05:
        target = rng.choice(["http://plex:32400", "//plex", "plex:32400", "*", ""]) + target
    method = rng.choice(METHODS)
    version = "HTTP/1.1" if clean else rng.choice(["HTTP/1.1"] * 20 + ["HTTP/1.0", "HTTP/2.0", "HTTP/0.9", ""])
    end = "\n" if not clean and rng.random() < 0.02 else "\r\n"
    lines = ["Host: p", f"X-Sidecar-Grant: {TOKEN if rng.random() < 0.97 else 'x' * 20}", f"X-Sidecar-Origin: {ORIGIN}"]
    lines += [] if clean else rng.sample(HEADERS, rng.choice([0, 0, 1, 1, 2]))
    lines += ["Connection: close"]
    body = rng.choice(["", "", "", "abcde", "0\r\n\r\n", "5\r\nabcde\r\n0\r\n\r\n", "PUT /:/scrobble?key=101 HTTP/1.1\r\nHost: p\r\n\r\n"])
    body = body if method in ("POST", "PUT") or (not clean and rng.random() < 0.1) else ""
    if method in ("POST", "PUT") and (clean or rng.random() < 0.7):
        lines.append(f"Content-Length: {len(body)}")
    if clean:
        target = quote(target, safe="/?&=%:,.+")
    return (f"{method} {target} {version}".rstrip() + end + end.join(lines) + end + end + body).encode("latin-1", "replace")


def _mangle(target: str, rng: random.Random) -> str:
    at = rng.randrange(len(target) + 1)
    match rng.randrange(7):
        case 0:
            return target[:at] + rng.choice(TRICKS) + target[at:]
        case 1:
            return "/library/sections/1/.." + rng.choice(["", "/..", "/%2e%2e", "/../.."]) + target
        case 2:
            return target.replace("/", rng.choice(["//", "/./", "%2f", "\\", "/;/"]), 1)
        case 3:
            return target.upper() if rng.random() < 0.5 else target.title()
        case 4:
            path, mark, query = target.partition("?")
            return path + rng.choice(["/", "/.", "%20", "%00", ";a=b", ".json"]) + mark + query
        case 5:
            return target + rng.choice(["&", "?", "#"]) + rng.choice(KEYS) + "=" + rng.choice(VALUES)
        case _:
            char = target[at % len(target)]
            return target[: at % len(target)] + f"%{ord(char):02x}" + target[at % len(target) + 1 :]


async def run(count: int, seed: int, *, connections: int = 8) -> Verdict:
    """Sends ``count`` requests of ``seed``, one connection each, ``connections`` at a time."""
    rng = random.Random(seed)
    directory = Path(tempfile.mkdtemp(prefix="ks-", dir="/tmp"))
    started = time.perf_counter()

    async def put(data: bytes, media_type: str = "") -> Blob:
        return Blob(sha256="0" * 64, size=len(data), media_type=media_type)

    visible = frozenset({101, 102, 201, 202, 203})
    scope = Scope(targets=frozenset({101, 102, 203}), visible=visible, sections=frozenset({1, 2}))
    try:
        async with DemoPlex(World.sample()) as plex:
            gateway = Gateway(socket=directory / "g.sock", put_blob=put, cache_dir=directory / "c")
            gateway.set_servers([PlexServer(name="plex-0", url=plex.url, token=SecretStr(plex.token), timeout=10.0)])
            await gateway.start()
            gateway.open(Grant(token=TOKEN, run_id="fuzz", shard=0, scopes={"plex-0": scope}), Deaf())
            statuses: Counter[str] = Counter()

            async def work(requests: list[bytes]) -> None:
                for request in requests:
                    statuses[await _send(directory / "g.sock", request)] += 1

            try:
                verdict = Verdict(count, seed, 0, [], 0, 0, statuses)
                left = count
                while left:
                    batch = [make(rng) for _ in range(min(left, 2000))]
                    left -= len(batch)
                    await asyncio.gather(*(work(batch[number::connections]) for number in range(connections)))
                    verdict.seen += len(plex.requests)
                    lines = [f"{request.method} {request.target}" for request in plex.requests]
                    verdict.forbidden += [line for line in lines if not ALLOWED.fullmatch(line) or BAD_KEYS.search(line)]
                    verdict.mutations += len(plex.mutations)
                    verdict.writes += len(plex.writes)
                    plex.forget()
            finally:
                await gateway.stop()
    finally:
        shutil.rmtree(directory)
    verdict.seconds = time.perf_counter() - started
    return verdict


async def _send(socket: Path, request: bytes) -> str:
    """Sends one request; the answer's status, or ``closed`` (no answer), or ``waiting`` (the gateway waits for more)."""
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        writer.write(request)
        line = await asyncio.wait_for(reader.readline(), 0.5)
        return line.split(b" ")[1].decode() if line.startswith(b"HTTP/1.") else "closed"
    except TimeoutError:
        return "waiting"
    except OSError:
        return "closed"
    finally:
        writer.close()


def main() -> int:
    """Command line; exit 1 where anything forbidden got through."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # it tells of every malformed request
    verdict = asyncio.run(run(given.count, given.seed))
    sys.stdout.write(f"{verdict}\n")
    return int(bool(verdict.forbidden or verdict.mutations or verdict.writes or not verdict.seen))


if __name__ == "__main__":
    raise SystemExit(main())
