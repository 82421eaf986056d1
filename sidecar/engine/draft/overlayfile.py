"""Overlay files of the revision: read, with the line of every definition and attribute, and their queues."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sidecar import yamlfile
from sidecar.engine.draft.geometry import Place
from sidecar.engine.draft.spec import Beyond, NotDrawn, Refused, read_place
from sidecar.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class OverlayFile:
    """One overlay file."""

    document: yamlfile.Document
    overlays: Mapping[str, object]
    templates: Mapping[str, object]
    queues: Mapping[str, tuple[Place, ...]]
    variables: Mapping[str, object]
    """Template variables of config.yml for this file."""
    beyond: tuple[str, ...] = ()
    """Top-level keys beyond the subset."""


class FileNotDrawn(Exception):
    """A whole file is left out: ``cause`` says why, ``line`` where."""

    def __init__(self, cause: NotDrawn, line: int | None = None) -> None:
        self.cause = cause
        self.line = line
        super().__init__(str(cause))


def read_file(path: Path, shown: str, variables: Mapping[str, object]) -> OverlayFile:
    """Read an overlay file. FileNotDrawn where it is no YAML, has no overlays, or its queues cannot be told."""
    try:
        document = yamlfile.parse(path.read_bytes(), shown, source="engine")
    except ConfigError as error:
        problem = error.problems[0]
        raise FileNotDrawn(Refused("YAML", problem.what), problem.line) from error
    except OSError as error:
        raise FileNotDrawn(Refused("file", f"it cannot be read: {error.strerror}")) from error
    data = document.data
    if not isinstance(data, Mapping) or not isinstance(data.get("overlays"), Mapping) or not data["overlays"]:
        raise FileNotDrawn(Refused("overlays", "the attribute 'overlays' is required"))
    queues = {}
    for name, given in _mapping(data, "queues").items():
        try:
            queues[name] = _queue(name, given, variables)
        except NotDrawn as cause:
            raise FileNotDrawn(cause, document.line("queues", name)) from cause
    return OverlayFile(
        document=document,
        overlays=_mapping(data, "overlays"),
        templates=_mapping(data, "templates"),
        queues=queues,
        variables=variables,
        beyond=tuple(key for key in ("external_templates",) if data.get(key)),
    )


def entries(given: object, common: Mapping[str, object]) -> Iterator[tuple[int, str, str, Mapping[str, object]]]:
    """(index, kind, path, template variables) of each entry under ``overlay_files:``, in Kometa's order.

    ``common`` are the library's own template variables; an entry's win.
    """
    for index, entry in enumerate(given if isinstance(given, list) else [given] if given else []):
        if not isinstance(entry, Mapping):
            yield index, "file", str(entry), {}
            continue
        raw = entry.get("template_variables")
        own = {str(key): value for key, value in raw.items()} if isinstance(raw, Mapping) else {}
        for kind in ("url", "git", "pmm", "default", "repo", "file", "folder"):
            if entry.get(kind):
                yield index, kind, str(entry[kind]), {**common, **own}


def _mapping(data: Mapping[object, object], key: str) -> dict[str, object]:
    value = data.get(key)
    return {str(name): inner for name, inner in value.items()} if isinstance(value, Mapping) else {}


def _queue(name: str, given: object, variables: Mapping[str, object]) -> tuple[Place, ...]:
    """A queue's positions; each takes what it leaves out from the one before."""
    wanted = variables.get(f"position_{name}") or variables.get("position")
    positions = given
    if isinstance(wanted, list):
        positions = wanted
    elif isinstance(given, Mapping):
        if "settings" in given:
            raise Beyond(f"queues.{name}.settings")
        if wanted and str(wanted) not in given:
            raise Refused(f"queues.{name}", f"it has no position '{wanted}'")
        positions = given[str(wanted)] if wanted else next(iter(given.values()), None)
    if not isinstance(positions, list):
        raise Refused(f"queues.{name}", "it must be a list of positions")
    limit = str(variables.get("overlay_limit", ""))
    carried: dict[object, object] = dict.fromkeys(("horizontal_align", "vertical_align", "horizontal_offset", "vertical_offset"))
    places = []
    for position in positions:
        if position and not isinstance(position, Mapping):
            raise Refused(f"queues.{name}", "every position must be a mapping")
        carried.update({key: value for key, value in (position or {}).items() if key in carried})
        for key, value in carried.items():
            if value is None:
                raise Refused(f"queues.{name}", f"a position without '{key}'")
        places.append(read_place(carried))
        if limit.isdigit() and 0 < int(limit) <= len(places):
            break
    return tuple(places)
