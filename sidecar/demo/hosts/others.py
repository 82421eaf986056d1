"""The hosts that need little: GitHub's raw files, MDBList, OMDb, Trakt, Letterboxd, TMDb's pictures."""

from __future__ import annotations

import re

from sidecar.demo.hosts import imdb, tmdb
from sidecar.demo.hosts.answer import HostCall, Reply, json_reply, text_reply
from sidecar.demo.hosts.facts import Scores, external, numbered, of_type, ranked, scores, slug
from sidecar.demo.items import Item
from sidecar.demo.world import World

KOMETA_VERSION = "2.4.4"
"""What GitHub says the newest Kometa is, for those who ask."""

_LISTS = {"verifiedhot": "audience", "certifiedfresh": "critics", "metacriticmustsee": "metacritic", "cssfamilies": "family"}


def github_raw(world: World, call: HostCall) -> Reply:
    """raw.githubusercontent.com: the few files of Kometa's organisation that a run reads."""
    match call.segments:
        case (_, "Kometa", _, "VERSION"):
            return text_reply(KOMETA_VERSION + "\n")
        case (_, "Anime-IDs", _, "anime_ids.json"):
            return text_reply("{}")
        case (_, "Mediastingers", _, "stingers.yml"):
            return text_reply(
                "".join(f"{external(item, 'tmdb')}: 1.0\n" for item in of_type(world, "movie") if tmdb.stinger(item)) or "{}\n"
            )
        case (_, "IMDb-Awards", _, *rest):
            return imdb.awards(world, tuple(rest)) or text_reply("404: Not Found", 404)
        case (_, "IMDb-Hash", _, "HASH" | "LIST_HASH" | "WATCHLIST_HASH"):
            return text_reply("0" * 64)
    return text_reply("404: Not Found", 404)


def github_api(_world: World, call: HostCall) -> Reply:
    """api.github.com: nothing but its own way to say so."""
    if call.segments[:1] == ("user",):
        return json_reply({"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest", "status": "401"}, 401)
    return json_reply({"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"}, 404)


# ── MDBList ──────────────────────────────────────────────────────────────────────────────────────────────


def mdblist(world: World, call: HostCall) -> Reply:
    """api.mdblist.com: items by imdb, tmdb or tvdb id; the lists that ratings and ribbons are made of. Any key is taken."""
    match call.segments:
        case ("user",):
            return json_reply(
                {
                    "user_id": 1,
                    "username": "demo",
                    "is_supporter": False,
                    "patron_status": False,
                    "api_requests": 1000,
                    "api_requests_count": 1,
                }
            )
        case ("imdb" | "tmdb" | "tvdb" | "trakt" as source, "movie" | "show" | "any", number):
            item = world.by_guid(f"{source}://{number}")
            if item is None and number == "tt0080684":  # what clients ask to see whether their key works
                item = next(of_type(world, "movie"), None)
            return json_reply(_mdb_item(item)) if item else _mdb_missing("Not found")
        case ("lists", _user, name):
            items = _mdb_list(world, name)
            return (
                json_reply([{"id": 1, "name": name, "slug": name, "items": len(items)}])
                if items is not None
                else _mdb_missing("List not found")
            )
        case ("lists", _user, name, "items", *_kind):
            items = _mdb_list(world, name)
            if items is None:
                return _mdb_missing("List not found")
            rows = [_mdb_row(item, place) for place, item in enumerate(items, 1)]
            movies = [row for row in rows if row["mediatype"] == "movie"]
            return json_reply(
                {"movies": movies, "shows": [row for row in rows if row["mediatype"] == "show"]}, headers={"X-Has-More": "false"}
            )
    return _mdb_missing("Not found")


def mdblist_site(world: World, call: HostCall) -> Reply:
    """mdblist.com as Kometa before 2.3 asked it: ``/api/?i=tt...`` or ``?tm=`` or ``?tv=`` with ``m=movie|show``, and lists as JSON."""
    match call.segments:
        case ("api", "user"):
            return json_reply({"limits": {"supporter": False, "rating_ids": 200, "api_requests": 1000}})
        case ("api",):
            kind = call.params.get("m", "movie")
            for name, source in (("i", "imdb"), ("tm", "tmdb"), ("tv", "tvdb")):
                if number := call.params.get(name):
                    reply = mdblist(world, HostCall(call.host, "GET", (source, kind, number), {}, {}, b""))
                    return Reply(reply.body.replace(b'"popcorn"', b'"tomatoesaudience"'), reply.media_type, status=reply.status)
        case ("lists", _user, name, "json"):
            kind = call.params.get("mediatype", "")
            items = [item for item in _mdb_list(world, name) or [] if kind in ("", item.type)]
            return json_reply([_mdb_row(item, place) for place, item in enumerate(items, 1)] or [{"error": "empty or private list"}])
    return not_found_page(world, call)


