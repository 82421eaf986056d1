"""Simple templates: ``<<variable>>`` by substitution, defaults, optional variables. Pure; only stdlib.

Of Kometa's templates, ``conditionals`` and ``move_prefix`` are beyond the subset.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sidecar.engine.draft.spec import Beyond, Refused

_PASSES: Final = 8
"""Kometa substitutes this often: variables may hold variables."""
_OWN: Final = frozenset({"default", "optional", "conditionals", "move_prefix", "move_collection_prefix"})
_HARD: Final = ("conditionals", "move_prefix", "move_collection_prefix")


class _Dropped(Exception):
    """An optional variable without a value: what uses it goes."""


def expand(
    definition: Mapping[object, object],
    mapping_name: str,
    templates: Mapping[str, object],
    config_variables: Mapping[str, object],
    *,
    library: str,
    library_name: str,
    now: datetime,
) -> dict[object, object]:
    """The definition with what its templates add; its own attributes win. Refused or Beyond where that cannot be told."""
    result = dict(definition)
    calls = definition.get("template")
    if calls is None:
        return result
    own = definition.get("variables")
    if own is not None and not isinstance(own, Mapping):
        raise Refused("variables", "it must be a mapping")
    for call in calls if isinstance(calls, list) else [calls]:
        if not isinstance(call, Mapping) or not call.get("name"):
            raise Refused("template", "it must be a mapping with 'name'")
        name = str(call["name"])
        if name not in templates:
            raise Beyond(f"template: {name}", "there is no such template in this file")
        template = templates[name]
        if not isinstance(template, Mapping):
            raise Refused(f"templates.{name}", "it must be a mapping")
        variables: dict[object, object] = {
            "overlay_name": str(definition.get("name") or template.get("name") or mapping_name),
            "mapping_name": mapping_name,
            "current_year": now.year,
            "current_month": now.month,
            "current_day": now.day,
            "library_type": library,
            "library_typeU": library.capitalize(),
            "library_name": library_name,
        }
        given: dict[object, object] = {**call, **variables}
        scope = _Scope(template, name, [given, own or {}], config_variables)
        for key, value in template.items():
            if key in _OWN or key in definition:
                continue
            try:
                new_key = scope.fill(key)
                if new_key not in result:
                    result[new_key] = scope.fill_all(value)
            except _Dropped:
                continue
    return result


class _Scope:
    """The variables of one template call: config.yml's win, then the call's, then the definition's, then defaults."""

    def __init__(
        self,
        template: Mapping[object, object],
        name: str,
        given: list[Mapping[object, object]],
        config_variables: Mapping[str, object],
    ) -> None:
        self.values: dict[str, object] = {}
        self.optional: set[str] = set()
        defaults: dict[str, object] = {}
        sources: list[Mapping[Any, Any]] = [template, *given, config_variables]
        for source in sources:
            for hard in _HARD:
                if hard in source:
                    raise Beyond(f"templates.{name}.{hard}")
            default = source.get("default", {})
            if not isinstance(default, Mapping):
                raise Refused(f"templates.{name}.default", "it must be a mapping")
            defaults.update({str(key): value for key, value in default.items()})
        for source in given:
            for key, value in source.items():
                if "<<" in str(key):
                    raise Beyond(f"templates.{name}: {key}", "a variable's name made of variables")
                if key == "default":
                    continue
                if value is None:
                    self.optional.add(str(key))
                    self.values.pop(str(key), None)
                else:
                    self.values.setdefault(str(key), value)
        for key, value in config_variables.items():
            if key == "default":
                continue
            if value is None:
                self.optional.add(key)
                self.values.pop(key, None)
            else:
                self.values[key] = value
        self.defaults = {key: value for key, value in defaults.items() if key not in self.values and key not in self.optional}
        optional = template.get("optional")
        words = optional if isinstance(optional, list) else str(optional).split(",") if optional else []
        self.optional |= {str(word).strip() for word in words} - self.defaults.keys()
        self.optional -= self.values.keys()

    def fill(self, value: object) -> object:
        """One scalar. A text that is one variable becomes the variable's own value, with its type."""
        for _ in range(_PASSES):
            if "<<" not in str(value):
                break
            before = value
            for variable in self.optional:
                if f"<<{variable}>>" in str(value):
                    raise _Dropped
            for variable, own in (*self.values.items(), *self.defaults.items()):
                if variable == "name" or f"<<{variable}" not in str(value):
                    continue
                if str(value) == f"<<{variable}>>":
                    value = own
                    continue
                text = str(value).replace(f"<<{variable}>>", str(own))
                if variable in self.values:
                    text = _sums(text, variable, own)
                value = text
            if value == before:
                break
        encoded = re.search(r"<<(\w+)_encoded>>", str(value))
        if encoded and (encoded[1] in self.values or encoded[1] in self.defaults):
            raise Beyond(f"<<{encoded[1]}_encoded>>")
        return value

    def fill_all(self, value: object) -> object:
        """A tree. What holds an optional variable without a value is dropped, and with it what is left empty."""
        if isinstance(value, Mapping):
            mapping = {}
            for key, inner in value.items():
                try:
                    mapping[self.fill(key)] = self.fill_all(inner)
                except _Dropped:
                    continue
            if not mapping:
                raise _Dropped
            return mapping
        if isinstance(value, list):
            items = []
            for inner in value:
                try:
                    items.append(self.fill_all(inner))
                except _Dropped:
                    continue
            if not items:
                raise _Dropped
            return items
        return self.fill(value)


def _sums(text: str, variable: str, value: object) -> str:
    """``<<number+3>>`` and ``<<number-1>>``."""

    def add(match: re.Match[str]) -> str:
        try:
            return str(int(str(value)) + int(match[1]))
        except ValueError as error:
            raise Refused(match[0], f"'{value}' is no whole number") from error

    return re.sub(rf"<<{re.escape(variable)}([+-]\d+)>>", add, text)
