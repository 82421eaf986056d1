"""Reads config.yml's ``libraries:``: which are previewed, from which overlay files, with which assets, on which server."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from sidecar.errors import ConfigError
from sidecar.model import DEFAULT_SERVER, Level, LibraryPlan, PlexServer, Problem, Severity
from sidecar.revision.collect import Collector
from sidecar.revision.overlay_files import mapping
from sidecar.revision.reading import Entry
from sidecar.yamlfile import Document, Where, nearest


def chosen(data: Mapping[str, Any], config: Document, wanted: tuple[str, ...], problems: list[Problem]) -> list[str]:
    """Keys of the libraries to preview. ConfigError where none has overlay files."""
    libraries = data.get("libraries")
    if not isinstance(libraries, Mapping) or not libraries:
        mend = "Add a 'libraries:' section with a library that has overlay_files."
        raise ConfigError([config.problem(Severity.ERROR, "there are no libraries", "libraries", mend=mend)])
    names = {str(key): {str(key), str(mapping(section).get("library_name") or key)} for key, section in libraries.items()}
    for name in wanted:
        if not any(name in known for known in names.values()):
            close = nearest(name, [each for known in names.values() for each in known])
            what = f"the library '{name}' that targets.libraries names is not in config.yml"
            problems.append(config.problem(Severity.WARNING, what, "libraries", mend=close))
    with_overlays = [str(key) for key, section in libraries.items() if overlay_entries(mapping(section))]
    found = [key for key in with_overlays if not wanted or names[key] & set(wanted)]
    if not found:
        mend = "Give a library overlay_files; without them Kometa draws nothing."
        what = "no library has overlay_files" if not with_overlays else "none of the libraries to preview has overlay_files"
        raise ConfigError([config.problem(Severity.ERROR, what, "libraries", mend=mend)])
    return found


def overlay_key(section: Mapping[str, Any]) -> str:
    """``overlay_files``, or its old name."""
    return "overlay_files" if "overlay_files" in section or "overlay_path" not in section else "overlay_path"


def overlay_entries(section: Mapping[str, Any]) -> list[Any]:
    """The items of ``overlay_files``, a single one as a list."""
    entries = section.get(overlay_key(section))
    if entries is None:
        return []
    return entries if isinstance(entries, list) else [entries]


def variables_of(entry: Mapping[str, Any], section: Mapping[str, Any]) -> dict[str, Any]:
    """The entry's ``template_variables``; the library's where the entry has none of that name."""
    return {**mapping(section.get("template_variables")), **mapping(entry.get("template_variables"))}


def expand(
    section: Mapping[str, Any],
    where: Where,
    config: Document,
    collector: Collector,
) -> tuple[tuple[Entry, ...], dict[int, tuple[Path, ...]]]:
    """Every overlay file of a library in Kometa's order (of one item: url, git, pmm, default, repo, file, folder)."""
    found: list[Entry] = []
    folders: dict[int, tuple[Path, ...]] = {}
    for index, entry in enumerate(overlay_entries(section)):
        here: Where = (*where, overlay_key(section), *((index,) if isinstance(section.get(overlay_key(section)), list) else ()))
        if not isinstance(entry, Mapping):
            path = collector.file(str(entry), "overlay", config, here)
            found.append(Entry(kind="file", text=str(entry), where=here, variables={}, path=path))
            continue
        variables = variables_of(entry, section)
        for key in ("url", "git", "pmm", "default", "repo", "file"):
            text = entry.get(key)
            if not text:
                if key in entry:
                    collector.say(config.problem(Severity.ERROR, f"{key} is blank", *here, key, mend="Give it a value, or remove it."))
                continue
            text, kind = str(text), "default" if key == "pmm" else key
            if key == "git" and text.startswith("PMM/"):
                text, kind = text[4:], "default"
            path = collector.file(text, "overlay", config, (*here, key)) if kind == "file" else None
            found.append(Entry(kind=kind, text=text, where=(*here, key), variables=variables, path=path))
        if entry.get("folder"):
            files = _folder(str(entry["folder"]), config, (*here, "folder"), collector)
            folders[index] = files
            for path in files:
                found.append(Entry(kind="file", text=str(path), where=(*here, "folder"), variables=variables, path=path))
    return tuple(found), folders


def _folder(text: str, config: Document, where: Where, collector: Collector) -> tuple[Path, ...]:
    directory = collector.directory(text, config, where, what="the folder")
    if directory is None:
        return ()
    # unsorted, as Kometa's own glob: the order in which overlays are pasted follows from it
    names = [name for suffix in ("yml", "yaml") for name in glob.glob(f"*.{suffix}", root_dir=directory)]  # noqa: PTH207 (Path.glob sorts)
    if not names:
        what = f"there is no .yml file in the folder '{text}'"
        collector.say(config.problem(Severity.WARNING, what, *where, mend="Put overlay files there, or remove the entry."))
    paths = [collector.file(str(directory / name), "overlay", config, where) for name in names]
    return tuple(path for path in paths if path is not None)


