"""One operation of the API: what it takes, what it answers, who handles it. Routes and the OpenAPI document come from the same list."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from aiohttp import hdrs, web
from pydantic import BaseModel, ValidationError

from sidecar.web.api.shapes import NAME, Body, Question, Redact, Shape, dump
from sidecar.web.errors import answer

ROOT: Final = "/api/v1"

Q = TypeVar("Q", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose parts are checked."""

    request: web.Request
    query: BaseModel | None = None
    body: BaseModel | None = None

    def asked(self, kind: type[Q]) -> Q:
        """The query, or the body: whichever is a ``kind``."""
        found = self.query if isinstance(self.query, kind) else self.body
        assert isinstance(found, kind)
        return found

    def name(self, part: str) -> str:
        """A part of the path: a plain name."""
        return self.request.match_info[part]


Handler = Callable[[Call], Awaitable[Shape | web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    """Below /api/v1, with its parts in braces."""
    id: str
    summary: str
    handle: Handler
    answer: type[Shape] | None = None
    """None for a document of another kind: a stream, or OpenAPI itself."""
    media: str = "application/json"
    status: int = 200
    query: type[Question] | None = None
    body: type[Body] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the request: name -> what it is for."""
    errors: tuple[int, ...] = ()
    """Statuses that this one has besides those that all have."""

    @property
    def stream(self) -> bool:
        return self.media == "text/event-stream"


class Rejected(Exception):
    """The request is not what the operation takes."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status, self.code = status, code
        super().__init__(message)


def add_routes(router: web.UrlDispatcher, base: str, operations: Iterable[Operation], redact: Redact) -> None:
    """Serve ``operations`` below ``base``; whatever else is asked there is answered in the one shape of errors."""
    paths: dict[str, dict[str, Operation]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = operation
    for path, methods in paths.items():
        pattern = re.sub(r"\{(\w+)\}", rf"{{\1:{NAME}}}", path)
        router.add_route("*", f"{base}{ROOT}{pattern}", _dispatcher(methods, redact))
    router.add_route("*", f"{base}/api{{rest:(/.*)?}}", _nothing)


def _dispatcher(methods: Mapping[str, Operation], redact: Redact) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    get = methods.get(hdrs.METH_GET)
    known = dict(methods)
    if get is not None and not get.stream:
        known[hdrs.METH_HEAD] = get

    async def dispatch(request: web.Request) -> web.StreamResponse:
        operation = known.get(request.method)
        if operation is None:
            raise web.HTTPMethodNotAllowed(request.method, sorted(known))
        try:
            call = Call(request, _query(operation, request), await _body(operation, request))
            result = await operation.handle(call)
        except Rejected as rejected:
            return answer(rejected.status, rejected.code, str(rejected), "api/")
        if isinstance(result, Shape):
            return web.Response(status=operation.status, body=dump(result, redact), content_type="application/json")
        return result

    return dispatch


async def _nothing(_: web.Request) -> web.StreamResponse:
    raise web.HTTPNotFound


def _query(operation: Operation, request: web.Request) -> Question | None:
    given: dict[str, str] = {}
    for name, value in request.query.items():
        if name in given:
            raise Rejected(400, "bad_request", f"{_shown(name)} is given twice.")
        given[name] = value
    if operation.query is None:
        if given:
            raise Rejected(400, "bad_request", f"{_shown(next(iter(given)))}: nothing is asked here with a query.")
        return None
    try:
        return operation.query.model_validate(given)
    except ValidationError as error:
        raise Rejected(400, "bad_request", _words(error)) from None


async def _body(operation: Operation, request: web.Request) -> Body | None:
    if operation.body is None:
        return None
    if not request.can_read_body:
        raw = b"{}"
    elif request.content_type != "application/json":
        raise Rejected(415, "not_json", "The body must be JSON, sent as application/json.")
    else:
        raw = await request.read()
    try:
        return operation.body.model_validate_json(raw)
    except ValidationError as error:
        raise Rejected(400, "bad_request", _words(error)) from None


def _words(error: ValidationError) -> str:
    """The first fault, without what was given: it may be anything."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(_shown(str(part)) for part in first["loc"])
    return f"{where}: {first['msg']}." if where else f"{first['msg']}."


def _shown(name: str) -> str:
    return json.dumps(name[:40])[1:-1]


def parameters(path: str) -> list[str]:
    """Names in braces."""
    return re.findall(r"\{(\w+)\}", path)


def check(operations: Iterable[Operation]) -> tuple[Any, ...]:
    """The operations; ValueError where two have one id, or one path and method."""
    found = tuple(operations)
    for seen in ([each.id for each in found], [(each.method, each.path) for each in found]):
        if len(set(seen)) != len(seen):
            raise ValueError(f"given twice: {seen}")
    return found
