"""Which items an overlay is for: ``plex_all``, ``plex_search`` and ``filters`` compiled into predicates. Pure; only stdlib.

Compiling refuses or passes (Refused, Beyond) before any item is seen, as Kometa does; the predicates never fail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sidecar.engine.draft import match, subset
from sidecar.engine.draft.facts import Facts
from sidecar.engine.draft.spec import Beyond, Refused

Predicate = Callable[[Facts], bool]

_ALIASES = {
    "actors": "actor", "role": "actor", "roles": "actor", "collections": "collection", "content_ratings": "content_rating",
    "contentrating": "content_rating", "contentratings": "content_rating", "countries": "country", "directors": "director",
    "genres": "genre", "labels": "label", "producers": "producer", "writers": "writer", "years": "year", "studios": "studio",
    "rating": "critic_rating", "video_resolution": "resolution", "originally_available": "release", "released": "release",
    "play": "plays",
}  # fmt: skip
_MODIFIERS = {".greater": ".gt", ".less": ".lt"}
_ANY_OF = frozenset(
    {"title", "studio", "actor", "collection", "content_rating", "country", "director", "genre", "label", "producer", "writer",
     "resolution", "year", "episode_title", "episode_year"}
)  # fmt: skip
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass
class Compiler:
    """Compiles the conditions of one definition. ``doubts`` collects values that Kometa checks against the whole library."""

    library: str
    """movie or show."""
    level: str
    now: datetime
    """Naive local time, as Kometa takes it."""
    doubts: list[tuple[str, str]] = field(default_factory=list)
    """(condition, value): Kometa refuses the overlay where no item of the library has the value; the draft sees targets only."""

    def filters(self, given: object) -> Predicate:
        """``filters:``: all conditions of a mapping; any mapping of a list."""
        groups = []
        for entry in given if isinstance(given, list) else [given]:
            if not isinstance(entry, Mapping):
                raise Refused("filters", "it must be a mapping of filters, or a list of such")
            conditions = dict(entry)
            validate = _validate(conditions)
            group = [self._filter(str(key), value, validate) for key, value in conditions.items()]
            if group:
                groups.append(group)
        if not groups:
            return lambda _: True
        return lambda facts: any(all(meets(facts) for meets in group) for group in groups)

    def search(self, given: object) -> Predicate:
        """``plex_search:``: one mapping, or a list of which any finds the item."""
        searches = [self._one_search(entry) for entry in (given if isinstance(given, list) else [given])]
        return lambda facts: any(meets(facts) for meets in searches)

    def _one_search(self, entry: object) -> Predicate:
        if not isinstance(entry, Mapping) or not entry:
            raise Refused("plex_search", "it must be a mapping with 'any' or 'all'")
        keys = {str(key).lower(): key for key in entry}
        if "limit" in keys and str(entry[keys["limit"]]).lower() != "all":
            raise Beyond("plex_search.limit", "the draft sees the targets only, not the library's order")
        if "type" in keys:
            raise Beyond("plex_search.type")
        if "any" in keys and "all" in keys:
            raise Refused("plex_search", "it cannot have both 'any' and 'all'")
        validate = _validate({"validate": entry[keys["validate"]]}) if "validate" in keys else True
        for base in ("all", "any"):
            if base in keys:
                inner = entry[keys[base]]
                if not isinstance(inner, Mapping) or not inner:
                    raise Refused(f"plex_search.{base}", "it must be a mapping of searches")
                return self._group(inner, base == "all", validate)
        parts: list[Predicate] = []
        for key, original in keys.items():
            if key in ("limit", "sort_by", "validate"):
                continue
            name, modifier = _split(key)
            # Without a base all searches must hold; of several values of these any, unless the search ends in .and.
            every = modifier != "" or name not in _ANY_OF
            parts.append(self._search(name if modifier == ".and" else key, entry[original], every, validate))
        if not parts:
            raise Refused("plex_search", "it needs 'any' or 'all'")
        return lambda facts: all(meets(facts) for meets in parts)

    def _group(self, given: Mapping[object, object], every: bool, validate: bool) -> Predicate:
        join = all if every else any
        parts: list[Predicate] = []
        for key, value in given.items():
            name, _ = _split(str(key))
            if name in ("any", "all"):
                for entry in value if isinstance(value, list) else [value]:
                    if not isinstance(entry, Mapping) or not entry:
                        raise Refused(f"plex_search.{key}", "it must be a mapping of searches, or a list of such")
                    parts.append(self._group(entry, name == "all", validate))
            else:
                parts.append(self._search(str(key), value, every, validate))
        return lambda facts: join(meets(facts) for meets in parts)

    def _search(self, key: str, value: object, every: bool, validate: bool) -> Predicate:
        name, modifier = _split(key)
        if name not in subset.SEARCHES or modifier not in subset.SEARCHES[name][2]:
            raise Beyond(f"plex_search.{key}")
        kind, whose, _ = subset.SEARCHES[name]
        if (whose == "movie") != (self.library == "movie") and whose in ("movie", "season", "own episode"):
            raise Refused(f"plex_search.{key}", f"it does not work in {self.library} libraries")
        own, look = self._look(name, whose)
        if value is None or value == "" or value == []:
            raise Refused(f"plex_search.{key}", "it is blank")
        if modifier == ".rated":
            rated = _flag(key, value)
            return lambda facts: (match.number_of(own, look(facts)) is not None) == rated
        if kind == "bool":
            wanted = _flag(key, value)
            return lambda facts: match.flag_of(own, look(facts)) == wanted
        if kind in ("tag", "string"):
            return self._words(own, kind, modifier, _words(value, split=kind == "tag"), every, look, validate)
        if kind == "date":
            when = _when(key, modifier, value, units=True)
            return lambda facts: match.match_date(match.date_of(own, look(facts)), modifier, when, self.now)
        if kind == "year" and modifier in ("", ".not"):
            years = [self._year(key, word) for word in _words(value, split=True)]
            join = all if every else any
            return lambda facts: join((match.number_of(own, look(facts)) == year) != (modifier == ".not") for year in years)
        number = self._year(key, value) if kind == "year" else _float(key, value, None if own == "duration" else 10)
        return lambda facts: match.match_number(match.number_of(own, look(facts)), modifier, number)

    def _words(
        self, name: str, kind: str, modifier: str, words: Sequence[str], every: bool, look: Callable[[Facts], Facts], validate: bool
    ) -> Predicate:
        """Every value is a search of its own, joined by the group's ``any`` or ``all``."""
        join = all if every else any
        if kind == "string":
            return lambda facts: join(match.match_strings(match.strings_of(name, look(facts)), modifier, [word]) for word in words)
        wanted = self._tags(f"plex_search.{name}", name, modifier, words, validate)
        return lambda facts: join((word in match.tags_of(name, look(facts))) != (modifier == ".not") for word in wanted)

    def _look(self, name: str, whose: str) -> tuple[str, Callable[[Facts], Facts]]:
        """The property's own name, and how to get from an item to whom Plex asks for it."""
        if self.library == "movie" or whose == "movie":
            return name, lambda facts: facts
        if whose == "show":
            return name, lambda facts: facts.show or facts
        if whose == "season":
            if self.level == "show":
                raise Beyond(f"plex_search.{name}", "it asks every season")
            return name.removeprefix("season_"), lambda facts: facts.season or facts
        if self.level != "episode":
            raise Beyond(f"plex_search.{name}", "it asks every episode")
        return (name.removeprefix("episode_") if whose == "own episode" else name), lambda facts: facts

    def _filter(self, key: str, value: object, validate: bool) -> Predicate:
        name, modifier = _split(key)
        if name not in subset.FILTERS:
            raise Beyond(f"filters.{key}")
        kind, levels, modifiers = subset.FILTERS[name]
        if self.level not in levels:
            raise Beyond(f"filters.{key}", f"at the level {self.level}")
        if modifier not in modifiers:
            raise Beyond(f"filters.{key}")
        if value is None:
            raise Refused(f"filters.{key}", "it is blank")
        if kind == "bool":
            wanted = _flag(key, value)
            return lambda facts: match.flag_of(name, facts) == wanted
        if kind == "string":
            words = _words(value, split=False)
            if modifier == ".regex":
                _compiles(key, words)
            return lambda facts: match.match_strings(match.strings_of(name, facts), modifier, words)
        if kind == "tag":
            tags = set(self._tags(f"filters.{name}", name, modifier, _words(value, split=True), validate))
            return lambda facts: bool(tags.intersection(match.tags_of(name, facts))) != (modifier == ".not")
        if kind == "date":
            when = _when(key, modifier, value, units=False)
            return lambda facts: match.match_date(match.date_of(name, facts), modifier, when, self.now)
        if kind == "year" and modifier in ("", ".not"):
            years = {self._year(key, word) for word in _words(value, split=True)}
            return lambda facts: (match.number_of("year", facts) in years) != (modifier == ".not")
        if kind == "year":
            number: float = self._year(key, value)
        elif kind == "number":
            number = _whole(key, value)
        else:
            number = _float(key, value, None if name == "duration" else 10)
        return lambda facts: match.match_number(match.number_of(name, facts), modifier, number)

    def _tags(self, where: str, name: str, modifier: str, words: Sequence[str], validate: bool) -> list[str]:
        if validate and (modifier == ".not" or len(words) > 1):
            self.doubts.extend((where, word) for word in words)
        return [match.resolution(word) if name == "resolution" else word.lower() for word in words]

    def _year(self, key: str, value: object) -> int:
        text = str(value).strip()
        if text.startswith("current_year"):
            _, _, back = text.partition("-")
            return self.now.year - (_whole(key, back) if back else 0)
        return _whole(key, text)