def plan(
    key: str,
    section: Mapping[str, Any],
    data: Mapping[str, Any],
    config: Document,
    collector: Collector,
    server: str,
    levels: frozenset[Level],
) -> LibraryPlan:
    """The library's plan; its asset directories are announced to the collector."""
    general, own = mapping(data.get("settings")), mapping(section.get("settings"))

    def setting(name: str) -> Any:
        return own[name] if own.get(name) is not None else general.get(name)

    where: Where = (
        ("libraries", key, "settings", "asset_directory") if own.get("asset_directory") is not None else ("settings", "asset_directory")
    )
    named = setting("asset_directory") or mapping(data.get("plex")).get("asset_directory")
    directories = [
        collector.directory(str(text), config, (*where, index), what="the asset directory")
        for index, text in enumerate(named if isinstance(named, list) else [named] if named else [])
    ]
    folders, depth = setting("asset_folders"), setting("asset_depth")
    return LibraryPlan(
        name=str(section.get("library_name") or key),
        key=key,
        server=server,
        levels=levels,
        asset_directories=tuple(directory for directory in directories if directory is not None),
        asset_folders=folders if isinstance(folders, bool) else True,
        asset_depth=depth if isinstance(depth, int) and not isinstance(depth, bool) and depth >= 0 else 0,
    )


def servers(
    data: Mapping[str, Any], keys: list[str], config: Document, env: Mapping[str, str]
) -> tuple[tuple[PlexServer, ...], dict[str, str]]:
    """The Plex servers in use, and each library's. One address and token is one server. ConfigError where one is missing."""
    general = mapping(data.get("plex"))
    verify_ssl = mapping(data.get("settings")).get("verify_ssl")
    found: dict[tuple[str, str], PlexServer] = {}
    of: dict[str, str] = {}
    uses_general = any(not mapping(mapping(data["libraries"])[_key(data, key)]).get("plex") for key in keys)
    if uses_general or (general.get("url") and general.get("token")):
        server = _server(DEFAULT_SERVER, general, general, ("plex",), config, env, verify_ssl)
        found[(server.url, server.token.get_secret_value())] = server
    for key in keys:
        section = mapping(mapping(data["libraries"])[_key(data, key)])
        own = mapping(section.get("plex"))
        if not own:
            of[key] = DEFAULT_SERVER
            continue
        name = f"plex-{len(found)}"
        server = _server(name, own, general, ("libraries", key, "plex"), config, env, verify_ssl)
        identity = (server.url, server.token.get_secret_value())
        of[key] = found.setdefault(identity, server).name
    return tuple(found.values()), of


def _key(data: Mapping[str, Any], key: str) -> Any:
    return next(known for known in mapping(data["libraries"]) if str(known) == key)


def _server(
    name: str,
    own: Mapping[str, Any],
    general: Mapping[str, Any],
    where: Where,
    config: Document,
    env: Mapping[str, str],
    verify_ssl: Any,
) -> PlexServer:
    def value(key: str) -> str:
        text = str(own.get(key) or general.get(key) or "").strip()
        if text.lower() != "env":
            return text
        variable = f"KOMETA_PLEX_{key.upper()}"
        found = env.get(variable) or env.get(variable.replace("KOMETA", "PMM")) or ""
        if not found:
            mend = f"Set {variable} in the sidecar's environment or in the config directory's .env."
            raise ConfigError([config.problem(Severity.ERROR, f"plex.{key} is 'env' and {variable} is not set", *where, key, mend=mend)])
        return found.strip()

    url, token = value("url"), value("token")
    for key, text in (("url", url), ("token", token)):
        if not text:
            mend = f"Add plex.{key}; it is read from here and never given to the renderer."
            raise ConfigError([config.problem(Severity.ERROR, f"plex.{key} is missing", *where, key, mend=mend)])
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        mend = "Write it like http://192.168.1.12:32400."
        raise ConfigError([config.problem(Severity.ERROR, "plex.url is not an http:// or https:// address", *where, "url", mend=mend)])
    timeout, verify = own.get("timeout", general.get("timeout")), own.get("verify_ssl", general.get("verify_ssl", verify_ssl))
    return PlexServer(
        name=name,
        url=url.rstrip("/\\"),
        token=SecretStr(token),
        timeout=float(timeout) if isinstance(timeout, int) and not isinstance(timeout, bool) and timeout > 0 else 60.0,
        verify_ssl=verify if isinstance(verify, bool) else True,
    )
