"""What all shapes are made of: ids, texts that are redacted on the way out, answers and questions, the shape of errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, SerializationInfo, StringConstraints

Redact = Callable[[str], str]

NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
"""Ids of runs, targets, groups and batches: nothing that could lead anywhere as a path."""


def _out(text: str, info: SerializationInfo) -> str:
    redact: Redact = (info.context or {})["redact"]
    return redact(text).encode("utf-8", "replace").decode()


def _out_of(value: Any, info: SerializationInfo) -> Any:
    """A worker's report may hold anything that JSON can."""
    match value:
        case str():
            return _out(value, info)
        case Mapping():
            return {_out(str(key), info): _out_of(item, info) for key, item in value.items()}
        case list() | tuple():
            return [_out_of(item, info) for item in value]
        case None | bool() | int() | float():
            return value
        case _:
            return _out(str(value), info)


def _digits(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,9}", value):
        raise ValueError("it is not a number of at most nine digits")
    return value


Text = Annotated[str, PlainSerializer(_out, return_type=str)]

Report = Annotated[dict[str, Any], PlainSerializer(_out_of, return_type=dict[str, Any])]

Name = Annotated[str, StringConstraints(pattern=f"^{NAME}$")]

NameOrNone = Annotated[str, StringConstraints(pattern=f"^({NAME})?$")]

Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]

Whole = Annotated[int, Field(ge=0)]

Asked = Annotated[int, BeforeValidator(_digits)]
"""A number in a query."""


class Shape(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class Question(BaseModel):
    """A query or a body."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Body(Question):
    """JSON, taken at its word: "1" is no number."""

    model_config = ConfigDict(strict=True)


class Fault(Shape):
    """What went wrong."""

    code: str = Field(description="For programs: not_found, bad_request, login_needed, ...")
    message: Text = Field(description="For people.")


class Error(Shape):
    """Every answer from 400 up."""

    error: Fault


def dump(shape: Shape, redact: Redact) -> bytes:
    """``shape`` as JSON, its texts redacted and fit for UTF-8."""
    return shape.model_dump_json(context={"redact": redact}).encode()
