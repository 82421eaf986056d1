"""Of notifications."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from sidecar.web.api.shapes.base import Name, NameOrNone, Shape, Text, Whole

LetterId = Annotated[str, StringConstraints(pattern="^[!-~]{1,200}$")]


class Destination(Shape):
    """Someone who is told. Never the address, which may be a secret."""

    name: Name
    kind: Name = Field(description="discord, webhook, slack, ntfy, gotify, apprise-api or apprise.")
    well: bool
    closed: Text | None = Field(description="Why nothing is sent until somebody mends it.")
    closed_since: datetime | None
    trouble: Text | None = Field(description="What the last tries met.")
    pending: Whole
    claimed: Whole
    sent: Whole
    dead: Whole
    dropped: Whole


class Letter(Shape):
    """One message to one destination."""

    id: LetterId
    destination: Name
    event: NameOrNone
    title: Text
    state: Literal["pending", "claimed", "sent", "dead", "dropped"]
    attempts: Whole
    created: datetime
    next_try: datetime | None
    error: Text | None


class Notifications(Shape):
    """Who is told, and what."""

    destinations: list[Destination]
    letters: list[Letter] = Field(description="Newest first.")


class Replayed(Shape):
    """Messages that are sent again."""

    replayed: Whole


class TestResult(Shape):
    """Whether a test arrived."""

    __test__ = False  # pytest takes the name for a test's

    destination: Name
    ok: bool
    error: Text | None


class Tested(Shape):
    """By destination."""

    results: list[TestResult]
