"""api.themoviedb.org, version 3: configuration, details, find, lists. Read only; any key is taken."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from types import MappingProxyType

from sidecar.demo.hosts.answer import HostCall, Reply, json_reply
from sidecar.demo.hosts.facts import COUNTRY_CODES, LANGUAGE_OF, external, numbered, of_type, scores, tmdb_item
from sidecar.demo.items import Item
from sidecar.demo.world import World

GENRES: Mapping[str, int] = MappingProxyType(
    {
        "Action": 28, "Adventure": 12, "Animation": 16, "Comedy": 35, "Crime": 80, "Documentary": 99, "Drama": 18, "Family": 10751,
        "Fantasy": 14,
        "History": 36, "Horror": 27, "Music": 10402, "Mystery": 9648, "Romance": 10749, "Science Fiction": 878, "Thriller": 53,
        "War": 10752, "Western": 37,
        "Film-Noir": 10753,
    }
)  # fmt: skip

_LANGUAGES = (
    ("en", "English", "English"), ("fr", "French", "Français"), ("de", "German", "Deutsch"), ("es", "Spanish", "Español"), ("it",
    "Italian", "Italiano"),
    ("ja", "Japanese", "日本語"), ("ko", "Korean", "한국어"), ("da", "Danish", "Dansk"), ("pt", "Portuguese", "Português"), ("nl",
    "Dutch", "Nederlands"),
    ("sv", "Swedish", "svenska"), ("pl", "Polish", "Polski"), ("zh", "Mandarin", "普通话"), ("ru", "Russian", "Pусский"),
)  # fmt: skip

SERVICES = (8, 9, 337, 1899, 15, 350)
"""TMDb's numbers of streaming services that the demo's items are on."""


def answer(world: World, call: HostCall) -> Reply:
    """TMDb's JSON; its own 404 where there is nothing."""
    if call.segments[:1] != ("3",):
        return missing()
    extra = [part for part in call.params.get("append_to_response", "").split(",") if part]
    match call.segments[1:]:
        case ("configuration",):
            return json_reply(_configuration(extra))
        case ("configuration", "countries" | "jobs" | "languages" | "primary_translations" | "timezones" as part):
            return json_reply(_configuration([part])[part])
        case ("genre", "movie" | "tv", "list"):
            return json_reply({"genres": [{"id": number, "name": name} for name, number in GENRES.items()]})
        case ("movie" | "tv" as kind, number) if number.isdecimal():
            item = tmdb_item(world, "movie" if kind == "movie" else "show", number)
            if item is None:
                return missing()
            return json_reply(_movie(world, item, extra) if kind == "movie" else _show(world, item, extra))
        case ("movie" | "tv" as kind, number, *rest) if number.isdecimal():
            item = tmdb_item(world, "movie" if kind == "movie" else "show", number)
            return missing() if item is None else _below(world, item, kind, list(rest), extra)
        case ("find", text):
            return json_reply(_find(world, text, call.params.get("external_source", "")))
        case ("search" | "discover" | "trending", *rest):
            return _listing(world, "tv" if "tv" in rest else "movie", call)
    return missing()


def missing() -> Reply:
    """TMDb's answer for what it does not have."""
    return json_reply({"success": False, "status_code": 34, "status_message": "The resource you requested could not be found."}, 404)


def _configuration(extra: list[str]) -> dict[str, object]:
    out: dict[str, object] = {
        "images": {
            "base_url": "http://image.tmdb.org/t/p/",
            "secure_base_url": "https://image.tmdb.org/t/p/",
            "backdrop_sizes": ["w300", "w780", "w1280", "original"],
            "logo_sizes": ["w45", "w92", "w154", "w185", "w300", "w500", "original"],
            "poster_sizes": ["w92", "w154", "w185", "w342", "w500", "w780", "original"],
            "profile_sizes": ["w45", "w185", "h632", "original"],
            "still_sizes": ["w92", "w185", "w300", "original"],
        },
        "change_keys": ["images", "overview", "title"],
    }
    more: dict[str, object] = {
        "countries": [{"iso_3166_1": code, "english_name": name, "native_name": name} for name, code in COUNTRY_CODES.items()],
        "jobs": [{"department": "Directing", "jobs": ["Director"]}, {"department": "Writing", "jobs": ["Writer", "Screenplay"]}],
        "languages": [{"iso_639_1": code, "english_name": english, "name": own} for code, english, own in _LANGUAGES],
        "primary_translations": [
            "da-DK",
            "de-DE",
            "en-AU",
            "en-CA",
            "en-GB",
            "en-US",
            "es-ES",
            "fr-CA",
            "fr-FR",
            "it-IT",
            "ja-JP",
            "pt-BR",
        ],
        "timezones": [{"iso_3166_1": code, "zones": ["Etc/UTC"]} for code in COUNTRY_CODES.values()],
    }
    return out | {name: more[name] for name in extra if name in more}


