"""Python imports this at start when this folder is on PYTHONPATH: sends the HTTP of an unmodified program to stand-ins.

``COLD_HOSTS`` is a JSON object {host: base URL}. A request to such a host goes to the base URL with its own path and
query; the response says that it came from where it was meant to. Loopback is left alone. Any other host is refused
as an unreachable one would be, so that no test talks to the internet. Covers all that goes through ``requests``.
"""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def redirect(hosts: dict[str, str]) -> None:
    """Wrap ``HTTPAdapter.send``, which every session and every mounted adapter of requests passes."""
    from requests.adapters import HTTPAdapter
    from requests.exceptions import ConnectionError as Unreachable

    through = HTTPAdapter.send

    def send(self: HTTPAdapter, request: Any, *args: Any, **kwargs: Any) -> Any:
        meant = request.url
        parts = urlsplit(meant)
        host = (parts.hostname or "").lower()
        if host in LOOPBACK:
            return through(self, request, *args, **kwargs)
        if host not in hosts:
            raise Unreachable(f"{host} is not among the stand-ins of this run", request=request)
        request.url = hosts[host].rstrip("/") + parts._replace(scheme="", netloc="", fragment="").geturl()
        try:
            response = through(self, request, *args, **kwargs)
        finally:
            request.url = meant
        response.url = meant
        return response

    HTTPAdapter.send = send  # type: ignore[method-assign]  # the point of this file


if "COLD_HOSTS" in os.environ:
    redirect(json.loads(os.environ["COLD_HOSTS"]))
