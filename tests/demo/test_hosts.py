"""The other hosts: answers in the shapes that Kometa's modules read, about the demo's own items."""

from __future__ import annotations

import gzip
import io
import json
from urllib.parse import urlsplit

import aiohttp
import pytest
from PIL import Image
from ruamel.yaml import YAML

from sidecar.demo import DemoHosts, World
from sidecar.demo.hosts.facts import scores

JsonData = dict[str, object]


async def fetch(hosts: DemoHosts, url: str, **options: object) -> tuple[int, bytes]:
    """A request meant for the real host, sent to the stand-in."""
    parts = urlsplit(url)
    target = hosts.map[parts.netloc] + parts.path + (f"?{parts.query}" if parts.query else "")
    method = "POST" if "json" in options else "GET"
    async with aiohttp.ClientSession() as session, session.request(method, target, **options) as answer:  # type: ignore[arg-type]
        return answer.status, await answer.read()


async def fetch_json(hosts: DemoHosts, url: str, **options: object) -> dict:  # type: ignore[type-arg]
    """Likewise, of an answer that is JSON."""
    return json.loads((await fetch(hosts, url, **options))[1])  # type: ignore[no-any-return]


TMDB = "https://api.themoviedb.org/3"


async def test_tmdb_configuration(demo_hosts: DemoHosts) -> None:
    data = await fetch_json(
        demo_hosts, f"{TMDB}/configuration?api_key=x&append_to_response=countries,jobs,languages,primary_translations,timezones"
    )
    assert data["images"]["secure_base_url"] == "https://image.tmdb.org/t/p/"
    assert "en" in [row["iso_639_1"] for row in data["languages"]]
    assert {"countries", "jobs", "primary_translations", "timezones"} <= data.keys()
    assert "countries" not in await fetch_json(demo_hosts, f"{TMDB}/configuration?api_key=x")


async def test_tmdb_details_agree_with_plex(demo_hosts: DemoHosts, world: World) -> None:
    movie = await fetch_json(demo_hosts, f"{TMDB}/movie/9000103?append_to_response=external_ids,keywords,images")
    item = world.item(103)
    assert (movie["title"], movie["imdb_id"], movie["release_date"][:4]) == (item.title, "tt9100103", "2018")
    assert movie["vote_average"] == next(rating.value for rating in item.ratings if rating.image.startswith("themoviedb"))
    assert movie["images"]["posters"][0]["file_path"] == movie["poster_path"]
    show = await fetch_json(demo_hosts, f"{TMDB}/tv/9100201?append_to_response=external_ids,keywords")
    assert (show["name"], show["external_ids"]["tvdb_id"], show["status"]) == ("Signal Hollow", 8100201, "Returning Series")
    assert [(season["season_number"], season["episode_count"]) for season in show["seasons"]] == [(1, 4), (2, 4)]
    season = await fetch_json(demo_hosts, f"{TMDB}/tv/9100201/season/2")
    assert season["episodes"][0]["name"] == "Return Path"
    episode = await fetch_json(demo_hosts, f"{TMDB}/tv/9100201/season/2/episode/3?append_to_response=external_ids,images")
    assert (episode["name"], episode["external_ids"]["imdb_id"]) == ("A Voice Like Yours", "tt9300210")
    assert episode["vote_average"] == world.item(210).audience_rating


async def test_tmdb_finds_every_item(demo_hosts: DemoHosts, world: World) -> None:
    lists = {"movie": "movie_results", "show": "tv_results", "episode": "tv_episode_results"}
    for key in (101, 201, 203):
        item = world.item(key)
        imdb = item.guids[0].partition("://")[2]
        found = await fetch_json(demo_hosts, f"{TMDB}/find/{imdb}?external_source=imdb_id")
        assert [row["id"] for row in found[lists[item.type]]] == [int(item.guids[1].partition("://")[2])]
        assert sum(map(len, found.values())) == 1
    assert sum(map(len, (await fetch_json(demo_hosts, f"{TMDB}/find/tt0000001?external_source=imdb_id")).values())) == 0
    by_tvdb = await fetch_json(demo_hosts, f"{TMDB}/find/8100212?external_source=tvdb_id")
    assert [row["name"] for row in by_tvdb["tv_results"]] == ["The Orchard Line"]


