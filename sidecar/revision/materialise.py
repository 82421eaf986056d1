"""Lays out one shard's working directory for Kometa: its own copies, its own config.yml, its own token."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from sidecar.errors import StoreError
from sidecar.model import PreviewConfig, Revision
from sidecar.revision.overlay_files import mapping
from sidecar.yamlfile import dump

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+")

UUID: Final = "5f0f2a5e-6b6f-5d65-b461-2d7369646563"
"""X-Plex-Client-Identifier of every preview: constant, so that Plex never lists a new device."""


@dataclass(frozen=True, slots=True)
class ConfigText:
    """config.yml of a preview without its token: writing YAML takes longer than all the rest of a shard's directory."""

    _text: str
    _mark: str

    def with_token(self, token: str) -> str:
        """``token`` is the shard's grant: letters, digits, ``-`` and ``_``; ValueError for any other."""
        if not _TOKEN.fullmatch(token):
            raise ValueError("not a grant's token")
        return self._text.replace(self._mark, token)


def config_text(preview: PreviewConfig, plex_url: str | None = None) -> ConfigText:
    """For any number of shards with the same libraries."""
    mark = str(secrets.randbits(128) | 1 << 127)  # digits: the dumper puts them into quotes, where any token may stand
    return ConfigText(dump(_with_token(preview.data, mark, plex_url)), mark)


def materialise(
    revision: Revision,
    preview: PreviewConfig,
    home: Path,
    *,
    token: str,
    kometa_home: Path | None = None,
    plex_url: str | None = None,
    text: ConfigText | None = None,
) -> Path:
    """Make ``home``, Kometa's working directory for one shard (``home/config/config.yml``); the path of that config.

    ``home`` must not exist or be empty. Everything is a copy: Kometa writes beside what it reads. ``token`` is the shard's
    grant, the only Plex token in there. ``plex_url`` replaces the first Plex server's address (for a stock Kometa over the
    gateway's TCP port). ``text`` is that config's, where it was made before. ``home/fonts`` leads to ``kometa_home/fonts``.
    StoreError where the disk does not take it.
    """
    config = home / "config"
    try:
        config.mkdir(parents=True, mode=0o700)
        for file in revision.files:
            if file.path != "config/config.yml" and file.path not in preview.files:
                _copy(revision.root / file.path, home / file.path)
        for place, content in preview.files.items():
            (home / place).parent.mkdir(parents=True, exist_ok=True)
            (home / place).write_text(content, encoding="utf-8", newline="")
        for directory in _directories(preview.data):
            (home / directory).mkdir(parents=True, exist_ok=True)
        (config / "overlays").mkdir(exist_ok=True)
        (config / "UUID").write_text(UUID, encoding="utf-8")
        if kometa_home is not None and (kometa_home / "fonts").is_dir():
            (home / "fonts").symlink_to(kometa_home / "fonts", target_is_directory=True)
        path = config / "config.yml"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file_:
            file_.write((text or config_text(preview, plex_url)).with_token(token))
    except OSError as error:
        raise StoreError(f"Kometa's directory {home} cannot be laid out: {os.strerror(error.errno or 0)}") from error
    return path


def _copy(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, to)
    to.chmod(0o644)


def _directories(data: Mapping[str, Any]) -> set[str]:
    """Asset directories: Kometa leaves out those that are not there."""
    sections = [data, *mapping(data.get("libraries")).values()]
    named = [mapping(mapping(section).get("settings")).get("asset_directory") for section in sections]
    return {str(directory) for directories in named if isinstance(directories, list) for directory in directories}


def _with_token(data: Mapping[str, Any], token: str, plex_url: str | None) -> dict[str, Any]:
    def entered(plex: Mapping[str, Any]) -> dict[str, Any]:
        first = (urlsplit(str(plex.get("url"))).hostname or "").startswith("plex-0.")
        return {**plex, "url": plex_url if plex_url is not None and first else plex["url"], "token": token}

    libraries = {
        key: {**section, "plex": entered(section["plex"])} if "plex" in mapping(section) else section
        for key, section in mapping(data.get("libraries")).items()
    }
    return {**data, "libraries": libraries, "plex": entered(mapping(data["plex"]))}
