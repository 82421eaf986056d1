"""Remembers what the gateway answered in an earlier render of the same shard, while it is known that Plex has not changed.

The sidecar gives each shard a word (``plex``): it is the same again only while nothing changed on the servers, and the shard may see
the same items of them. The gateway says of each answer for how many seconds it may be kept (``KEEP_HEADER``); one without that is
not kept. A read with the same word, address and headers is then answered here. Writes, pictures and other hosts always go to the
gateway. What a child learns goes to the parent with its report, so that the next children have it by fork; nothing is kept on disk.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

MOST = 32 * 1024 * 1024
"""Characters of answers kept in the parent; words not used for longest go."""
LONGEST = 256 * 1024
"""Bytes of one answer."""
AT_ONCE = 2 * 1024 * 1024
"""Characters told in one message."""


class Answer(NamedTuple):
    """A kept answer of status 200."""

    until: float
    """Of the machine's monotonic clock."""
    media_type: str
    text: str


class Answers:
    """The parent's, and by fork each child's."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._size = 0
        self._kept: OrderedDict[str, dict[str, Answer]] = OrderedDict()
        self._word = ""
        self._new: dict[str, Answer] = {}
        self.on = False

    # ── in the parent ────────────────────────────────────────────────────────────────────────────────────

    def learn(self, word: object, answers: object) -> None:
        """Take in what a child tells. Anything malformed is left out."""
        if not isinstance(word, str) or not word or not isinstance(answers, dict):
            return
        kept = self._kept.setdefault(word, {})
        self._kept.move_to_end(word)
        for key, value in answers.items():
            if isinstance(value, list) and len(value) == 3 and isinstance(value[0], float) and all(isinstance(v, str) for v in value[1:]):
                before = kept.get(key)
                growth = len(value[2]) - (len(before.text) if before else 0)
                if len(self._kept) == 1 and self._size + growth > self._most:
                    continue  # there is nothing older that could go
                kept[key] = Answer(*value)
                self._size += growth
        while self._size > self._most and len(self._kept) > 1:
            _, old = self._kept.popitem(last=False)
            self._size -= sum(len(answer.text) for answer in old.values())

    # ── in a child ───────────────────────────────────────────────────────────────────────────────────────

    def begin(self, word: str) -> None:
        """Answer reads under ``word``; an empty one keeps nothing."""
        self._word = word if self.on else ""

    def key(self, method: str, url: str, headers: Mapping[str, Any], secret: str) -> str | None:
        """The place of an answer; None for what is never kept. ``secret`` is the run's, and counts for nothing."""
        if not self._word or method != "GET":
            return None
        parts = [url, *sorted(f"{name.lower()}:{value!r}" for name, value in headers.items())]
        return hashlib.sha256("\n".join(parts).replace(secret, "").encode("utf-8", "surrogatepass")).hexdigest()

    def find(self, key: str) -> Answer | None:
        """What is kept under ``key`` and still holds."""
        known = self._new.get(key) or self._kept.get(self._word, {}).get(key)
        return known if known and known.until > time.monotonic() else None

    def keep(self, key: str, seconds: str, media_type: str, data: bytes) -> None:
        """Keep an answer for as long as the gateway said. Anything odd is not kept."""
        try:
            age, text = float(seconds), data.decode()
        except ValueError:
            return
        if age > 0 and len(data) <= LONGEST:
            self._new[key] = Answer(time.monotonic() + age, media_type, text)

    def news(self) -> Iterator[dict[str, Any]]:
        """What this child learnt, as messages for the parent."""
        part: dict[str, Answer] = {}
        size = 0
        for key, answer in self._new.items():
            part[key] = answer
            size += len(answer.text)
            if size > AT_ONCE:
                yield {"word": self._word, "answers": part}
                part, size = {}, 0
        if part:
            yield {"word": self._word, "answers": part}