@pytest.mark.parametrize("path", ["/movie/1", "/tv/9000101", "/tv/9100201/season/9", "/tv/9100201/season/1/episode/9", "/nothing"])
async def test_tmdb_says_what_it_lacks(demo_hosts: DemoHosts, path: str) -> None:
    status, body = await fetch(demo_hosts, TMDB + path)
    assert status == 404
    assert json.loads(body)["status_code"] == 34
    assert [request.path for request in demo_hosts.unknown] == [f"/api.themoviedb.org/3{path}"]


async def test_tmdb_pictures(demo_hosts: DemoHosts, world: World) -> None:
    movie = await fetch_json(demo_hosts, f"{TMDB}/movie/9000105")
    _, body = await fetch(demo_hosts, f"https://image.tmdb.org/t/p/original{movie['poster_path']}")
    assert Image.open(io.BytesIO(body)).size == (1000, 1500)
    assert body != world.picture(world.item(105))[0]  # another poster than Plex shows
    assert (await fetch(demo_hosts, "https://image.tmdb.org/t/p/original/x.jpg"))[0] == 404


async def test_what_every_run_of_kometa_reads(demo_hosts: DemoHosts) -> None:
    status, version = await fetch(demo_hosts, "https://raw.githubusercontent.com/Kometa-Team/Kometa/master/VERSION")
    assert (status, version.decode().strip().count(".")) == (200, 2)
    assert await fetch_json(demo_hosts, "https://raw.githubusercontent.com/Kometa-Team/Anime-IDs/master/anime_ids.json") == {}
    assert (await fetch(demo_hosts, "https://raw.githubusercontent.com/Kometa-Team/Else/master/x.yml"))[0] == 404


async def test_mdblist(demo_hosts: DemoHosts, world: World) -> None:
    base = "https://api.mdblist.com"
    item = await fetch_json(demo_hosts, f"{base}/tmdb/movie/9000101/?apikey=x")
    ratings = {row["source"]: row["value"] for row in item["ratings"]}
    marks = scores(world.item(101))
    assert marks is not None
    assert (ratings["imdb"], ratings["tomatoes"], ratings["popcorn"]) == (marks.imdb, marks.critics, marks.audience)
    assert (await fetch_json(demo_hosts, f"{base}/tvdb/show/8100201/"))["title"] == "Signal Hollow"
    assert (await fetch_json(demo_hosts, f"{base}/imdb/movie/tt9100114/"))["ratings"] == []
    fresh = await fetch_json(demo_hosts, f"{base}/lists/k0meta/certifiedfreshmovies/items/movie?limit=1000")
    assert [row["id"] for row in fresh["movies"]][:2] == [9000101, 9000107]
    assert fresh["shows"] == []
    assert (await fetch(demo_hosts, f"{base}/lists/k0meta/nothing/items/"))[0] == 404


async def test_mdblist_as_it_was_asked_before(demo_hosts: DemoHosts, world: World) -> None:
    base = "https://mdblist.com"
    assert (await fetch_json(demo_hosts, f"{base}/api/user?apikey=x"))["limits"]["api_requests"]
    marks = scores(world.item(101))
    assert marks is not None
    for query in ("tm=9000101&m=movie", "tv=8000101&m=movie", "i=tt9100101"):
        item = await fetch_json(demo_hosts, f"{base}/api/?apikey=x&{query}")
        assert {row["source"]: row["value"] for row in item["ratings"]}["tomatoesaudience"] == marks.audience
    fresh = await fetch_json(demo_hosts, f"{base}/lists/k0meta/certifiedfreshmovies/json/?mediatype=movie")
    assert [row["id"] for row in fresh][:2] == [9000101, 9000107]
    assert await fetch_json(demo_hosts, f"{base}/lists/k0meta/nothing/json/") == [{"error": "empty or private list"}]
    assert (await fetch(demo_hosts, f"{base}/lists/k0meta/nothing/"))[0] == 404


