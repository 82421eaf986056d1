"""Kometa's reads of other hosts: allow-list, secrets put in, limits, retries, and a cache on disk.

Modes: ``live`` (cache with a time to live), ``record`` (always asked, every answer kept), ``replay`` (only what was
recorded, however old): a replayed run sees exactly the recorded answers, so a difference comes from the config alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from sidecar.addresses import PRIVATE, Allows, GuardedResolver, PrivateAddress, allowing, guarded_socket, is_loopback, is_public, plain_host
from sidecar.gateway import swap
from sidecar.gateway.admit import OWN, PRIVATE_HOSTS, Origin, admit
from sidecar.gateway.cache import DiskCache, Entry
from sidecar.gateway.canonical import Refusal
from sidecar.gateway.pace import LONGEST_REST, MAX_WAIT, PER_HOST, RATES, Pace, asked_patience
from sidecar.model import Grant, PlexServer, Problem, Severity

DAY: Final = 86_400.0
TTL: Final[Mapping[str, float]] = {
    "raw.githubusercontent.com": 6 * 3600.0,
    "image.tmdb.org": 30 * DAY,
    "artworks.thetvdb.com": 30 * DAY,
    "assets.fanart.tv": 30 * DAY,
}
"""Seconds that an answer of a host stays fresh; every other host: ``Egress.ttl``. Ratings and lists move by the day."""
ATTEMPTS: Final = 3


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SENT: Final = _words("""
    accept accept-language user-agent authorization content-type referer origin x-requested-with x-api-key api-key apikey
    trakt-api-key trakt-api-version x-mal-client-id simkl-api-key x-imdb-client-name x-imdb-user-language x-imdb-user-country
""")
_ASKING: Final = tuple(sorted(_SENT - {"user-agent", "referer", "origin", "x-requested-with"}))
"""Headers that are part of the question: IMDb answers in the language that one of them names."""
_PASSED: Final = _words("""
    content-type location etag last-modified link retry-after x-pagination-page x-pagination-limit x-pagination-page-count
    x-pagination-item-count x-sort-by x-sort-how x-ratelimit-limit x-ratelimit-remaining x-ratelimit-reset
