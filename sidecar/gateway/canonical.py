"""What a request says, in one form only: raw request line and headers in, ``Canonical`` or ``Refusal`` out. Pure.

Everything after this module judges and sends the canonical form; the raw string goes no further. So what is judged
and what is sent cannot differ: segments and query pairs are decoded once here and encoded once in ``target``.

Refused rather than repaired: whatever two parsers could read in two ways (dot segments, encoded slashes, double
encodings, ``;``, backslashes, absolute form, bodies on GET, doubled headers, upgrades).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final
from urllib.parse import quote, unquote_to_bytes

MAX_TARGET: Final = 8000
"""Bytes of path and query; Kometa's longest are about 2,000."""

METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})

_SEGMENT_SAFE: Final = "-._~:,@"
"""Beside letters and digits, left as they are in a path segment (RFC 3986, 3.3): ``:`` of ``/:/prefs``, ``,`` of lists."""
_QUERY_SAFE: Final = "-._~"
_BAD_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PERCENT: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_FORBIDDEN_IN_PATH: Final = re.compile(r"[/\\;%?#]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PLAIN_SEGMENT: Final = re.compile(r"[A-Za-z0-9_~:,@-]+")
_PLAIN_TEXT: Final = re.compile(r"[A-Za-z0-9._~-]*")
"""What is the same encoded and decoded (no dots in a segment: they are looked at): most of what is asked."""
_OVERRIDE: Final = frozenset({b"x-http-method-override", b"x-http-method", b"x-method-override", b"x-original-url", b"x-rewrite-url"})
_SINGLE: Final = frozenset(
    {
        b"host",
        b"content-length",
        b"content-type",
        b"transfer-encoding",
        b"authorization",
        b"x-plex-token",
        b"x-plex-container-start",
        b"x-plex-container-size",
        b"x-sidecar-origin",
        b"x-sidecar-grant",
    }
)
"""Headers whose repetition would let two readers pick different ones."""
_WEIGHED: Final = _OVERRIDE | {
    b"upgrade",
    b"connection",
    b"http2-settings",
    b"expect",
    b"trailer",
    b"content-encoding",
    b"transfer-encoding",
    b"content-length",
}
"""Headers that can be a reason for refusal by themselves or by their value."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not let through. ``reason`` is for people and holds nothing of the request's own text."""

    reason: str
    status: int = 403


@dataclass(frozen=True)
class Canonical:
    """A request in its one form: decoded path segments and query pairs, in order.

    ``/`` has no segments. A pair without ``=`` in the raw query has the value ``""``: Plex reads both alike.
    """

    method: str
    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...] = ()

    @property
    def path(self) -> str:
        """Encoded path, always beginning with ``/``."""
        return "/" + "/".join(
            segment if _PLAIN_SEGMENT.fullmatch(segment) else quote(segment, safe=_SEGMENT_SAFE) for segment in self.segments
        )

    @property
    def query_string(self) -> str:
        """Encoded query, without ``?``."""
        return "&".join(f"{_quoted(key)}={_quoted(value)}" for key, value in self.query)

    @cached_property
    def target(self) -> str:
        """Path and query as they go on the wire."""
        query = self.query_string
        return f"{self.path}?{query}" if query else self.path

    def without(self, *keys: str) -> Canonical:
        """The same request without these query keys."""
        return replace(self, query=tuple(pair for pair in self.query if pair[0] not in keys))

    def values(self, key: str) -> list[str]:
        """Every value of a query key, in order."""
        return [value for name, value in self.query if name == key]


def canonicalise(method: str, target: str) -> Canonical | Refusal:
    """The canonical form of a request line's method and target (origin form, as it came: no decoding done yet)."""
    if method not in METHODS:
        return Refusal("this method is not known here")
    if len(target) > MAX_TARGET:
        return Refusal("the address is too long", 414)
    if not target.isascii() or _CONTROL.search(target) or " " in target:
        return Refusal("the address holds characters that must be encoded")
    if not target.startswith("/"):
        return Refusal("only a path on this server is accepted, not a whole address")
    if "#" in target:
        return Refusal("the address holds a fragment")
    if _BAD_PERCENT.search(target):
        return Refusal("the address is wrongly encoded")
    path, _, query = target.partition("?")
    segments = _segments(path)
    if isinstance(segments, Refusal):
        return segments
    pairs = _pairs(query)
    if isinstance(pairs, Refusal):
        return pairs
    return Canonical(method, segments, pairs)


