"""TMDb, as far as a run cannot do without it: the configuration, and an item's poster."""

from __future__ import annotations

from modules import util
from modules.util import Failed

logger = util.logger

API = "https://api.themoviedb.org/3"


class TMDb:
    """Checks the key by asking for TMDb's configuration. Failed where TMDb says no."""

    def __init__(self, config, params):
        self.requests = config.Requests
        self.apikey = params["apikey"]
        self.language = params["language"]
        logger.secret(self.apikey)
        self.configuration = self._get("configuration", append_to_response="countries,jobs,languages,primary_translations,timezones")

    def _get(self, path: str, **params):
        response = self.requests.get(f"{API}/{path}", params={"api_key": self.apikey, **params})
        if response.status_code >= 400:
            raise Failed(f"TMDb Error: {response.status_code} for {path}")
        return response.json()

    def poster_url(self, kind: str, tmdb_id: str) -> str | None:
        """``kind`` is movie or tv."""
        path = self._get(f"{kind}/{tmdb_id}", language=self.language).get("poster_path")
        return f"{self.configuration['images']['secure_base_url']}original{path}" if path else None
