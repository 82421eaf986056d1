"""Where in the user's files an overlay is defined: what Kometa's log says of it by name gets a file and a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sidecar.yamlfile import Document

_LOOKED_INTO = ("overlay", "builder_level", "filters", "plex_search", "template", "variables")
"""Parts of a definition that hold mappings of their own, in which an attribute may stand."""


def find_definition(documents: Iterable[Document], name: str, text: str = "") -> tuple[str, int] | None:
    """File and line of the overlay ``name``, or of the attribute of it that ``text`` speaks of.

    None where no file, or more than one, defines an overlay of this name.
    """
    found = [document for document in documents if isinstance(_overlays(document).get(name), Mapping)]
    if len(found) != 1:
        return None
    (document,) = found
    definition = _overlays(document)[name]
    words = set(re.findall(r"[A-Za-z_.]+", text))
    where: tuple[str | int, ...] = ("overlays", name)
    for part in _LOOKED_INTO:
        inner = definition.get(part)
        spoken = [key for key in inner if key in words] if isinstance(inner, Mapping) else []
        if spoken:
            where = (*where, part, spoken[0])
            break
    else:
        spoken = [key for key in definition if key in words and key != "overlay"]
        where = (*where, spoken[0]) if spoken else where
    line = document.line(*where)
    return (document.name, line) if line is not None else None


def _overlays(document: Document) -> Mapping[str, Any]:
    top = document.data if isinstance(document.data, Mapping) else {}
    found = top.get("overlays")
    return found if isinstance(found, Mapping) else {}