def _quoted(text: str) -> str:
    return text if _PLAIN_TEXT.fullmatch(text) else quote(text, safe=_QUERY_SAFE)


def _decode(text: str) -> str | None:
    """Percent-decoded once; None where that is not UTF-8 or holds control characters."""
    try:
        decoded = unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(decoded) else decoded


def _segments(path: str) -> tuple[str, ...] | Refusal:
    if path == "/":
        return ()
    segments = []
    for raw in path[1:].split("/"):
        if _PLAIN_SEGMENT.fullmatch(raw):
            segments.append(raw)
            continue
        segment = _decode(raw)
        if segment is None:
            return Refusal("the path holds control characters or is not UTF-8")
        if segment == "":
            return Refusal("the path has an empty part (`//` or a slash at its end)")
        if segment in (".", "..") or (set(segment) == {"."}):
            return Refusal("the path has a dot segment")
        if _FORBIDDEN_IN_PATH.search(segment):
            return Refusal("the path holds a separator in disguise (`;`, a backslash, an encoded slash, a double encoding)")
        segments.append(segment)
    return tuple(segments)


def _pairs(query: str) -> tuple[tuple[str, str], ...] | Refusal:
    if ";" in query or "\\" in query:
        return Refusal("the query holds a separator in disguise (`;` or a backslash)")
    pairs = []
    for raw in filter(None, query.split("&")):
        raw_key, _, raw_value = raw.partition("=")
        if raw_key and _PLAIN_TEXT.fullmatch(raw_key) and _PLAIN_TEXT.fullmatch(raw_value):
            pairs.append((raw_key, raw_value))
            continue
        key, value = _decode(raw_key.replace("+", " ")), _decode(raw_value.replace("+", " "))
        if key is None or value is None:
            return Refusal("the query holds control characters or is not UTF-8")
        if not key:
            return Refusal("the query has a value without a name")
        if _PERCENT.search(key) or any(mark in key for mark in "/\\;&?#"):
            return Refusal("the query has a name in disguise")
        pairs.append((key, value))
    return tuple(pairs)


def refuse_framing(method: str, version: tuple[int, int], headers: Iterable[tuple[bytes, bytes]]) -> Refusal | None:
    """Why the request's framing and headers are not accepted, or None.

    HTTP/1.1 only: 0.9 has no headers to carry a grant, and a request line that says 2.0 is somebody's trick.
    RFC 9112, 6.1: Content-Length beside Transfer-Encoding is how requests are smuggled.
    """
    if version != (1, 1):
        return Refusal("only HTTP/1.1 is spoken here", 505)
    seen: dict[bytes, bytes] = {}
    for raw_name, value in headers:
        name = raw_name.lower()
        if name in seen and name in _SINGLE:
            return Refusal(f"the header {name.decode()} comes twice")
        seen[name] = value
    if _WEIGHED.isdisjoint(seen):
        return None  # as most are: none of the headers that are looked at below
    if _OVERRIDE & seen.keys():
        return Refusal("a header asks for another method or address than the request line")
    if b"upgrade" in seen or b"upgrade" in seen.get(b"connection", b"").lower() or b"http2-settings" in seen:
        return Refusal("upgrades (websockets, HTTP/2) are not for renderers")
    if b"expect" in seen:
        return Refusal("Expect is not supported", 417)
    if b"trailer" in seen or b"content-encoding" in seen:
        return Refusal("trailers and encoded bodies are not supported")
    if b"transfer-encoding" in seen and (b"content-length" in seen or seen[b"transfer-encoding"].strip().lower() != b"chunked"):
        return Refusal("the body's length is said in two ways")
    if method not in ("POST", "PUT", "PATCH") and (b"transfer-encoding" in seen or seen.get(b"content-length", b"0").strip() != b"0"):
        return Refusal(f"a {method if method in METHODS else 'read'} with a body")
    return None
