"""Refusals in one shape: JSON for programs, a small page for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sidecar.errors import NotThere, ReviewError, SidecarError

TEMPLATES: Final = Path(__file__).parent / "templates"

_CODES: Final = {404: "not_found", 405: "wrong_method", 413: "too_large"}


@cache
def environment() -> Environment:
    """The web pages' templates: made once, never changed."""
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def wants_json(path: str) -> bool:
    """Whether ``path`` (below the prefix) is for programs."""
    return path == "api" or path.startswith("api/") or path.endswith(".json") or path in ("healthz", "readyz")


def root_of(path: str) -> str:
    """The relative way from ``path`` to the root: ``../../`` for ``runs/x/``."""
    return "../" * path.count("/")


def answer(status: int, code: str, message: str, path: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """``{"error": {"code", "message"}}``, or a page that says the same."""
    if wants_json(path):
        body = json.dumps({"error": {"code": code, "message": message}})
        return web.Response(status=status, text=body, content_type="application/json", headers=headers)
    html = environment().get_template("error.html").render(title=HTTPStatus(status).phrase, message=message, root=root_of(path))
    return web.Response(status=status, text=html, content_type="text/html", headers=headers)


def explain(error: web.HTTPException, path: str) -> web.Response:
    """A raised HTTP error in the one shape."""
    message = "There is nothing here." if error.status == 404 else f"{error.reason}."
    headers = {"Allow": error.headers[hdrs.ALLOW]} if hdrs.ALLOW in error.headers else None
    return answer(error.status, _CODES.get(error.status, "refused"), message, path, headers)


def explain_own(error: SidecarError, message: str, path: str) -> web.Response:
    """An error of the daemon's parts in the one shape; ``message`` is its text, redacted."""
    if isinstance(error, NotThere):
        return answer(404, "not_found", message, path)
    if isinstance(error, ReviewError):
        return answer(409, "conflict", message, path)
    return answer(503, "unavailable", message, path, {hdrs.RETRY_AFTER: "5"})
