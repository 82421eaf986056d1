"""Which requests to other hosts than Plex may leave, and which addresses a name may stand for. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

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

_HOST: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_MUTATION: Final = re.compile(r"\b(mutation|subscription)\b")
MAX_TARGET: Final = 16_000


@dataclass(frozen=True, slots=True)
class Origin:
    """``scheme://host:port``, the host in lower case."""

    scheme: str
    host: str
    port: int

    @property
    def default_port(self) -> bool:
        return self.port == _DEFAULT_PORTS[self.scheme]

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}" if self.default_port else f"{self.scheme}://{self.host}:{self.port}"


def parse_origin(text: str) -> Origin | Refusal:
    """The origin that a bridge names. Refused where it is anything but scheme, host and port."""
    if not re.fullmatch(r"[!-~]{1,300}", text):  # urlsplit silently drops tabs and line ends
        return Refusal("the origin is no web address")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return Refusal("the origin is no web address")
    host = (parts.hostname or "").lower().rstrip(".")
    if parts.scheme not in _DEFAULT_PORTS or parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        return Refusal("the origin is no web address")
    if not _HOST.fullmatch(host):
        return Refusal("only hosts with a plain name can be asked")
    return Origin(parts.scheme, host, _DEFAULT_PORTS[parts.scheme] if port is None else port)


def admit(method: str, origin: Origin, target: str, body: bytes, hosts: Collection[str], mapped: Collection[str]) -> Refusal | None:
    """Why a request to another host may not leave, or None. ``mapped`` hosts are answered elsewhere and may stand on any port."""
    host = origin.host
    if any(host == name or host.endswith("." + name) for name in NEVER):
        return Refusal(f"{host} is never asked: it holds account state")
    if _is_address(host):
        return Refusal("addresses in numbers are never asked, only names")
    if host not in hosts and host not in ALWAYS:
        return Refusal(f"{host} belongs to no connector or overlay file of this config")
    if not origin.default_port and host not in mapped:
        return Refusal(f"{host} is asked on a port of its own, which is not allowed")
    path = target.partition("?")[0]
    if not target.startswith("/") or not target.isascii() or len(target) > MAX_TARGET or re.search(r"[\x00-\x20\x7f\\#]", target):
        return Refusal("the address is not one that can be asked")
    if any(part in (".", "..") for part in unquote(unquote(path)).split("/")):
        return Refusal("the path has a dot segment")
    if method == "GET":
        return None
    if method == "POST" and path in READ_BY_POST.get(host, ()):
        return _read_only(body)
    if method == "POST" and host == "api.trakt.tv" and path == "/oauth/token":
        return Refusal("a new Trakt token would make the one in config.yml useless")
    return Refusal(f"{method} to {host} could change something there")


def _read_only(body: bytes) -> Refusal | None:
    """A GraphQL body that is a query: JSON with ``query``, or with the hash of a stored query only."""
    try:
        data = json.loads(body)
    except ValueError:
        return Refusal("a GraphQL request that is not JSON")
    if not isinstance(data, dict) or not isinstance(data.get("query", ""), str):
        return Refusal("a GraphQL request of an unknown shape")
    if _MUTATION.search(data.get("query", "")):
        return Refusal("a GraphQL request that would change something")
    return None


def _is_address(host: str) -> bool:
    """Whether a host is a number in any dress that a resolver takes: dotted, decimal, octal, hexadecimal."""
    return host.rsplit(".", 1)[-1].isdigit() or bool(re.fullmatch(r"0x[0-9a-f]*", host.rsplit(".", 1)[-1]))
