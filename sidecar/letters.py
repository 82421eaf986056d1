"""The words of the outbox: what is to be told to whom, and what became of it.

event -> NewLetter (one per destination) -> Letter (kept) -> sent, given up, or overtaken by a newer one
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class LetterState(StrEnum):
    """Where a letter is; the last three are final."""

    PENDING = "pending"
    CLAIMED = "claimed"
    """Somebody is sending it. If nothing is heard of them in time, it is pending again."""
    SENT = "sent"
    DEAD = "dead"
    """Given up: refused, or not delivered within the destination's time. It can be replayed."""
    DROPPED = "dropped"
    """Overtaken before it left: a newer one says all it said, or what it told of is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLetter:
    """A message to one destination, to be kept."""

    id: str
    """Deterministic: the same event for the same destination is one letter, however often it is posted."""
    destination: str
    body: Mapping[str, object]
    """Plain JSON, no secret."""
    event: str = ""
    topic: str = ""
    """Letters of one topic tell of one thing as it goes on: a later one may replace or edit an earlier one."""
    not_before: datetime | None = None
    overtakes: bool = False
    """Letters of its topic that wait and were never tried are dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message to one destination."""

    id: str
    """Stays the same over all attempts: the receiver can drop doubles by it."""
    destination: str
    body: Mapping[str, object]
    state: LetterState
    attempts: int
    """How often it was claimed, this time included."""
    next_try: datetime
    created: datetime
    error: str = ""
    """What the last attempt met."""
    event: str = ""
    topic: str = ""
    due: datetime
    """When it was first to be sent: the time to give it up is counted from here."""
    remote: str = ""
    """The receiver's own id of the message, where it gave one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A destination that is sent nothing until a person mends it."""

    destination: str
    why: str
    since: datetime
    mark: str
    """A hash of its address: another address opens it again."""
