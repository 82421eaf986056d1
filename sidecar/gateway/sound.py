"""Whether XML is sound, told in half of expat's time where it is written as Plex writes it.

Plex's answers are tags with double-quoted attributes and white space between them, and of the same few kinds of tags. So
a document is taken apart at its quotes: values on one side, markup on the other. A tag without its values is judged once
and known from then on. Only "yes" is an answer (XML 1.0: 2.4, 3, 3.1); whatever is written otherwise is for a real parser.
"""

from __future__ import annotations

import re
from typing import Final

LARGEST: Final = 1024 * 1024
"""Bytes of a document that is looked at here: its parts take some ten times as many."""
MOST: Final = 4_000
"""Tags known at a time..."""
LONGEST: Final = 4_000
"""...each of at most so many bytes; memory is bounded by both. A stream's tag has about 500."""

_DECLARATION: Final = re.compile(rb'(?:<\?xml version="1\.0" encoding="(?:utf|UTF)-8" ?\?>[ \t\r\n]*)?(?=<)')
_OPENING: Final = re.compile(rb'([A-Za-z_][A-Za-z0-9_.-]*)((?:[ \t\r\n]+[A-Za-z_][A-Za-z0-9_.-]*=")*)[ \t\r\n]*(/?)>[ \t\r\n]*')
"""What stands behind a ``<``, of each value only the opening quote."""
_CLOSING: Final = re.compile(rb"(/[A-Za-z_][A-Za-z0-9_.-]*)[ \t\r\n]*>[ \t\r\n]*")
_REFERENCE: Final = re.compile(rb"&(?:amp|lt|gt|quot|apos|#(?:9|10|13|3[2-9]|[4-9][0-9]|1[01][0-9]|12[0-6]));")
_PLAIN: Final = bytes(set(range(0x20, 0x100)) - set(b"<&") | set(b"\t\r\n"))
"""Bytes that may stand in a value as they are, where they are UTF-8. (No value holds a quote: they were parted there.)"""
_NO_CHARACTERS: Final = (b"\xef\xbf\xbe", b"\xef\xbf\xbf")
"""U+FFFE and U+FFFF: UTF-8, but not XML."""


class Tags:
    """The kinds of tags that were met."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = {}

    def sound(self, data: bytes) -> bool:
        """Whether ``data`` is certainly well-formed XML in UTF-8, of one root element and without a document type."""
        begun = _DECLARATION.match(data)
        if begun is None or len(data) > LARGEST:
            return False
        parts = data[begun.end() :].split(b'"')
        if len(parts) % 2 == 0:
            return False
        return self._nested(b'"'.join(parts[::2]).split(b"<")) and _are_values(b'"'.join(parts[1::2]))

    def _nested(self, tags: list[bytes]) -> bool:
        """Whether these make up one element. ``tags``: what stands behind each ``<``, the first before the first."""
        within: list[bytes] = []
        known = self._known
        last = len(tags) - 1
        for at in range(1, len(tags)):
            tag = tags[at]
            kind = known.get(tag)
            if kind is None and (kind := self._learn(tag)) is None:
                return False
            if kind[:1] == b"/":
                if not within or within.pop() != kind[1:]:
                    return False
            elif kind:
                within.append(kind)
            if not within and at != last:
                return False
        return not within

    def _learn(self, tag: bytes) -> bytes | None:
        """``name`` of a tag that opens, ``/name`` of one that closes, nothing of one that does both; None where it is not plain."""
        kind: bytes | None = None
        if opening := _OPENING.fullmatch(tag):
            names = [part.rpartition(b"=")[0].lstrip() for part in opening[2].split(b'"')[:-1]]
            if len(set(names)) == len(names):
                kind = b"" if opening[3] else opening[1]
        elif closing := _CLOSING.fullmatch(tag):
            kind = closing[1]
        if kind is not None and len(self._known) < MOST and len(tag) <= LONGEST:
            self._known[tag] = kind
        return kind


def _are_values(values: bytes) -> bool:
    """Whether these, each beside the next with a quote between them, can stand in attributes."""
    if not values.isascii():
        try:
            values.decode("utf-8")
        except UnicodeDecodeError:
            return False
        if any(none in values for none in _NO_CHARACTERS):
            return False
    odd = values.translate(None, _PLAIN)
    return not odd or (not odd.strip(b"&") and len(_REFERENCE.findall(values)) == len(odd))
