"""How long an answer of Plex may be believed, and which of Plex's notifications end that. Pure.

What is not known is taken for a change: a read too many is only slow, a stale picture is wrong.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import MutableMapping
from typing import Any, Final

from sidecar.gateway.canonical import Canonical
from sidecar.gateway.scope import parse, render

WATCHED: Final = 6 * 3600.0
"""Seconds for which an answer is believed while the server's notifications are heard."""
POLLED: Final = 15 * 60.0
"""Seconds, where only the libraries' time stamps say that nothing changed."""
DATED: Final = 10 * 60.0
"""Seconds for answers to "in the last 30 days" and the like, which change with the clock alone."""
PICTURE: Final = 30 * 24 * 3600.0
"""Seconds for a picture whose address carries the time of its last change."""
SETTLED: Final = 120.0
"""Seconds after which a time in a picture's address can stand for no second change (it counts whole seconds; clocks differ)."""

_STAMPED: Final = re.compile(r"1[0-9]{9}")
_RELATIVE: Final = re.compile(r"[-+][0-9]+(s|m|h|d|w|mon|y)?")
_IDLE: Final = frozenset({"progress", "reachability", "update.statechange", "account", "backgroundProcessingQueue"})
"""Notifications that say nothing of items: python-plexapi's alert.py and recorded servers name them."""
_VOLATILE: Final = frozenset({"refreshing"})


def max_age(request: Canonical, *, gapless: float) -> float:
    """Seconds for which the answer to a read may be believed; 0: it is not kept.

    ``gapless``: for how many seconds the server's notifications were heard without a gap; through one, only time stamps
    vouch for what is older, and not for as long.
    """
    age = max(POLLED, min(WATCHED, gapless))
    for key, value in request.query:
        if key == "sort" and "random" in value:
            return 0.0
        if _RELATIVE.fullmatch(value):
            age = DATED
    return age


def stamp(request: Canonical) -> float | None:
    """The time, in seconds since the epoch, that a picture's address carries; None where it carries none."""
    last = request.segments[-1] if request.segments else ""
    return float(last) if _STAMPED.fullmatch(last) else None


def tells_of_change(text: str, playing: MutableMapping[str, str]) -> bool:
    """Whether a notification may mean that an earlier answer is no longer true.

    ``playing`` remembers sessions and their states from one call to the next: a viewer's progress, told every few
    seconds, is no change; that somebody begins or stops is one (view counts follow it).
    """
    try:
        told = json.loads(text)["NotificationContainer"]
        kind = str(told["type"])
    except (ValueError, KeyError, TypeError):
        return True
    if kind in _IDLE or kind.startswith("transcodeSession."):
        return False
    if kind == "playing":
        return _plays(told.get("PlaySessionStateNotification"), playing)
    if kind == "activity":
        return any(_refreshes(activity) for activity in _rows(told.get("ActivityNotification")))
    return True


def fingerprint(sections: bytes) -> str:
    """What /library/sections says of every library and its times, as a hash. Garbled where it is not Plex's XML."""
    root = parse(sections)
    for element in root.iter():
        for name in _VOLATILE:
            element.attrib.pop(name, None)
    return hashlib.sha256(render(root)).hexdigest()


def _plays(sessions: Any, playing: MutableMapping[str, str]) -> bool:
    changed = False
    for session in _rows(sessions):
        name, state = str(session.get("sessionKey")), str(session.get("state"))
        changed |= playing.get(name) != state
        playing[name] = state
        if state == "stopped":
            playing.pop(name)
    return changed


def _refreshes(activity: Any) -> bool:
    about = activity.get("Activity")
    kind = about.get("type", "") if isinstance(about, dict) else ""
    return str(kind).startswith("library.") or not kind


def _rows(value: Any) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
