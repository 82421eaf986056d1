"""Of the daemon itself."""

from __future__ import annotations

from datetime import datetime

from pydantic import ConfigDict, Field

from sidecar.web.api.shapes.base import Name, Shape, Text


class PartHealth(Shape):
    """Is a part well?"""

    part: str = Field(description="plex, worker, config, disk, ...")
    ok: bool
    detail: Text
    since: datetime | None = Field(None, description="When it entered this state.")


class ChoreRun(Shape):
    """The last time that a job was done."""

    model_config = ConfigDict(extra="ignore")

    at: datetime
    seconds: float
    ok: bool
    says: Text


class Job(Shape):
    """What is done by itself."""

    model_config = ConfigDict(extra="ignore")

    job: str
    cron: str | None = Field(description="Null where it is switched off.")
    next: datetime | None
    last: ChoreRun | None


class Schedule(Shape):
    """What is done by itself, and when."""

    model_config = ConfigDict(extra="ignore")

    time_zone: str
    jobs: list[Job]


class Status(Shape):
    """What the daemon is doing."""

    model_config = ConfigDict(extra="ignore")

    version: str
    config: Text = Field(description="Name of the watched directory.")
    engine: str | None = Field(description="kometa, or draft for the built-in compositor.")
    engine_version: Text | None
    rendering: Name | None = Field(description="The run in progress.")
    waiting: bool = Field(description="A change is kept for when Plex or the worker is back.")
    shown: Name | None = Field(description="The last good run.")
    latest: Name | None = Field(description="The run that ended last.")
    polling: bool = Field(description="Files are looked at by the clock, since the file system tells of no changes.")
    health: list[PartHealth]
    schedule: Schedule | None = None
    gateway: dict[str, int] = Field(description="Counts since the start: forwarded, answered, captured, blocked, refused, ...")


class RenderAsked(Shape):
    """The render begins as soon as the one before it is planned."""

    asked: bool


class Cancelled(Shape):
    """What came of asking to cancel."""

    cancelled: bool = Field(description="False where nothing was being rendered.")
