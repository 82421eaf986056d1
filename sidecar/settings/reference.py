"""The settings as a page, from the models: docs/settings.md holds what :func:`table` says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sidecar.settings.load import PREFIX
from sidecar.settings.models import Settings


def table() -> str:
    """Markdown: a section and a table for each part of sidecar.yml, sub-sections after theirs."""
    own = [(name, info) for name, info in Settings.model_fields.items() if _model_in(info.annotation) is None]
    parts = ["### Top level\n\n" + _rows(own, "")]
    for name, info in Settings.model_fields.items():
        if (model := _model_in(info.annotation)) is not None:
            parts += _sections(name, model, _is_list(info.annotation))
    return "\n\n".join(parts)


def _sections(path: str, model: type[BaseModel], many: bool) -> Iterator[str]:
    words = " ".join((model.__doc__ or "").split())
    head = f"### `{path}`\n\n{words}" + (" A list of these." if many else "")
    yield f"{head}\n\n{_rows(list(model.model_fields.items()), path, many=many)}"
    for name, info in model.model_fields.items():
        if (inner := _model_in(info.annotation)) is not None:
            yield from _sections(f"{path}.{info.alias or name}", inner, _is_list(info.annotation))


def _rows(fields: list[tuple[str, FieldInfo]], path: str, *, many: bool = False) -> str:
    lines = ["| setting | default | what it may be |", "|---|---|---|"]
    for name, info in fields:
        key = info.alias or name
        told = (info.description or "").replace("|", "\\|")
        inner = _model_in(info.annotation)
        if inner is not None:
            told = f"{told} See below.".strip()
        secret = _secret_file(path, key) if not many and _kinds(info.annotation) & {SecretStr} else ""
        lines.append(f"| `{key}` | {_default(info)} | {told}{secret} |")
    return "\n".join(lines)


def _secret_file(path: str, key: str) -> str:
    name = f"{path}_{key}".strip("_")
    return f" Secret file: `{name}`; variable: `{PREFIX}{name.upper().replace('_', '__', 1)}_FILE`."


def _default(info: FieldInfo) -> str:
    value = info.get_default(call_default_factory=False)
    if info.is_required():
        return "see [install.md](install.md)" if info is Settings.model_fields["data"] else "required"
    if value is PydanticUndefined or value is None or isinstance(value, BaseModel) or value in ("", (), {}, frozenset()):
        return ""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (tuple, frozenset, set)):
        return f"`{json.dumps([item.value if isinstance(item, Enum) else item for item in value])}`"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and (info.description or "").startswith("Bytes"):
        return f"`{value // 1024**3}GiB`" if value % 1024**3 == 0 else f"`{value // 1024**2}MiB`"
    return f"`{value}`" if isinstance(value, (str, int, float, Path)) else f"`{json.dumps(value, default=str)}`"


def _kinds(annotation: Any) -> set[Any]:
    if get_origin(annotation) in (Union, UnionType, Annotated) and get_origin(annotation) is not Literal:
        return {kind for inner in get_args(annotation) for kind in _kinds(inner)}
    try:
        return {annotation}
    except TypeError:  # an annotation's own value that cannot be hashed
        return set()


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) in (tuple, list)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner)) is not None), None)
