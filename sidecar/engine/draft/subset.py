"""What the draft can draw, as data: the parser and the selection follow these tables, and docs/draft.md shows them.

A name that is in none of them is never guessed at: its overlay is left out and reported. Only stdlib.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeVar

MOVIE: Final = "movie"
SHOW: Final = "show"
SEASON: Final = "season"
EPISODE: Final = "episode"
LEVELS: Final = (MOVIE, SHOW, SEASON, EPISODE)

PLAIN: Final = ""
"""The modifier of an attribute written without one."""


T = TypeVar("T")


def _frozen(table: dict[str, T]) -> Mapping[str, T]:
    return MappingProxyType(table)


OVERLAY_KINDS: Final = _frozen(
    {
        "text(...)": "text, with or without text variables; with an image beside it if `file` is given",
        "backdrop": "a filled box; the whole canvas where `back_width` and `back_height` are not given",
        "blur(n)": "Gaussian blur of the poster below all overlays, radius n; the largest of several wins",
        "(any other name)": "an image: `file`, else `overlays/<name>.png` of the config directory; without offsets it covers all",
    }
)

OVERLAY_ATTRIBUTES: Final = _frozen(
    {
        "name": "decides the kind, see above",
        "file": "PNG, JPEG or WebP of the revision, relative to Kometa's working directory or absolute",
        "group": "the heaviest of a group is drawn; needs `weight`",
        "queue": "fills the positions of a queue of the same file, heaviest first; needs `weight`",
        "weight": "whole number, 0 or greater",
        "horizontal_align": "`left`, `center`, `right`",
        "horizontal_offset": "pixels or `N%` of the canvas",
        "vertical_align": "`top`, `center`, `bottom`",
        "vertical_offset": "pixels or `N%` of the canvas",
        "scale_width": "pixels or `N%` of the image; LANCZOS",
        "scale_height": "pixels or `N%` of the image; LANCZOS",
        "font": "a font file of the revision (or of a Kometa checkout, where one is known)",
        "font_size": "default 36",
        "font_color": "`#RGB`, `#RGBA`, `#RRGGBB`, `#RRGGBBAA` or a colour name",
        "font_style": "a variable font's named style",
        "stroke_color": "colour",
        "stroke_width": "pixels",
        "back_color": "colour",
        "back_radius": "pixels",
        "back_padding": "pixels",
        "back_width": "pixels; needed by `back_align`",
        "back_height": "pixels",
        "back_align": "`left`, `right`, `center`, `top`, `bottom`",
        "back_line_color": "colour",
        "back_line_width": "pixels, default 1",
        "addon_offset": "pixels between text and image, 1 or greater",
        "addon_position": "`left`, `right`, `top`, `bottom` of the text",
    }
)

OVERLAY_ELSEWHERE: Final = _frozen(
    {
        "default": "an image of Kometa's own",
        "pmm": "an image of Kometa's own",
        "git": "an image of the community's repository",
        "repo": "an image of the custom repository",
        "url": "an image from the web",
    }
)
"""Attributes Kometa knows that name things the draft has not got."""

DEFINITION_ATTRIBUTES: Final = _frozen(
    {
        "overlay": "the table above, or just a name",
        "plex_all": "every item of the level",
        "plex_search": "the table of searches below; not with `limit`",
        "filters": "the table of filters below; a list of mappings means any of them",
        "builder_level": "`season` or `episode` in show libraries; `overlay_level` and `collection_level` too",
        "suppress_overlays": "names of overlays of the same file",
        "template": "a template of the same file, without `conditionals`",
        "variables": "for the templates",
        "run_definition": "`true`, `false`, `movie`, `show`",
    }
)

DEFINITION_NEUTRAL: Final = frozenset(
    {
        "name",
        "schedule",
        "language",
        "show_missing",
        "save_report",
        "missing_only_released",
        "minimum_items",
        "cache_builders",
        "ignore_blank_results",
        "validate_builders",
    }
)
"""Attributes that do not change which pixels are drawn on an item."""

FILE_ATTRIBUTES: Final = _frozen(
    {
        "overlays": "definitions by name",
        "templates": "`<<variable>>` by plain substitution, `default`, `optional`; not `conditionals`, not `move_prefix`",
        "queues": "lists of positions, or a mapping of such lists; not `settings`",
    }
)

CONFIG_ATTRIBUTES: Final = _frozen(
    {
        "overlay_files": "entries `file` and `folder`, with `template_variables`",
        "template_variables": "of the library",
        "overlay_artwork_filetype": "`webp_lossy` (default), `webp_lossless`, `jpg`, `png`; under `settings`, of the library too",
        "overlay_artwork_quality": "1 to 100, default 90; under `settings`, of the library too",
        "asset_directory": "the target's poster of the asset directories, if there is one, is the base",
    }
)

_STRING = ("", ".not", ".is", ".isnot", ".begins", ".ends", ".regex")
_TAG = ("", ".not")
_NUMBER = ("", ".not", ".gt", ".gte", ".lt", ".lte")
_BOOL = ("",)
_DATE = ("", ".not", ".before", ".after")

FILTERS: Final = _frozen(
    {
        "title": ("string", LEVELS, _STRING),
        "summary": ("string", LEVELS, _STRING),
        "studio": ("string", (MOVIE, SHOW), _STRING),
        "edition": ("string", (MOVIE,), _STRING),
        "show_title": ("string", (SEASON, EPISODE), _STRING),
        "season_title": ("string", (EPISODE,), _STRING),
        "audio_codec": ("string", (MOVIE, EPISODE), _STRING),
        "video_codec": ("string", (MOVIE, EPISODE), _STRING),
        "video_profile": ("string", (MOVIE, EPISODE), _STRING),
        "audio_track_title": ("string", (MOVIE, EPISODE), _STRING),
        "subtitle_track_title": ("string", (MOVIE, EPISODE), _STRING),
        "filepath": ("string", (MOVIE, EPISODE), _STRING),
        "resolution": ("tag", (MOVIE,), _TAG),
        "content_rating": ("tag", (MOVIE, SHOW, EPISODE), _TAG),
        "genre": ("tag", (MOVIE, SHOW), _TAG),
        "label": ("tag", LEVELS, _TAG),
        "collection": ("tag", LEVELS, _TAG),
        "country": ("tag", (MOVIE,), _TAG),
        "actor": ("tag", (MOVIE, SHOW, EPISODE), _TAG),
        "director": ("tag", (MOVIE, EPISODE), _TAG),
        "producer": ("tag", (MOVIE, EPISODE), _TAG),
        "writer": ("tag", (MOVIE, EPISODE), _TAG),
        "year": ("year", LEVELS, _NUMBER),
        "critic_rating": ("rating", (MOVIE, SHOW, EPISODE), _NUMBER),
        "audience_rating": ("rating", (MOVIE, SHOW, EPISODE), _NUMBER),
        "user_rating": ("rating", LEVELS, _NUMBER),
        "duration": ("float", (MOVIE, SHOW, EPISODE), _NUMBER),
        "aspect": ("rating", (MOVIE, EPISODE), _NUMBER),
        "channels": ("number", (MOVIE, EPISODE), _NUMBER),
        "height": ("number", (MOVIE, EPISODE), _NUMBER),
        "width": ("number", (MOVIE, EPISODE), _NUMBER),
        "plays": ("number", LEVELS, _NUMBER),
        "has_collection": ("bool", LEVELS, _BOOL),
        "has_edition": ("bool", (MOVIE,), _BOOL),
        "has_overlay": ("bool", LEVELS, _BOOL),
        "has_dolby_vision": ("bool", (MOVIE, EPISODE), _BOOL),
        "release": ("date", (MOVIE, SHOW, EPISODE), _DATE),
        "added": ("date", LEVELS, _DATE),
    }
)
"""Filter -> (kind, levels, modifiers). Media filters of shows and seasons ask all episodes, which the draft does not read.

