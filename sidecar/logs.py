"""Logging: set up once, and no known secret passes the handler.

Redaction stands at the handler, so that a library's own log line or a traceback is covered like ours.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, TextIO
from urllib.parse import quote, quote_plus

MASK: Final = "(redacted)"
REQUEST: Final[ContextVar[str]] = ContextVar("request", default="")
"""The id of the HTTP request that is being answered: in every line logged meanwhile, and in its X-Request-ID header."""
RUN: Final[ContextVar[str]] = ContextVar("run", default="")
"""The id of the run that is being made, likewise."""
_SHORTEST: Final = 6
"""Characters; shorter "secrets" (a pin, "none") would mask ordinary text."""


class Redactor:
    """Masks every secret that it was told of."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()

    def learn(self, secrets: Iterable[str]) -> None:
        """Add secrets; the longest are masked first, so that one inside another leaves no rest."""
        known = {*self._secrets, *(form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret))}
        self._secrets = tuple(sorted(known, key=len, reverse=True))

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASK)
        return text


def _forms(secret: str) -> set[str]:
    """The secret as it is, and as it stands in a URL, in JSON and in a Python literal."""
    return {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
    }


class _Readable(logging.Formatter):
    def __init__(self, redact: Redactor) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        ids = " ".join(f"{name}={value}" for name, value in _ids().items())
        text = super().format(record)
        return self._redact(f"{text} [{ids}]" if ids and "\n" not in text else text)


class _Json(logging.Formatter):
    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_ids(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # Each value before it is written as JSON: escaping would hide a secret's quotes and backslashes.
        return json.dumps({name: self._redact(value) for name, value in line.items()}, ensure_ascii=False)


def _ids() -> dict[str, str]:
    return {name: value for name, value in (("request", REQUEST.get()), ("run", RUN.get())) if value}


def _is_news(record: logging.LogRecord) -> bool:
    """Not what watchdog calls an error where an event and the stop of its thread cross: the stop is ours, and wanted."""
    return not (record.name == "watchdog.observers.inotify" and str(record.msg).endswith("called when the thread is inactive"))


def set_up(*, level: str, style: str, redact: Redactor, stream: TextIO | None = None) -> None:
    """Send all logging to ``stream`` (standard error), as ``readable`` lines or ``json``, through ``redact``."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json(redact) if style == "json" else _Readable(redact))
    handler.addFilter(_is_news)
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    # These report each request or tick at INFO: of use to nobody but their own developers.
    for noisy in ("aiohttp.access", "apscheduler", "watchdog", "plexapi", "urllib3", "PIL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def masked(value: Any, redact: Callable[[str], str]) -> Any:
    """``value`` with the known secrets masked in every text: titles and reasons come from anywhere."""
    match value:
        case str():
            return redact(value)
        case Mapping():
            return {key: masked(item, redact) for key, item in value.items()}
        case list() | tuple():
            return [masked(item, redact) for item in value]
        case _:
            return value
