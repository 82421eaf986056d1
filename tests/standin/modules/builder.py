"""One overlay definition: which items it is for."""

from __future__ import annotations

from plexapi.exceptions import BadRequest

from modules import util
from modules.overlay import Overlay
from modules.search import Search, passes
from modules.util import BuilderValidationError, Failed, NotScheduled

logger = util.logger

LEVELS = {"movie": ("movie",), "show": ("show", "season", "episode"), "artist": ("artist", "album")}
KNOWN = frozenset(
    {
        "overlay",
        "suppress_overlays",
        "builder_level",
        "plex_all",
        "plex_search",
        "filters",
        "limit",
        "ignore_blank_results",
        "run_definition",
    }
)


class CollectionBuilder:
    """Reads a definition and finds its items; ``found_items`` are loaded in full. Failed where it is wrong."""

    def __init__(self, config, overlay_file, name, data, library) -> None:
        logger.separator(f"Validating {name} Attributes", space=False, border=False)
        self.library = library
        self.name = str(name)
        data = overlay_file.definition(self.name, data)
        library.search(
            title=self.name, sort=None, maxresults=None, libtype="collection"
        )  # Kometa asks for a collection of this name, even here
        self._check_run_definition(data)
        level = str(data.get("builder_level") or library.Plex.type).lower()
        if level not in LEVELS[library.Plex.type]:
            if library.Plex.type != "movie":
                raise BuilderValidationError(
                    f"Overlay Error: builder_level '{level}' is invalid. Options: {', '.join(LEVELS[library.Plex.type])}"
                )
            level = "movie"
        self.level = level
        self.limit = int(data.get("limit") or 0)
        suppress = [str(each) for each in util.get_list(data.get("suppress_overlays"))]
        self.overlay = Overlay(config, library, overlay_file, self.name, data.get("overlay", self.name), suppress, level)
        unknown = [key for key in data if key not in KNOWN]
        if unknown:
            raise BuilderValidationError(f"Overlay Error: {unknown[0]} attribute not supported")
        self.filters = data.get("filters") or {}
        self.ignore_blank = data.get("ignore_blank_results") is True
        self.builders = []
        if data.get("plex_all"):
            self.builders.append(("plex_all", level))
        for each in util.get_list(data.get("plex_search"), split=False):
            self.builders.append(("plex_search", Search(library, level, each)))
        if not self.builders:
            raise BuilderValidationError("Overlay Error: No Builders were found")
        self.found_items: list = []

    def _check_run_definition(self, data: dict) -> None:
        for wanted in util.get_list(data.get("run_definition")):
            if str(wanted).lower() not in ("true", self.library.Plex.type):
                raise NotScheduled(f"Skipped because run_definition library_type: {wanted} doesn't match")

    def find(self) -> list:
        """The items, in the order of the builders. Failed where a builder finds nothing."""
        logger.separator(f"Gathering Items for {self.name} Overlay", space=False, border=False)
        for method, value in self.builders:
            logger.debug(f"Builder: {method}: {value.arguments if method == 'plex_search' else value}")
            listed = self.library.all_items(value) if method == "plex_all" else self.library.fetch_items(value.arguments)
            if not listed:
                if self.ignore_blank:
                    logger.warning("Plex Error: No Items found in Plex")
                    continue
                raise Failed("Plex Error: No Items found in Plex")
            for listed_item in listed:
                try:
                    item = self.library.fetch_item(listed_item.ratingKey)
                except (Failed, BadRequest) as error:
                    logger.error(error)
                    continue
                if item not in self.found_items and passes(item, self.filters):
                    self.found_items.append(item)
        return self.found_items[: self.limit] if self.limit else self.found_items