Missing on purpose: ``resolution`` of episodes (Kometa 2.4.4 compares the choice's title, ``4K``, with the file's ``4k``: what
that finds depends on how the server writes it), ``versions`` and ``audio_profile`` (Kometa 2.4.4 fails on them)."""

_STRING_SEARCH = ("", ".not", ".is", ".isnot", ".begins", ".ends")
_COMPARE = (".gt", ".gte", ".lt", ".lte")

SEARCHES: Final = _frozen(
    {
        "title": ("string", "show", _STRING_SEARCH),
        "studio": ("string", "show", _STRING_SEARCH),
        "edition": ("string", "movie", _STRING_SEARCH),
        "resolution": ("tag", "episode", ("",)),
        "content_rating": ("tag", "show", _TAG),
        "genre": ("tag", "show", _TAG),
        "label": ("tag", "show", _TAG),
        "collection": ("tag", "show", _TAG),
        "country": ("tag", "show", _TAG),
        "actor": ("tag", "show", _TAG),
        "director": ("tag", "movie", _TAG),
        "producer": ("tag", "movie", _TAG),
        "writer": ("tag", "movie", _TAG),
        "year": ("year", "show", _NUMBER),
        "critic_rating": ("float", "show", (*_COMPARE, ".rated")),
        "audience_rating": ("float", "show", (*_COMPARE, ".rated")),
        "user_rating": ("float", "show", (".gt", ".gte", ".rated")),
        "duration": ("float", "movie", _COMPARE),
        "hdr": ("bool", "episode", _BOOL),
        "dovi": ("bool", "episode", _BOOL),
        "release": ("date", "show", _DATE),
        "added": ("date", "show", _DATE),
        "season_label": ("tag", "season", _TAG),
        "season_collection": ("tag", "season", _TAG),
        "episode_label": ("tag", "own episode", _TAG),
        "episode_title": ("string", "own episode", _STRING_SEARCH),
        "episode_year": ("year", "own episode", _NUMBER),
        "episode_critic_rating": ("float", "own episode", (*_COMPARE, ".rated")),
        "episode_audience_rating": ("float", "own episode", (*_COMPARE, ".rated")),
        "episode_user_rating": ("float", "own episode", (".gt", ".gte", ".rated")),
        "episode_air_date": ("date", "own episode", _DATE),
        "episode_added": ("date", "own episode", _DATE),
    }
)
"""Search -> (kind, whose value in a show library, modifiers).

