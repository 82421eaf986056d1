"""Builds :class:`Settings` from sidecar.yml, secret files, the environment and the command line, in rising order of rank.

Environment: ``KOMETA_SIDECAR_<KEY>`` or ``KOMETA_SIDECAR_<SECTION>__<KEY>`` in capitals, e.g. ``KOMETA_SIDECAR_WEB__PORT``;
lists and mappings as YAML or JSON. A name that ends in ``_FILE`` gives the file that holds the value. Secret files are
``<section>_<key>`` in ``$CREDENTIALS_DIRECTORY`` (systemd) or ``/run/secrets`` (Docker), e.g. ``/run/secrets/web_token``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from sidecar.errors import ConfigError, SettingsError
from sidecar.model import Problem, Severity
from sidecar.settings.models import Settings
from sidecar.settings.secrets import read_secret, secret_directories
from sidecar.sight import is_file
from sidecar.yamlfile import Document, Where, load_text, nearest, parse

PREFIX: Final = "KOMETA_SIDECAR_"
NOT_SETTINGS: Final = frozenset({"SETTINGS"})
"""Names after the prefix that the command line reads, not this module."""
_WEBHOOK: Final = "Write notifications: [{name: webhook, url: ...}] instead; see docs/webhooks.md."

_PATHS: Final = (
    ("", "data"),
    ("", "roots"),
    ("", "path_map"),
    ("gateway", "cache_dir"),
    ("engine", "kometa_home"),
    ("engine", "exchange"),
    ("engine", "socket"),
)
"""Section and key of the paths that are relative to sidecar.yml."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a value came from."""

    file: str
    document: Document | None = None

    def problem(self, where: Where, what: str, mend: str) -> Problem:
        line = self.document.line(*where) if self.document else None
        return Problem(severity=Severity.ERROR, what=what, mend=mend, file=self.file, line=line, source="settings")


def load_settings(file: Path | None, env: Mapping[str, str], overrides: Mapping[str, object]) -> Settings:
    """Read, merge and check all settings. ``overrides`` is the command line's, nested as in the file; None counts as not given.

    SettingsError carries one problem per fault, with file and line, or the variable's name, and the remedy.
    """
    merged: dict[str, Any] = {"data": default_data_directory(env)}
    origins: dict[Where, _Origin] = {}
    problems: list[Problem] = []
    if file is not None:
        document = _read_file(file)
        # a key without a value means its default, as in Kometa's files
        _merge(merged, origins, _anchored(_unblanked(document.data or {}), file.absolute().parent), _Origin(document.name, document))
    _merge_secrets(merged, origins, env, problems)
    _merge_environment(merged, origins, env, problems)
    _merge_destination_secrets(merged, env, problems)
    _merge(merged, origins, _given(overrides), _Origin("command line"))
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        problems += _problems(error, origins)
    if problems:
        raise SettingsError(problems)
    return settings


def default_data_directory(env: Mapping[str, str]) -> str:
    """``$STATE_DIRECTORY`` under systemd, else ``$XDG_DATA_HOME/kometa-sidecar``, else ``~/.local/share/kometa-sidecar``."""
    if env.get("STATE_DIRECTORY"):
        return env["STATE_DIRECTORY"].split(":")[0]
    base = env.get("XDG_DATA_HOME") or str(Path(env.get("HOME") or Path.home()) / ".local" / "share")
    return str(Path(base) / "kometa-sidecar")


def _read_file(file: Path) -> Document:
    try:
        document = parse(file.read_bytes(), str(file), source="settings")
    except OSError as error:
        mend = "Check the path, or leave --settings out: every setting has a default."
        what = f"it cannot be read: {os.strerror(error.errno or 0)}"
        raise SettingsError([Problem(severity=Severity.ERROR, what=what, mend=mend, file=str(file), source="settings")]) from error
    except ConfigError as error:
        raise SettingsError(error.problems) from error
    if document.data is not None and not isinstance(document.data, dict):
        problem = document.problem(Severity.ERROR, "it is not a mapping of settings", mend="Write 'key: value' lines.", source="settings")
        raise SettingsError([problem])
    return document


