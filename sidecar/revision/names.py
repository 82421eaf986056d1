"""The names Kometa 2.4.4 knows: settings with their defaults, library keys, overlay attributes, text variables.

Kometa passes an unknown name silently, so a typo costs an evening; these tables let us say it. From Kometa's source and
its wiki (https://kometa.wiki/en/latest/config/settings/, .../files/overlays/).
"""

# ruff: noqa: SIM905 (tables of names read better as words in a text than as quoted lists)

from __future__ import annotations

from typing import Final

SETTINGS: Final[dict[str, object]] = {
    "cache": True,
    "cache_expiration": 60,
    "run_order": ["operations", "metadata", "collections", "overlays"],
    "asset_directory": None,
    "asset_folders": True,
    "asset_depth": 0,
    "create_asset_folders": False,
    "prioritize_assets": False,
    "dimensional_asset_rename": False,
    "download_url_assets": False,
    "show_missing_assets": True,
    "show_missing_season_assets": False,
    "show_missing_episode_assets": False,
    "show_asset_not_needed": True,
    "sync_mode": "append",
    "default_collection_order": None,
    "minimum_items": 1,
    "item_refresh_delay": 0,
    "delete_below_minimum": False,
    "delete_not_scheduled": False,
    "auto_sort_hubs": None,
    "run_again_delay": 0,
    "missing_only_released": False,
    "only_filter_missing": False,
    "show_unmanaged": True,
    "show_unconfigured": True,
    "show_filtered": False,
    "show_unfiltered": False,
    "show_options": False,
    "show_missing": True,
    "save_report": False,
    "tvdb_language": "default",
    "ignore_ids": None,
    "ignore_imdb_ids": None,
    "playlist_sync_to_users": None,
    "playlist_exclude_users": None,
    "playlist_report": True,
    "verify_ssl": True,
    "custom_repo": None,
    "overlay_artwork_filetype": "webp_lossy",
    "overlay_artwork_quality": 90,
}
"""``settings:`` and what Kometa takes where one is missing. A missing one is written into config.yml, so all are given."""

OTHER_SETTINGS: Final = frozenset(
    {"assets_for_all", "assets_for_all_collections", "collection_minimum", "playlist_sync_to_user", "save_missing", "hub_priority"},
)
"""Known to Kometa, but without a default to write."""

TOP_LEVEL: Final = frozenset(
    "libraries playlist_files settings webhooks plex tmdb tautulli github omdb mdblist notifiarr gotify ntfy apprise anidb "
    "radarr sonarr trakt mal simkl cache templates".split(),
)

LIBRARY: Final = frozenset(
    "library_name collection_files metadata_files overlay_files image_files metadata_path overlay_path template_variables "
    "settings operations webhooks plex radarr sonarr tautulli schedule schedule_overlays schedule_overlay report_path "
    "remove_overlays remove_overlay revert_overlays reapply_overlays reapply_overlay reset_overlays reset_overlay "
    "radarr_add_all sonarr_add_all radarr_add_all_existing sonarr_add_all_existing".split(),
)

OVERLAY_ENTRY: Final = frozenset(
    "file folder url git repo default pmm template_variables asset_directory schedule "
    "remove_overlays remove_overlay revert_overlays reapply_overlays reapply_overlay reset_overlays reset_overlay".split(),
)
"""Keys of one item of ``overlay_files``."""

OVERLAY_FILE: Final = frozenset({"overlays", "templates", "external_templates", "queues"})
"""Top-level keys of an overlay file."""

OVERLAY: Final = frozenset(
    "name file url git repo default pmm group weight queue horizontal_offset horizontal_align vertical_offset vertical_align "
    "scale_width scale_height back_color back_width back_height back_align back_padding back_radius back_line_color "
    "back_line_width font font_size font_style font_color stroke_width stroke_color addon_offset addon_position".split(),
)
"""Attributes of ``overlay:``."""

_RATINGS: Final = (
    "audience_rating critic_rating user_rating anidb_average_rating anidb_rating anidb_score_rating imdb_rating mal_rating "
    "mdb_average_rating mdb_imdb_rating mdb_letterboxd_rating mdb_metacritic_rating mdb_metacriticuser_rating "
    "mdb_myanimelist_rating mdb_rating mdb_tmdb_rating mdb_tomatoes_rating mdb_tomatoesaudience_rating mdb_trakt_rating "
    "omdb_rating omdb_imdb_rating omdb_metascore_rating omdb_tomatoes_rating plex_imdb_rating plex_tmdb_rating "
    "plex_tomatoes_rating plex_tomatoesaudience_rating tmdb_rating trakt_rating trakt_user_rating".split()
)

_MODIFIERS: Final[dict[tuple[str, ...], tuple[str, ...]]] = {
    ("bitrate",): ("", "H", "L"),
    ("originally_available",): ("", "["),
    ("runtime", "total_runtime"): ("", "H", "M"),
    tuple(_RATINGS): ("", "%", "#", "/"),
    ("title", "content_rating", "original_title", "edition", "show_title", "season_title"): ("", "U", "L", "P"),
    ("season_number", "episode_number", "episode_count", "versions"): ("", "W", "WU", "WL", "0", "00"),
}

TEXT_VARIABLES: Final = frozenset(name + modifier for names, modifiers in _MODIFIERS.items() for name in names for modifier in modifiers)
"""What may stand in ``<<...>>`` of ``name: text(...)``; ``originally_available[`` takes a date format up to ``]``."""

TEMPLATE_VARIABLES: Final = frozenset(
    "overlay_name mapping_name overlay_sort mapping_sort current_year current_month current_day library_type library_typeU "
    "library_name library_translation library_translationU key_name original_key_name key_name_first_letter limit name".split(),
)
"""What Kometa itself puts in for ``<<...>>`` of templates."""

LEVEL_KEYS: Final = ("builder_level", "overlay_level", "collection_level")
