"""Plex's filter language: what follows ``/library/sections/N/all?``. Pure; the fields' meaning is in ``fields``.

``type=1&sort=titleSort:desc,year&limit=5&push=1&resolution=4k&or=1&resolution=1080&pop=1&and=1&year>>=1990``

Operators stand before the ``=``: none, ``!``, ``=``, ``!=``, ``<``, ``>``, ``<<``, ``>>``; commas separate alternatives;
``push``/``pop`` are parentheses; ``and``/``or`` join, adjacent conditions without a joint are joined by and; and binds
tighter than or. Sources: python-plexapi's library.py and Kometa's plex_search as they go over the wire.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_plus

_OPERATOR = re.compile(r"^([A-Za-z.]+?)(!==|!=|==|<<|>>|!|=|<|>|&)?$")
_OPTIONS = frozenset(
    {
        "type", "sort", "limit", "group", "having", "checkFiles", "skipRefresh", "unique", "clusterZoomLevel", "nocache", "uri",
        "context", "sourceType",
        "asyncAugmentMetadata", "asyncCheckFiles", "asyncRefreshAnalysis", "asyncRefreshLocalMediaAgent",
    }
)  # fmt: skip


class BadQuery(ValueError):
    """The query cannot be read: Plex answers 400."""


@dataclass(frozen=True, slots=True)
class Condition:
    """``field operator value,value``: true where any of the values fits (for negations: where none does)."""

    field: str
    """With its level where given: ``show.label``, ``year``."""
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions and groups that all hold, or any of them."""

    any: bool
    parts: tuple[Condition | Group, ...]


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort key."""

    field: str
    descending: bool = False
    nulls_last: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A listing's query, read."""

    type: int | None
    sort: tuple[Sort, ...]
    limit: int | None
    where: Group
    options: dict[str, str]
    """Everything that is no condition, by name: includeGuids, X-Plex-Container-Size, ..."""

    def flag(self, name: str) -> bool:
        return self.options.get(name, "0") not in ("", "0", "false")


def pairs(raw: str) -> list[tuple[str, str]]:
    """A raw query string cut at ``&`` and the first ``=``, both sides decoded."""
    out = []
    for part in raw.split("&"):
        if part:
            name, _, value = part.partition("=")
            out.append((unquote_plus(name), unquote_plus(value)))
    return out


def parse(raw: str) -> Query:
    """Read a raw query string. BadQuery where parentheses do not match or a number is none."""
    tokens: list[str | Condition] = []
    options: dict[str, str] = {}
    for name, text in pairs(raw):
        if name in ("push", "pop", "and", "or"):
            tokens.append(name)
            continue
        value = text
        if name in _OPTIONS or name.startswith(("include", "exclude", "X-Plex-", "async")):
            options[name] = value
            continue
        if value.startswith("="):  # an operator whose "=" was not encoded: title==x, title!==x
            name, value = name + "=", value[1:]
        match = _OPERATOR.match(name)
        if not match:
            options[name] = value
            continue
        field, operator = match.group(1), match.group(2) or ""
        # Only tags and numbers have alternatives; a title may hold a comma, so the whole text stays an alternative too.
        values = tuple(dict.fromkeys((value, *value.split(",")))) if "," in value else (value,)
        tokens.append(Condition(field, "" if operator == "&" else operator, values))
    sort = tuple(_sort(part) for part in options.get("sort", "").split(",") if part)
    return Query(_number(options, "type"), sort, _number(options, "limit"), _Reader(tokens).whole(), options)


def _number(options: dict[str, str], name: str) -> int | None:
    text = options.get(name, "")
    if not text:
        return None
    if not text.isdecimal():
        raise BadQuery(f"{name} is not a number: {text!r}")
    return int(text)


def _sort(text: str) -> Sort:
    field, _, direction = text.partition(":")
    return Sort(field, direction.startswith("desc"), direction in ("nullsLast", "descnullsLast"))


class _Reader:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[str | Condition]) -> None:
        self.tokens = tokens
        self.at = 0

    def whole(self) -> Group:
        found = self.alternatives()
        if self.at < len(self.tokens):
            raise BadQuery("pop without push")
        return found

    def peek(self) -> str | Condition | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def alternatives(self) -> Group:
        parts: list[Condition | Group] = [self.conjunction()]
        while self.peek() == "or":
            self.at += 1
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 and isinstance(parts[0], Group) else Group(True, tuple(parts))

    def conjunction(self) -> Group:
        parts: list[Condition | Group] = []
        while (token := self.peek()) not in (None, "or", "pop"):
            self.at += 1
            if token == "and":  # noqa: S105 (a word of the filter language)
                continue
            if token == "push":  # noqa: S105 (likewise)
                parts.append(self.alternatives())
                if self.peek() != "pop":
                    raise BadQuery("push without pop")
                self.at += 1
            elif isinstance(token, Condition):
                parts.append(token)
        return Group(False, tuple(parts))
