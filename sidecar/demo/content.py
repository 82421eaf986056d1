"""The sample libraries' titles: all invented. Each differs from the others in what overlays look at."""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.demo.items import Rating


@dataclass(frozen=True, slots=True)
class MovieFact:
    """A movie in a line. ``profiles`` are keys of ``media.PROFILES``: one version each."""

    title: str
    year: int
    profiles: tuple[str, ...]
    minutes: int
    content_rating: str
    studio: str
    genres: tuple[str, ...]
    scores: tuple[float, float, float, float] | None
    """IMDb, TMDb, tomato critics, tomato audience; out of 10. None: nobody rated it."""
    edition: str = ""
    country: str = "United States of America"
    director: str = ""
    labels: tuple[str, ...] = ()
    user_rating: float | None = None
    plays: int = 0
    offset: int = 0
    collection: str = ""
    poster: tuple[int, int] = (1000, 1500)
    poster_format: str = "jpg"
    tagline: str = ""
    critics: str = "rottentomatoes"
    """Whose rating Plex shows as the critics': rottentomatoes, imdb or themoviedb."""


MOVIES = (
    MovieFact(
        "The Salt Meridian",
        2023,
        ("uhd-dv-atmos",),
        142,
        "PG-13",
        "Northlight Pictures",
        ("Science Fiction", "Adventure"),
        (8.1, 7.9, 9.3, 9.0),
        director="Ines Varga",
        poster=(2000, 3000),
        collection="Meridian Collection",
        tagline="Every map ends somewhere.",
        plays=2,
    ),
    MovieFact(
        "Lanterns over Vesper",
        2021,
        ("uhd-hdr10plus-dtshd",),
        118,
        "R",
        "Ardent Film",
        ("Thriller", "Mystery"),
        (7.4, 7.1, 8.2, 7.6),
        edition="Director's Cut",
        director="Tomas Reed",
    ),
    MovieFact(
        "A Clockmaker's Winter",
        2018,
        ("hd-dtshd",),
        131,
        "PG",
        "Gable & Finch",
        ("Drama", "History"),
        (7.8, 7.3, 8.8, 8.1),
        edition="Extended Edition",
        country="United Kingdom",
        director="Maud Ellery",
        user_rating=8.0,
        plays=1,
    ),
    MovieFact(
        "Paper Comets",
        2020,
        ("hd-web-atmos",),
        94,
        "G",
        "Lantern Street Animation",
        ("Animation", "Family"),
        (7.6, 7.7, 9.6, 9.1),
        director="Hana Ito",
        labels=("Family Night",),
        poster_format="png",
    ),
    MovieFact(
        "Harbour Nine",
        2016,
        ("hd720-ac3",),
        108,
        "PG-13",
        "Ardent Film",
        ("Action", "Crime"),
        (6.2, 6.0, 4.8, 5.5),
        director="Tomas Reed",
        critics="imdb",
    ),
    MovieFact(
        "The Quiet Cartographer",
        1954,
        ("sd480",),
        87,
        "Approved",
        "Meridian Films",
        ("Film-Noir", "Drama"),
        (7.1, 6.8, 9.0, 7.9),
        director="Walter Quill",
        collection="Meridian Collection",
        critics="themoviedb",
    ),
    MovieFact(
        "Static Bloom",
        2024,
        ("uhd-hlg",),
        76,
        "TV-PG",
        "Channel Orchard",
        ("Documentary",),
        (7.9, 7.5, 9.9, 8.4),
        country="Japan",
        director="Hana Ito",
        offset=1_200_000,
    ),
    MovieFact(
        "Nine Doors Down",
        2011,
        ("hd-dts", "uhd-dv-atmos"),
        101,
        "R",
        "Northlight Pictures",
        ("Horror",),
        (6.7, 6.4, 7.1, 6.1),
        director="Ines Varga",
        plays=3,
        user_rating=6.0,
    ),
    MovieFact(
        "Copper Saints",
        1999,
        ("hd-flac",),
        124,
        "NC-17",
        "Gable & Finch",
        ("Western", "Drama"),
        (7.0, 6.9, 7.7, 7.2),
        edition="Unrated",
        director="Walter Quill",
    ),
    MovieFact(
        "Tidewrack",
        2007,
        ("sd576",),
        99,
        "PG",
        "Studio Brume",
        ("Romance",),
        (6.9, 6.6, 5.9, 6.8),
        country="France",
        director="Anaïs Leroux",
    ),
    MovieFact(
        "Ministry of Small Birds",
        1987,
        ("hd-pcm",),
        112,
        "PG",
        "Nordlys Film",
        ("Comedy",),
        (7.3, 7.0, 8.4, 8.0),
        edition="Theatrical Cut",
        country="Denmark",
        director="Signe Holm",
        labels=("Staff Pick", "Family Night"),
    ),
    MovieFact(
        "Ember & Ash",
        2022,
        ("uhd-web-dv5",),
        127,
        "TV-MA",
        "Channel Orchard",
        ("Fantasy", "Action"),
        (6.4, 6.6, 6.2, 8.3),
        director="Anaïs Leroux",
        poster_format="webp",
    ),
    MovieFact(
        "Überlicht",
        2019,
        ("uhd-dtsx",),
        136,
        "PG-13",
        "Nordlys Film",
        ("Science Fiction",),
        (7.2, 7.0, 7.9, 7.0),
        edition="IMAX",
        country="Germany",
        director="Jonas Adler",
        poster=(2000, 3000),
    ),
    MovieFact("First Light", 2025, ("hd-web-atmos",), 90, "", "Ardent Film", ("Drama",), None, director="Maud Ellery"),
)


