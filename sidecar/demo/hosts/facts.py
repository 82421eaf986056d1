"""What the other hosts know of the demo's items, derived from the world, so that all of them tell the same story."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sidecar.demo.items import Item
from sidecar.demo.world import World

LANGUAGE_OF = {"United Kingdom": "en", "United States of America": "en", "France": "fr", "Germany": "de", "Denmark": "da", "Japan": "ja"}
COUNTRY_CODES = {"United Kingdom": "GB", "United States of America": "US", "France": "FR", "Germany": "DE", "Denmark": "DK", "Japan": "JP"}


@dataclass(frozen=True, slots=True)
class Scores:
    """An item's ratings in each source's own scale."""

    imdb: float
    """0 to 10."""
    tmdb: float
    """0 to 10."""
    critics: int
    """Tomatoes' critics, 0 to 100."""
    audience: int
    """Tomatoes' audience, 0 to 100."""

    @property
    def metacritic(self) -> int:
        """0 to 100."""
        return max(10, min(99, self.critics - 8))

    @property
    def metacritic_user(self) -> float:
        return round(self.imdb - 0.4, 1)

    @property
    def trakt(self) -> int:
        """0 to 100."""
        return round(self.tmdb * 10) + 1

    @property
    def letterboxd(self) -> float:
        """0 to 5."""
        return round(self.imdb / 2 - 0.2, 1)

    @property
    def score(self) -> int:
        """MDBList's own, 0 to 100."""
        return round((self.imdb * 10 + self.tmdb * 10 + self.critics + self.audience) / 4)


def scores(item: Item) -> Scores | None:
    """None for an item that nobody rated."""
    found = {(rating.image.partition("://")[0], rating.type): rating.value for rating in item.ratings}
    imdb = found.get(("imdb", "audience"))
    if imdb is None:
        return None
    tmdb = found.get(("themoviedb", "audience"), imdb)
    critics = round(found.get(("rottentomatoes", "critic"), imdb) * 10)
    audience = round(found.get(("rottentomatoes", "audience"), imdb) * 10)
    return Scores(imdb, tmdb, critics, audience)


def external(item: Item, source: str) -> str:
    """An item's id at imdb, tmdb or tvdb, or nothing."""
    return next((guid.partition("://")[2] for guid in item.guids if guid.startswith(f"{source}://")), "")


def ranked(world: World, kind: str) -> list[Item]:
    """Rated items of a type, best first (by IMDb, then rating key)."""
    found = [(marks.imdb, item) for item in of_type(world, kind) if (marks := scores(item))]
    return [item for _, item in sorted(found, key=lambda pair: (-pair[0], pair[1].rating_key))]


def of_type(world: World, kind: str) -> Iterator[Item]:
    """Every item of a type, over all libraries."""
    for library in world.libraries.values():
        yield from world.of_type(library, kind)


def tmdb_item(world: World, kind: str, number: str) -> Item | None:
    """The movie or show with this TMDb id."""
    item = world.by_guid(f"tmdb://{number}")
    return item if item and item.type == kind else None


def numbered(world: World, show: Item, season: int, episode: int | None = None) -> Item | None:
    """A season of a show by its number, or an episode."""
    for one in world.children(show):
        if one.index == season:
            if episode is None:
                return one
            return next((child for child in world.children(one) if child.index == episode), None)
    return None


def slug(text: str) -> str:
    return "-".join("".join(letter if letter.isalnum() else " " for letter in text.lower()).split())
