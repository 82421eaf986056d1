"""Which requests to other hosts may leave, and which addresses are of the open internet."""

from __future__ import annotations

import json

import pytest

from sidecar.gateway.admit import Origin, admit, parse_origin
from sidecar.gateway.canonical import Refusal

HOSTS = {
    "api.themoviedb.org",
    "api.trakt.tv",
    "graphql.anilist.co",
    "api.graphql.imdb.com",
    "app.plex.tv",
    "10.0.0.1",
    "2130706433",
    "0x7f.1",
}


def ask(method: str, host: str, target: str = "/", body: bytes = b"", *, port: int = 443, mapped: tuple[str, ...] = ()) -> Refusal | None:
    return admit(method, Origin("https", host, port), target, body, HOSTS, mapped)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://api.themoviedb.org", Origin("https", "api.themoviedb.org", 443)),
        ("http://API.TheMovieDB.org.:80/", Origin("http", "api.themoviedb.org", 80)),
        ("https://a.b:8443", Origin("https", "a.b", 8443)),
        ("http://plex-0.plex.invalid:32400", Origin("http", "plex-0.plex.invalid", 32400)),
    ],
)
def test_origins(text: str, origin: Origin) -> None:
    assert parse_origin(text) == origin


def test_origins_in_words() -> None:
    assert str(Origin("https", "a.b", 443)) == "https://a.b"
    assert str(Origin("http", "a.b", 443)) == "http://a.b:443"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ftp://a",
        "https://",
        "https://a/b",
        "https://a?b",
        "https://a#b",
        "https://u:p@a",
        "https://a:99999",
        "https://[::1%25lo]",
        "https://é",
        "//a",
        "https://a_b",
        "https://-a",
        *("https://" + "a" * 64, "https://" + "a." * 130 + "b", "https://a\nb/", "https://a b"),
    ],
)
def test_what_is_no_origin(text: str) -> None:
    assert isinstance(parse_origin(text), Refusal)


def test_reads_of_the_hosts_of_connectors() -> None:
    assert ask("GET", "api.themoviedb.org", "/3/movie/1?api_key=x&a=%2F;b") is None
    assert ask("GET", "raw.githubusercontent.com", "/Kometa-Team/Kometa/nightly/VERSION") is None
    assert ask("GET", "api.themoviedb.org", "/3", port=8080, mapped=("api.themoviedb.org",)) is None


@pytest.mark.parametrize(
    ("method", "host", "target"),
    [
        ("GET", "evil.example", "/"),
        ("GET", "api.themoviedb.org.evil.example", "/"),
        ("GET", "app.plex.tv", "/"),
        ("GET", "plex.tv", "/api/claim/token.json"),
        ("GET", "1-2-3-4.abc.plex.direct", "/"),
        ("GET", "10.0.0.1", "/"),
        ("GET", "2130706433", "/"),
        ("GET", "0x7f.1", "/"),
        ("GET", "0x7f.0x1", "/"),
        ("GET", "metadata.google.internal", "/"),
        ("PUT", "api.themoviedb.org", "/"),
        ("DELETE", "api.themoviedb.org", "/"),
        ("HEAD", "api.themoviedb.org", "/"),
        ("POST", "api.themoviedb.org", "/3/list"),
        ("POST", "api.trakt.tv", "/oauth/token"),
        ("POST", "api.trakt.tv", "/sync/history"),
        ("POST", "graphql.anilist.co", "/other"),
        ("GET", "api.themoviedb.org", "http://evil.example/"),
        ("GET", "api.themoviedb.org", "/3/../x"),
        ("GET", "api.themoviedb.org", "/3/%2e%2e/x"),
        ("GET", "api.themoviedb.org", "/3/%252e%252e/x"),
        ("GET", "api.themoviedb.org", "/3\\x"),
        ("GET", "api.themoviedb.org", "/3#x"),
        ("GET", "api.themoviedb.org", "/é"),
        ("GET", "api.themoviedb.org", "/" + "a" * 17_000),
    ],
)
def test_what_may_not_leave(method: str, host: str, target: str) -> None:
    refusal = ask(method, host, target)
    assert refusal
    assert refusal.reason


def test_ports_of_their_own() -> None:
    assert ask("GET", "api.themoviedb.org", port=22)


@pytest.mark.parametrize(
    "body", [{"query": "query { Page { media { id } } }", "variables": {}}, {"operationName": "x", "extensions": {"persistedQuery": {}}}]
)
def test_reads_by_post(body: dict[str, object]) -> None:
    assert ask("POST", "graphql.anilist.co", "/", json.dumps(body).encode()) is None
    assert ask("POST", "api.graphql.imdb.com", "/", json.dumps(body).encode()) is None


@pytest.mark.parametrize(
    "body", [b"", b"query=x", b"[]", b'{"query": 1}', b'{"query": "mutation { x }"}', b'{"query": "query { a } mutation M { x }"}', b"\xff"]
)
def test_graphql_that_is_no_read(body: bytes) -> None:
    assert ask("POST", "graphql.anilist.co", "/", body)
