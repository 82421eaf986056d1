"""Finds what Kometa passes silently: unknown keys, unknown overlay attributes, unknown text variables. With the nearest known name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sidecar.model import Problem, Severity
from sidecar.revision import names
from sidecar.revision.libraries import overlay_entries, overlay_key
from sidecar.revision.overlay_files import mapping
from sidecar.yamlfile import Document, Where, nearest, scalars

_VARIABLE = re.compile(r"<<([^<>]+)>>")
_ARITHMETIC = re.compile(r"[+-]\d+$")


def config_problems(config: Document, data: Mapping[str, Any], previewed: Iterable[str]) -> list[Problem]:
    """Warnings about config.yml."""
    found = list(_unknown(config, data, (), names.TOP_LEVEL, "Kometa knows no section", "Kometa ignores it."))
    settings = {*names.SETTINGS, *names.OTHER_SETTINGS}
    found += _unknown(config, data.get("settings"), ("settings",), settings, "Kometa knows no setting", "Kometa ignores it.")
    chosen = set(previewed)
    for key, section in mapping(data.get("libraries")).items():
        where: Where = ("libraries", str(key))
        found += _unknown(config, section, where, names.LIBRARY, "Kometa knows no library key", "Kometa ignores it.")
        own = mapping(section).get("settings")
        found += _unknown(config, own, (*where, "settings"), settings, "Kometa knows no setting", "Kometa ignores it.")
        if str(key) in chosen:
            found += _library_problems(config, mapping(section), where)
    return found


def _library_problems(config: Document, section: Mapping[str, Any], where: Where) -> Iterator[Problem]:
    for index, entry in enumerate(overlay_entries(section)):
        here = (*where, overlay_key(section), index)
        if isinstance(entry, Mapping):
            yield from _unknown(
                config, entry, here, names.OVERLAY_ENTRY, "Kometa knows no such key of an overlay file", "Kometa ignores it."
            )
            if not any(entry.get(key) for key in ("file", "folder", "url", "git", "repo", "default", "pmm")) and not any(
                key.startswith(("re", "sch")) for key in map(str, entry)
            ):
                mend = "Add default:, file:, folder:, git:, repo: or url:."
                yield config.problem(Severity.WARNING, "this entry names no overlay file", *here, mend=mend)
    for key in ("remove_overlays", "remove_overlay", "revert_overlays"):
        if section.get(key) is True:
            what = f"{key} is true: Kometa takes overlays off and draws none"
            yield config.problem(Severity.WARNING, what, *where, key, mend="Set it to false to see overlays.")


def _unknown(document: Document, data: Any, where: Where, known: Iterable[str], what: str, otherwise: str) -> Iterator[Problem]:
    words = set(known)
    for key in mapping(data):
        if str(key) not in words:
            mend = nearest(str(key), words) or otherwise
            yield document.problem(Severity.WARNING, f"{what} '{key}'", *where, str(key), mend=mend)


def overlay_problems(document: Document, variables: Mapping[str, Any], *, judged: bool) -> Iterator[Problem]:
    """Warnings about an overlay file. ``judged``: all its templates are its own, so that every variable can be known."""
    data = mapping(document.data)
    yield from _unknown(document, data, (), names.OVERLAY_FILE, "Kometa knows no section of overlay files", "Kometa ignores it.")
    given = _given(data, variables)
    for section in ("overlays", "templates"):
        for name, definition in mapping(data.get(section)).items():
            where: Where = (section, str(name), "overlay")
            overlay = mapping(definition).get("overlay")
            if isinstance(overlay, Mapping):
                attributes = {key: value for key, value in overlay.items() if "<<" not in str(key)}
                yield from _unknown(document, attributes, where, names.OVERLAY, "Kometa knows no overlay attribute", "Kometa ignores it.")
            templated = section == "templates" or "template" in mapping(definition)
            text = mapping(overlay).get("name") if isinstance(overlay, Mapping) else overlay
            if isinstance(text, str) and text.startswith("text") and (judged or not templated):
                yield from _text_problems(document, text, (*where, "name"), given if templated else frozenset())


def _text_problems(document: Document, text: str, where: Where, given: frozenset[str]) -> Iterator[Problem]:
    for variable in _VARIABLE.findall(text):
        if variable.startswith("originally_available[") or variable in names.TEXT_VARIABLES:
            continue
        bare = _ARITHMETIC.sub("", variable).removesuffix("_encoded")
        if given and (bare in given or bare in names.TEMPLATE_VARIABLES):
            continue
        mend = nearest(variable, names.TEXT_VARIABLES) or "Kometa draws it as it is written."
        yield document.problem(Severity.WARNING, f"Kometa knows no text variable <<{variable}>>", *where, mend=mend)


def _given(data: Mapping[str, Any], variables: Mapping[str, Any]) -> frozenset[str]:
    """Every word that might be a variable's name in the file or in ``template_variables``: its keys, and listed optional ones."""
    found = {str(key) for key in variables}
    for where, value in scalars(data):
        found.update(step for step in where if isinstance(step, str))
        if "optional" in where:
            found.add(str(value))
    return frozenset(found)
