"""Secrets go to their own host and nowhere else, and never come back."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from sidecar.gateway import swap
from sidecar.model import Placeholder


def place(text: str, secret: str, *hosts: str, connector: str = "tmdb") -> Placeholder:
    return Placeholder(text=text, secret=SecretStr(secret), hosts=hosts, connector=connector)


TMDB = place("ph-tmdb", "s&cret/1", "api.themoviedb.org")
MDB = place("ph-tmdb-longer", "other", "api.mdblist.com", connector="mdblist")
BOTH = [TMDB, MDB]


def test_into_requests() -> None:
    assert swap.into_url("/3/movie?api_key=ph-tmdb&x=1", BOTH, "api.themoviedb.org") == "/3/movie?api_key=s%26cret%2F1&x=1"
    assert swap.into_header("Bearer ph-tmdb", BOTH, "api.themoviedb.org") == "Bearer s&cret/1"
    assert (
        swap.into_body(b'{"k": "ph-tmdb", "u": "\xc3\xa9"}', "application/json", BOTH, "api.themoviedb.org")
        == b'{"k": "s&cret/1", "u": "\xc3\xa9"}'
    )
    assert swap.into_body(b"k=ph-tmdb", "application/x-www-form-urlencoded", BOTH, "api.themoviedb.org") == b"k=s%26cret%2F1"


def test_not_towards_other_hosts() -> None:
    assert swap.into_url("/?k=ph-tmdb", BOTH, "evil.example") == "/?k=ph-tmdb"
    for text in ("/?k=ph-tmdb", "Bearer ph-tmdb", 'x"ph-tmdb"'):
        refusal = swap.strangers(["", text], [TMDB], "evil.example")
        assert refusal
        assert "tmdb" in refusal.reason
    assert swap.strangers(["/?k=ph-tmdb"], [TMDB], "api.themoviedb.org") is None
    assert swap.strangers(["/?k=other"], [TMDB], "evil.example") is None


def test_one_placeholder_may_begin_with_another() -> None:
    assert swap.into_url("/?k=ph-tmdb-longer", BOTH, "api.mdblist.com") == "/?k=other"
    assert swap.neutral("/?a=ph-tmdb-longer&b=ph-tmdb", BOTH) == "/?a={mdblist}&b={tmdb}"


def test_empty_secrets_and_placeholders_change_nothing() -> None:
    nothing = [place("", "", "a.b")]
    assert swap.into_url("/x", nothing, "a.b") == "/x"
    assert swap.clean(b"body", nothing) == b"body"
    assert swap.strangers(["/x"], nothing, "c.d") is None


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40))
def test_echoed_secrets_are_taken_out(secret: str) -> None:
    placeholder = place("~~placeholder~~", secret, "a.b")
    sent = swap.into_url("/?k=~~placeholder~~", [placeholder], "a.b")
    for echoed in (secret, sent, json.dumps({"error": secret})):
        cleaned = swap.clean_text(echoed, [placeholder])
        assert secret not in cleaned
        assert json.dumps(secret)[1:-1] not in cleaned
        assert swap.clean(echoed.encode(), [placeholder]).decode() == cleaned
