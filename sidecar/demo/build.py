"""Fills a world from the sample's facts."""

from __future__ import annotations

import random
from typing import Protocol

from sidecar.demo import content
from sidecar.demo.items import EPOCH, Item, Library, Rating
from sidecar.demo.media import MediaFile


class Shelves(Protocol):
    """What is filled: see ``World``."""

    def add_library(self, kind: str, title: str) -> Library: ...

    def file(self, profile: str, path: str, duration: int) -> MediaFile: ...

    def make(self, rating_key: int, kind: str, section: int, title: str, **fields: object) -> Item: ...


def add_movie(world: Shelves, library: Library, key: int, fact: content.MovieFact, number: int) -> None:
    folder = f"{library.location}/{_safe(fact.title)} ({fact.year})"
    edition = f" {{edition-{_safe(fact.edition)}}}" if fact.edition else ""
    duration = fact.minutes * 60_000 + number % 60 * 1000
    scores = fact.scores
    critics = {"rottentomatoes": 2, "imdb": 0, "themoviedb": 1}[fact.critics]
    ratings = content.ratings_of(scores)
    world.make(
        key,
        "movie",
        library.key,
        fact.title,
        year=fact.year,
        summary=f"{fact.title}, {fact.genres[0].lower()}, by {fact.director}. An invented title for demonstrations.",
        tagline=fact.tagline,
        studio=fact.studio,
        content_rating=fact.content_rating,
        edition=fact.edition,
        rating=scores[critics] if scores else None,
        rating_image=(ratings[1].image if fact.critics == "rottentomatoes" else f"{fact.critics}://image.rating") if scores else "",
        audience_rating=scores[3 if fact.critics == "rottentomatoes" else critics] if scores else None,
        audience_rating_image=(ratings[2].image if fact.critics == "rottentomatoes" else f"{fact.critics}://image.rating")
        if scores
        else "",
        user_rating=fact.user_rating,
        ratings=ratings,
        duration=duration,
        originally_available=f"{fact.year}-{number % 12 + 1:02}-{number % 27 + 1:02}",
        view_count=fact.plays,
        view_offset=fact.offset,
        last_viewed_at=EPOCH + 21_000_000 + number * 86_400 if fact.plays else None,
        tags=_tags(
            genre=fact.genres,
            country=(fact.country,),
            director=(fact.director,) if fact.director else (),
            writer=(f"{fact.director} Jr.",) if fact.director else (),
            actor=_cast(number),
            label=fact.labels,
            collection=(fact.collection,) if fact.collection else (),
        ),
        guids=(f"imdb://tt{9_100_000 + key}", f"tmdb://{9_000_000 + key}", f"tvdb://{8_000_000 + key}"),
        media=[world.file(profile, f"{folder}/{_safe(fact.title)} ({fact.year}){edition}", duration) for profile in fact.profiles],
        poster_size=fact.poster,
        poster_format=fact.poster_format,
    )


