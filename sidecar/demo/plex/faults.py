"""Ways in which a Plex server can be ill, on demand: for tests of what watches it."""

from __future__ import annotations

import re
from dataclasses import dataclass

KINDS = ("down", "slow", "trickle", "unauthorized", "maintenance", "error", "truncated", "bad_gzip", "garbage", "entity_bomb", "redirect")


@dataclass(slots=True)
class Fault:
    """One illness.

    ``down`` drops the connection unanswered; ``slow`` answers after ``seconds``; ``trickle`` sends a byte every ``seconds``;
    ``unauthorized`` 401; ``maintenance`` 503, as Plex sends it while it starts or migrates; ``error`` 500; ``truncated``
    announces more bytes than it sends; ``bad_gzip`` says gzip and sends none; ``garbage`` is no XML; ``entity_bomb`` is
    XML that grows without end; ``redirect`` points at another host.
    """

    kind: str
    times: int | None = None
    """How many requests it strikes; None: all."""
    path: str = ""
    """Regular expression for the paths it strikes; empty: all."""
    seconds: float = 1.0

    def strikes(self, path: str) -> bool:
        """Does it strike this request? Counts down."""
        if self.times == 0 or (self.path and not re.search(self.path, path)):
            return False
        if self.times is not None:
            self.times -= 1
        return True


MAINTENANCE = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<Response code="503" title="Maintenance" status="Plex Media Server is currently running database migrations."/>\n'
)
GARBAGE = b"<MediaContainer size='3'><Video ratingKey='1' title=<<<>>>\x00\xff\xfe no xml at all"
BOMB = (
    b'<?xml version="1.0"?>\n<!DOCTYPE b [<!ENTITY a0 "ha">'
    + b"".join(f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">'.encode() for level in range(1, 10))
    + b"]>\n<MediaContainer size='1'><Video title='&a9;'/></MediaContainer>\n"
)