def _common(item: Item) -> dict[str, object]:
    marks = scores(item)
    country = next(iter(item.tags.get("country", ())), "United States of America")
    code = COUNTRY_CODES.get(country, "US")
    return {
        "adult": False,
        "backdrop_path": picture_path(item, "arts"),
        "genres": [{"id": GENRES[name], "name": name} for name in item.tags.get("genre", ()) if name in GENRES],
        "homepage": "",
        "id": int(external(item, "tmdb")),
        "origin_country": [code],
        "original_language": LANGUAGE_OF.get(country, "en"),
        "overview": item.summary,
        "popularity": 10.0 + item.rating_key % 50,
        "poster_path": picture_path(item),
        "production_companies": [{"id": _number(item.studio), "logo_path": None, "name": item.studio, "origin_country": code}]
        if item.studio
        else [],
        "production_countries": [{"iso_3166_1": code, "name": country}],
        "spoken_languages": [{"english_name": "English", "iso_639_1": "en", "name": "English"}],
        "tagline": item.tagline,
        "vote_average": marks.tmdb if marks else 0.0,
        "vote_count": 100 + item.rating_key if marks else 0,
    }


def picture_path(item: Item, kind: str = "posters") -> str:
    """TMDb's path of an item's picture: image.tmdb.org serves it."""
    return f"/demo-{kind}-{item.rating_key}.jpg"


def _appended(item: Item, extra: list[str], kind: str) -> dict[str, object]:
    poster = {
        "aspect_ratio": 0.667,
        "file_path": picture_path(item),
        "height": 1500,
        "iso_639_1": "en",
        "vote_average": 5.3,
        "vote_count": 3,
        "width": 1000,
    }
    backdrop = {
        "aspect_ratio": 1.778,
        "file_path": picture_path(item, "arts"),
        "height": 1080,
        "iso_639_1": None,
        "vote_average": 5,
        "vote_count": 1,
    }
    still = backdrop | {"file_path": picture_path(item), "width": 1920}
    images: dict[str, object] = {"backdrops": [backdrop | {"width": 1920}], "logos": [], "posters": [poster]}
    tvdb = external(item, "tvdb")
    ids = {"imdb_id": external(item, "imdb") or None, "tvdb_id": int(tvdb) if tvdb else None, "wikidata_id": None, "facebook_id": None}
    words = [{"id": _number(item.studio or item.title), "name": "demonstration"}]
    if item.type == "movie" and stinger(item):
        words.append({"id": 179430, "name": "aftercreditsstinger"})
    more: dict[str, object] = {
        "external_ids": {**ids, "instagram_id": None, "twitter_id": None},
        "images": {"stills": [still]} if kind == "episode" else {"posters": [poster]} if kind == "season" else images,
        "keywords": {"keywords" if kind == "movie" else "results": words},
        "release_dates": {"results": [{"iso_3166_1": "US", "release_dates": [_release(item)]}]},
        "content_ratings": {"results": [{"iso_3166_1": "US", "rating": item.content_rating, "descriptors": []}]},
        "alternative_titles": {"titles" if kind == "movie" else "results": []},
        "credits": {"cast": [], "crew": [], "guest_stars": []},
        "aggregate_credits": {"cast": [], "crew": []},
        "translations": {"translations": []},
        "videos": {"results": []},
        "watch/providers": {"results": _providers(item)},
        "recommendations": _page([]),
        "similar": _page([]),
        "reviews": _page([]),
        "lists": _page([]),
        "trailers": {"quicktime": [], "youtube": []},
        "episode_groups": {"results": []},
    }
    return {name: more[name] for name in extra if name in more}