def _mdb_missing(words: str) -> Reply:
    return json_reply({"error": words, "response": False}, 404)


def _mdb_row(item: Item, rank: int) -> dict[str, object]:
    tvdb = external(item, "tvdb")
    return {
        "id": int(external(item, "tmdb")),
        "rank": rank,
        "adult": 0,
        "title": item.title,
        "imdb_id": external(item, "imdb"),
        "tvdb_id": int(tvdb) if tvdb else None,
        "language": "en",
        "mediatype": item.type,
        "release_year": item.year,
    }


def _mdb_list(world: World, name: str) -> list[Item] | None:
    match = re.fullmatch(r"(\w+?)(movie|show)s", name)
    if not match or match.group(1) not in _LISTS:
        return None
    what = _LISTS[match.group(1)]
    items = ranked(world, match.group(2))
    if what == "family":
        return [item for item in items if item.content_rating in ("G", "PG", "TV-PG", "TV-Y7")]
    return [item for item in items if (marks := scores(item)) and getattr(marks, what) >= 78]


def _mdb_item(item: Item) -> dict[str, object]:
    marks = scores(item)
    tmdb, tvdb = external(item, "tmdb"), external(item, "tvdb")
    return {
        "title": item.title,
        "year": item.year,
        "released": item.originally_available,
        "released_digital": None,
        "description": item.summary,
        "runtime": (item.duration or 0) // 60_000,
        "score": marks.score if marks else None,
        "score_average": marks.score - 1 if marks else None,
        "ids": {"imdb": external(item, "imdb"), "trakt": item.rating_key, "tmdb": int(tmdb), "tvdb": int(tvdb) if tvdb else None},
        "imdbid": external(item, "imdb"),
        "tmdbid": int(tmdb),
        "traktid": item.rating_key,
        "type": item.type,
        "mediatype": item.type,
        "ratings": _mdb_ratings(marks) if marks else [],
        "certification": item.content_rating,
        "commonsense": item.content_rating in ("G", "PG", "TV-PG", "TV-Y7"),
        "age_rating": {"G": 6, "PG": 9, "PG-13": 13, "R": 16, "NC-17": 18, "TV-Y7": 7, "TV-PG": 10, "TV-14": 14, "TV-MA": 17}.get(
            item.content_rating
        ),
        "response": True,
    }


def _mdb_ratings(marks: Scores) -> list[dict[str, object]]:
    values: dict[str, float] = {
        "imdb": marks.imdb,
        "metacritic": marks.metacritic,
        "metacriticuser": marks.metacritic_user,
        "trakt": marks.trakt,
        "tomatoes": marks.critics,
        "popcorn": marks.audience,
        "tmdb": round(marks.tmdb * 10),
        "letterboxd": marks.letterboxd,
        "myanimelist": marks.imdb,
    }
    return [{"source": name, "value": value, "score": value, "votes": 500, "url": None} for name, value in values.items()]


# ── OMDb ─────────────────────────────────────────────────────────────────────────────────────────────────


def omdb(world: World, call: HostCall) -> Reply:
    """www.omdbapi.com: ``?i=tt...``. Any key is taken."""
    wanted = call.params.get("i", "")
    item = world.by_guid(f"imdb://{wanted}")
    if item is None and wanted == "tt0080684":  # what clients ask to see whether their key works
        item = next(of_type(world, "movie"), None)
    if item is None:
        return json_reply({"Response": "False", "Error": "Error getting data."})
    marks = scores(item)
    season = world.parent(item) if item.type == "episode" else None
    data: dict[str, object] = {
        "Title": item.title,
        "Year": str(item.year or "N/A"),
        "Rated": item.content_rating or "N/A",
        "Released": "01 May 2020",
        "Runtime": f"{(item.duration or 0) // 60_000} min",
        "Genre": ", ".join(item.tags.get("genre", ())) or "N/A",
        "Director": ", ".join(item.tags.get("director", ())) or "N/A",
        "Plot": item.summary,
        "Metascore": str(marks.metacritic) if marks else "N/A",
        "imdbRating": str(marks.imdb) if marks else "N/A",
        "imdbVotes": "12,345" if marks else "N/A",
        "imdbID": wanted,
        "Type": {"movie": "movie", "show": "series"}.get(item.type, "episode"),
        "Ratings": [
            {"Source": "Internet Movie Database", "Value": f"{marks.imdb}/10"},
            {"Source": "Rotten Tomatoes", "Value": f"{marks.critics}%"},
        ]
        if marks
        else [],
        "Response": "True",
    }
    if season:
        data |= {"Season": str(season.index), "Episode": str(item.index)}
    return json_reply(data)


