"""``plex_search`` as the query of a library's listing, and ``filters`` on items already at hand."""

from __future__ import annotations

import operator
import re
from urllib.parse import quote

from modules.util import BuilderValidationError, get_list

TYPES = {"movie": 1, "show": 2, "season": 3, "episode": 4, "artist": 8, "album": 9, "track": 10}
SORTS = {"movie": "titleSort", "show": "titleSort", "season": "season.index%2Cseason.titleSort", "episode": "titleSort"}
COMPARE = {".gt": "%3E%3E", ".gte": "%3E", ".lt": "%3C%3C", ".lte": "%3C", ".not": "!", "": ""}

TAGS = {
    "resolution": "resolution",
    "genre": "genre",
    "label": "label",
    "studio": "studio",
    "content_rating": "contentRating",
    "country": "country",
    "audio_language": "audioLanguage",
    "subtitle_language": "subtitleLanguage",
}
"""Compared with the library's own choices; several values are alternatives."""

NUMBERS = {"year": "year", "critic_rating": "rating", "audience_rating": "audienceRating", "user_rating": "userRating"}
BOOLEANS = {"hdr": "hdr", "dovi": "dovi", "unmatched": "unmatched", "duplicate": "duplicate"}
STRINGS = {"title": "title", "edition": "editionTitle"}
FIELDS = {**TAGS, **NUMBERS, **BOOLEANS, **STRINGS}
OF_EPISODES = frozenset({"resolution", "hdr", "dovi", "audioLanguage", "subtitleLanguage"})
"""In a library of shows these belong to the episodes, the rest to the show."""
BY_KEY = frozenset({"resolution", "contentRating", "audioLanguage", "subtitleLanguage"})
"""Their choices are named in the query by key, the others by title."""

ORDER = {".gt": operator.gt, ".gte": operator.ge, ".lt": operator.lt, ".lte": operator.le}


def split(name: str) -> tuple[str, str]:
    """``year.gte`` is (year, .gte)."""
    attribute, dot, modifier = name.partition(".")
    return attribute, dot + modifier


class Search:
    """The query of one ``plex_search``. BuilderValidationError where the stand-in does not know what is asked."""

    def __init__(self, library, level: str, data: dict) -> None:
        self.library = library
        if not isinstance(data, dict):
            raise BuilderValidationError(f"Overlay Error: plex_search must be a dictionary: {data}")
        limit = f"limit={int(data['limit'])}&" if data.get("limit") else ""
        self.arguments = f"?type={TYPES[level]}&{limit}sort={SORTS.get(level, 'titleSort')}&{self._base(data)}"

    def _base(self, data: dict) -> str:
        if "all" in data and "any" in data:
            raise BuilderValidationError("Overlay Error: Cannot have more than one base")
        if "any" in data:
            return f"push=1&{self._group(data['any'], every=False)}pop=1&"
        if "all" in data:
            return self._group(data["all"], every=True)[:-1]
        bare = {name: value for name, value in data.items() if split(name)[0] in FIELDS}
        tags = [{name: value} for name, value in bare.items() if split(name)[0] in TAGS]
        rest = {name: value for name, value in bare.items() if split(name)[0] not in TAGS}
        if not bare:
            raise BuilderValidationError("Overlay Error: Must have either any or all as a base for plex_search")
        return self._group({**rest, **({"any": tags} if tags else {})}, every=True)[:-1]

    def _group(self, conditions: dict, every: bool) -> str:
        join = "and=1&" if every else "or=1&"
        parts: list[str] = []
        for name, value in conditions.items():
            if name in ("any", "all"):
                inner = [f"push=1&{self._group(each, every=name == 'all')}pop=1&" for each in get_list(value)]
                parts.append(join.join(inner))
            else:
                terms = self._terms(str(name), value)
                parts.append(join.join(terms))
        return join.join(parts)

    def _terms(self, name: str, value) -> list[str]:
        attribute, modifier = split(name)
        if attribute not in FIELDS:
            raise BuilderValidationError(f"Overlay Error: plex_search attribute '{name}' is not valid")
        if value is None:
            raise BuilderValidationError(f"Overlay Error: plex_search attribute '{name}' is blank")
        field = FIELDS[attribute]
        if self.library.is_show:
            field = f"{'episode' if field in OF_EPISODES else 'show'}.{field}"
        if attribute in TAGS and modifier in ("", ".not", ".regex"):
            return [f"{field}{COMPARE.get(modifier, '')}={chosen}&" for chosen in self._choices(field, name, value, modifier == ".regex")]
        if attribute in BOOLEANS and not modifier:
            return [f"{field}{'' if value is True else '!'}=1&"]
        if attribute in STRINGS and modifier in ("", ".not"):
            return [f"{field}{COMPARE[modifier]}={quote(str(each))}&" for each in get_list(value, split=False)]
        if attribute in NUMBERS and modifier in COMPARE:
            return [f"{field}{COMPARE[modifier]}={float(each) if attribute != 'year' else int(each)}&" for each in get_list(value)]
        raise BuilderValidationError(f"Overlay Error: plex_search attribute '{name}' is not valid")

    def _choices(self, field: str, name: str, value, regex: bool) -> list[str]:
        known = self.library.get_tags(field)
        found = []
        for wanted in get_list(value, split=not regex):
            pattern = re.compile(str(wanted)) if regex else None
            for choice in known:
                same = pattern.search(choice.title) if pattern else str(wanted).lower() in (choice.title.lower(), str(choice.key).lower())
                if same and choice.key not in found:
                    found.append(choice.key)
        if not found:
            told = f"No matches found with regex pattern {value}" if regex else f"{value} not found"
            raise BuilderValidationError(f"Plex Error: {split(name)[0]}: {told}")
        return found


FILTERS = {
    "resolution": lambda item: [media.videoResolution for media in item.media],
    "audio_codec": lambda item: [media.audioCodec for media in item.media],
    "versions": lambda item: len(item.media),
    "year": lambda item: item.year,
    "critic_rating": lambda item: item.rating,
    "audience_rating": lambda item: item.audienceRating,
    "user_rating": lambda item: item.userRating,
    "content_rating": lambda item: [item.contentRating] if item.contentRating else [],
    "title": lambda item: [item.title],
    "label": lambda item: [tag.tag for tag in item.labels],
    "genre": lambda item: [tag.tag for tag in item.genres],
    "studio": lambda item: [item.studio] if item.studio else [],
}
"""What a filter looks at: a number, or texts of which one must do."""


def passes(item, filters: dict) -> bool:
    """Does ``item`` (loaded in full) pass every filter?"""
    return all(_passes(item, *split(str(name)), name, wanted) for name, wanted in filters.items())


def _passes(item, attribute: str, modifier: str, name: str, wanted) -> bool:
    if attribute not in FILTERS:
        raise BuilderValidationError(f"Overlay Error: {name} is not a valid filter attribute")
    has = FILTERS[attribute](item)
    if modifier in ORDER:
        return has is not None and ORDER[modifier](float(has), float(wanted))
    if not isinstance(has, list):
        found = has is not None and float(has) in [float(each) for each in get_list(wanted)]
    elif modifier == ".regex":
        return any(re.search(str(each), text) for each in get_list(wanted, split=False) for text in has)
    else:
        texts = [text.lower() for text in has if text]
        words = [str(each).lower() for each in get_list(wanted)]
        found = any(word in text if attribute == "title" else word == text for word in words for text in texts)
    return found != (modifier == ".not")