def _split(key: str) -> tuple[str, str]:
    """``label.not`` -> (label, .not), by Kometa's other names too."""
    name, dot, modifier = key.lower().rpartition(".")
    if not dot:
        name, modifier = modifier, ""
    name = _ALIASES.get(name, name)
    full = f".{modifier}" if modifier else ""
    full = _MODIFIERS.get(full, full)
    if name in ("release", "added", "episode_air_date", "episode_added"):
        full = {".gt": ".after", ".gte": ".after", ".lt": ".before", ".lte": ".before"}.get(full, full)
    return name, full


def _validate(conditions: dict[object, object]) -> bool:
    validate = conditions.pop("validate", True)
    if not isinstance(validate, bool):
        raise Refused("validate", "it must be true or false")
    return validate


def _words(value: object, *, split: bool) -> list[str]:
    """A list, or a text cut at commas."""
    if isinstance(value, Mapping):
        raise Refused("filters", "a value, or a list of values, is wanted")
    if isinstance(value, list):
        return [str(word).strip() for word in value]
    return [word.strip() for word in str(value).split(",")] if split else [str(value).strip()]


def _flag(key: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value > 0
    if str(value).lower() in ("t", "true", "y", "yes"):
        return True
    if str(value).lower() in ("f", "false", "n", "no"):
        return False
    raise Refused(key, f"'{value}' must be true or false")


def _whole(key: str, value: object) -> int:
    try:
        number = int(str(value))
    except ValueError:
        number = -1
    if number < 0:
        raise Refused(key, f"'{value}' must be a whole number, 0 or greater")
    return number


def _float(key: str, value: object, highest: float | None) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = -1
    if not (number >= 0 and (highest is None or number <= highest)):
        raise Refused(key, f"'{value}' must be a number {'of 0 or greater' if highest is None else f'from 0 to {highest}'}")
    return number


def _when(key: str, modifier: str, value: object, *, units: bool) -> datetime | timedelta:
    text = str(value).strip()
    if modifier in (".before", ".after"):
        for pattern in ("%Y-%m-%d", "%m/%d/%Y"):
            try:
                return datetime.strptime(text, pattern).astimezone().replace(tzinfo=None)
            except ValueError:
                continue
        raise Beyond(key, f"'{value}' is not YYYY-MM-DD") if text == "today" else Refused(key, f"'{value}' must be YYYY-MM-DD")
    unit = "d"
    if units and text[-1:] in "smhdwoy":
        text, unit = text[:-1], text[-1:]
    if unit not in _UNITS:
        raise Beyond(f"{key}: {value}", "months and years")
    return timedelta(**{_UNITS[unit]: _whole(key, text)})


def _compiles(key: str, patterns: Sequence[str]) -> None:
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise Refused(key, f"'{pattern}' is no regular expression: {error}") from error