# ── Trakt ────────────────────────────────────────────────────────────────────────────────────────────────


def trakt(world: World, call: HostCall) -> Reply:
    """api.trakt.tv, read only: ratings, id look-ups, charts. Tokens are neither asked for nor given."""
    if call.method != "GET":
        return json_reply({"error": "invalid_grant", "error_description": "The demo gives no tokens."}, 401)
    match call.segments:
        case ("users", "settings"):
            return json_reply({"user": {"username": "demo", "ids": {"slug": "demo"}}})
        case ("users", "me", "ratings", "movies" | "shows" as kinds):
            kind = kinds.removesuffix("s")
            rated = [item for item in of_type(world, kind) if item.user_rating]
            return json_reply([{"rating": round(item.user_rating or 0), "type": kind, kind: _trakt_item(item)} for item in rated])
        case ("movies" | "shows", number, "ratings"):
            marks = _trakt_scores(world, number)
            return json_reply({"rating": marks.trakt / 10, "votes": 321, "distribution": {}}) if marks else Reply(b"", status=404)
        case ("shows", number, "seasons", season, "episodes", episode, "ratings"):
            show = world.by_guid(f"imdb://{number}")
            found = numbered(world, show, int(season), int(episode)) if show and season.isdecimal() and episode.isdecimal() else None
            marks = scores(found) if found else None
            return json_reply({"rating": marks.trakt / 10, "votes": 32, "distribution": {}}) if marks else Reply(b"", status=404)
        case ("search", source, number):
            item = world.by_guid(f"{source}://{number}")
            return json_reply([{"type": item.type, "score": 1000, item.type: _trakt_item(item)}] if item else [])
        case ("movies" | "shows" as kinds, "popular"):
            return json_reply([_trakt_item(item) for item in ranked(world, kinds.removesuffix("s"))[:10]])
        case ("movies" | "shows" as kinds, "trending" | "watched" | "collected" | "played" | "favorited" | "recommended" | "boxoffice", *_):
            kind = kinds.removesuffix("s")
            return json_reply([{"watchers": 10, kind: _trakt_item(item)} for item in ranked(world, kind)[:10]])
        case ("genres" | "languages" | "countries", _):
            return json_reply([{"name": "Drama", "slug": "drama", "code": "en"}])
        case ("certifications", _):
            return json_reply({"us": [{"name": "PG", "slug": "pg", "description": ""}]})
    return Reply(b"", status=404)


def _trakt_scores(world: World, number: str) -> Scores | None:
    item = world.by_guid(f"imdb://{number}")
    return scores(item) if item else None


def _trakt_item(item: Item) -> dict[str, object]:
    tmdb, tvdb = external(item, "tmdb"), external(item, "tvdb")
    ids = {
        "trakt": item.rating_key,
        "slug": slug(item.title),
        "imdb": external(item, "imdb"),
        "tmdb": int(tmdb),
        "tvdb": int(tvdb) if tvdb else None,
    }
    return {"title": item.title, "year": item.year, "ids": ids}


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────


def not_found_page(_world: World, call: HostCall) -> Reply:
    """A site of which the demo plays nothing."""
    return text_reply(f"<!doctype html><title>404</title><h1>{call.host}: no such page</h1>", 404, "text/html; charset=utf-8")


def tmdb_picture(world: World, call: HostCall) -> Reply:
    """image.tmdb.org: the demo's own pictures under the paths that the look-ups name. May draw: call it in a thread."""
    match = re.fullmatch(r"demo-(posters|arts)-(\d+)\.jpg", call.segments[-1] if call.segments else "")
    item = world.items.get(int(match.group(2))) if match else None
    if not match or item is None:
        return text_reply("<h1>File not Found</h1>", 404, "text/html")
    kind = match.group(1)
    content, media_type = world.picture(item, kind, world.agent_key(item, kind, 1))
    return Reply(content, media_type)
