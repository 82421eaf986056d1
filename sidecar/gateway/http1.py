"""HTTP/1.1 as the gateway speaks it to Plex itself: the bytes of a GET out, the bytes of one answer in. Pure.

Answers are taken strictly (RFC 9112): what could be read in two ways is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

MAX_HEAD: Final = 64 * 1024
"""Bytes of a status line and headers; of the lines between chunks, too."""

_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})( [^\r\n\0]*)?")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(;[^\r\n\0]*)?")
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_TARGET: Final = re.compile(r"/[!-~]{0,16000}")
_VALUE: Final = re.compile(r"[\t -~\x80-\xff]*")


class NotHttp(Exception):
    """What came is no HTTP answer, or one whose end could be read in two ways."""


class TooLong(Exception):
    """The body is over the limit."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Header names in lower case; of repeated ones the last. ``last``: the connection carries no other."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    last: bool


def fields(headers: Mapping[str, str]) -> str:
    """Header lines. ValueError where a value holds what may not stand there."""
    if not all(map(_VALUE.fullmatch, headers.values())):
        raise ValueError("a header that holds what may not stand in one")
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()])


def question(target: str, lines: str) -> bytes:
    """A GET of ``target`` (path and query, encoded) with header ``lines``. ValueError where the target holds what may not stand there."""
    if not _TARGET.fullmatch(target):
        raise ValueError("an address that holds what may not stand in one")
    return f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


class _At(Enum):
    """What comes next."""

    HEAD = auto()
    BODY = auto()
    """So many bytes, and the answer is whole."""
    ALL = auto()
    """Whatever comes until the connection ends."""
    SIZE = auto()
    """The line before a chunk."""
    CHUNK = auto()
    GAP = auto()
    """The line end after a chunk."""
    TRAILER = auto()


class Reader:
    """One answer, as its bytes come; its body at most ``most`` bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._at = _At.HEAD
        self._data = bytearray()
        self._body = bytearray()
        self._left = 0
        self._status = 0
        self._headers: dict[str, str] = {}
        self._last = False
        self.begun = False
        """Whether any of it has come."""

    def feed(self, data: bytes) -> Answer | None:
        """The answer, once it is whole. NotHttp, TooLong."""
        self.begun = True
        self._data += data
        while True:
            if self._at is _At.HEAD:
                head = self._until(b"\r\n\r\n")
                if head is None:
                    if not b"HTTP/1.".startswith(self._data[:7]):
                        raise NotHttp("no status line")
                    return None
                self._take_head(head)
            elif self._at in (_At.BODY, _At.CHUNK, _At.ALL):
                self._take_body()
                if self._left or self._at is _At.ALL:
                    return None
                if self._at is _At.BODY:
                    return self._whole()
                self._at = _At.GAP
            else:
                line = self._until(b"\r\n")
                if line is None:
                    return None
                if self._at is _At.TRAILER and not line:
                    return self._whole()
                self._take_line(line)

    def end(self) -> Answer | None:
        """The answer, where the connection's end is its end; None where it was cut off."""
        return self._whole() if self._at is _At.ALL else None

    def _until(self, mark: bytes) -> bytes | None:
        """What stands before ``mark``, taken out with it; None where that is yet to come."""
        at = self._data.find(mark, 0, MAX_HEAD)
        if at < 0:
            if len(self._data) >= MAX_HEAD:
                raise NotHttp("a head or a line that does not end")
            return None
        found = bytes(self._data[:at])
        del self._data[: at + len(mark)]
        return found

    def _take_head(self, head: bytes) -> None:
        first, *lines = head.split(b"\r\n")
        status = _STATUS.fullmatch(first)
        if not status:
            raise NotHttp("no status line")
        headers: dict[str, str] = {}
        for line in lines:
            field = _FIELD.fullmatch(line)
            if not field:
                raise NotHttp("no header line")
            name, value = field[1].decode("ascii").lower(), field[2].decode("latin-1")
            if name in ("content-length", "transfer-encoding") and headers.get(name, value) != value:
                raise NotHttp("the body's length is said in two ways")
            headers[name] = value
        number = int(status[2])
        if number == 101:
            raise NotHttp("an upgrade that was not asked for")
        if number < 200:
            return  # 100, 103: the answer is yet to come
        self._status, self._headers = number, headers
        self._frame()
        keep = {word.strip() for word in headers.get("connection", "").lower().split(",")}
        self._last = self._at is _At.ALL or "close" in keep or (status[1] == b"0" and "keep-alive" not in keep)

    def _frame(self) -> None:
        """Where the body ends (RFC 9112, 6.3)."""
        length, coding = self._headers.get("content-length"), self._headers.get("transfer-encoding")
        if coding is not None and (length is not None or coding.lower() != "chunked"):
            raise NotHttp("the body's length is said in two ways")
        if self._status in (204, 304):
            self._at = _At.BODY
        elif coding is not None:
            self._at = _At.SIZE
        elif length is None:
            self._at = _At.ALL
        elif not _LENGTH.fullmatch(length):
            raise NotHttp("a length that is no number")
        else:
            self._at, self._left = _At.BODY, int(length)
            if self._left > self._most:
                raise TooLong

    def _take_body(self) -> None:
        """What has come of the body, or of a chunk of it."""
        size = len(self._data) if self._at is _At.ALL else min(self._left, len(self._data))
        self._left -= 0 if self._at is _At.ALL else size
        self._body += self._data[:size]
        del self._data[:size]
        if len(self._body) > self._most:
            raise TooLong

    def _take_line(self, line: bytes) -> None:
        """A line between chunks (RFC 9112, 7.1)."""
        if self._at is _At.GAP:
            if line:
                raise NotHttp("a chunk that is longer than it says")
            self._at = _At.SIZE
        elif self._at is _At.SIZE:
            size = _CHUNK.fullmatch(line)
            if not size:
                raise NotHttp("a chunk without its size")
            self._left = int(size[1], 16)
            self._at = _At.CHUNK if self._left else _At.TRAILER

    def _whole(self) -> Answer:
        return Answer(self._status, self._headers, bytes(self._body), self._last or bool(self._data))
