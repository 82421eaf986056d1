"""What the demo's servers saw and what it did to them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import parse_qsl


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came. ``target`` is the raw path and query, undecoded, tokens and all."""

    method: str
    target: str
    headers: Mapping[str, str]
    """Names in lower case; of repeated headers the last."""
    size: int = 0
    """Bytes of the body."""
    sha256: str = ""
    """Of the body, empty where there was none."""
    at: float = field(default_factory=time.time)

    @property
    def path(self) -> str:
        """The raw path."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The raw query."""
        return self.target.partition("?")[2]

    @property
    def params(self) -> dict[str, str]:
        """The query, decoded; of repeated names the last."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def is_write(self) -> bool:
        return self.method not in ("GET", "HEAD")

    def __str__(self) -> str:
        return f"{self.method} {self.target}"


@dataclass(frozen=True, slots=True)
class Mutation:
    """A request that changed the server's state, made it work, or told what it should not."""

    kind: str
    """scrobble, rate, refresh, edit, upload, delete, leak, ..."""
    target: str
    """A rating key, a section, a setting; empty where there is none."""
    detail: str
    method: str
    path: str
    at: float = field(default_factory=time.time)

    def __str__(self) -> str:
        return f"{self.kind} {self.target} ({self.detail}) by {self.method} {self.path}".replace("  ", " ")


def note(method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Request:
    """Record a request; ``body`` is only measured and hashed."""
    digest = hashlib.sha256(body).hexdigest() if body else ""
    return Request(method, target, MappingProxyType({name.lower(): value for name, value in headers.items()}), len(body), digest)
