"""Secrets from files: systemd credentials, Docker secrets, and variables that name a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sidecar.errors import SettingsError
from sidecar.model import Problem, Severity
from sidecar.sight import is_dir, is_file

RUN_SECRETS: Final = Path("/run/secrets")
LARGEST: Final = 64 * 1024
"""Bytes of a secret's file."""

OWN_PREFIX: Final = "KOMETA_SIDECAR_"
KOMETA_PREFIX: Final = "KOMETA_"


def secret_directories(env: Mapping[str, str]) -> tuple[Path, ...]:
    """Where secret files are looked for, first found first.

    One that may not be entered counts as empty: systemd can leave such a directory for a service none of whose credentials exist.
    """
    credentials = env.get("CREDENTIALS_DIRECTORY")
    places = (Path(credentials), RUN_SECRETS) if credentials else (RUN_SECRETS,)
    return tuple(place for place in places if os.access(place, os.X_OK))


def read_secret(path: Path, name: str, problems: list[Problem]) -> str | None:
    """A secret file's text without its last line end; None, and a problem under ``name``, where it cannot be read."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        text = raw.decode("utf-8").rstrip("\r\n")
        why = f"it has more than {LARGEST:,} bytes" if len(raw) > LARGEST else ""
    except (OSError, ValueError) as error:
        text, why = "", os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    if why:
        what = f"the secret file {path} cannot be read: {why}"
        problems.append(
            Problem(severity=Severity.ERROR, what=what, mend="Check the file's path and rights.", file=name, source="settings"),
        )
        return None
    return text


def kometa_environment(env: Mapping[str, str]) -> dict[str, str]:
    """The variables that Kometa's config.yml may refer to (``<<name>>`` means ``KOMETA_NAME``, ``plex.url: env`` means
    ``KOMETA_PLEX_URL``), completed from ``KOMETA_NAME_FILE`` and from secret files named ``kometa_name``.

    SettingsError where a named file cannot be read.
    """
    problems: list[Problem] = []
    found: dict[str, str] = {}
    for directory in reversed(secret_directories(env)):
        for path in sorted(directory.glob("[kK][oO][mM][eE][tT][aA]_*")) if is_dir(directory) else ():
            if is_file(path) and not path.name.upper().startswith(OWN_PREFIX):
                value = read_secret(path, str(path), problems)
                if value is not None:
                    found[path.name.upper()] = value
    for name, value in env.items():
        if name.startswith(OWN_PREFIX) or not name.startswith((KOMETA_PREFIX, "PMM_")):
            continue
        if name.endswith("_FILE") and name.removesuffix("_FILE") not in env:
            text = read_secret(Path(value), name, problems)
            if text is not None:
                found[name.removesuffix("_FILE")] = text
        else:
            found[name] = value
    if problems:
        raise SettingsError(problems)
    return found
