"""The model's dataclasses as JSON and back.

A value becomes plain JSON by its own type and comes back by the annotation of the field that holds it. Fields that
the JSON lacks take their default, keys that nobody knows are passed over: a newer or older version's runs can be
read. Free-form fields (``object``) take what JSON can hold, and nothing else.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from pydantic import SecretStr

T = TypeVar("T")


_PLAIN: Final = frozenset({str, int, float, bool, type(None)})


def dumps(value: object) -> str:
    """``value`` as compact JSON, ASCII only. TypeError where it holds a secret or what JSON cannot say."""
    return json.dumps(to_plain(value), separators=(",", ":"))


def loads(kind: type[T], text: str) -> T:
    """What :func:`dumps` wrote, as a ``kind``. ValueError where it is not one."""
    return from_plain(kind, json.loads(text))


def to_plain(value: object) -> object:
    """``value`` in JSON's own types. A ``SecretStr`` is refused: what is stored or shown never holds one."""
    if type(value) in _PLAIN:  # most are
        return value
    if value is None or (isinstance(value, bool | int | float) and not isinstance(value, Enum)):
        return value
    if isinstance(value, SecretStr):
        raise TypeError("a secret is never written down")
    if isinstance(value, Enum):
        return to_plain(value.value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {_key(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted((to_plain(item) for item in value), key=lambda item: (str(type(item)), item))
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [to_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a JSON key is text, not {type(key).__name__}")
    return str(key)


def from_plain(kind: type[T], data: object) -> T:
    """The reverse of :func:`to_plain`. ValueError names the type that did not fit."""
    return cast(T, _read(kind, data))


def _read(kind: Any, data: Any) -> object:  # annotations are Any by nature
    if kind is object or kind is Any:
        return data
    origin = get_origin(kind)
    if origin is Union or isinstance(kind, types.UnionType):
        return _read_union(get_args(kind), data)
    if origin is tuple:
        args = get_args(kind)
        items = _expect(list, data, kind)
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_read(args[0], item) for item in items)
        if len(items) != len(args):
            raise ValueError(f"{len(items)} values where {kind} has {len(args)}")
        return tuple(_read(arg, item) for arg, item in zip(args, items, strict=True))
    if origin is frozenset:
        return frozenset(_read(get_args(kind)[0], item) for item in _expect(list, data, kind))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        value = get_args(kind)[1]
        return {key: _read(value, item) for key, item in _expect(dict, data, kind).items()}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _read_dataclass(kind, _expect(dict, data, kind))
    return _read_scalar(kind, data)


def _read_union(kinds: tuple[Any, ...], data: object) -> object:
    if data is None and type(None) in kinds:
        return None
    for kind in kinds:
        if kind is not type(None):
            try:
                return _read(kind, data)
            except ValueError:
                continue
    raise ValueError(f"{type(data).__name__} is none of {', '.join(str(kind) for kind in kinds)}")


def _read_dataclass(kind: type[Any], data: Mapping[str, object]) -> object:
    hints = _hints(cast(Hashable, kind))
    known = {field.name: _read(hints[field.name], data[field.name]) for field in dataclasses.fields(kind) if field.name in data}
    try:
        return kind(**known)
    except TypeError as error:
        raise ValueError(f"{kind.__name__}: {error}") from error


def _read_scalar(kind: Any, data: Any) -> object:
    if kind is datetime:
        return datetime.fromisoformat(_expect(str, data, kind))
    if kind is float:
        return float(_expect((int, float), data, kind))
    if isinstance(kind, type) and issubclass(kind, Path):
        return kind(_expect(str, data, kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    if kind is int and isinstance(data, bool):
        raise ValueError("bool where int is meant")
    return _expect(kind, data, kind)


def _expect(wanted: Any, data: Any, kind: object) -> Any:
    if not isinstance(data, wanted):
        raise ValueError(f"{type(data).__name__} where {kind} is meant")  # noqa: TRY004 - the data is wrong, not the call
    return data


@lru_cache(maxsize=256)
def _hints(kind: Hashable) -> dict[str, Any]:
    return get_type_hints(cast(type, kind))
