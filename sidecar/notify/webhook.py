"""Posts a message as JSON to one URL. The only address it goes to is the one in the settings: redirects are not followed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

TIMEOUT: Final = 15.0
"""Seconds for one delivery, connect to last byte."""


class Refused(Exception):
    """The receiver will never take this message (a 4xx other than 408, 425 and 429): trying again cannot help."""


class Later(Exception):
    """Not delivered now; ``after`` is the seconds the receiver asked for, or 0."""

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after


class Webhook:
    """One destination. ``name`` is how outbox rows and log lines call it: they never hold the URL, which may be a secret."""

    def __init__(
        self, name: str, url: str, session: aiohttp.ClientSession, *, headers: Mapping[str, str] | None = None, timeout: float = TIMEOUT
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"webhook {name}: the URL must begin with http:// or https:// and name a host")
        self.name = name
        self._url = url
        self._session = session
        self._headers = dict(headers or {})
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    async def send(self, identifier: str, body: Mapping[str, Any]) -> None:
        """Deliver ``body``. Refused or Later where the receiver did not answer 2xx."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": identifier, **self._headers}
        try:
            async with self._session.post(
                self._url,
                data=json.dumps(body, ensure_ascii=False).encode(),
                headers=headers,
                allow_redirects=False,
                timeout=self._timeout,
            ) as answer:
                status, wait = answer.status, _seconds(answer.headers.get("Retry-After", ""))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Later(f"{self.name}: {type(error).__name__}") from error
        if 200 <= status < 300:
            return
        if status in (408, 425, 429) or status >= 500:
            raise Later(f"{self.name}: HTTP {status}", wait)
        raise Refused(f"{self.name}: HTTP {status}")


def _seconds(text: str) -> float:
    return min(float(text), 3600.0) if text.isdigit() else 0.0
