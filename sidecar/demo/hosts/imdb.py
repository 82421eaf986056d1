"""IMDb: the GraphQL endpoint's charts and parental guides, the data sets with ratings, the award lists that Kometa keeps on GitHub."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from types import MappingProxyType

from sidecar.demo.hosts.answer import HostCall, Reply, json_reply, text_reply
from sidecar.demo.hosts.facts import external, of_type, ranked, scores
from sidecar.demo.items import Item
from sidecar.demo.world import World

EVENTS: Mapping[str, tuple[str, str, str, tuple[str, ...]]] = MappingProxyType(
    {
        "ev0000003": ("movie", "oscar", "best picture", ("best achievement in directing",)),
        "ev0000292": ("movie", "golden globe", "best motion picture - drama", ("best director - motion picture",)),
        "ev0000123": ("movie", "bafta film award", "best film", ()),
        "ev0000147": ("movie", "palme d'or", "palme d'or", ()),
        "ev0000091": ("movie", "golden berlin bear", "best film", ()),
        "ev0000681": ("movie", "golden lion", "golden lion", ()),
        "ev0000631": ("movie", "grand jury prize", "dramatic", ()),
        "ev0000223": ("show", "primetime emmy", "outstanding drama series", ("outstanding comedy series",)),
        "ev0000133": ("movie", "critics choice award", "best picture", ()),
        "ev0000349": ("movie", "independent spirit award", "best feature", ()),
        "ev0000157": ("movie", "césar", "best film (meilleur film)", ()),
        "ev0000558": ("movie", "razzie award", "worst picture", ()),
    }
)
"""Event id -> what it honours, award, category, further categories."""

YEARS = ("2025", "2024")


def graphql(world: World, call: HostCall) -> Reply:
    """api.graphql.imdb.com: what is asked is read from the query's words."""
    data = call.json()
    query = str(data.get("query", ""))
    if match := re.search(r'title\(id:\s*"(tt\d+)"', query):
        return json_reply({"data": {"title": _title(world.by_guid(f"imdb://{match.group(1)}"))}})
    if match := re.search(r"chartType:\s*(\w+)", query):
        items = ranked(world, "show" if "TV_SHOWS" in match.group(1) else "movie")
        if match.group(1).startswith("LOWEST"):
            items.reverse()
        # A chart lists the best, not everything: half of what there is.
        edges = [{"node": {"id": external(item, "imdb")}} for item in items[: (len(items) + 1) // 2]]
        return json_reply({"data": {"chartTitles": {"edges": edges, "total": len(edges)}}})
    if "boxOfficeWeekendChart" in query:
        entries = [{"title": {"id": external(item, "imdb")}} for item in ranked(world, "movie")[:3]]
        return json_reply({"data": {"boxOfficeWeekendChart": {"entries": entries}}})
    if "topTrendingSetsPredefined" in query:
        return json_reply({"data": {"topTrendingSetsPredefined": {"edges": []}}})
    if data.get("operationName") == "AdvancedTitleSearch":
        items = [*ranked(world, "movie"), *ranked(world, "show")]
        found = [{"node": {"title": {"id": external(item, "imdb")}}} for item in items]
        return json_reply({"data": {"advancedTitleSearch": {"total": len(found), "pageInfo": {"endCursor": ""}, "edges": found}}})
    trouble: dict[str, object] = {"message": "Resource not found", "extensions": {"code": "RESOURCE_NOT_FOUND"}}
    return json_reply({"data": None, "errors": [trouble]})


def _title(item: Item | None) -> dict[str, object] | None:
    if item is None:
        return None
    levels = ("None", "Mild", "Moderate", "Severe")
    names = ("Sex & Nudity", "Violence & Gore", "Profanity", "Alcohol, Drugs & Smoking", "Frightening & Intense Scenes")
    guide = [{"category": {"text": name}, "severity": {"text": levels[(item.rating_key + at) % 4]}} for at, name in enumerate(names)]
    return {"id": external(item, "imdb"), "parentsGuide": {"categories": guide}}


def datasets(world: World, call: HostCall) -> Reply:
    """datasets.imdbws.com: title.ratings, title.basics and title.episode as gzipped tab-separated values."""
    match = re.fullmatch(r"title\.(ratings|basics|episode)\.tsv\.gz", call.segments[-1] if call.segments else "")
    if not match:
        return text_reply("<Error><Code>AccessDenied</Code></Error>", 403, "application/xml")
    rows: list[tuple[object, ...]] = []
    if match.group(1) == "ratings":
        rows.append(("tconst", "averageRating", "numVotes"))
        for kind in ("movie", "show", "episode"):
            rows += [
                (external(item, "imdb"), marks.imdb, 1000 + item.rating_key) for item in of_type(world, kind) if (marks := scores(item))
            ]
    elif match.group(1) == "basics":
        rows.append(("tconst", "titleType", "primaryTitle", "originalTitle", "isAdult", "startYear", "endYear", "runtimeMinutes", "genres"))
        for kind, name in (("movie", "movie"), ("show", "tvSeries")):
            for item in of_type(world, kind):
                genres = ",".join(item.tags.get("genre", ())) or r"\N"
                minutes = (item.duration or 0) // 60_000
                rows.append((external(item, "imdb"), name, item.title, item.title, 0, item.year or r"\N", r"\N", minutes, genres))
    else:
        rows.append(("tconst", "parentTconst", "seasonNumber", "episodeNumber"))
        for item in of_type(world, "episode"):
            season, show = world.parent(item), world.ancestor(item, "show")
            if season and show:
                rows.append((external(item, "imdb"), external(show, "imdb"), season.index, item.index))
    table = "".join("\t".join(map(str, row)) + "\n" for row in rows)
    return Reply(gzip.compress(table.encode(), mtime=0), "application/x-gzip")


def awards(world: World, path: tuple[str, ...]) -> Reply | None:
    """Files of the award lists' repository: event_validation.yml and events/ID.yml, as JSON, which is YAML too."""
    if path == ("event_validation.yml",):
        known = {
            event: {"years": list(YEARS), "awards": [award], "categories": [category, *more]}
            for event, (_, award, category, more) in EVENTS.items()
        }
        return text_reply(json.dumps(known, ensure_ascii=False))
    if len(path) == 2 and path[0] == "events":
        event = path[1].removesuffix(".yml")
        if event in EVENTS:
            return text_reply(json.dumps(_event(world, event), ensure_ascii=False))
    return None


def _event(world: World, event: str) -> dict[str, object]:
    kind, award, category, more = EVENTS[event]
    items = ranked(world, kind)
    place = list(EVENTS).index(event)
    if award == "razzie award":
        items.reverse()
        place = 0
    out: dict[str, object] = {}
    for at, year in enumerate(YEARS):
        categories = {}
        for offset, name in enumerate((category, *more)):
            chosen = [external(items[(place + at * 5 + offset + step) % len(items)], "imdb") for step in range(3)] if items else []
            categories[name] = {"nominee": chosen, "winner": chosen[:1]}
        out[year] = {award: categories}
    return out
