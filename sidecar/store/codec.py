"""The model's dataclasses as JSON and back.

A value becomes plain JSON by its own type and comes back by the annotation of the field that holds it. Fields that
the JSON lacks take their default, keys that nobody knows are passed over: a newer or older version's runs can be
read. Free-form fields (``object``) take what JSON can hold, and nothing else.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Callable, Hashable, Mapping, Sequence
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
        return {name: to_plain(getattr(value, name)) for name in _names(type(value))}
    if isinstance(value, Mapping):
        return {_key(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted((to_plain(item) for item in value), key=lambda item: (str(type(item)), item))
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [to_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")


@lru_cache(maxsize=256)
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a JSON key is text, not {type(key).__name__}")
    return str(key)


def from_plain(kind: type[T], data: object) -> T:
    """The reverse of :func:`to_plain`. ValueError names the type that did not fit."""
    return cast(T, _reader(cast(Hashable, kind))(data))


_Reader = Callable[[Any], object]
"""Takes plain JSON, gives a value of one type; ValueError where it does not fit."""


@lru_cache(maxsize=512)
def _reader(kind: Any) -> _Reader:  # annotations are Any by nature
    """Made once per type: a run of 500 targets is some ten thousand values."""
    if kind is object or kind is Any:
        return _as_it_is
    origin, args = get_origin(kind), get_args(kind)
    if origin is Union or isinstance(kind, types.UnionType):
        return _union_reader(args)
    if origin is tuple:
        return _tuple_reader(kind, args)
    if origin is frozenset:
        member = _reader(args[0])
        return lambda data: frozenset(member(item) for item in _expect(list, data, kind))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        value = _reader(args[1])
        return lambda data: {key: value(item) for key, item in _expect(dict, data, kind).items()}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _dataclass_reader(kind)
    return _scalar_reader(kind)


def _as_it_is(data: Any) -> object:
    return data


def _union_reader(kinds: tuple[Any, ...]) -> _Reader:
    readers = tuple(_reader(kind) for kind in kinds if kind is not type(None))
    may_be_none = type(None) in kinds

    def read(data: Any) -> object:
        if data is None and may_be_none:
            return None
        for reader in readers:
            try:
                return reader(data)
            except ValueError:
                continue
        raise ValueError(f"{type(data).__name__} is none of {', '.join(str(kind) for kind in kinds)}")

    return read


def _tuple_reader(kind: Any, args: tuple[Any, ...]) -> _Reader:
    if len(args) == 2 and args[1] is Ellipsis:
        member = _reader(args[0])
        return lambda data: tuple(member(item) for item in _expect(list, data, kind))
    members = tuple(_reader(arg) for arg in args)

    def read(data: Any) -> object:
        items = _expect(list, data, kind)
        if len(items) != len(members):
            raise ValueError(f"{len(items)} values where {kind} has {len(members)}")
        return tuple(member(item) for member, item in zip(members, items, strict=True))

    return read


def _dataclass_reader(kind: type[Any]) -> _Reader:
    hints = get_type_hints(kind)
    readers = tuple((field.name, _reader(hints[field.name])) for field in dataclasses.fields(kind))

    def read(data: Any) -> object:
        found = _expect(dict, data, kind)
        known = {name: reader(found[name]) for name, reader in readers if name in found}
        try:
            return kind(**known)
        except TypeError as error:
            raise ValueError(f"{kind.__name__}: {error}") from error

    return read


def _scalar_reader(kind: Any) -> _Reader:
    if kind is datetime:
        return lambda data: datetime.fromisoformat(_expect(str, data, kind))
    if kind is float:
        return lambda data: float(_expect((int, float), data, kind))
    if isinstance(kind, type) and issubclass(kind, Path):
        return lambda data: kind(_expect(str, data, kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return cast(_Reader, kind)

    def read(data: Any) -> object:
        if type(data) is kind:
            return data
        if kind is int and isinstance(data, bool):
            raise ValueError("bool where int is meant")
        return _expect(kind, data, kind)

    return read


def _expect(wanted: Any, data: Any, kind: object) -> Any:
    if not isinstance(data, wanted):
        raise ValueError(f"{type(data).__name__} where {kind} is meant")  # noqa: TRY004 - the data is wrong, not the call
    return data