async def test_streaming_and_stingers(demo_hosts: DemoHosts) -> None:
    tmdb = "https://api.themoviedb.org/3"
    found = await fetch_json(demo_hosts, f"{tmdb}/discover/movie?with_watch_providers=8|175&watch_region=US")
    ids = {row["id"] for row in found["results"]}
    assert 0 < len(ids) < 14
    for number in ids:
        shown = await fetch_json(demo_hosts, f"{tmdb}/movie/{number}/watch/providers")
        assert [service["provider_id"] for service in shown["results"]["US"]["flatrate"]] == [8]
    assert (await fetch_json(demo_hosts, f"{tmdb}/discover/movie?with_watch_providers=8&with_genres=1"))["results"] == []
    words = await fetch_json(demo_hosts, f"{tmdb}/movie/9000102/keywords")
    assert "aftercreditsstinger" in [word["name"] for word in words["keywords"]]


async def test_omdb(demo_hosts: DemoHosts) -> None:
    data = await fetch_json(demo_hosts, "http://www.omdbapi.com/?apikey=x&i=tt9100101")
    assert (data["Response"], data["imdbRating"], data["Metascore"]) == ("True", "8.1", "85")
    assert {row["Source"]: row["Value"] for row in data["Ratings"]}["Rotten Tomatoes"] == "93%"
    assert (await fetch_json(demo_hosts, "http://www.omdbapi.com/?apikey=x&i=tt1"))["Response"] == "False"


async def test_imdb(demo_hosts: DemoHosts, world: World) -> None:
    graphql = "https://api.graphql.imdb.com/"
    chart = await fetch_json(
        demo_hosts, graphql, json={"query": "{ chartTitles(chart: { chartType: TOP_RATED_MOVIES }, first: 250) { edges { node { id } } } }"}
    )
    assert [edge["node"]["id"] for edge in chart["data"]["chartTitles"]["edges"]][:2] == ["tt9100101", "tt9100107"]
    guide = await fetch_json(
        demo_hosts, graphql, json={"query": '{ title(id: "tt9100101") { parentsGuide { categories { category { text } } } } }'}
    )
    assert len(guide["data"]["title"]["parentsGuide"]["categories"]) == 5
    lost = await fetch_json(demo_hosts, graphql, json={"operationName": "TitleListMainPage", "variables": {"lsConst": "ls1"}})
    assert lost["errors"][0]["extensions"]["code"] == "RESOURCE_NOT_FOUND"
    _, packed = await fetch(demo_hosts, "https://datasets.imdbws.com/title.ratings.tsv.gz")
    rows = dict(line.split("\t")[:2] for line in gzip.decompress(packed).decode().splitlines())
    assert (rows["tt9100101"], rows["tt9300203"]) == ("8.1", str(world.item(203).rating))
    assert "tt9100114" not in rows
    _, packed = await fetch(demo_hosts, "https://datasets.imdbws.com/title.episode.tsv.gz")
    assert "tt9300203\ttt9200201\t1\t1" in gzip.decompress(packed).decode()
    _, text = await fetch(demo_hosts, "https://raw.githubusercontent.com/Kometa-Team/IMDb-Awards/master/events/ev0000003.yml")
    event = YAML(typ="safe").load(text)
    assert world.by_guid(f"imdb://{event['2025']['oscar']['best picture']['winner'][0]}") is not None


async def test_trakt_reads_and_gives_no_tokens(demo_hosts: DemoHosts) -> None:
    assert (await fetch_json(demo_hosts, "https://api.trakt.tv/movies/tt9100101/ratings"))["rating"] == 8.0
    rated = json.loads((await fetch(demo_hosts, "https://api.trakt.tv/users/me/ratings/movies"))[1])
    assert {row["movie"]["ids"]["tmdb"]: row["rating"] for row in rated} == {9000103: 8, 9000108: 6}
    assert (await fetch(demo_hosts, "https://api.trakt.tv/oauth/token", json={"code": "x"}))[0] == 401


async def test_hosts_it_does_not_play_are_recorded(demo_hosts: DemoHosts) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{demo_hosts.url}/example.invalid/path?x=1") as answer:
        assert answer.status == 404
    assert [request.target for request in demo_hosts.unknown] == ["/example.invalid/path?x=1"]
    assert demo_hosts.requests == demo_hosts.unknown


def test_scores_keep_their_scales() -> None:
    world = World.sized(200)
    for item in world.items.values():
        marks = scores(item)
        if marks:
            assert 0 <= marks.imdb <= 10
            assert 0 <= marks.letterboxd <= 5
            assert all(0 <= value <= 100 for value in (marks.critics, marks.audience, marks.metacritic, marks.score))
