"""What the other modules share: the logger, the errors, retries, and reading values from YAML."""

from __future__ import annotations

import functools
import re

try:  # where tenacity is installed its sleep is used, so that what speeds up Kometa's waits speeds up these
    from tenacity.nap import sleep
except ImportError:
    from time import sleep

logger = None
"""Set by kometa.py before anything else of this package is imported."""

windows = False


class Failed(Exception):
    """An error that ends one thing (an overlay, an item, a library) and is written to the log."""


class OverlayError(Failed):
    """An overlay definition is wrong."""


class BuilderValidationError(Failed):
    """A definition's builders or filters are wrong."""


class NotScheduled(Exception):
    """Skipped on purpose."""


class RetryError(Exception):
    """Every try failed."""


TRIES = 6
WAIT = 10
"""Seconds between tries."""


def retry(*final: type[BaseException]):
    """Try six times, 10 s apart; ``final`` errors pass at once, RetryError (from the last error) ends the tries."""

    def decorate(function):
        @functools.wraps(function)
        def tried(*args, **kwargs):
            for number in range(1, TRIES + 1):
                try:
                    return function(*args, **kwargs)
                except final:
                    raise
                except Exception as error:  # as Kometa: whatever it is, it may pass
                    if number == TRIES:
                        raise RetryError(f"{type(error).__name__}: {error}") from error
                    sleep(WAIT)
            raise AssertionError("unreachable")

        return tried

    return decorate


def get_list(value, split=True) -> list:
    """``value`` as a list: None is empty, text is cut at commas, anything else stands alone."""
    if value is None:
        return []
    if isinstance(value, list):
        return [v for v in value if v is not None]
    if isinstance(value, str) and split:
        return [part.strip() for part in value.split(",") if part.strip()]
    return [value]


def parse_int(value, name: str, minimum: int | None = None) -> int:
    """A whole number, else OverlayError naming ``name``."""
    try:
        number = int(str(value))
    except ValueError:
        number = None
    if number is None or (minimum is not None and number < minimum):
        bound = f" greater than or equal to {minimum}" if minimum is not None else ""
        raise OverlayError(f"Overlay Error: overlay {name} attribute: {value} must be an integer{bound}")
    return number


def safe_name(name: str) -> str:
    """``name`` without what a file name cannot have."""
    return re.sub(r'[\\/:*?"<>|]', "", name)
