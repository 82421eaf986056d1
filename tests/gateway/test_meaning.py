"""Kept writes in words."""

from __future__ import annotations

import pytest

from sidecar.gateway.canonical import Canonical, canonicalise
from sidecar.gateway.meaning import meaning


@pytest.mark.parametrize(
    ("method", "target", "words"),
    [
        ("PUT", "/library/sections/1/all?type=1&id=101&label.locked=1&label%5B0%5D.tag.tag=Overlay", "add label Overlay to 101"),
        (
            "PUT",
            "/library/sections/1/all?id=1,2&label%5B%5D.tag.tag-=Overlay&genre%5B0%5D.tag.tag=New",
            "remove label Overlay from 1,2; add genre New to 1,2",
        ),
        ("PUT", "/library/sections/1/all?id=1&title.value=Heat", "set title of 1 to Heat"),
        ("PUT", "/library/sections/1/all?id=1&thumb.locked=1&art.locked=0", "lock thumb and unlock art of 1"),
        ("PUT", "/library/sections/1/all?type=1", "edit a whole library"),
        ("PUT", "/library/metadata/7?summary.value=" + "x" * 90, "set summary of 7 to " + "x" * 79 + "…"),
        ("POST", "/library/metadata/7/posters", "upload a poster for 7"),
        ("POST", "/library/metadata/7/squareArts?url=x", "upload a square art by address for 7"),
        ("PUT", "/library/metadata/7/poster?url=x", "select another poster for 7"),
        ("DELETE", "/library/metadata/7", "delete 7"),
        ("DELETE", "/library/metadata/7/thumb", "delete thumb of 7"),
        ("PUT", "/library/metadata/7/refresh", "refresh metadata"),
        ("GET", "/library/metadata/7/whatever", "GET /library/metadata/7/whatever"),
        ("PUT", "/:/prefs?DatabaseCacheSize=40&X-Plex-Token=t", "change server settings: DatabaseCacheSize=40"),
        ("GET", "/:/scrobble?key=1", "mark as watched"),
        ("GET", "/status/sessions/terminate?sessionId=1", "stop somebody's playback"),
        ("POST", "/library/collections?title=x", "POST /library/collections"),
    ],
)
def test_words(method: str, target: str, words: str) -> None:
    canonical = canonicalise(method, target)
    assert isinstance(canonical, Canonical)
    assert meaning(canonical) == words
