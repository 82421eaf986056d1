"""HTTP/1.1 as the gateway speaks it to Plex itself: the bytes of a GET out, the bytes of one answer in. Pure.

Answers are taken strictly (RFC 9112): what could be read in two ways is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MAX_HEAD: Final = 64 * 1024
"""Bytes of a status line and headers; of the lines between chunks, too."""

_HEAD: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n\0]*)?((?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*)*)")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(;[^\r\n\0]*)?")
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_TARGET: Final = re.compile(r"/[!-~]{0,16000}")
_VALUE: Final = re.compile(r"[\t -~\x80-\xff]*")


_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})

_AT_HEAD, _BODY, _ALL, _SIZE, _CHUNKED, _GAP, _TRAILER = range(7)
"""What comes next: the head; so many bytes; whatever comes until the connection ends; a chunk's size, the chunk, its line
end; the trailer. (Plain numbers: looking up an Enum's member takes a call in Python 3.11.)"""


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


class Reader:
    """One answer, as its bytes come; its body at most ``most`` bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._next = _AT_HEAD
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
        if self._next == _AT_HEAD and not self._data and (at := data.find(b"\r\n\r\n", 0, MAX_HEAD)) >= 0:
            self._take_head(data[:at])
            data = data[at + 4 :]
            if self._next == _BODY and self._left == len(data):  # as most are: all of it at once, and nothing after it
                return Answer(self._status, self._headers, data, self._last)
        self._data += data
        while True:
            if self._next == _AT_HEAD:
                head = self._until(b"\r\n\r\n")
                if head is None:
                    if not b"HTTP/1.".startswith(self._data[:7]):
                        raise NotHttp("no status line")
                    return None
                self._take_head(head)
            elif self._next in (_BODY, _CHUNKED, _ALL):
                self._take_body()
                if self._left or self._next == _ALL:
                    return None
                if self._next == _BODY:
                    return self._whole()
                self._next = _GAP
            else:
                line = self._until(b"\r\n")
                if line is None:
                    return None
                if self._next == _TRAILER and not line:
                    return self._whole()
                self._take_line(line)

    def end(self) -> Answer | None:
        """The answer, where the connection's end is its end; None where it was cut off."""
        return self._whole() if self._next == _ALL else None

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
        found = _HEAD.fullmatch(head)
        if not found:
            raise NotHttp("no status line, or no header line")
        headers: dict[str, str] = {}
        for line in found[3].decode("latin-1").split("\r\n")[1:]:
            name, _, value = line.partition(":")
            name, value = name.lower(), value.strip(" \t")
            if name in _FRAMING and headers.get(name, value) != value:
                raise NotHttp("the body's length is said in two ways")
            headers[name] = value
        number = int(found[2])
        if number == 101:
            raise NotHttp("an upgrade that was not asked for")
        if number < 200:
            return  # 100, 103: the answer is yet to come
        self._status, self._headers = number, headers
        self._frame()
        keep = {word.strip() for word in headers["connection"].lower().split(",")} if "connection" in headers else ()
        self._last = self._next == _ALL or "close" in keep or (found[1] == b"0" and "keep-alive" not in keep)

    def _frame(self) -> None:
        """Where the body ends (RFC 9112, 6.3)."""
        length, coding = self._headers.get("content-length"), self._headers.get("transfer-encoding")
        if coding is not None and (length is not None or coding.lower() != "chunked"):
            raise NotHttp("the body's length is said in two ways")
        if self._status in (204, 304):
            self._next = _BODY
        elif coding is not None:
            self._next = _SIZE
        elif length is None:
            self._next = _ALL
        elif not _LENGTH.fullmatch(length):
            raise NotHttp("a length that is no number")
        else:
            self._next, self._left = _BODY, int(length)
            if self._left > self._most:
                raise TooLong

    def _take_body(self) -> None:
        """What has come of the body, or of a chunk of it."""
        size = len(self._data) if self._next == _ALL else min(self._left, len(self._data))
        self._left -= 0 if self._next == _ALL else size
        self._body += self._data[:size]
        del self._data[:size]
        if len(self._body) > self._most:
            raise TooLong

    def _take_line(self, line: bytes) -> None:
        """A line between chunks (RFC 9112, 7.1)."""
        if self._next == _GAP:
            if line:
                raise NotHttp("a chunk that is longer than it says")
            self._next = _SIZE
        elif self._next == _SIZE:
            size = _CHUNK.fullmatch(line)
            if not size:
                raise NotHttp("a chunk without its size")
            self._left = int(size[1], 16)
            self._next = _CHUNKED if self._left else _TRAILER

    def _whole(self) -> Answer:
        return Answer(self._status, self._headers, bytes(self._body), self._last or bool(self._data))
