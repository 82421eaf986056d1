"""Reads what one overlay file names: images, fonts, templates, levels, hosts. From Kometa's rules for overlay files."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from sidecar.model import Level, Severity
from sidecar.revision.collect import FONTS, IMAGES, Collector, expansions
from sidecar.revision.names import LEVEL_KEYS
from sidecar.sight import is_dir
from sidecar.yamlfile import Document, Where, nearest, scalars

SOURCES: Final = ("file", "git", "repo", "url", "default", "pmm")
"""Attributes of ``overlay:`` that say where its image is."""

_DRAWN = ("text", "blur", "backdrop")
_IMAGE_KEY = re.compile(r"^(file|file_.*|.*_file)$")
_FONT_KEY = re.compile(r"^(font|.*_font|font_(?!size|color|style).*)$")
_URL = re.compile(r"https?://[^\s\"'<>|]+")
_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]')
_RESERVED = re.compile(r"^(CON|PRN|AUX|NUL|CLOCK\$|COM[1-9]|LPT[1-9])(\..*)?$", re.IGNORECASE)
_SKIPPED_STEPS = ("value", "default", "conditions")

OWN_LEVELS: Final = frozenset({Level.MOVIE, Level.SHOW, Level.ARTIST})
"""The library's own level, whatever its kind: the kind is Plex's to tell."""


def key_of(where: Where) -> str:
    """The variable or attribute that a scalar is a value of: list places and ``conditionals`` steps are skipped."""
    names = [step for step in where if isinstance(step, str)]
    while len(names) > 1 and names[-1] in _SKIPPED_STEPS:
        names.pop()
    return names[-1] if names else ""


def safe_name(name: str) -> str:
    """The file name that Kometa makes of a library's or overlay's name (pathvalidate's universal rules)."""
    cleaned = _UNSAFE.sub("", name).rstrip(" .") if name not in (".", "..") else name
    if _RESERVED.match(cleaned):
        stem, dot, rest = cleaned.partition(".")
        cleaned = f"{stem}_{dot}{rest}"
    return cleaned[:255]


def hosts_in(text: str) -> Iterator[str]:
    """Lower-case host names of the URLs in ``text``."""
    for url in _URL.findall(text):
        try:
            host = urlsplit(url).hostname
        except ValueError:
            continue
        if host and "<" not in host:
            yield host.lower()


def known_values(data: Any, variables: Mapping[str, Any]) -> dict[str, list[str]]:
    """Variable -> every value that it is given anywhere in the file, its templates' calls or ``template_variables``."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for source in (data, variables):
        for where, value in scalars(source):
            if isinstance(value, (str, int, float)) and not isinstance(value, bool):
                found[key_of(where)][str(value)] = None
    overlays = mapping(mapping(data).get("overlays"))
    names = {str(name): None for name in overlays}
    for name in ("overlay_name", "mapping_name", "name"):
        found[name].update(names)
    return {name: list(values) for name, values in found.items()}


def mapping(value: Any) -> Mapping[Any, Any]:
    """``value`` where it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def collect_document(collector: Collector, document: Document, variables: Mapping[str, Any]) -> None:
    """Take every file that the overlay (or template) file names."""
    values = known_values(document.data, variables)
    for where, value in scalars(document.data):
        if where and where[0] == "external_templates" and "template_variables" not in where:
            continue
        if isinstance(value, str) and value.strip():
            collect_scalar(collector, document, where, value, values)
    _collect_names(collector, document, values)


def collect_scalar(collector: Collector, document: Document, where: Where, text: str, values: Mapping[str, Iterable[str]]) -> None:
    """Take the file that one value names, if its key or its look says that it names one."""
    key = key_of(where)
    if text.startswith(("http://", "https://")) or "\n" in text or key == "name":
        return
    if _FONT_KEY.match(key):
        _collect_font(collector, document, where, text, values)
    elif _IMAGE_KEY.match(key) or key == "text_file":
        role = "other" if key == "text_file" else "image"
        if "<<" in text:
            collector.pattern(text, role, document, where, values, loud=True)
        else:
            collector.file(text, role, document, where)
    elif text.startswith(("/", "./", "../", "config/")) and len(text) < 1024:
        _collect_loose(collector, document, where, text, values)


def _collect_font(collector: Collector, document: Document, where: Where, text: str, values: Mapping[str, Iterable[str]]) -> None:
    if "<<" in text:
        collector.pattern(text, "font", document, where, values, loud=False)
        return
    home = collector.finder.kometa_home
    own = sorted(path.name for path in (home / "fonts").glob("*")) if home is not None else []
    if home is not None and (text in own or collector.kometas(text)):
        return
    if collector.file(text, "font", document, where, required=False) is not None:
        return
    if text.startswith(("fonts/", "/fonts/")):
        if home is None:
            collector.kometas(text)  # whether it is there, only Kometa can tell
        else:
            close = nearest(text.rpartition("/")[2], own)
            collector.say(document.problem(Severity.ERROR, f"the font '{text}' is not there", *where, mend=close or "Correct the path."))
    elif "/" in text:
        collector.file(text, "font", document, where)
    elif home is not None:
        mend = nearest(text, own) or "Give the font's path, so that the same font is used everywhere."
        what = f"the font '{text}' is none of Kometa's; it is looked for among the fonts of the system that renders"
        collector.say(document.problem(Severity.WARNING, what, *where, mend=mend))


def _collect_loose(collector: Collector, document: Document, where: Where, text: str, values: Mapping[str, Iterable[str]]) -> None:
    """A value that looks like a path under a key that says nothing: a variable that others build paths from."""
    if "<<" in text:
        suffix = text[text.rindex(".") :].lower() if "." in text else ""
        collector.pattern(text, "font" if suffix in FONTS else "image", document, where, values, loud=False)
        return
    suffix = text[text.rindex(".") :].lower() if "." in text else ""
    if suffix in IMAGES or suffix in FONTS:
        collector.file(text, "font" if suffix in FONTS else "image", document, where, required=False)
    elif any(collector.finder.inside(path) or is_dir(path) for path in collector.finder.candidates(text)) and text.strip("/.").count("/"):
        collector.directory(text, document, where)


def _collect_names(collector: Collector, document: Document, values: Mapping[str, Iterable[str]]) -> None:
    """Images that are found by the overlay's ``name:`` in the config directory's ``overlays/``."""
    data = mapping(document.data)
    for section in ("overlays", "templates"):
        for name, definition in mapping(data.get(section)).items():
            attributes = mapping(definition)
            where: Where = (section, str(name))
            if "overlay" not in attributes:
                if section == "overlays" and isinstance(definition, Mapping) and "template" not in attributes:
                    _collect_name(collector, document, where, str(name), values, required=True)
                continue
            overlay = attributes["overlay"]
            if not isinstance(overlay, Mapping):
                _collect_name(collector, document, (*where, "overlay"), str(overlay), values, required=section == "overlays")
            elif "name" in overlay and overlay["name"] is not None:
                elsewhere = any(overlay.get(source) for source in SOURCES)
                if section == "templates" or not elsewhere:
                    here = (*where, "overlay", "name")
                    _collect_name(collector, document, here, str(overlay["name"]), values, required=section == "overlays" and not elsewhere)


def _collect_name(
    collector: Collector,
    document: Document,
    where: Where,
    name: str,
    values: Mapping[str, Iterable[str]],
    *,
    required: bool,
) -> None:
    names = expansions(name, values) if "<<" in name else {name}
    for expanded in sorted(names):
        if expanded.startswith(_DRAWN) or "<<" in expanded:
            continue
        text = f"config/overlays/{safe_name(expanded)}.png"
        collector.file(text, "image", document, where, required=required and "<<" not in name)


def levels_in(document: Document, variables: Mapping[str, Any]) -> frozenset[Level]:
    """Levels at which the file's overlays build; :data:`OWN_LEVELS` stands for the library's own."""
    data = mapping(document.data)
    templates = mapping(data.get("templates"))
    named = data.get("external_templates")
    outer = [mapping(mapping(entry).get("template_variables")) for entry in (named if isinstance(named, list) else [named])]
    found: set[Level] = set()
    for definition in mapping(data.get("overlays")).values():
        found |= _definition_levels(mapping(definition), templates, variables, outer)
    return frozenset(found)


def _definition_levels(
    definition: Mapping[Any, Any], templates: Mapping[Any, Any], variables: Mapping[str, Any], outer: list[Mapping[Any, Any]]
) -> frozenset[Level]:
    """``outer`` are the variables of the file's ``external_templates``: they hold for each definition that is made of a template."""
    direct = _level(definition)
    if direct:
        return direct
    calls = definition.get("template")
    for call in calls if isinstance(calls, list) else [calls]:
        template = mapping(templates.get(mapping(call).get("name")))
        for source in (variables, mapping(definition.get("variables")), mapping(call), template, mapping(template.get("default"))):
            level = _level(source)
            if level:
                return level
    if calls:
        for source in (*outer, *(mapping(given.get("default")) for given in outer)):
            level = _level(source)
            if level:
                return level
    return OWN_LEVELS


def _level(source: Mapping[Any, Any]) -> frozenset[Level]:
    for key in LEVEL_KEYS:
        value = source.get(key)
        values = value if isinstance(value, list) else [value]
        known = frozenset(Level(str(item).lower()) for item in values if str(item).lower() in list(Level))
        if known:
            return known
    return frozenset()
