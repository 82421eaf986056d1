"""Every overlay file that comes with Kometa, what it is given here, and what of the world it draws on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from ruamel.yaml import YAML

from sidecar.demo import World

LEVELS: Final = ("movie", "show", "season", "episode")


@dataclass(frozen=True, slots=True, kw_only=True)
class Default:
    """One overlay file. ``draws`` are the levels of which at least one item gets an overlay of it."""

    draws: tuple[str, ...]
    variables: Mapping[str, object] = field(default_factory=dict)
    """Template variables at every level."""
    also: tuple[Mapping[str, object], ...] = ()
    """Used again with these, on movies and shows: other styles, other images."""
    bare: str = ""
    """Why the other levels get nothing; they are not asked for then."""
    quick: bool = False
    """Whether it is compared in every run of the tests, and not in the slow ones alone."""


def world() -> World:
    """Eight movies, three shows, four seasons and five episodes with something for every file: studios and networks that Kometa
    has logos of, ratings of several countries, an episode in two versions."""
    made = World.sample()
    for item in list(made.items.values()):
        if item.type == "movie" and item.rating_key > 108:
            made.delete(item.rating_key)
    for key in (205, 206, 209, 210, 211, 213, 217, 218, 222, 223):
        made.delete(key)
    for key, studio in ((101, "A24"), (102, "Walt Disney Pictures"), (108, "Warner Bros. Pictures"), (201, "HBO"), (219, "Toei Animation")):
        made.change(key, studio=studio)
    for key, rating in ((105, "gb/15"), (106, "NR"), (108, "de/16")):
        made.change(key, content_rating=rating)
    episode = made.items[203]
    episode.media.append(made.file("hd720-ac3", episode.media[0].file.rpartition(" ")[0], episode.duration or 0))
    return made


ALL: Final = LEVELS
TOP: Final = ("movie", "show")

DEFAULTS: Final[Mapping[str, Default]] = MappingProxyType(
    {
        "aspect": Default(draws=ALL, quick=True),
        "audio_codec": Default(draws=ALL, also=({"style": "standard"},)),
        "commonsense": Default(draws=ALL),
        "content_rating_au": Default(draws=ALL, also=({"color": False},)),
        "content_rating_de": Default(draws=ALL),
        "content_rating_nz": Default(draws=ALL),
        "content_rating_uk": Default(draws=ALL),
        "content_rating_us_movie": Default(draws=ALL),
        "content_rating_us_show": Default(draws=ALL),
        "direct_play": Default(draws=ALL),
        "episode_info": Default(draws=("season", "episode"), bare="movies: for libraries of shows; shows: builds at the episode level"),
        "language_count": Default(draws=ALL, also=({"use_subtitles": True},)),
        "languages": Default(draws=ALL, also=({"use_subtitles": True, "style": "square"},)),
        "mediastinger": Default(draws=("movie",), bare="for libraries of movies", quick=True),
        "network": Default(draws=("show", "season", "episode"), bare="movies: for libraries of shows"),
        "ratings": Default(
            draws=ALL,
            variables={
                "rating1": "critic",
                "rating1_image": "rt_tomato",
                "rating2": "audience",
                "rating2_image": "imdb",
                "rating3": "user",
                "rating3_image": "star",
            },
        ),
        "resolution": Default(draws=ALL),
        "ribbon": Default(draws=TOP, bare="Kometa allows award, chart and list builders for movies and shows only"),
        "runtimes": Default(draws=ALL),
        "status": Default(draws=("show",), bare="for libraries of shows; Kometa filters by TMDb's status at the show level only"),
        "streaming": Default(draws=TOP, also=({"style": "white"},), bare="Kometa allows TMDb's discover for movies and shows only"),
        "studio": Default(draws=ALL),
        "versions": Default(draws=ALL, quick=True),
        "video_format": Default(draws=ALL),
    }
)
"""By file name in defaults/overlays, without ``.yml``."""

NOT_OVERLAYS: Final = MappingProxyType({"templates": "templates for the other files; it defines no overlay of its own"})
"""Files of that folder that draw nothing by themselves, and why."""


def write_config(folder: Path, name: str, default: Default) -> Path:
    """A config directory that uses the overlay file ``name`` at every level."""

    def entry(**variables: object) -> dict[str, object]:
        given = {**default.variables, **variables}
        return {"default": name, **({"template_variables": given} if given else {})}

    once = [entry(), *(entry(**more) for more in default.also)]
    levels = [entry(builder_level=level) for level in ("season", "episode") if level in default.draws]
    config: dict[str, Any] = {
        "plex": {"url": "env", "token": "env", "timeout": 60},
        "tmdb": {"apikey": "demo", "language": "en"},
        "mdblist": {"apikey": "demo"},
        "settings": {"run_order": ["operations", "metadata", "collections", "overlays"], "cache": False},
        "libraries": {"Movies": {"overlay_files": once}, "Shows": {"overlay_files": [*once, *levels]}},
    }
    folder.mkdir()
    YAML().dump(config, folder / "config.yml")
    return folder