""")


class Mode(StrEnum):
    """Where answers come from; see the module's docstring."""

    LIVE = "live"
    RECORD = "record"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Ask:
    """A request of Kometa to another host, as it came. Header names in lower case."""

    method: str
    origin: Origin
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Egress:
    """Asks other hosts for Kometa. Use between ``start`` and ``stop``."""

    def __init__(
        self,
        *,
        cache: DiskCache,
        host_map: Mapping[str, str],
        count: Callable[[str], None],
        mode: Mode = Mode.LIVE,
        max_body: int,
        timeout: float,
        ttl: float = DAY,
        backoff: float = 0.5,
        resolver: AbstractResolver | None = None,
        private: Collection[str] = (),
    ) -> None:
        self._cache = cache
        self._private = frozenset(plain_host(host) for host in private)
        self._plex: frozenset[tuple[str, int]] = frozenset()
        self._plex_tokens: frozenset[str] = frozenset()
        self._mapped = {host.lower(): base.rstrip("/") for host, base in host_map.items()}
        self._count = count
        self._mode = mode
        self._max_body = max_body
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=min(10.0, timeout))
        self._ttl = ttl
        self._backoff = backoff
        self._resolver = resolver
        self._paces: dict[str, Pace] = {}
        self._asking: dict[str, asyncio.Future[tuple[Entry, tuple[Problem, ...]] | None]] = {}
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def start(self) -> None:
        """Opens the cache and the sessions, each of which reaches certain addresses only. OSError: no cache directory."""
        await asyncio.to_thread(self._cache.open)
        lan = [network for network in PRIVATE if not is_loopback(str(network.network_address))]
        for name, allows in (("open", is_public), ("lan", allowing(lan)), ("here", allowing(PRIVATE))):
            self._sessions[name] = self._session(self._guarded(allows))
        self._sessions["mapped"] = self._session(aiohttp.TCPConnector(limit=32))

    def _guarded(self, allows: Allows) -> aiohttp.TCPConnector:
        """A connector to allowed addresses: looked at when a name is resolved, and at the very address that is connected to."""
        resolver = GuardedResolver(self._resolver or aiohttp.ThreadedResolver(), allows)
        return aiohttp.TCPConnector(resolver=resolver, socket_factory=guarded_socket(allows), limit=32)

    @property
    def word(self) -> str:
        """The same again while the same may be asked of other hosts, and is answered from the same place."""
        return repr(
            (
                self._mode.value,
                str(self._cache.place) if self._mode is not Mode.LIVE else "",
                sorted(self._mapped.items()),
                sorted(self._private),
            )
        )

    @property
    def lasts(self) -> float:
        """Seconds for which something that was made of other hosts' answers still holds; 0 where each run is to ask."""
        return 0.0 if self._mode is Mode.RECORD else self._ttl

    def keep_off(self, servers: Iterable[PlexServer]) -> None:
        """The Plex servers from now on: never asked from here, where no policy for Plex stands, nor given their tokens."""
        known = tuple(servers)
        urls = [URL(server.url) for server in known]
        self._plex = frozenset((plain_host(url.host), url.port) for url in urls if url.host and url.port)
        self._plex_tokens = frozenset(token for server in known if (token := server.token.get_secret_value()))

    def _session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            timeout=self._timeout,
            skip_auto_headers=("Content-Type",),
        )

    async def prune(self, unused: float) -> tuple[int, int]:
        """Forgets what nobody used for so many seconds; a recording is left as it is. Returns how many answers, and bytes."""
        return await asyncio.to_thread(self._cache.prune, unused) if self._mode is Mode.LIVE else (0, 0)

    async def stop(self) -> None:
        """Closes the connections. Safe to call twice."""
        sessions = tuple(self._sessions.values())
        self._sessions.clear()
        for session in sessions:
            await session.close()

    def admit(self, ask: Ask, grant: Grant) -> Refusal | None:
        """Why this request may not leave under this grant, or None. Sends nothing."""
        refusal = admit(
            ask.method,
            ask.origin,
            ask.target,
            ask.body,
            grant.hosts,
            self._mapped,
            connectors=_own(ask.origin.host, grant),
            private=self._private,
            plex=self._plex,
        )
        if refusal:
            return refusal
        texts = (ask.target, *ask.headers.values(), ask.body.decode("latin-1"))
        if any(placeholder.secret.get_secret_value() in self._plex_tokens for placeholder in swap.met(texts, grant.placeholders)):
            return Refusal("a Plex token is for Plex alone, read by read, and never for other hosts")
        return swap.strangers(texts, grant.placeholders, ask.origin.host)

    def _reach(self, host: str, grant: Grant) -> aiohttp.ClientSession:
        """The session for a host: what it may stand for."""
        if host in self._mapped:
            return self._sessions["mapped"]
        if host not in self._private or not _own(host, grant):
            return self._sessions["open"]
        return self._sessions["here" if is_loopback(host) else "lan"]

    async def fetch(self, ask: Ask, grant: Grant, note: Callable[[Problem], None]) -> Entry:
        """The answer to an admitted request, from the cache or from the host; 502, 503 or 504 where there is none, and a note why."""
        key = self._key(ask, grant)
        while (asked := self._asking.get(key)) is not None:  # shards ask the same at the same time: one goes out for all
            found = await asyncio.shield(asked)
            if found is not None and (found[0].status == 200 or _tired(found[0])):
                for problem in found[1]:
                    note(problem)
                return found[0]
            # it went away, or was refused, perhaps for its own key
        told: list[Problem] = []
        mine = self._asking[key] = asyncio.get_running_loop().create_future()
        entry: Entry | None = None
        try:
            entry = await self._answer(key, ask, grant, told.append)
        finally:
            del self._asking[key]
            mine.set_result(entry and (entry, tuple(told)))
            for problem in told:
                note(problem)
        return entry

    async def _answer(self, key: str, ask: Ask, grant: Grant, note: Callable[[Problem], None]) -> Entry:
        host = ask.origin.host
        if self._mode is not Mode.RECORD:
            max_age = None if self._mode is Mode.REPLAY else TTL.get(host, self._ttl)
            known = await asyncio.to_thread(self._cache.get, key, max_age)
            if known:
                self._count("egress_hits")
                if self._mode is Mode.REPLAY:
                    _tell(host, known, "", note)
                return known
        if self._mode is Mode.REPLAY:
            note(_problem(f"{host} was not asked this in the recorded run", "record again, or run live"))
            return _failure(504, f"not recorded: {host}")
        entry = await self._ask(ask, grant, note)
        if self._mode is Mode.RECORD and self._cache.lost:
            note(_problem("the recording is full: its oldest answers are lost, and a replay will miss them", "begin a new one"))
        if entry.status == 200 or self._mode is Mode.RECORD:
            try:
                await asyncio.to_thread(self._cache.put, key, entry)
            except OSError as error:
                note(
                    _problem(
                        f"answers of other hosts cannot be kept: {error.strerror}", "look at the disk's space and rights", Severity.INFO
                    )
                )
        return entry

    async def _ask(self, ask: Ask, grant: Grant, note: Callable[[Problem], None]) -> Entry:
        host = ask.origin.host
        gap = 0.0 if host in self._mapped else 1 / RATES.get(host, 10.0)  # mapped hosts are our own
        pace = self._paces.setdefault(host, Pace(gap, asyncio.Semaphore(PER_HOST)))
        attempt = 0
        while True:
            async with pace.at_once:
                if not await pace.turn():
                    entry, why = _later(pace.rest), ""
                    break
                entry, why, again = await self._once(ask, grant)
            attempt += 1
            tired = _tired(entry)
            asked = asked_patience(dict(entry.headers)) if tired else None
            if asked is not None:
                pace.rest_until = max(pace.rest_until, time.monotonic() + min(asked, LONGEST_REST))
            wait = self._backoff * 2 ** (attempt - 1) * random.uniform(0.5, 1.5) if asked is None else asked  # noqa: S311 jitter, not a secret
            if not tired or not again or wait > MAX_WAIT or attempt == ATTEMPTS:
                break
            await asyncio.sleep(wait)
        _tell(host, entry, why, note)
        return entry

    async def _once(self, ask: Ask, grant: Grant) -> tuple[Entry, str, bool]:
        """One try: the answer, what went wrong in words, and whether another try may help."""
        host = ask.origin.host
        base = self._mapped.get(host)
        session = self._reach(host, grant)
        places = grant.placeholders
        own = [place for place in places if host in place.hosts]  # no other secret has been sent there
        url = URL((base or str(ask.origin)) + swap.into_url(ask.target, places, host), encoded=True)
        headers = {name: swap.into_header(value, places, host) for name, value in ask.headers.items() if name in _SENT}
        body = swap.into_body(ask.body, ask.headers.get("content-type", ""), places, host) if ask.method == "POST" else None
        basic = headers.get("authorization", "")
        sent = basic.partition(" ")[2] if basic != ask.headers.get("authorization", "") and basic.lower().startswith("basic ") else ""
        self._count("egress_sent")
        try:
            async with session.request(ask.method, url, headers=headers, data=body, allow_redirects=False) as response:
                data = bytearray()
                async for chunk in response.content.iter_any():
                    data += chunk
                    if len(data) > self._max_body:
                        return _failure(502, "too long"), f"{host} sent more than {self._max_body} bytes", False
                passed = tuple(
                    (name.lower(), swap.clean_text(_without(value, sent), own))
                    for name, value in response.headers.items()
                    if name.lower() in _PASSED
                )
                body_ = bytes(data).replace(sent.encode(), b"(redacted)") if sent else bytes(data)
                return Entry(response.status, passed, swap.clean(body_, own)), "", True
        except TimeoutError:
            return _failure(504, "no answer in time"), f"{host} did not answer in time", False
        except aiohttp.ClientConnectorError as error:
            if _is_private(error):
                self._count("refused")
                return _failure(403, "a private address"), self._why_private(host, grant), False
            if isinstance(error, aiohttp.ClientConnectorDNSError):
                return _failure(502, "unknown host"), f"{host} is not known by name here", False
            return _failure(502, "not reachable"), f"{host} could not be read ({type(error).__name__})", True
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The error's text may hold the address with its secrets: only its kind is told.
            return _failure(502, "not reachable"), f"{host} could not be read ({type(error).__name__})", True

    def _why_private(self, host: str, grant: Grant) -> str:
        if not _own(host, grant):
            return f"{host} stands for a private address, which is never asked"
        if host in self._private:
            return f"{host} stands for an address that is never asked, whatever {PRIVATE_HOSTS} says"
        return f"{host} stands for a private address; if it is your own {' or '.join(_own(host, grant))}, name it in {PRIVATE_HOSTS}"

    def _key(self, ask: Ask, grant: Grant) -> str:
        """The question's fingerprint, the same from run to run although placeholders are not.

        Another key is another question (whose lists?), but not of a recording, whose key may have been changed since.
        """
        places = grant.placeholders
        texts = [ask.target, ask.body.decode("latin-1"), *(ask.headers.get(name, "") for name in _ASKING)]
        said = [ask.method, str(ask.origin), *(swap.neutral(text, places) for text in texts)]
        if self._mode is Mode.LIVE:
            said += [place.secret.get_secret_value() for place in swap.met(texts, places)]
        return hashlib.sha256("\0".join(said).encode("utf-8", "surrogatepass")).hexdigest()