def add_shows(world: Shelves, key: int) -> None:
    library = world.add_library("show", "Shows")
    for number, fact in enumerate(content.SHOWS):
        show_key = key
        folder = f"{library.location}/{_safe(fact.title)} ({fact.seasons[-1].year})"
        first = min(season.year for season in fact.seasons)
        ratings = content.ratings_of(fact.scores)
        show = world.make(
            show_key,
            "show",
            library.key,
            fact.title,
            year=first,
            summary=f"{fact.title}: an invented show for demonstrations.",
            studio=fact.studio,
            content_rating=fact.content_rating,
            rating=fact.scores[2],
            rating_image=ratings[1].image,
            audience_rating=fact.scores[3],
            audience_rating_image=ratings[2].image,
            ratings=ratings,
            duration=fact.minutes * 60_000,
            originally_available=f"{first}-09-0{number + 1}",
            index=1,
            tags=_tags(genre=fact.genres, country=(fact.country,), network=(fact.network,), actor=_cast(number), label=fact.labels),
            guids=(f"imdb://tt{9_200_000 + show_key}", f"tmdb://{9_100_000 + show_key}", f"tvdb://{8_100_000 + show_key}"),
            locations=(folder,),
        )
        key += 1
        for season_fact in fact.seasons:
            season = world.make(
                key,
                "season",
                library.key,
                f"Season {season_fact.number}" if season_fact.number else "Specials",
                parent=show.rating_key,
                index=season_fact.number,
                year=season_fact.year,
                guids=(f"tmdb://{9_200_000 + key}", f"tvdb://{8_200_000 + key}"),
            )
            key += 1
            for index, title in enumerate(season_fact.episodes, 1):
                score = round(fact.scores[0] + (index * 7 % 5 - 2) / 10, 1)
                duration = fact.minutes * 60_000 + index * 4000
                place = f"S{season_fact.number:02}E{index:02}"
                path = f"{folder}/Season {season_fact.number:02}/{_safe(fact.title)} - {place} - {_safe(title)}"
                world.make(
                    key,
                    "episode",
                    library.key,
                    title,
                    parent=season.rating_key,
                    index=index,
                    year=season_fact.year,
                    summary=f"Episode {index} of season {season_fact.number}.",
                    content_rating=fact.content_rating,
                    rating=score,
                    rating_image="imdb://image.rating",
                    audience_rating=score,
                    audience_rating_image="themoviedb://image.rating",
                    ratings=(Rating("imdb://image.rating", score, "audience"), Rating("themoviedb://image.rating", score, "audience")),
                    duration=duration,
                    originally_available=f"{season_fact.year}-{8 + index:02}-{index * 5:02}" if index < 5 else "",
                    view_count=1 if season_fact.number == 1 and index == 1 else 0,
                    tags=_tags(director=("Ines Varga",) if index % 2 else ("Tomas Reed",), writer=("Maud Ellery",)),
                    guids=(f"imdb://tt{9_300_000 + key}", f"tmdb://{9_300_000 + key}", f"tvdb://{8_300_000 + key}"),
                    media=[world.file(season_fact.profile, path, duration)],
                    poster_size=(1920, 1080),
                )
                key += 1


def add_music(world: Shelves, key: int) -> None:
    library = world.add_library("artist", "Music")
    for fact in content.ARTISTS:
        folder = f"{library.location}/{_safe(fact.name)}"
        artist = world.make(
            key, "artist", library.key, fact.name, tags=_tags(genre=fact.genres), locations=(folder,), poster_size=(1000, 1000)
        )
        key += 1
        for number, (title, year, label, profile, tracks) in enumerate(fact.albums, 1):
            album = world.make(
                key,
                "album",
                library.key,
                title,
                parent=artist.rating_key,
                index=number,
                year=year,
                studio=label,
                rating=7.5,
                originally_available=f"{year}-05-01",
                tags=_tags(genre=fact.genres),
                poster_size=(1000, 1000),
            )
            key += 1
            for index, name in enumerate(tracks, 1):
                path = f"{folder}/{_safe(title)}/{index:02} - {_safe(name)}"
                duration = 200_000 + index * 3000
                media = [world.file(profile, path, duration)]
                world.make(key, "track", library.key, name, parent=album.rating_key, index=index, duration=duration, media=media)
                key += 1


def _tags(**fields: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {name: value for name, value in fields.items() if value}


def _cast(number: int) -> tuple[str, ...]:
    people = ("Ada Marsh", "Bo Lindqvist", "Cleo Amari", "Dev Patil", "Elsa Brandt", "Femi Okoro", "Greta Lund", "Hugo Sato")
    return tuple(people[(number + step * 3) % len(people)] for step in range(3))


def _safe(text: str) -> str:
    return text.replace("/", "-").replace(":", " -")


def invent(number: int, chance: random.Random) -> content.MovieFact:
    first = ("Amber", "Broken", "Crimson", "Distant", "Electric", "Forgotten", "Golden", "Hollow", "Iron", "Juniper", "Last", "Midnight")
    second = ("Harbour", "Signal", "Orchard", "Winter", "Lantern", "Garden", "Station", "Mirror", "Voyage", "Archive", "Summit", "Tide")
    model = content.MOVIES[chance.randrange(len(content.MOVIES) - 1)]
    scores = tuple(round(chance.uniform(3.5, 9.5), 1) for _ in range(4))
    return content.MovieFact(
        f"{chance.choice(first)} {chance.choice(second)} {number}",
        chance.randrange(1950, 2026),
        model.profiles,
        chance.randrange(75, 170),
        model.content_rating,
        model.studio,
        model.genres,
        (scores[0], scores[1], scores[2], scores[3]),
        edition=model.edition if chance.random() < 0.2 else "",
        country=model.country,
        director=model.director,
    )
