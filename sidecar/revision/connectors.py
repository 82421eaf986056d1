"""Which services overlays can need, which hosts those are, and which configured connectors are therefore kept.

From Kometa 2.4.4's source: the host each of its clients talks to, and the prefixes of the builders, filters and text
variables that lead there. A connector that cannot be judged is kept: its secrets are placeholders anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from sidecar.addresses import host_and_port
from sidecar.revision.secrets import host_of


@dataclass(frozen=True, slots=True)
class Service:
    """A service Kometa talks to."""

    hosts: tuple[str, ...]
    words: str = ""
    """Regular expression; where it occurs in an overlay file, the service can be needed. Empty: always."""
    configured: bool = False
    """It has a section in config.yml."""
    open: bool = False
    """It is reached without its section too: MDBList's public lists, which Kometa's own ratings file reads; AniDB's pages."""
    own_host: bool = False
    """Its address is in its section."""


SERVICES: Final[Mapping[str, Service]] = {
    "tmdb": Service(("api.themoviedb.org", "image.tmdb.org"), configured=True),
    "github": Service(("raw.githubusercontent.com", "api.github.com"), configured=True),
    "omdb": Service(("www.omdbapi.com",), r"omdb", configured=True),
    "mdblist": Service(("api.mdblist.com", "mdblist.com"), r"(?<![a-z])mdb", configured=True, open=True),
    "trakt": Service(("api.trakt.tv",), r"trakt", configured=True),
    "mal": Service(("api.myanimelist.net", "myanimelist.net", "api.jikan.moe"), r"(?<![a-z])mal(?![a-z])|myanimelist", configured=True),
    "anidb": Service(("anidb.net", "utilities.kometa.wiki"), r"anidb", configured=True, open=True),
    "radarr": Service((), r"\bradarr_", configured=True, own_host=True),
    "sonarr": Service((), r"\bsonarr_", configured=True, own_host=True),
    "tautulli": Service((), r"\btautulli_", configured=True, own_host=True),
    "imdb": Service(
        ("www.imdb.com", "api.graphql.imdb.com", "graphql.imdb.com", "datasets.imdbws.com"),
        r"imdb",
    ),
    "letterboxd": Service(("letterboxd.com", "boxd.it"), r"letterboxd"),
    "anilist": Service(("graphql.anilist.co",), r"anilist"),
    "tvdb": Service(("www.thetvdb.com", "thetvdb.com"), r"tvdb"),
    "icheckmovies": Service(("www.icheckmovies.com",), r"icheckmovies_"),
    "boxofficemojo": Service(("www.boxofficemojo.com",), r"\bmojo_"),
    "stevenlu": Service(("s3.amazonaws.com",), r"stevenlu_"),
    "simkl": Service(("utilities.kometa.wiki",), r"simkl_"),
    "ergast": Service(("api.jolpi.ca",), r"f1_season|ergast"),
}
"""The one table of hosts. plex.tv is in none of them."""

SECTIONS: Final[Mapping[str, Mapping[str, object]]] = {
    "tmdb": {"apikey": None, "language": "en", "cache_expiration": 60, "region": None},
    "github": {"token": None},
    "omdb": {"apikey": None, "cache_expiration": 60},
    "mdblist": {"apikey": None, "cache_expiration": 60},
    "trakt": {"client_id": None, "client_secret": None, "pin": None, "force_refresh": None, "authorization": None},
    "mal": {"client_id": None, "client_secret": None, "localhost_url": None, "cache_expiration": 60, "authorization": None},
    "anidb": {"language": "en", "enable_mature": False, "cache_expiration": 60},
    "radarr": {},
    "sonarr": {},
    "tautulli": {},
}
"""What each kept section must have: Kometa writes a missing one into config.yml."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What overlays can need."""

    connectors: frozenset[str]
    """Sections of config.yml to keep."""
    hosts: frozenset[str]


def needs(texts: Iterable[str], sections: Mapping[str, Any], *, judged: bool) -> Needs:
    """The services that the overlay files (``texts``, with their variables) can need; all of them where not ``judged``.

    ``sections``: config.yml's data. Radarr, Sonarr and Tautulli run on private addresses and are kept only where named.
    """
    everything = "\n".join(texts).lower()
    connectors: set[str] = set()
    hosts: set[str] = set()
    for name, service in SERVICES.items():
        own = [section for section in _sections(name, sections) if section]
        wanted = not service.words or re.search(service.words, everything) is not None or not (judged or service.own_host)
        if not wanted or (service.configured and service.words and not own and not service.open):
            continue
        hosts.update(service.hosts)
        if service.configured and own:
            connectors.add(name)
            hosts.update(host for section in own if service.own_host for host in _places(section.get("url")))
    return Needs(frozenset(connectors), frozenset(hosts))


def _places(url: object) -> tuple[str, ...]:
    """The host of a connector's address, and ``host:port`` where it has a port of its own: there it may be asked."""
    host = host_of(url)
    try:
        port = urlsplit(str(url)).port
    except ValueError:
        port = None
    return () if host is None else (host,) if port is None else (host, host_and_port(host, port))


def _sections(name: str, data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A connector's section at the top, and those of libraries."""
    libraries = data.get("libraries")
    holders = [data, *(libraries.values() if isinstance(libraries, Mapping) else ())]
    return [section for holder in holders if isinstance(holder, Mapping) and isinstance(section := holder.get(name), Mapping)]


def secret_hosts(connector: str, section: Mapping[str, Any]) -> tuple[str, ...]:
    """The hosts that a connector's secrets may be swapped in for."""
    service = SERVICES.get(connector)
    if service is None:
        return ()
    own = host_of(section.get("url")) if service.own_host else None
    return (*service.hosts, *([own] if own else []))
