"""An overlay file: its overlays, queues and templates, with variables put in."""

from __future__ import annotations

import copy
import re
from pathlib import Path

from modules import util
from modules.overlay import Place, read_place
from modules.util import Failed

logger = util.logger

DEFAULTS = Path(__file__).parent.parent / "defaults" / "overlays"
VARIABLE = re.compile(r"<<([a-z0-9_]+)>>")
ROUNDS = 8
"""A variable's value may name further variables, this deep."""


class OverlayFile:
    """A file of a library's ``overlay_files``. Failed where it cannot be used."""

    def __init__(self, library, kind: str, path: str, variables: dict) -> None:
        self.library = library
        self.file_num = len(library.overlay_files)
        logger.info("")
        logger.separator(f"Loading Overlay File {self.file_num} {kind}: {path}")
        self.path = path
        located = self._locate(kind, path)
        data = library.config.Requests.file_yaml(located).data
        if not data:
            raise Failed("YAML Error: File is empty")
        logger.debug(f"File Loaded From: {located}")
        self.variables = variables
        self.templates = mapping(data, "templates")
        self.queue_names: dict[str, int] = {}
        for name, queue in mapping(data, "queues").items():
            self.queue_names[name] = len(library.queues)
            library.queues[len(library.queues)] = positions(queue)
        self.overlays = mapping(data, "overlays")
        if not self.overlays:
            raise Failed("YAML Error: overlays attribute is required")
        logger.info("Overlay File Loaded Successfully")

    @staticmethod
    def _locate(kind: str, path: str) -> Path:
        if not path.endswith((".yml", ".yaml")):
            path += ".yml"
        if kind == "Default":
            found = DEFAULTS / path.removeprefix("overlays/")
            if not found.exists():
                raise Failed(f"File Error: Default does not exist {path}")
            return found
        if not Path(path).exists():
            raise Failed(f"File Error: File does not exist {Path(path).absolute()}")
        return Path(path).absolute()

    def definition(self, name, data: dict) -> dict:
        """An overlay's attributes, with what its templates give; its own go first. Failed for an unknown template."""
        result: dict = {}
        for call in util.get_list(data.get("template"), split=False):
            if not isinstance(call, dict) or call.get("name") not in self.templates:
                raise Failed(f"Overlay Error: No template found called {call.get('name') if isinstance(call, dict) else call}")
            result.update(self._expand(copy.deepcopy(self.templates[call["name"]]), {"key_name": name, "overlay_name": name, **call}))
        own = {"key_name": name, "overlay_name": name, **(data.get("variables") or {}), **self.variables}
        given = {key: value for key, value in data.items() if key not in ("template", "variables")}
        result.update(substitute(given, {key: str(value) for key, value in own.items()}) if data.get("template") else given)
        return result

    def _expand(self, template: dict, call: dict) -> dict:
        values = dict(template.pop("default", None) or {})
        optional = util.get_list(template.pop("optional", None))
        values.update({key: value for key, value in {**call, **self.variables}.items() if key != "name"})
        if template.pop("conditionals", None):
            raise Failed("Overlay Error: the stand-in has no template conditionals")
        values = {str(key): value for key, value in values.items() if value is not None}
        expanded = drop(template, {name for name in optional if name not in values})
        for _ in range(ROUNDS):
            expanded = substitute(expanded, values)
        return expanded


def mapping(data: dict, attribute: str) -> dict:
    """``data[attribute]`` where it is a mapping of mappings (or, for queues, of lists); logged where it is not."""
    if attribute not in data:
        return {}
    if not data[attribute]:
        logger.error(f"Config Error: {attribute} attribute is blank")
        return {}
    if not isinstance(data[attribute], dict):
        logger.error(f"Config Error: {attribute} must be a dictionary")
        return {}
    found = {}
    for name, value in data[attribute].items():
        if attribute != "queues" and value is not None and not isinstance(value, dict):
            logger.warning(f"Config Warning: {attribute[:-1]}: {name} must be a dictionary")
        elif value is not None:
            found[name] = value
    return found


def positions(queue) -> list[Place]:
    """The places of a queue, first to last; what a place does not say it has from the one before."""
    if not isinstance(queue, list) or not all(isinstance(place, dict) for place in queue):
        raise Failed("Queue Error: the stand-in knows queues as lists of positions")
    attributes: dict = {}
    found = []
    for position in queue:
        attributes = {**attributes, **position}
        place = read_place(attributes)
        if place is None:
            raise Failed("Config Error: queue missing horizontal_offset attribute")
        found.append(place)
    return found


def substitute(data, values: dict):
    """``data`` with ``<<name>>`` replaced; a text that is nothing but a variable takes the value's type."""
    if isinstance(data, dict):
        return {substitute(key, values): substitute(value, values) for key, value in data.items()}
    if isinstance(data, list):
        return [substitute(value, values) for value in data]
    if isinstance(data, str) and "<<" in data:
        whole = VARIABLE.fullmatch(data)
        if whole and whole[1] in values:
            return values[whole[1]]
        return VARIABLE.sub(lambda match: str(values.get(match[1], match[0])), data)
    return data


def drop(data, names: set[str]):
    """``data`` without the attributes whose text uses one of ``names``."""
    if isinstance(data, dict):
        return {key: drop(value, names) for key, value in data.items() if not uses(value, names)}
    return data


def uses(value, names: set[str]) -> bool:
    return isinstance(value, str) and any(f"<<{name}>>" in value for name in names)
