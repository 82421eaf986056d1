"""Which requests to other hosts than Plex may leave, and which addresses a name may stand for. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from sidecar.addresses import host_and_port, plain_host
from sidecar.gateway.canonical import Refusal

ALWAYS: Final = frozenset({"raw.githubusercontent.com"})
"""Kometa asks here for its VERSION and for anime ids in every run and aborts without an answer."""

READ_BY_POST: Final[Mapping[str, frozenset[str]]] = {
    "graphql.imdb.com": frozenset({"/"}),
    "api.graphql.imdb.com": frozenset({"/"}),
    "graphql.anilist.co": frozenset({"/"}),
}
"""GraphQL endpoints that are read by POST: host -> paths."""

NEVER: Final = ("plex.tv", "plex.direct", "metadata.google.internal")
"""These and every name under them: account state, claim tokens, cloud credentials."""

OWN: Final = frozenset({"radarr", "sonarr", "tautulli"})
"""Connectors that stand wherever config.yml says. What may be asked of them is enumerated: of Tautulli, GETs end viewers' playback."""

_ARR: Final = re.compile(
    r"(/[A-Za-z0-9._~-]{1,80}){0,4}/api(/v[13])?/"
    r"(system/status|(tag(/detail)?|qualityProfile|profile|languageProfile|rootFolder|movie|series)(/[0-9]{1,10})?|(movie|series)/lookup"
    r"|exclusions|importlistexclusion)"
)
"""Reads of Radarr and Sonarr that Kometa's client makes (arrapi 1.4)."""
_TAUTULLI: Final = re.compile(r"(/[A-Za-z0-9._~-]{1,80}){0,4}/api/v2")
_TAUTULLI_READS: Final = frozenset({"get_tautulli_info", "get_home_stats"})

PRIVATE_HOSTS: Final = "gateway.private_hosts in sidecar.yml"
"""The setting that opens a connector on a private address."""

_IPV6: Final = re.compile(r"[0-9a-f:]{2,39}")
"""As ``plain_host`` writes it. No zones: link-local addresses are never asked."""
_HOST: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_MUTATION: Final = re.compile(r"\b(mutation|subscription)\b")
MAX_TARGET: Final = 16_000


@dataclass(frozen=True, slots=True)
class Origin:
    """``scheme://host:port``, the host as ``plain_host`` writes it."""

    scheme: str
    host: str
    port: int

    @property
    def default_port(self) -> bool:
        return self.port == _DEFAULT_PORTS[self.scheme]

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" if self.default_port else f"{self.scheme}://{host}:{self.port}"


def parse_origin(text: str) -> Origin | Refusal:
    """The origin that a bridge names. Refused where it is anything but scheme, host and port."""
    if not re.fullmatch(r"[!-~]{1,300}", text):  # urlsplit silently drops tabs and line ends
        return Refusal("the origin is no web address")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return Refusal("the origin is no web address")
    host = plain_host(parts.hostname or "")
    if parts.scheme not in _DEFAULT_PORTS or parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        return Refusal("the origin is no web address")
    if "[" in parts.netloc and ":" not in (parts.hostname or ""):  # RFC 3986's addresses of the future
        return Refusal("the origin is no web address")
    if not (_HOST.fullmatch(host) or (":" in host and _IPV6.fullmatch(host))):
        return Refusal("only hosts with a plain name can be asked")
    return Origin(parts.scheme, host, _DEFAULT_PORTS[parts.scheme] if port is None else port)


def admit(
    method: str,
    origin: Origin,
    target: str,
    body: bytes,
    hosts: Collection[str],
    mapped: Collection[str],
    *,
    connectors: Collection[str] = (),
    private: Collection[str] = (),
    plex: Collection[tuple[str, int]] = (),
) -> Refusal | None:
    """Why a request to another host may not leave, or None.

    ``hosts``: those of the grant, with ``host:port`` where config.yml gives a connector a port of its own. ``mapped`` hosts are answered
    elsewhere and may stand on any port. ``connectors``: those of OWN that stand at this host. ``private``: hosts that may be asked
    although they are an address in numbers. ``plex``: host and port of every Plex server, which is never asked around the gateway's policy.
    """
    host = origin.host
    if (host, origin.port) in plex:
        return Refusal("this is the Plex server itself, of which other hosts' rules know nothing")
    if any(host == name or host.endswith("." + name) for name in NEVER):
        return Refusal(f"{host} is never asked: it holds account state")
    if host not in hosts and host not in ALWAYS:
        return Refusal(f"{host} belongs to no connector or overlay file of this config")
    if _is_address(host) and not (connectors and host in private):
        return Refusal(
            f"an address in numbers is asked only where it is a connector's and {PRIVATE_HOSTS} names it"
            if connectors
            else "addresses in numbers are never asked, only names"
        )
    if not origin.default_port and host not in mapped and not (connectors and host_and_port(host, origin.port) in hosts):
        return Refusal(f"{host} is asked on a port of its own, which is not allowed")
    path = target.partition("?")[0]
    if not target.startswith("/") or not target.isascii() or len(target) > MAX_TARGET or re.search(r"[\x00-\x20\x7f\\#]", target):
        return Refusal("the address is not one that can be asked")
    if any(part in (".", "..") for part in unquote(unquote(path)).split("/")):
        return Refusal("the path has a dot segment")
    if method == "GET":
        return _own_read(target, connectors) if connectors else None
    if method == "POST" and path in READ_BY_POST.get(host, ()):
        return _read_only(body)
    if method == "POST" and host == "api.trakt.tv" and path == "/oauth/token":
        return Refusal("a new Trakt token would make the one in config.yml useless")
    return Refusal(f"{method} to {host} could change something there")


def _own_read(target: str, connectors: Collection[str]) -> Refusal | None:
    """Whether a GET is one of the known reads of these connectors."""
    path, _, query = target.partition("?")
    if {"radarr", "sonarr"} & set(connectors) and _ARR.fullmatch(path):
        return None
    commands = [value for name, value in parse_qsl(query, keep_blank_values=True) if name.lower() == "cmd"]
    known = len(commands) == 1 and commands[0] in _TAUTULLI_READS and ";" not in query
    if "tautulli" in connectors and _TAUTULLI.fullmatch(path) and known:
        return None
    return Refusal(f"this is no read that overlays need of {' or '.join(sorted(connectors))}")


def _read_only(body: bytes) -> Refusal | None:
    """A GraphQL body that is a query: JSON with ``query``, or with the hash of a stored query only."""
    try:
        data = json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return Refusal("a GraphQL request that is not JSON")
    if not isinstance(data, dict) or not isinstance(data.get("query", ""), str):
        return Refusal("a GraphQL request of an unknown shape")
    if _MUTATION.search(data.get("query", "")):
        return Refusal("a GraphQL request that would change something")
    return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; ValueError where a name stands twice in it, of which two readers could take either."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name that comes twice")
    return found


def _is_address(host: str) -> bool:
    """Whether a host is a number in any dress that a resolver takes: dotted, decimal, octal, hexadecimal; IPv6."""
    return ":" in host or host.rsplit(".", 1)[-1].isdigit() or bool(re.fullmatch(r"0x[0-9a-f]*", host.rsplit(".", 1)[-1]))
