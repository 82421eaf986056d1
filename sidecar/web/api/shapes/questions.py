"""What is asked: queries and bodies."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from sidecar.model import RunState
from sidecar.web.api.shapes.base import Asked, Body, Name, NameOrNone, Question
from sidecar.web.api.shapes.notifications import LetterId


class RunsQuery(Question):
    """Which runs."""

    limit: Asked = Field(50, ge=1, le=200, description="Runs on a page.")
    before: Name | None = Field(None, description="A run's id: only older ones.")
    state: RunState | None = Field(None, description="Only runs in this state.")


class PageQuery(Question):
    """Which part of a long list."""

    after: Asked = Field(0, ge=0, le=999_999_999, description="Only what has a higher number.")
    limit: Asked = Field(500, ge=1, le=2000, description="At most so many.")


class FollowQuery(Question):
    """Which lines."""

    level: Annotated[str, StringConstraints(pattern="^(TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL)$")] = Field(
        "TRACE", description="This level and those above it."
    )
    q: Annotated[str, StringConstraints(max_length=200)] = Field("", description="Only lines with this text, in capitals or not.")


class LogQuery(FollowQuery, PageQuery):
    """Which lines, and which part of them."""


class DecisionsQuery(Question):
    """Which decisions."""

    target: Name | None = Field(None, description="Only of this target.")
    limit: Asked = Field(50, ge=1, le=1000, description="At most so many.")


class TimelineQuery(Question):
    """How much of the past."""

    limit: Asked = Field(200, ge=1, le=1000, description="At most so many pictures.")


Who = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{0,100}$")]


class Judgement(Body):
    """What is approved or rejected: all that differs, a group, or some targets. All may be left out."""

    run: NameOrNone = Field("", description="A run's id; empty for the newest with pictures.")
    targets: list[Name] | None = Field(None, description="Only these; null for all.")
    group: NameOrNone = Field("", description="Only those of this group.")
    who: Who = Field("", description="By whom, for people; by default how the request came in.")


class NotificationsQuery(Question):
    """How many messages."""

    limit: Asked = Field(50, ge=1, le=500, description="At most so many messages.")


class Replay(Body):
    """What is sent again."""

    letters: list[LetterId] | None = Field(None, description="Only these; null for all that were given up.")


class TestWanted(Body):
    """Who is sent a test."""

    __test__ = False  # pytest takes the name for a test's

    destination: NameOrNone = Field("", description="Its name; empty for all.")


class Undo(Body):
    """What is taken back."""

    batch: NameOrNone = Field("", description="What was decided at once; empty for the last.")
    who: Who = Field("", description="By whom, for people; by default how the request came in.")
