"""Text variables: ``<<title>>``, ``<<runtimeH>>``, ``<<critic_rating%>>`` filled in from an item's facts. Pure; only stdlib."""

from __future__ import annotations

import re
from typing import Final

from sidecar.engine.draft import subset
from sidecar.engine.draft.facts import Facts
from sidecar.engine.draft.spec import Beyond

_VARIABLE: Final = re.compile(r"<<([a-z_]+)([^<>]*)>>")
_MINUTE: Final = 60_000
"""Milliseconds: Plex's unit of duration."""

_ATTRIBUTES: Final = {
    "title": "title",
    "original_title": "originalTitle",
    "edition": "editionTitle",
    "content_rating": "contentRating",
    "season_title": "parentTitle",
    "season_number": "parentIndex",
    "episode_number": "index",
    "episode_count": "leafCount",
    "runtime": "duration",
    "critic_rating": "rating",
    "audience_rating": "audienceRating",
    "user_rating": "userRating",
}


class NoValue(Exception):
    """The item has no value for a variable: Kometa leaves the overlay out on this item."""


def check(template: str, level: str) -> None:
    """Beyond where ``template`` uses a variable of Kometa's that the draft does not fill in at this level."""
    for name, modifier in _VARIABLE.findall(template):
        if name in subset.TEXT_VARIABLES:
            levels, modifiers = subset.TEXT_VARIABLES[name]
            if level in levels and (modifier in modifiers or (name == "originally_available" and _is_date(modifier))):
                continue
            if level in levels and modifier in ("W", "WU", "WL"):
                raise Beyond(f"<<{name}{modifier}>>", "numbers in words")
            if (name, level) == ("runtime", "season"):
                raise Beyond(f"<<{name}{modifier}>>", "it needs every episode")
        for beginning in subset.TEXT_ELSEWHERE:
            if name.startswith(beginning):
                raise Beyond(f"<<{name}{modifier}>>", "its value comes from elsewhere than the item")


def unknown(template: str, level: str) -> tuple[str, ...]:
    """Variables that nobody fills in at this level: Kometa draws them as they are written."""
    found = []
    for match in re.finditer(r"<<([^<>]+)>>", template):
        inner = _VARIABLE.fullmatch(match[0])
        known = subset.TEXT_VARIABLES.get(inner[1]) if inner else None
        if inner is None or known is None or level not in known[0] or not (inner[2] in known[1] or _is_date(inner[2])):
            found.append(match[0])
    return tuple(found)


def fill(template: str, facts: Facts) -> str:
    """``template`` with the item's values. NoValue where one is missing; unknown variables stay as they are."""

    def value(match: re.Match[str]) -> str:
        name, modifier = match.groups()
        levels, modifiers = subset.TEXT_VARIABLES.get(name, ((), ()))
        if facts.level not in levels or not (modifier in modifiers or (name == "originally_available" and _is_date(modifier))):
            return match[0]
        return _value(name, modifier, facts)

    return _VARIABLE.sub(value, template)


def _is_date(modifier: str) -> bool:
    return len(modifier) > 2 and modifier.startswith("[") and modifier.endswith("]")


def _value(name: str, modifier: str, facts: Facts) -> str:
    if name == "originally_available":
        day = facts.date("originallyAvailableAt")
        if day is None:
            raise NoValue(name)
        return day.strftime(modifier[1:-1] if modifier else "%Y-%m-%d")
    if name == "bitrate":
        return str(_bitrate(modifier, facts))
    if name == "versions":
        return _counted(len(facts.media), modifier)
    if name.startswith("plex_"):
        return _rated(_plex_rating(name, facts), modifier, service=True)
    if name.endswith("_rating") and name != "content_rating":
        return _rated(facts.number(_ATTRIBUTES[name]), modifier, service=False, name=name)
    if name == "runtime":
        return _timed(facts, modifier)
    if name in ("season_number", "episode_number", "episode_count"):
        attribute = "index" if (name, facts.level) == ("season_number", "season") else _ATTRIBUTES[name]
        number = facts.number(attribute)
        if number is None:
            raise NoValue(name)
        return _counted(int(number), modifier)
    attribute = _ATTRIBUTES[name] if name != "show_title" else "parentTitle" if facts.level == "season" else "grandparentTitle"
    found = facts.attributes.get(attribute)
    if found is None:
        raise NoValue(name)
    return {"U": found.upper(), "L": found.lower(), "P": found.title()}.get(modifier, found)


def _bitrate(modifier: str, facts: Facts) -> int:
    rates = [int(rate) for rate in facts.media_values("bitrate") if rate.isdigit()]
    if not rates:
        raise NoValue("bitrate")
    return max(rates) if modifier == "H" else min(rates) if modifier == "L" else rates[0]


def _counted(number: int, modifier: str) -> str:
    return f"{number:03}" if modifier == "00" else f"{number:02}" if modifier == "0" else str(number)


def _timed(facts: Facts, modifier: str) -> str:
    milliseconds = facts.number("duration")
    if facts.level == "show" and not milliseconds:
        raise Beyond(f"<<runtime{modifier}>>", "without a duration of the show's own it needs every episode")
    if milliseconds is None:
        raise NoValue("runtime")
    minutes = milliseconds / _MINUTE
    return str(int(minutes // 60) if modifier == "H" else int(minutes % 60) if modifier == "M" else int(minutes))


def _plex_rating(name: str, facts: Facts) -> float | None:
    found = None
    for image, value in facts.ratings:
        source = image.split("://")[0]
        if source == "rottentomatoes":
            own = "plex_tomatoes_rating" if image.endswith(("ripe", "rotten")) else "plex_tomatoesaudience_rating"
        else:
            own = {"imdb": "plex_imdb_rating", "themoviedb": "plex_tmdb_rating"}.get(source, "")
        if own == name:
            found = value
    return found or None  # Kometa takes a rating of 0 for none


def _rated(value: float | None, modifier: str, *, service: bool, name: str = "") -> str:
    if value is None:
        raise NoValue(name)
    if modifier == "%":
        return str(int(value * 10))
    if modifier == "#":
        return f"{value:.1f}".removesuffix(".0")
    if modifier == "/":
        return f"{value / 2:.1f}"
    return f"{value:.1f}" if service else str(value)
