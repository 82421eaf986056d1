"""A raw client: what it is given goes over the wire as it is."""

from __future__ import annotations

import asyncio
import gzip
import http.client
from dataclasses import dataclass
from urllib.parse import urlsplit
from xml.etree import ElementTree

from sidecar.demo import DemoPlex


@dataclass(frozen=True)
class Response:
    """Status, headers (lower case) and the body, gunzipped."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def xml(self) -> ElementTree.Element:
        return ElementTree.fromstring(self.body)

    @property
    def keys(self) -> list[int]:
        """Rating keys of what is listed."""
        return [int(child.attrib["ratingKey"]) for child in self.xml if "ratingKey" in child.attrib]


def ask(plex: DemoPlex, target: str, method: str = "GET", body: bytes | None = None, *, token: bool = True, **headers: str) -> Response:
    """One request over a connection of its own; blocks. Header names: X_Plex_Token for X-Plex-Token."""
    connection = http.client.HTTPConnection("127.0.0.1", plex.port, timeout=10)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["X-Plex-Token"] = plex.token
        connection.putrequest(method, urlsplit(plex.url).path + target, skip_accept_encoding=True)
        for name, value in sent.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        got = {name.lower(): value for name, value in answer.getheaders()}
        return Response(answer.status, got, gzip.decompress(content) if got.get("content-encoding") == "gzip" else content)
    finally:
        connection.close()


async def get(
    plex: DemoPlex, target: str, method: str = "GET", body: bytes | None = None, *, token: bool = True, **headers: str
) -> Response:
    """``ask`` in a thread."""
    return await asyncio.to_thread(ask, plex, target, method, body, token=token, **headers)