def _own(host: str, grant: Grant) -> tuple[str, ...]:
    """The connectors that config.yml places at ``host``: Radarr, Sonarr, Tautulli."""
    return tuple(sorted({place.connector for place in grant.placeholders if place.connector in OWN and host in place.hosts}))


def _tired(entry: Entry) -> bool:
    return entry.status == 429 or entry.status >= 500


def _tell(host: str, entry: Entry, why: str, note: Callable[[Problem], None]) -> None:
    """Tells of an answer that is none: the host's failure or refusal."""
    if _tired(entry):
        mend = "what Kometa draws from it may be missing; try again later"
        note(_problem(why or f"{host} answered {entry.status}", mend, passing=True))
    elif entry.status in (401, 403):
        note(_problem(why or f"{host} refused the request ({entry.status})", "look at the key or token of this connector in config.yml"))


def _without(text: str, sent: str) -> str:
    return text.replace(sent, "(redacted)") if sent else text


def _is_private(error: aiohttp.ClientConnectorError) -> bool:
    """Whether a connection failed because its address may not be reached; of several addresses, all did."""
    causes = [error.os_error, error.os_error.__cause__, *getattr(error.os_error.__cause__, "exceptions", ())]
    return any(isinstance(cause, PrivateAddress) for cause in causes)


def _later(seconds: float) -> Entry:
    """What is answered for a host that is left alone."""
    return Entry(429, (("content-type", "text/plain"), ("retry-after", str(math.ceil(seconds)))), b"asked to be left alone")


def _failure(status: int, what: str) -> Entry:
    return Entry(status, (("content-type", "text/plain"),), what.encode())


def _problem(what: str, mend: str, severity: Severity = Severity.WARNING, *, passing: bool = False) -> Problem:
    return Problem(severity=severity, what=what, mend=mend, source="egress", passing=passing)
