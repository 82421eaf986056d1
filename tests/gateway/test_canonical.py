"""One form per request, and nothing that two readers could read in two ways."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.gateway.canonical import METHODS, Canonical, Refusal, canonicalise, refuse_framing

targets = st.one_of(
    st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=60).map(lambda text: "/" + text),
    st.lists(
        st.sampled_from(
            [
                "library",
                "metadata",
                "1",
                "..",
                ".",
                "%2e",
                "%2F",
                "%252e",
                ":",
                "scrobble",
                "",
                ";x",
                "%00",
                "\\",
                "a b",
                "é",
                "%c3%a9",
                "%ff",
                "%",
            ]
        ),
        max_size=6,
    ).map(lambda parts: "/" + "/".join(parts)),
    st.tuples(
        st.just("/library/sections/1/all?"),
        st.text("abct=&+%23;ytpe01.[]>!é~\\", max_size=40).map(lambda text: text.replace("é", "%C3%A9")),
    ).map("".join),
)


@given(st.sampled_from(sorted(METHODS)), targets)
def test_the_canonical_form_is_its_own_canonical_form(method: str, target: str) -> None:
    once = canonicalise(method, target)
    if isinstance(once, Canonical):
        assert canonicalise(method, once.target) == once
        assert once.target.isascii()
        assert not {"..", ".", ""} & set(once.segments)
        assert all(unquote(segment) == segment for segment in once.segments)


@given(st.sampled_from(sorted(METHODS)), targets)
def test_nothing_is_let_in_that_reads_as_another_path(method: str, target: str) -> None:
    once = canonicalise(method, target)
    if isinstance(once, Canonical):
        path = unquote(once.path)
        assert "//" not in path
        assert not any(mark in path for mark in ("\\", ";", "%", "?", "#", "\0"))


def test_query_values_are_decoded_once_and_encoded_once() -> None:
    got = canonicalise("GET", "/a?title=Tom+%26+Jerry%2B%2541&year%3E%3E=1990&flag&&x=a=b")
    assert isinstance(got, Canonical)
    assert got.query == (("title", "Tom & Jerry+%41"), ("year>>", "1990"), ("flag", ""), ("x", "a=b"))
    assert got.target == "/a?title=Tom%20%26%20Jerry%2B%2541&year%3E%3E=1990&flag=&x=a%3Db"
    assert got.values("title") == ["Tom & Jerry+%41"]
    assert got.without("title", "flag").query_string == "year%3E%3E=1990&x=a%3Db"


def test_the_root_has_no_segments() -> None:
    assert canonicalise("GET", "/") == Canonical("GET", ())
    assert canonicalise("GET", "/?") == Canonical("GET", ())
    assert Canonical("GET", ()).target == "/"


@pytest.mark.parametrize(
    "target",
    [
        "http://plex/identity",
        "*",
        "plex:32400",
        "//identity",
        "/identity/",
        "/library//sections",
        "/library/../:/scrobble",
        "/library/./sections",
        "/library/.../x",
        "/library/%2e%2e/:/scrobble",
        "/library/%2E./:/scrobble",
        "/library%2fsections",
        "/library%2Fsections",
        "/library%5csections",
        "/library\\sections",
        "/library/%252e%252e/x",
        "/library;x=1/sections",
        "/library%3bx/sections",
        "/library/%00",
        "/library/%0d%0aX",
        "/library/%ff",
        "/library/%zz",
        "/library/%",
        "/a#b",
        "/a b",
        "/é",
        "/a?b=é",
        "/a?b=%zz",
        "/a?b=%00",
        "/a?b=%ff",
        "/a?b;c=1",
        "/a?b\\c=1",
        "/a?=1",
        "/a?%2575rl=1",
        "/a?b%26url=1",
        "/a?b%2Fc=1",
        "/a#?b",
        "/" + "a" * 9000,
    ],
)
def test_refused_targets(target: str) -> None:
    got = canonicalise("GET", target)
    assert isinstance(got, Refusal)
    assert got.reason
    assert got.status in (403, 414)


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "get", "Get", "PROPFIND", "", "GET "])
def test_refused_methods(method: str) -> None:
    assert isinstance(canonicalise(method, "/identity"), Refusal)


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", [("Host", "a"), ("Host", "b")]),
        ("GET", [("X-Plex-Token", "a"), ("x-plex-token", "a")]),
        ("GET", [("X-HTTP-Method-Override", "PUT")]),
        ("GET", [("X-Method-Override", "PUT")]),
        ("GET", [("X-HTTP-Method", "PUT")]),
        ("GET", [("X-Original-URL", "/:/scrobble")]),
        ("GET", [("Upgrade", "websocket")]),
        ("GET", [("Connection", "keep-alive, Upgrade")]),
        ("GET", [("HTTP2-Settings", "x")]),
        ("GET", [("Expect", "100-continue")]),
        ("POST", [("Trailer", "x")]),
        ("POST", [("Content-Encoding", "gzip")]),
        ("POST", [("Transfer-Encoding", "chunked"), ("Content-Length", "3")]),
        ("POST", [("Transfer-Encoding", "gzip, chunked")]),
        ("GET", [("Content-Length", "3")]),
        ("GET", [("Transfer-Encoding", "chunked")]),
        ("DELETE", [("Content-Length", "3")]),
        ("BREW", [("Content-Length", "3")]),
    ],
)
def test_refused_framing(method: str, headers: list[tuple[str, str]]) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers]
    refusal = refuse_framing(method, (1, 1), raw)
    assert refusal
    assert refusal.reason


@pytest.mark.parametrize("version", [(0, 9), (1, 0), (2, 0)])
def test_other_versions_of_http_are_refused(version: tuple[int, int]) -> None:
    assert refuse_framing("GET", version, []) == Refusal("only HTTP/1.1 is spoken here", 505)


def test_ordinary_framing_passes() -> None:
    assert refuse_framing("GET", (1, 1), [(b"Host", b"a"), (b"Content-Length", b"0"), (b"Accept", b"a"), (b"Accept", b"b")]) is None
    assert refuse_framing("POST", (1, 1), [(b"Transfer-Encoding", b"chunked")]) is None
    assert refuse_framing("POST", (1, 1), [(b"Content-Length", b"7")]) is None
