"""What all sections of the settings share: quantities as people write them, and no unknown keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_SIZE_UNITS = {"": 1, "B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KIB": 1024, "MIB": 1024**2, "GIB": 1024**3}
_TIME_UNITS = {"": 1.0, "MS": 0.001, "S": 1.0, "M": 60.0, "MIN": 60.0, "H": 3600.0, "D": 86400.0}


def _quantity(value: Any, units: dict[str, Any], like: str) -> Any:
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", value)
    if not found or found.group(2).upper() not in units:
        raise ValueError(f"it is not a quantity like {like}")
    return float(found.group(1)) * units[found.group(2).upper()]


def _seconds(value: Any) -> Any:
    return _quantity(value, _TIME_UNITS, "30, 500ms, 5m or 2h")


def _size(value: Any) -> Any:
    number = _quantity(value, _SIZE_UNITS, "1048576, 64MiB or 1GB")
    return int(number) if isinstance(number, float) else number


def a_host(name: str) -> str:
    """``name`` where it can be a host's; ValueError."""
    try:
        name.encode("idna")
    except UnicodeError:
        raise ValueError("it is no name of a host") from None
    return name


def askable(url: str) -> str:
    """``url``, empty or one of http; ValueError, which tells nothing of it: an address may be a secret."""
    if url and not url.startswith(("http://", "https://")):
        raise ValueError("it must begin with http:// or https://")
    try:
        parts = urlsplit(url)
        sound = not re.search(r"\s", url) and (not url or (parts.port != -1 and bool(a_host(parts.hostname or ""))))
    except ValueError:
        sound = False
    if not sound:
        raise ValueError("it is none that can be asked: look at its host and its port")
    return url


Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0, allow_inf_nan=False)]
Bytes = Annotated[int, BeforeValidator(_size), Field(gt=0)]
Port = Annotated[int, Field(ge=0, le=65535)]
UserPath = Annotated[Path, AfterValidator(Path.expanduser)]


class Section(BaseModel):
    """A section of sidecar.yml."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