``show``: the show's, whatever the level; ``episode``: the episode's, in movie libraries the movie's; ``own episode``: the
episode's, only in show libraries; ``movie``: only in movie libraries; ``season``: the season's."""

_RATING_MODS = ("", "%", "#", "/")
_CASE_MODS = ("", "U", "L", "P")
_COUNT_MODS = ("", "0", "00")
_TIME_MODS = ("", "H", "M")

TEXT_VARIABLES: Final = _frozen(
    {
        "title": (LEVELS, _CASE_MODS),
        "original_title": ((MOVIE, SHOW, SEASON), _CASE_MODS),
        "edition": ((MOVIE,), _CASE_MODS),
        "content_rating": ((MOVIE, SHOW, EPISODE), _CASE_MODS),
        "show_title": ((SEASON, EPISODE), _CASE_MODS),
        "season_title": ((EPISODE,), _CASE_MODS),
        "season_number": ((SEASON, EPISODE), _COUNT_MODS),
        "episode_number": ((EPISODE,), _COUNT_MODS),
        "episode_count": ((SHOW, SEASON), _COUNT_MODS),
        "versions": ((MOVIE, EPISODE), _COUNT_MODS),
        "runtime": ((MOVIE, SHOW, EPISODE), _TIME_MODS),
        "bitrate": ((MOVIE, EPISODE), ("", "H", "L")),
        "originally_available": ((MOVIE, SHOW, EPISODE), ("", "[strftime]")),
        "critic_rating": ((MOVIE, SHOW, EPISODE), _RATING_MODS),
        "audience_rating": ((MOVIE, SHOW, EPISODE), _RATING_MODS),
        "user_rating": (LEVELS, _RATING_MODS),
        "plex_imdb_rating": (LEVELS, _RATING_MODS),
        "plex_tmdb_rating": (LEVELS, _RATING_MODS),
        "plex_tomatoes_rating": (LEVELS, _RATING_MODS),
        "plex_tomatoesaudience_rating": (LEVELS, _RATING_MODS),
    }
)
"""Text variable -> (levels, modifiers). ``<<name>>``, ``<<nameMODIFIER>>``, ``<<originally_available[%d %b %Y]>>``."""

TEXT_ELSEWHERE: Final = (
    "total_runtime",
    "anidb_",
    "imdb_rating",
    "mal_rating",
    "mdb_",
    "omdb_",
    "tmdb_rating",
    "trakt_",
)
"""Beginnings of text variables that Kometa gets from other services, or from all episodes."""


def _mods(modifiers: tuple[str, ...]) -> str:
    return " ".join("(none)" if modifier == PLAIN else f"`{modifier}`" for modifier in modifiers)


def _rows(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def tables() -> dict[str, str]:
    """The subset as Markdown tables, by name; docs/draft.md holds each between ``<!-- table: NAME -->`` and ``<!-- end -->``."""
    plain = {
        "kinds": (("Name", "What is drawn"), OVERLAY_KINDS),
        "overlay": (("Attribute", "Notes"), OVERLAY_ATTRIBUTES),
        "elsewhere": (("Attribute", "Why not"), OVERLAY_ELSEWHERE),
        "definition": (("Attribute", "Notes"), DEFINITION_ATTRIBUTES),
        "file": (("Key", "Notes"), FILE_ATTRIBUTES),
        "config": (("Key of config.yml", "Notes"), CONFIG_ATTRIBUTES),
    }
    result = {name: _rows(head, [(f"`{key}`", note) for key, note in table.items()]) for name, (head, table) in plain.items()}
    result["filters"] = _rows(
        ("Filter", "Levels", "Modifiers"),
        [(f"`{name}`", ", ".join(levels), _mods(mods)) for name, (_, levels, mods) in FILTERS.items()],
    )
    result["searches"] = _rows(
        ("Search", "Whose value in a show library", "Modifiers"),
        [
            (f"`{name}`", {"movie": "(movies only)", "own episode": "the episode's"}.get(whose, f"the {whose}'s"), _mods(mods))
            for name, (_, whose, mods) in SEARCHES.items()
        ],
    )
    result["text"] = _rows(
        ("Variable", "Levels", "Modifiers"),
        [(f"`<<{name}>>`", ", ".join(levels), _mods(mods)) for name, (levels, mods) in TEXT_VARIABLES.items()],
    )
    return result
