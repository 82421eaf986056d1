"""A request to the demo's Plex, read, and an answer to it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from sidecar.demo.plex.query import pairs


class Refused(Exception):
    """Answers with an HTTP error. ``status`` and words for people."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class Call:
    """A request. ``segments`` of the path are decoded, with dots resolved and empty ones gone: the demo reads as leniently as
    any server might, so that whatever slips past a gateway has its effect here.
    """

    method: str
    segments: tuple[str, ...]
    query: str
    """Raw."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""
    params: Mapping[str, str] = field(default_factory=dict)
    """Decoded; of repeated names the last."""

    @property
    def path(self) -> str:
        return "/" + "/".join(self.segments)

    @property
    def lower(self) -> tuple[str, ...]:
        return tuple(segment.lower() for segment in self.segments)

    def on(self, name: str) -> bool:
        """Is a switch of the query set?"""
        return self.params.get(name, "0").lower() not in ("", "0", "false")

    def window(self) -> tuple[int, int | None]:
        """Start and size of the page asked for; size None for everything."""
        texts = [
            self.params.get(name) or self.headers.get(name.lower(), "") for name in ("X-Plex-Container-Start", "X-Plex-Container-Size")
        ]
        start, size = (int(text) if text.isdecimal() else None for text in texts)
        return start or 0, size


def read(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Call:
    """A request from its raw target."""
    path, _, query = target.partition("?")
    if "://" in path:  # absolute form
        path = "/" + path.partition("://")[2].partition("/")[2]
    segments: list[str] = []
    for part in unquote(path).replace("\\", "/").split("/"):
        word = part.partition(";")[0]
        if word == "..":
            del segments[-1:]
        elif word not in ("", "."):
            segments.append(word)
    params = dict(pairs(query))
    method = headers.get("x-http-method-override") or headers.get("x-method-override") or params.get("_method") or method
    return Call(method.upper(), tuple(segments), query, headers, body, params)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    body: bytes = b""
    media_type: str = "text/xml;charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def text(body: str, status: int = 200) -> Answer:
    """An XML answer."""
    return Answer(body.encode("utf-8"), status=status)


def error(status: int, words: str) -> Answer:
    """An error page as Plex sends it."""
    page = f"<html><head><title>{words}</title></head><body><h1>{status} {words}</h1></body></html>"
    return Answer(page.encode("utf-8"), "text/html", status)
