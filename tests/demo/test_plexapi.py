"""python-plexapi, unchanged, browses, searches and edits the demo."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from plexapi.server import PlexServer

from sidecar.demo import DemoPlex


async def use(plex: DemoPlex, work: Callable[[PlexServer], None]) -> None:
    """Run ``work`` with a client in a thread."""

    def run() -> None:
        server = PlexServer(plex.url, plex.token, timeout=10)
        with contextlib.closing(server._session):
            work(server)

    await asyncio.to_thread(run)


async def test_browsing(demo_plex: DemoPlex) -> None:
    def work(server: PlexServer) -> None:
        assert server.friendlyName == "Sidecar Demo"
        assert server.settings.get("DatabaseCacheSize").value == 40
        movies, shows = server.library.sections()
        assert (movies.title, movies.totalSize, shows.TYPE) == ("Movies", 14, "show")
        movie = movies.get("Ember & Ash")
        assert movie.guids[0].id == "imdb://tt9100112"
        assert [rating.image.split(":")[0] for rating in movie.ratings] == ["imdb", "rottentomatoes", "rottentomatoes", "themoviedb"]
        video = movie.media[0].parts[0].videoStreams()[0]
        assert (video.DOVIPresent, video.DOVIProfile, movie.media[0].aspectRatio) == (True, 5, 2.0)
        assert [track.languageTag for track in movie.media[0].parts[0].audioStreams()] == ["en", "fr", "de", "ja"]
        assert movies.get("Nine Doors Down").media[1].videoResolution == "4k"
        assert movies.get("Lanterns over Vesper").editionTitle == "Director's Cut"
        show = shows.get("Signal Hollow")
        assert [season.seasonNumber for season in show.seasons()] == [1, 2]
        episode = show.episode(season=2, episode=3)
        assert (episode.seasonEpisode, episode.show().title, episode.season().title) == ("s02e03", "Signal Hollow", "Season 2")
        assert show.locations == ["/media/shows/Signal Hollow (2023)"]
        assert [item.title for item in movies.collections()[0].items()] == ["The Salt Meridian", "The Quiet Cartographer"]
        assert [item.title for item in server.search("salt")] == ["The Salt Meridian"]
        assert [item.ratingKey for item in server.fetchItems("/library/metadata/101,203")] == [101, 203]

    await use(demo_plex, work)
    assert demo_plex.writes == []


async def test_searching(demo_plex: DemoPlex) -> None:
    def work(server: PlexServer) -> None:
        movies, shows = server.library.sections()
        assert len(movies.search(resolution="4K")) == 6
        assert [item.title for item in movies.search(hdr=True, sort="year:desc", limit=2)] == ["Static Bloom", "The Salt Meridian"]
        tree = {"and": [{"or": [{"title": "salt"}, {"title": "ember"}]}, {"year>>": 2022}]}
        assert [item.title for item in movies.search(filters=tree)] == ["The Salt Meridian"]
        assert {item.title for item in movies.search(filters={"genre&": ["Drama", "History"]})} == {"A Clockmaker's Winter"}
        assert [item.title for item in movies.search(filters={"title=": "Tidewrack"})] == ["Tidewrack"]
        assert 0 < len(movies.search(filters={"addedAt<<": "2024-03-01"})) < 14
        assert movies.search(label="Overlay") == []
        assert [choice.title for choice in movies.listFilterChoices("contentRating")][:2] == ["Approved", "G"]
        assert [item.title for item in shows.search(filters={"episode.title": "Dead Air"})] == ["Signal Hollow"]
        assert {item.type for item in shows.searchEpisodes(sort="show.titleSort,season.index")} == {"episode"}
        assert shows.search(libtype="season", filters={"season.label": "Overlay"}) == []
        assert len(movies.all(container_size=4)) == 14

    await use(demo_plex, work)
    assert demo_plex.writes == []


async def test_editing(demo_plex: DemoPlex, tmp_path: Path) -> None:
    picture = tmp_path / "poster.webp"
    picture.write_bytes(demo_plex.world.picture(demo_plex.world.item(112))[0])

    def work(server: PlexServer) -> None:
        movies = server.library.section("Movies")
        movie = movies.get("Tidewrack")
        movie.addLabel("Overlay").reload()
        assert [label.tag for label in movie.labels] == ["Overlay"]
        assert movie.isLocked("label")
        assert movies.search(label="Overlay") == [movie]
        movie.uploadPoster(filepath=str(picture))
        assert movie.posters()[0].ratingKey.startswith("upload://posters/")
        movie.setPoster(movie.posters()[1])
        assert [poster.selected for poster in movie.posters()] == [False, True, False]
        movie.removeLabel("Overlay").reload()
        assert movie.labels == []
        movie.editTitle("Tidewrack Restored").rate(9)
        assert movies.get("Tidewrack Restored").userRating == 9.0
        movie.markPlayed()
        movie.refresh()
        server.settings.get("DatabaseCacheSize").set(80)
        server.settings.save()
        movie.delete()
        assert len(movies.all()) == 13

    await use(demo_plex, work)
    assert demo_plex.uploads == {110: [picture.read_bytes()]}
    kinds = [mutation.kind for mutation in demo_plex.mutations if mutation.kind != "refresh_stale"]
    assert kinds == ["edit", "upload", "select", "edit", "edit", "rate", "scrobble", "refresh", "prefs", "delete"]