def stinger(item: Item) -> bool:
    """Whether a scene follows the movie's credits."""
    return item.rating_key % 3 == 0


def streamed(item: Item) -> int:
    """TMDb's number of the service that streams an item, in every region."""
    return SERVICES[item.rating_key % len(SERVICES)]


def _providers(item: Item) -> dict[str, object]:
    service = {"provider_id": streamed(item), "provider_name": f"Service {streamed(item)}", "logo_path": None, "display_priority": 1}
    return {code: {"link": "", "flatrate": [service]} for code in sorted(COUNTRY_CODES.values())}


def _release(item: Item) -> dict[str, object]:
    date = f"{item.originally_available or '2000-01-01'}T00:00:00.000Z"
    return {"certification": item.content_rating, "descriptors": [], "iso_639_1": "", "note": "", "release_date": date, "type": 3}


def _movie(world: World, item: Item, extra: list[str]) -> dict[str, object]:
    collection = next(iter(item.tags.get("collection", ())), "")
    belongs = {"id": world.tag_id("collection", collection), "name": collection, "poster_path": None, "backdrop_path": None}
    return {
        **_common(item),
        "belongs_to_collection": belongs if collection else None,
        "budget": 0,
        "imdb_id": external(item, "imdb"),
        "original_title": item.original_title or item.title,
        "release_date": item.originally_available,
        "revenue": 0,
        "runtime": (item.duration or 0) // 60_000,
        "status": "Released",
        "title": item.title,
        "video": False,
        **_appended(item, extra, "movie"),
    }


