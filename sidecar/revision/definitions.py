"""Where in the user's files an overlay is defined: what Kometa's log says of it by name gets a file and a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sidecar.yamlfile import Document, Where

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


def find_part(documents: Iterable[Document], file: str, text: str) -> int | None:
    """The line of ``file`` whose overlay, template or queue ``text`` speaks of, or whose section of them; None where it names none."""
    for document in documents:
        if document.name == file and isinstance(document.data, Mapping):
            for section in ("overlays", "templates", "queues"):
                inner = document.data.get(section)
                names = {str(key): key for key in inner} if isinstance(inner, Mapping) else {}
                for name in sorted(names, key=len, reverse=True):  # one may begin like another
                    if re.search(rf"\b{section[:-1]}:? {re.escape(name)}\b", text):
                        return document.line(section, names[name])
                if section in document.data and re.search(rf"\b{section}\b", text):
                    return document.line(section)
    return None


def find_entry(config: Document, kind: str, name: str) -> tuple[str, int] | None:
    """File and line of the entry ``kind: name`` among the overlay files of config.yml; None where there is none, or more than one."""
    return _only(config, [(*where, kind) for where, entry in _entries(config) if str(entry.get(kind)) == name])


def find_variable(config: Document, text: str, library: str = "") -> tuple[str, int] | None:
    """File and line of the template variable whose name and value ``text`` speaks of; None where there is none, or more than one.

    ``library``: only look at the library that Plex calls so.

    Kometa's own overlay files take what they are given into definitions that nobody wrote: that is where it is wrong.
    """
    words = set(re.findall(r"[^\s'\",:;()]+", re.sub(r"\[[^\]]*\]", "", text)))  # in brackets it lists what would be right
    found: list[Where] = []
    for where, entry in _entries(config, library):
        variables = entry.get("template_variables")
        if isinstance(variables, Mapping):
            found += [(*where, "template_variables", key) for key, value in variables.items() if {str(key), str(value)} <= words]
    return _only(config, found)


def _only(config: Document, places: Sequence[Where]) -> tuple[str, int] | None:
    line = config.line(*places[0]) if len(places) == 1 else None
    return (config.name, line) if line is not None else None


def _entries(config: Document, library: str = "") -> Iterator[tuple[Where, Mapping[str, Any]]]:
    """The entries of every library's overlay files, and the libraries, which may hold template variables, too."""
    libraries = config.data.get("libraries") if isinstance(config.data, Mapping) else None
    for key, section in libraries.items() if isinstance(libraries, Mapping) else ():
        if isinstance(section, Mapping) and library in ("", str(section.get("library_name", key))):
            yield ("libraries", key), section
            files = section.get("overlay_files")
            for number, entry in enumerate(files if isinstance(files, list) else ()):
                if isinstance(entry, Mapping):
                    yield ("libraries", key, "overlay_files", number), entry


def _overlays(document: Document) -> Mapping[str, Any]:
    top = document.data if isinstance(document.data, Mapping) else {}
    found = top.get("overlays")
    return found if isinstance(found, Mapping) else {}
