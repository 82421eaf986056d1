"""Says in words what a kept write would have done. Pure."""

from __future__ import annotations

import re
from typing import Final

from sidecar.gateway.canonical import Canonical
from sidecar.gateway.capture import KINDS

_TAG: Final = re.compile(r"([A-Za-z]+)\[(\d+)?\]\.tag\.tag(-)?")
_VALUE: Final = re.compile(r"([A-Za-z]+)\.value")
_LOCK: Final = re.compile(r"([A-Za-z]+)\.locked")
_SIDE_EFFECTS: Final = {
    "scrobble": "mark as watched",
    "unscrobble": "mark as unwatched",
    "rate": "set a rating",
    "progress": "move the resume point",
    "timeline": "report playback",
    "refresh": "refresh metadata",
    "emptyTrash": "empty the trash",
    "analyze": "analyse media",
    "optimize": "optimise the database",
    "terminate": "stop somebody's playback",
    "token": "make a token",
    "match": "match to another title",
    "unmatch": "take the match away",
    "split": "split an item",
    "merge": "merge items",
    "subtitles": "add subtitles",
    "playQueues": "make or take over a play queue",
    "playlists": "change playlists",
    "transcode": "start or stop a transcode",
    "log": "write into the server's log",
    "butler": "start maintenance",
    "updater": "update the server",
}


def meaning(request: Canonical) -> str:
    """``add label Overlay to 101``: one line for people. Values are cut at 80 characters."""
    segments = request.segments
    if request.method == "PUT" and segments[:2] == ("library", "sections") and segments[-1] == "all":
        return _edit(request, ", ".join(request.values("id")) or "a whole library")
    if request.method == "PUT" and segments == (":", "prefs"):
        return f"change server settings: {_short(', '.join(f'{key}={value}' for key, value in request.without('X-Plex-Token').query))}"
    if segments[:2] == ("library", "metadata") and len(segments) > 2:
        item = segments[2]
        last = segments[-1] if len(segments) > 3 else ""
        if request.method == "POST" and last in KINDS:
            source = " by address" if request.values("url") else ""
            return f"upload a {KINDS[last].replace('_', ' ')}{source} for {item}"
        if request.method == "PUT" and last in ("poster", "art"):
            return f"select another {last} for {item}"
        if request.method == "DELETE":
            return f"delete {last + ' of ' if last else ''}{item}"
        if request.method == "PUT" and not last:
            return _edit(request, item)
    for segment in reversed(segments):
        if segment in _SIDE_EFFECTS:
            return _SIDE_EFFECTS[segment]
    return f"{request.method} {_short(request.path)}"


def _edit(request: Canonical, items: str) -> str:
    parts = []
    for key, value in request.query:
        tag = _TAG.fullmatch(key)
        if tag and tag[3]:
            parts.append(f"remove {tag[1]} {_short(value)} from {items}")
        elif tag:
            parts.append(f"add {tag[1]} {_short(value)} to {items}")
        elif found := _VALUE.fullmatch(key):
            parts.append(f"set {found[1]} of {items} to {_short(value)}")
    if not parts:
        locks = [f"{'lock' if value == '1' else 'unlock'} {found[1]}" for key, value in request.query if (found := _LOCK.fullmatch(key))]
        parts = [f"{' and '.join(locks)} of {items}"] if locks else [f"edit {items}"]
    return "; ".join(parts)


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"