def _show(world: World, item: Item, extra: list[str]) -> dict[str, object]:
    network = next(iter(item.tags.get("network", ())), "")
    seasons = world.children(item)
    episodes = list(world.leaves(item))
    dates = sorted(leaf.originally_available for leaf in episodes if leaf.originally_available)
    running = item.tags.get("network", ("",))[0] in ("Netflix", "TV Tokyo")
    last = max(episodes, key=lambda leaf: leaf.originally_available, default=None)
    return {
        **_common(item),
        "created_by": [],
        "episode_run_time": [(item.duration or 0) // 60_000],
        "first_air_date": dates[0] if dates else "",
        "in_production": running,
        "languages": ["en"],
        "last_air_date": dates[-1] if dates else "",
        "last_episode_to_air": _episode(world, item, last, []) if last else None,
        "name": item.title,
        "next_episode_to_air": None,
        "networks": [{"id": _number(network), "logo_path": None, "name": network, "origin_country": "US"}] if network else [],
        "number_of_episodes": len(episodes),
        "number_of_seasons": sum(bool(season.index) for season in seasons),
        "original_name": item.original_title or item.title,
        "seasons": [_season(world, item, season, [], short=True) for season in seasons],
        "status": "Returning Series" if running else "Ended",
        "type": "Scripted",
        **_appended(item, extra, "show"),
    }


def _season(world: World, show: Item, season: Item, extra: list[str], *, short: bool = False) -> dict[str, object]:
    episodes = world.children(season)
    marks = [found.tmdb for episode in episodes if (found := scores(episode))]
    out: dict[str, object] = {
        "air_date": episodes[0].originally_available if episodes else "",
        "id": int(external(season, "tmdb")),
        "name": season.title,
        "overview": season.summary,
        "poster_path": picture_path(season),
        "season_number": season.index,
        "vote_average": round(sum(marks) / len(marks), 1) if marks else 0.0,
    }
    if short:
        return out | {"episode_count": len(episodes)}
    return out | {"episodes": [_episode(world, show, episode, []) for episode in episodes], **_appended(season, extra, "season")}


def _episode(world: World, show: Item, episode: Item, extra: list[str]) -> dict[str, object]:
    marks, season = scores(episode), world.parent(episode)
    return {
        "air_date": episode.originally_available,
        "crew": [],
        "episode_number": episode.index,
        "episode_type": "standard",
        "guest_stars": [],
        "id": int(external(episode, "tmdb")),
        "name": episode.title,
        "overview": episode.summary,
        "production_code": "",
        "runtime": (episode.duration or 0) // 60_000,
        "season_number": season.index if season else 0,
        "show_id": int(external(show, "tmdb")),
        "still_path": picture_path(episode),
        "vote_average": marks.tmdb if marks else 0.0,
        "vote_count": 40 if marks else 0,
        **_appended(episode, extra, "episode"),
    }


def _below(world: World, item: Item, kind: str, rest: list[str], extra: list[str]) -> Reply:
    match rest:
        case ["season", number] if number.isdecimal() and kind == "tv":
            season = numbered(world, item, int(number))
            return json_reply(_season(world, item, season, extra)) if season else missing()
        case ["season", number, "episode", index] if number.isdecimal() and index.isdecimal() and kind == "tv":
            episode = numbered(world, item, int(number), int(index))
            return json_reply(_episode(world, item, episode, extra)) if episode else missing()
        case [part]:
            found = _appended(item, [part], "movie" if kind == "movie" else "show")
            return json_reply({"id": int(external(item, "tmdb")), **_dict(found[part])}) if part in found else missing()
        case ["watch", "providers"]:
            return json_reply({"id": int(external(item, "tmdb")), "results": _providers(item)})
    return missing()


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {"results": value}


def _find(world: World, text: str, source: str) -> dict[str, object]:
    prefix = {"imdb_id": "imdb", "tvdb_id": "tvdb"}.get(source, "")
    item = world.by_guid(f"{prefix}://{text}") if prefix else None
    out: dict[str, list[object]] = {
        name: [] for name in ("movie_results", "person_results", "tv_results", "tv_episode_results", "tv_season_results")
    }
    if item is None:
        return {**out}
    show = world.ancestor(item, "show")
    if item.type == "movie" and prefix == "imdb":
        out["movie_results"].append(_short(_movie(world, item, []), "movie"))
    elif item.type == "show":
        out["tv_results"].append(_short(_show(world, item, []), "tv"))
    elif item.type == "season" and show:
        out["tv_season_results"].append(_season(world, show, item, [], short=True) | {"show_id": int(external(show, "tmdb"))})
    elif item.type == "episode" and show:
        out["tv_episode_results"].append(_episode(world, show, item, []))
    return {**out}


def _short(full: dict[str, object], media_type: str) -> dict[str, object]:
    """As listings show an item: genre ids, no companies."""
    names = [
        "adult",
        "backdrop_path",
        "id",
        "title",
        "name",
        "original_language",
        "original_title",
        "original_name",
        "overview",
        "poster_path",
        "popularity",
        "release_date",
        "first_air_date",
    ]
    out = {name: full[name] for name in (*names, "vote_average", "vote_count", "origin_country", "video") if name in full}
    genres = full["genres"]
    return out | {"media_type": media_type, "genre_ids": [genre["id"] for genre in genres] if isinstance(genres, list) else []}


def _listing(world: World, kind: str, call: HostCall) -> Reply:
    wanted = call.params.get("query", "").casefold()
    items = [item for item in of_type(world, "movie" if kind == "movie" else "show") if wanted in item.title.casefold()]
    if "discover" in call.segments:
        asked = {name: value for name, value in call.params.items() if name.startswith("with_")}
        services = re.split(r"[|,]", asked.pop("with_watch_providers", ""))
        if services != [""]:
            items = [item for item in items if str(streamed(item)) in services]
        if asked:
            items = []  # nothing else that can be asked for is played
    return json_reply(_page([_short((_movie if kind == "movie" else _show)(world, item, []), kind) for item in items[:20]]))


def _page(results: list[object]) -> dict[str, object]:
    return {"page": 1, "results": results, "total_pages": 1, "total_results": len(results)}


def _number(text: str) -> int:
    """A stable id for a name."""
    return zlib.crc32(text.encode()) % 90_000 + 10_000
