"""What ends the belief in an answer, and how long it lasts at most."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.gateway import fresh
from sidecar.gateway.canonical import Canonical, canonicalise
from sidecar.gateway.scope import Garbled


def asked(target: str) -> Canonical:
    got = canonicalise("GET", target)
    assert isinstance(got, Canonical)
    return got


@pytest.mark.parametrize(
    ("target", "seconds"),
    [
        ("/library/metadata/1", fresh.WATCHED),
        ("/library/sections/1/all?type=1&sort=titleSort&year%3E%3E=1990", fresh.WATCHED),
        ("/library/sections/1/all?type=1&sort=random", 0.0),
        ("/library/sections/1/all?type=1&sort=year%3Adesc%2Crandom", 0.0),
        ("/library/sections/1/all?type=1&addedAt%3E%3E=-30d", fresh.DATED),
        ("/library/sections/1/all?type=1&lastViewedAt%3C%3C=-2mon", fresh.DATED),
    ],
)
def test_how_long_an_answer_is_believed(target: str, seconds: float) -> None:
    assert fresh.max_age(asked(target), gapless=7 * 3600.0) == seconds
    assert fresh.max_age(asked(target), gapless=3600.0) == min(seconds, 3600.0)
    assert fresh.max_age(asked(target), gapless=0.0) == min(seconds, fresh.POLLED)


@pytest.mark.parametrize(
    ("target", "at"),
    [
        ("/library/metadata/1/thumb/1700000000", 1_700_000_000.0),
        ("/library/metadata/1/thumb/-1", None),
        ("/library/metadata/1/thumb", None),
        ("/library/metadata/1700000000/thumb", None),
        ("/", None),
    ],
)
def test_the_time_in_a_pictures_address(target: str, at: float | None) -> None:
    assert fresh.stamp(asked(target)) == at


def notice(kind: str, **more: object) -> str:
    return json.dumps({"NotificationContainer": {"type": kind, "size": 1, **more}})


@pytest.mark.parametrize(
    ("text", "change"),
    [
        (notice("timeline", TimelineEntry=[{"itemID": "1", "state": 5}]), True),
        (notice("preference"), True),
        (notice("status", StatusNotification=[{"title": "Library scan complete"}]), True),
        (notice("something new"), True),
        (notice("activity", ActivityNotification=[{"event": "ended", "Activity": {"type": "library.refresh.items"}}]), True),
        (notice("activity", ActivityNotification=[{"event": "ended", "Activity": {"type": "media.generate.bif"}}]), False),
        (notice("activity", ActivityNotification=[{"event": "ended"}]), True),
        (notice("activity"), False),
        (notice("progress"), False),
        (notice("transcodeSession.update"), False),
        (notice("update.statechange"), False),
        ("no json", True),
        ("[]", True),
        ("{}", True),
    ],
)
def test_which_notifications_tell_of_a_change(text: str, change: bool) -> None:
    assert fresh.tells_of_change(text, {}) is change


def test_playing_tells_of_a_change_where_it_begins_and_ends() -> None:
    playing: dict[str, str] = {}

    def play(state: str) -> bool:
        return fresh.tells_of_change(notice("playing", PlaySessionStateNotification=[{"sessionKey": "1", "state": state}]), playing)

    assert [play(state) for state in ("playing", "playing", "playing", "paused", "paused", "stopped")] == [
        True,
        False,
        False,
        True,
        False,
        True,
    ]
    assert not playing, "sessions that ended are not remembered for years"
    assert not fresh.tells_of_change(notice("playing"), playing)


@given(
    st.text() | st.recursive(st.none() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)).map(json.dumps)
)
def test_any_text_is_taken(text: str) -> None:
    assert fresh.tells_of_change(text, {}) in (True, False)


SECTIONS = (
    '<MediaContainer size="1"><Directory key="1" refreshing="{0}" contentChangedAt="{1}"><Location path="/m"/></Directory></MediaContainer>'
)


def test_the_fingerprint_of_the_libraries() -> None:
    prints = [fresh.fingerprint(SECTIONS.format(busy, at).encode()) for busy, at in ((0, 5), (1, 5), (0, 6))]
    assert prints[0] == prints[1] != prints[2]
    with pytest.raises(Garbled):
        fresh.fingerprint(b"<html/>")
