"""The OpenAPI 3.1 document, made of the operations and shapes that serve: it cannot say anything else than they do.

https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from sidecar import __version__
from sidecar.web.api.operation import ROOT, Operation, parameters
from sidecar.web.api.shapes import NAME, Error, Shape

_PARTS: Final[Mapping[str, tuple[str, str]]] = {
    "run": ("A run's id; or latest, for the newest; or shown, for the last good one.", "latest"),
    "target": ("A target's id: its rating key in Plex, with the server's name before it where there are several.", "101"),
}
"""Names in paths: what they are, and an example."""

_EVERYWHERE: Final = (400, 401, 403, 405, 421, 429, 500, 503)
"""Statuses that any operation may have."""

_INTRODUCTION: Final = """Everything that the gallery shows, and what people may ask the daemon for. Times are ISO 8601 in UTC, durations
seconds, sizes bytes. Every answer from 400 up has the shape Error. More: docs/api.md.
"""


def document(operations: Iterable[Operation], *, base: str, login: bool) -> dict[str, Any]:
    """The document. ``base`` is the path that the API is reached below; ``login``: a token is asked for."""
    listed = tuple(operations)
    shapes = {shape for operation in listed for shape in (operation.answer,) if shape is not None} | {Error}
    bodies = {operation.body for operation in listed if operation.body is not None}
    wanted: list[tuple[type[Any], Any]] = [(shape, "serialization") for shape in shapes] + [(body, "validation") for body in bodies]
    wanted.sort(key=lambda pair: pair[0].__name__)
    _, schemas = models_json_schema(wanted, ref_template="#/components/schemas/{model}")
    paths: dict[str, dict[str, Any]] = {}
    for operation in listed:
        paths.setdefault(ROOT + operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "kometa-sidecar",
            "version": __version__,
            "description": _INTRODUCTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": base or "/"}],
        "security": [{"bearer": []}, {"cookie": []}] if login else [],
        "paths": paths,
        "components": {
            "schemas": schemas.get("$defs", {}),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "web.token, for programs."},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "kometa_sidecar", "description": "From the login page, for people."},
            },
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": ["streams" if operation.stream else "answers" if operation.method == "GET" else "actions"],
        "parameters": [*_path(operation), *_query(operation), *_headers(operation)],
        "responses": _responses(operation),
    }
    if operation.body is not None:
        found["requestBody"] = {"required": False, "content": {"application/json": {"schema": _ref(operation.body)}}}
    return found


def _path(operation: Operation) -> list[dict[str, Any]]:
    found = []
    for name in parameters(operation.path):
        description, example = _PARTS[name]
        schema = {"type": "string", "pattern": f"^{NAME}$"}
        found.append({"name": name, "in": "path", "required": True, "description": description, "schema": schema, "example": example})
    return found


def _query(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    _, schemas = models_json_schema([(operation.query, "validation")], ref_template="#/components/schemas/{model}")
    definitions = schemas["$defs"]
    own = definitions[operation.query.__name__]
    found = []
    for name, schema in own["properties"].items():
        schema = _inlined(schema, definitions)
        description = schema.pop("description", "")
        found.append(
            {"name": name, "in": "query", "required": name in own.get("required", ()), "description": description, "schema": schema}
        )
    return found


def _inlined(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter's schema, by itself. That of an optional one says null: in a query there is no such thing, only leaving it out."""
    flat = {name: value for name, value in schema.items() if name not in ("title", "anyOf", "$ref")}
    for other in schema.get("anyOf", [schema] if "$ref" in schema else []):
        if other.get("type") != "null":
            flat.update(definitions[other["$ref"].rpartition("/")[2]] if "$ref" in other else other)
    if flat.get("default", 0) is None:
        del flat["default"]
    flat.pop("title", None)
    return {**flat, "description": schema.get("description", "")}


def _headers(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "header", "required": False, "description": why, "schema": {"type": "string"}}
        for name, why in operation.headers.items()
    ]


def _responses(operation: Operation) -> dict[str, Any]:
    # 3.1 has no words for the events of a stream.
    content = {} if operation.stream else {"schema": _ref(operation.answer) if operation.answer else {"type": "object"}}
    found: dict[str, Any] = {
        str(operation.status): {"description": HTTPStatus(operation.status).phrase, "content": {operation.media: content}}
    }
    extra = (*((404,) if parameters(operation.path) else ()), *((408, 413, 415) if operation.body else ()), *operation.errors)
    for status in sorted({*_EVERYWHERE, *extra}):
        found[str(status)] = {"description": HTTPStatus(status).phrase, "content": {"application/json": {"schema": _ref(Error)}}}
    if 204 in operation.errors:
        found["204"] = {"description": "There is nothing more: do not ask again."}
    return found


def _ref(shape: type[Shape] | type[Any]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}


def table(operations: Iterable[Operation]) -> str:
    """The operations as a table, for docs/api.md."""
    lines = ["| | path | what it does |", "|---|---|---|"]
    for operation in operations:
        names = list(operation.query.model_fields) if operation.query else []
        query = f" `?{'&'.join(names)}`" if names else ""
        lines.append(f"| {operation.method} | `{ROOT}{operation.path}`{query} | {operation.summary} |")
    return "\n".join(lines)