@dataclass(frozen=True, slots=True)
class SeasonFact:
    """A season: its episodes' titles share a media profile."""

    number: int
    year: int
    profile: str
    episodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShowFact:
    """A show in a few lines."""

    title: str
    content_rating: str
    studio: str
    network: str
    genres: tuple[str, ...]
    scores: tuple[float, float, float, float]
    minutes: int
    seasons: tuple[SeasonFact, ...]
    country: str = "United States of America"
    status: str = "Ended"
    labels: tuple[str, ...] = ()


SHOWS = (
    ShowFact(
        "Signal Hollow",
        "TV-14",
        "Northlight Television",
        "Netflix",
        ("Science Fiction", "Mystery"),
        (8.4, 8.2, 9.5, 8.8),
        47,
        (
            SeasonFact(1, 2021, "hd-web-atmos", ("Carrier Wave", "The Listening Room", "Dead Air", "Every Third Night")),
            SeasonFact(2, 2023, "uhd-web-dv5", ("Return Path", "Noise Floor", "A Voice Like Yours", "The Last Frequency")),
        ),
        status="Returning Series",
    ),
    ShowFact(
        "The Orchard Line",
        "TV-PG",
        "Gable & Finch Television",
        "BBC One",
        ("Drama", "History"),
        (7.7, 7.4, 8.6, 7.9),
        58,
        (
            SeasonFact(0, 2019, "hd720-ac3", ("Behind the Platform",)),
            SeasonFact(1, 2018, "hd720-ac3", ("First Class", "The Branch", "Points Failure")),
        ),
        country="United Kingdom",
        labels=("Staff Pick",),
    ),
    ShowFact(
        "Kitsune Post",
        "TV-Y7",
        "Studio Karakuri",
        "TV Tokyo",
        ("Animation", "Comedy"),
        (7.9, 8.0, 9.1, 9.3),
        24,
        (SeasonFact(1, 2024, "hd720-hevc", ("Return to Sender", "Rain Stamps", "The Lantern Route")),),
        country="Japan",
        status="Returning Series",
    ),
)


@dataclass(frozen=True, slots=True)
class ArtistFact:
    """An artist: albums as (title, year, label, profile, tracks)."""

    name: str
    genres: tuple[str, ...]
    albums: tuple[tuple[str, int, str, str, tuple[str, ...]], ...]


ARTISTS = (
    ArtistFact(
        "The Tin Orchard",
        ("Folk",),
        (
            ("Slow Ferry", 2014, "Lighthouse Records", "track-flac", ("Slack Water", "Kelp", "The Night Boat")),
            ("Weather Diary", 2019, "Lighthouse Records", "track-flac", ("Low Pressure", "Hail", "Clearing")),
        ),
    ),
    ArtistFact("Mira Voss", ("Electronic",), (("Neon Atlas", 2022, "Grid Songs", "track-mp3", ("Meridian", "Arcade Rain", "Afterglow")),)),
)


def ratings_of(scores: tuple[float, float, float, float] | None) -> tuple[Rating, ...]:
    """Plex's ``Rating`` elements for IMDb, TMDb, tomato critics and audience."""
    if scores is None:
        return ()
    imdb, tmdb, critics, audience = scores
    return (
        Rating("imdb://image.rating", imdb, "audience"),
        Rating(f"rottentomatoes://image.rating.{'ripe' if critics >= 6 else 'rotten'}", critics, "critic"),
        Rating(f"rottentomatoes://image.rating.{'upright' if audience >= 6 else 'spilled'}", audience, "audience"),
        Rating("themoviedb://image.rating", tmdb, "audience"),
    )