def _anchored(data: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """The file's data with relative paths made relative to the file."""

    def anchor(value: Any) -> Any:
        if isinstance(value, str) and value and not value.startswith("~"):
            return str(base / value)
        if isinstance(value, list):
            return [anchor(item) for item in value]
        return {key: anchor(item) for key, item in value.items()} if isinstance(value, dict) else value

    anchored: dict[str, Any] = dict(data)
    for section, key in _PATHS:
        holder = anchored if not section else anchored.get(section)
        if isinstance(holder, dict) and key in holder:
            changed = {**holder, key: anchor(holder[key])}
            anchored = changed if not section else {**anchored, section: changed}
    return anchored


def _unblanked(data: Mapping[Any, Any]) -> dict[Any, Any]:
    """The file's data without the known keys that have no value."""
    known = {where for where, _ in _fields()} | {where[:1] for where, _ in _fields()}
    top = {key: value for key, value in data.items() if value is not None or (key,) not in known}
    return {
        key: {inner: item for inner, item in value.items() if item is not None or (key, inner) not in known}
        if isinstance(value, dict)
        else value
        for key, value in top.items()
    }


def _given(overrides: Mapping[str, object]) -> dict[str, Any]:
    return {
        key: _given(value) if isinstance(value, Mapping) else value
        for key, value in overrides.items()
        if value is not None and (not isinstance(value, Mapping) or _given(value))
    }


def _merge(into: dict[str, Any], origins: dict[Where, _Origin], data: Mapping[Any, Any], origin: _Origin, where: Where = ()) -> None:
    for key, value in data.items():
        here = (*where, str(key))
        before = origins.get(here)
        origins[here] = origin
        if isinstance(value, Mapping) and not where and isinstance(into.get(str(key)), dict) and str(key) not in ("path_map",):
            if before is not None:
                origins[here] = before  # the rest of the section is where it was
            _merge(into[str(key)], origins, value, origin, here)
        elif isinstance(value, Mapping) and not where and str(key) in into and str(key) not in ("path_map",):
            if before is not None:
                origins[here] = before
            continue  # what the file has in a section's stead is refused for itself, not hidden by a part of that section
        else:
            into[str(key)] = dict(value) if isinstance(value, Mapping) else value


def _fields() -> Iterator[tuple[Where, FieldInfo]]:
    """Every setting that is no section, with its path as in the file."""
    for name, info in Settings.model_fields.items():
        section = info.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            for key, inner in section.model_fields.items():
                yield (name, inner.alias or key), inner
        else:
            yield (name,), info


def _put(into: dict[str, Any], where: Where, value: Any) -> None:
    for step in where[:-1]:
        inner = into.setdefault(str(step), {})
        into[str(step)] = inner = dict(inner) if isinstance(inner, dict) else {}
        into = inner
    into[str(where[-1])] = value


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types that a value may have, unions and Annotated undone."""
    if get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from _kinds(member)
    elif get_origin(annotation) is Annotated:
        yield from _kinds(get_args(annotation)[0])
    else:
        yield annotation


def _is_secret(info: FieldInfo) -> bool:
    return SecretStr in _kinds(info.annotation)


def _is_text(info: FieldInfo) -> bool:
    """The value is one piece of text (or a path): an environment variable's is taken as it is, not as YAML."""
    return any(kind in (str, Path, SecretStr) for kind in _kinds(info.annotation))


def _merge_secrets(into: dict[str, Any], origins: dict[Where, _Origin], env: Mapping[str, str], problems: list[Problem]) -> None:
    for where, info in _fields():
        if not _is_secret(info):
            continue
        for directory in secret_directories(env):
            path = directory / "_".join(str(step) for step in where)
            if is_file(path):
                value = read_secret(path, str(path), problems)
                if value is not None:
                    _put(into, where, value)
                    origins[where] = _Origin(str(path))
                break


def _merge_destination_secrets(into: dict[str, Any], env: Mapping[str, str], problems: list[Problem]) -> None:
    """``url`` and ``secret`` of each notification destination, where a secret file ``notifications_<name>_<key>`` holds them."""
    listed = into.get("notifications")
    if not isinstance(listed, list):
        return
    into["notifications"] = filled = [dict(each) if isinstance(each, Mapping) else each for each in listed]
    for each in filled:
        if not isinstance(each, dict) or not isinstance(each.get("name"), str) or "/" in each["name"]:
            continue
        for key in ("url", "secret"):
            files = (directory / f"notifications_{each['name']}_{key}" for directory in secret_directories(env))
            path = next((path for path in files if is_file(path)), None)
            if path is not None and (value := read_secret(path, str(path), problems)) is not None:
                each[key] = value


def _merge_environment(into: dict[str, Any], origins: dict[Where, _Origin], env: Mapping[str, str], problems: list[Problem]) -> None:
    known = {"__".join(str(step) for step in where).upper(): (where, info) for where, info in _fields()}
    for variable in sorted(env):
        name = variable.removeprefix(PREFIX)
        if name == variable or name in NOT_SETTINGS:
            continue
        origin = _Origin(variable)
        bare = name.removesuffix("_FILE")
        if name not in known and bare not in known:
            close = nearest(name.lower(), [key.lower() for key in known]).upper().replace("DID YOU MEAN ", "Did you mean ")
            problems.append(origin.problem((), "there is no such setting", close.replace("'", PREFIX, 1).replace("'", "")))
            continue
        where, info = known.get(name) or known[bare]
        value: Any = env[variable]
        if name not in known:
            value = read_secret(Path(value), variable, problems)
            if value is None:
                continue
        if not _is_text(info):
            try:
                value = load_text(value)
            except ValueError as error:
                problems.append(origin.problem((), f"its value is not valid: {error}", info.description or ""))
                continue
        _put(into, where, value)
        origins[where] = origin


def _problems(error: ValidationError, origins: Mapping[Where, _Origin]) -> Iterator[Problem]:
    seen: set[Where] = set()
    for fault in error.errors(include_url=False):
        where, info, known, section = _locate(fault["loc"])
        origin = next((origins[where[:size]] for size in range(len(where), 0, -1) if where[:size] in origins), _Origin("settings"))
        name = ".".join(str(step) for step in where) or "settings"
        if fault["type"] == "extra_forbidden" and where == ("webhook",):
            yield origin.problem(where, "there is no setting webhook any more", _WEBHOOK)
            continue
        if fault["type"] == "extra_forbidden":
            listed = f"Known here: {', '.join(sorted(known))}."
            yield origin.problem(where, f"there is no setting {name}", nearest(str(where[-1]), known) or listed)
            continue
        if where in seen:
            continue  # the other members of a union
        seen.add(where)
        if fault["type"] == "model_type" and section is not None:
            listed = f"Known here: {', '.join(sorted(_keys(section)))}."
            yield origin.problem(where, f"{name}: {_words(fault, info)}", f"Write its settings below it, indented. {listed}")
            continue
        yield origin.problem(where, f"{name}: {_words(fault, info)}", _remedy(where, info))


_SHAPES: Final = {"model_type": "it is a section", "dict_type": "it is a mapping", "tuple_type": "it is a list"}
"""What was expected where something of another shape stands."""


def _words(fault: Any, info: FieldInfo | None) -> str:
    message = _SHAPES.get(fault["type"]) or str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "too_short":
        return "it is too short"
    hidden = info is not None and _may_hold_a_secret(info.annotation)
    if fault["type"] == "value_error" or hidden or isinstance(fault["input"], (dict, list)):
        return message[0].lower() + message[1:]
    return f"{fault['input']!r} is refused: {message[0].lower()}{message[1:]}"


def _may_hold_a_secret(annotation: Any) -> bool:
    """Whether a secret may stand in a value of this type, or (by mistake) in its stead: ``notifications: https://hook/TOKEN``."""
    if annotation is SecretStr:
        return True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(_may_hold_a_secret(info.annotation) for info in annotation.model_fields.values())
    return any(map(_may_hold_a_secret, get_args(annotation)))


def _remedy(where: Where, info: FieldInfo | None) -> str:
    if where == ("web",):
        return f"Set web.token ({PREFIX}WEB__TOKEN, or a file /run/secrets/web_token), or listen on 127.0.0.1."
    return f"Expected: {info.description}" if info is not None and info.description else ""


def _locate(loc: tuple[str | int, ...]) -> tuple[Where, FieldInfo | None, list[str], type[BaseModel] | None]:
    """The path as in the file (union members' names dropped), the deepest field on it, the keys known at its end, and the section that
    is to be there.
    """
    where: list[str | int] = []
    model: type[BaseModel] | None = Settings
    info: FieldInfo | None = None
    known: list[str] = []
    for step in loc:
        if isinstance(step, int):
            where.append(step)
            continue
        if model is None:
            if info is not None and get_origin(info.annotation) is dict:
                where.append(step)
            continue
        where.append(step)
        fields = _keys(model)
        known = list(fields)
        info = fields.get(step)
        model = _model_in(info.annotation) if info is not None else None
    return tuple(where), info, known, model


def _keys(section: type[BaseModel]) -> dict[str, FieldInfo]:
    """The settings of a section, by their names in the file."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner)) is not None), None)
