"""The HTTP API under /api/v1.

    operation (method, path, shapes) -> checked call -> handler -> shape -> JSON, redacted
             \\-> openapi (the document that says so)

shapes     what goes over the wire
source     what the API asks the daemon (protocols)
reading    operations that tell
reviewing  operations on differences and baselines
acting     operations that make the daemon do something, and its events
telling    operations on notifications
"""

from __future__ import annotations

import json

from aiohttp import web

from sidecar.web.api import openapi
from sidecar.web.api.acting import Acting
from sidecar.web.api.operation import ROOT, Call, Operation, add_routes, check
from sidecar.web.api.reading import Reading
from sidecar.web.api.reviewing import Judging
from sidecar.web.api.shapes import Redact
from sidecar.web.api.source import Actions, Reviewing, Source, Telling
from sidecar.web.api.telling import Messages
from sidecar.web.events import Events
from sidecar.web.stream import Stream

__all__ = ["Actions", "Api", "Operation", "Reviewing", "Source", "Telling"]


class Api:
    """All operations."""

    def __init__(
        self,
        *,
        source: Source,
        actions: Actions,
        reviewing: Reviewing,
        telling: Telling,
        events: Events,
        stream: Stream,
        redact: Redact,
        login: bool,
    ) -> None:
        """``redact`` masks known secrets in every text that goes out; ``login``: a token is asked for."""
        self._redact = redact
        self._login = login
        self._documents: dict[str, str] = {}
        """By the path that it is reached below: at most two."""
        self.operations: tuple[Operation, ...] = check(
            (
                *Reading(source, stream, redact).operations(),
                *Judging(source, reviewing).operations(),
                *Acting(actions, events, stream).operations(),
                *Messages(telling).operations(),
                Operation(
                    method="GET", path="/openapi.json", id="getOpenapi", summary="This document, in OpenAPI 3.1.", handle=self._document
                ),
            )
        )

    def add_to(self, router: web.UrlDispatcher, base: str) -> None:
        """Serve them below ``base``."""
        add_routes(router, base, self.operations, self._redact)

    async def _document(self, call: Call) -> web.StreamResponse:
        base = call.request.path.removesuffix(f"{ROOT}/openapi.json")
        if base not in self._documents:
            self._documents[base] = json.dumps(openapi.document(self.operations, base=base, login=self._login))
        return web.Response(text=self._documents[base], content_type="application/json")
