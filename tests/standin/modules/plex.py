"""Plex, through python-plexapi: the requests that Kometa makes, in its order."""

from __future__ import annotations

import os

import plexapi
from plexapi.exceptions import BadRequest, NotFound, Unauthorized
from plexapi.server import PlexServer
from plexapi.utils import searchType
from requests.exceptions import ConnectionError as Unreachable
from requests.exceptions import ConnectTimeout

from modules import util
from modules.library import Library
from modules.util import Failed, retry

logger = util.logger

refused = (BadRequest, NotFound, Unauthorized)
"""Answers that another try would not change."""

LEAN = dict.fromkeys(
    (
        "checkFiles",
        "includeAllConcerts",
        "includeBandwidths",
        "includeChapters",
        "includeChildren",
        "includeConcerts",
        "includeExternalMedia",
        "includeExtras",
        "includeFields",
        "includeGeolocation",
        "includeLoudnessRamps",
        "includeMarkers",
        "includeOnDeck",
        "includePopularLeaves",
        "includeRelated",
        "includeRelatedCount",
        "includeReviews",
        "includeStations",
    ),
    False,
)
"""What a reload leaves out."""


class Plex(Library):
    """One library of a Plex server."""

    def __init__(self, config, mapping_name, name, data, plex):
        super().__init__(config, mapping_name, name, data)
        self.url = str(plex["url"]).rstrip("/")
        self.token = str(plex["token"])
        self.timeout = int(plex.get("timeout") or 60)
        self.session = config.Requests.session
        if plex.get("verify_ssl") is False:
            self.session.verify = False
        logger.secret(self.url)
        logger.secret(self.token)
        try:
            self._connect(plex.get("db_cache"))
        except Unauthorized as error:
            raise Failed("Plex Error: Plex token is invalid") from error
        except ConnectTimeout as error:
            raise Failed(f"Plex Error: Plex did not respond within the {self.timeout}-second timeout.") from error
        except (Unreachable, SyntaxError) as error:  # xml's ParseError is a SyntaxError
            logger.stacktrace()
            raise Failed("Plex Error: Plex URL is probably invalid") from error
        sections = self.PlexServer.library.sections()
        self.Plex = next((section for section in sections if section.title == name), None)
        if self.Plex is None:
            raise Failed(f"Plex Error: Plex Library '{name}' not found. Options: {[section.title for section in sections]}")
        if self.Plex.type not in ("movie", "show", "artist"):
            raise Failed("Plex Error: Plex Library must be a Movies, TV Shows, or Music library")
        if not self.Plex.allowSync:
            raise Failed("Plex Error: Plex Token is read only. Please get a new token")
        self.type = self.Plex.type.capitalize()
        self.Plex.settings()
        self.cached_items: dict = {}
        logger.info(f"Connected to library {name}")
        logger.info(f"Type: {self.type}")
        logger.info(f"Agent: {self.Plex.agent}")

    def _connect(self, db_cache) -> None:
        self.PlexServer = PlexServer(baseurl=self.url, token=self.token, session=self.session, timeout=self.timeout)
        plexapi.server.TIMEOUT = self.timeout
        os.environ["PLEXAPI_PLEXAPI_TIMEOUT"] = str(self.timeout)
        logger.info(f"Connected to server {self.PlexServer.friendlyName} version {self.PlexServer.version}")
        settings = self.PlexServer.settings
        try:
            size = settings.get("DatabaseCacheSize")
            if db_cache and db_cache != size.value:
                size.set(db_cache)
                settings.save()
        except NotFound:
            logger.info("Plex DB cache setting: Unknown")
        logger.info(f"PlexPass: {self.PlexServer.myPlexSubscription}")

    @property
    def is_show(self) -> bool:
        return self.Plex.type == "show"

    def cache_items(self) -> list:
        """All top-level items, in pages of 100."""
        logger.info("")
        logger.separator(f"Caching {self.name} Library Items", space=False, border=False)
        logger.info(f"Loading All {self.type}s from Library: {self.name}")
        items = self._all(self.Plex.TYPE)
        logger.info(f"Loaded {len(items)} {self.type}s")
        self.cached_items = {item.ratingKey: (item, False) for item in items}
        return items

    def map_guids(self, items) -> None:
        """TMDb ids by rating key, from the items' Guid children."""
        logger.separator(f"Mapping {self.original_mapping_name} Library", space=False, border=False)
        for item in items:
            self.tmdb_ids[item.ratingKey] = next((guid.id[7:] for guid in item.guids if guid.id.startswith("tmdb://")), None)
        logger.info(f"Processed {len(items)} {self.type}s")

    def _all(self, level: str) -> list:
        key = f"/library/sections/{self.Plex.key}/all?includeGuids=1&type={searchType(level)}"
        size = plexapi.X_PLEX_CONTAINER_SIZE
        found, start, total = [], 0, 1
        while len(found) < total and start <= total:
            page = self.PlexServer.query(key, headers={"X-Plex-Container-Start": str(start), "X-Plex-Container-Size": str(size)})
            items = self.Plex.findItems(page, initpath=key)
            total = int(page.attrib.get("totalSize") or page.attrib.get("size") or len(items))
            found += items
            start += size
        return found

    def all_items(self, level: str) -> list:
        """Items at ``level``; those at the library's own level are already known."""
        if level == self.Plex.TYPE:
            return [item for item, _ in self.cached_items.values()]
        logger.info(f"Loading All {level.capitalize()}s from Library: {self.name}")
        return self._all(level)

    @retry(*refused)
    def fetch_items(self, arguments: str) -> list:
        """What the library's listing answers to a search's ``?type=...``."""
        return self.Plex.fetchItems(f"/library/sections/{self.Plex.key}/all{arguments}")

    @retry(*refused)
    def search(self, **terms) -> list:
        return self.Plex.search(**terms)

    @retry(*refused)
    def get_tags(self, tag: str) -> list:
        """Choices of a filter field."""
        return self.Plex.listFilterChoices(tag)

    @retry(*refused)
    def fetch_item(self, rating_key: int):
        if rating_key in self.cached_items:
            return self.reload(self.cached_items[rating_key][0])
        return self.reload(self.PlexServer.fetchItem(rating_key))

    @retry(*refused)
    def reload(self, item, force=False):
        """The item in full; once per run unless ``force``."""
        full = False
        if not force and item.ratingKey in self.cached_items:
            item, full = self.cached_items[item.ratingKey]
        if not full:
            try:
                item.reload(**LEAN)
            except (BadRequest, NotFound) as error:
                raise Failed(f"Item Failed to Load: {error}") from error
            item._autoReload = False
            self.cached_items[item.ratingKey] = (item, True)
        return item

    @retry(*refused)
    def upload_poster(self, item, image: str, url=False) -> None:
        item.uploadPoster(**({"url": image} if url else {"filepath": image}))

    @retry(*refused)
    def edit_label(self, item, label: str, remove=False) -> None:
        if (label in [tag.tag for tag in item.labels]) == remove:
            item.editTags("label", [label], locked=True, remove=remove)

    def item_posters(self, item, providers=("plex", "tmdb")) -> str:
        """Where a picture without overlay is to be had. Failed where nowhere."""
        found = None
        if "plex" in providers:
            for poster in item.posters():
                found = f"{self.url}{poster.key}&X-Plex-Token={self.token}" if poster.key.startswith("/") else poster.key
                if not poster.ratingKey.startswith("upload") or not self.has_overlay(found):
                    break
                found = None
        if not found and "tmdb" in providers and (tmdb_id := self.tmdb_ids.get(item.ratingKey)):
            found = self.config.TMDb.poster_url("tv" if self.is_show else "movie", tmdb_id)
        if not found:
            raise Failed("Overlay Error: No Poster found to reset")
        return found
