"""The message: version 1 of the JSON that webhooks carry, and all that every other kind of notification is made from.

A field may be added within a version, never taken away or changed. ``docs/notification.v1.schema.json`` is made from
these models.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

VERSION: Final = 1

Event = Literal[
    "preview.changed",
    "preview.failed",
    "preview.recovered",
    "preview.unchanged",
    "plex.down",
    "plex.up",
    "worker.down",
    "worker.up",
    "test",
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PicturePart(_Part):
    """A picture, by its content."""

    sha256: str = Field(description="Lower-case hex of the bytes.")
    media_type: str
    width: int = Field(description="Pixels; 0 where it is not known.")
    height: int
    url: str | None = Field(default=None, description="In the gallery; null where it has no address of its own.")


class TargetPart(_Part):
    """One item whose picture changed."""

    id: str = Field(description="Unique over all Plex servers, stable.")
    rating_key: int
    library: str
    level: str = Field(description="movie, show, season, episode, artist, album or track.")
    title: str
    status: str | None = Field(default=None, description="changed, new, ... as in docs/gallery.md; null before the comparison.")
    fraction: float | None = Field(default=None, description="Of the pixels that differ, 0 to 1; null where it was not measured.")
    before: PicturePart | None = Field(default=None, description="What the preview showed before.")
    after: PicturePart | None = Field(default=None, description="What it shows now.")
    mask: PicturePart | None = Field(default=None, description="A PNG, opaque where the two differ.")


class FilePart(_Part):
    """One file of the Kometa config that was edited. Secrets are masked."""

    path: str
    kind: str = Field(description="added, removed or changed.")
    added: int = Field(description="Lines.")
    removed: int
    lines: list[str] = Field(default_factory=list, description="Up to three lines of the diff, each with its + or -.")


class EditPart(_Part):
    """What was edited since the last good run."""

    files: list[FilePart]
    more: int = Field(default=0, description="Files left out.")


class ProblemPart(_Part):
    """Something a person should know."""

    severity: str = Field(description="error or warning.")
    what: str
    mend: str = Field(default="", description="How to mend it.")
    file: str = ""
    line: int | None = None


class RunPart(_Part):
    """The run that the message is about."""

    id: str
    state: str = Field(description="done, failed or invalid.")
    reason: str = Field(description="start, edit, request, ...")
    revision: str
    engine: str | None = Field(description="kometa or draft.")
    kometa_version: str | None
    started: datetime
    seconds: float = Field(description="From the save (or the request) to the published result.")
    pictures: int = Field(description="How many were drawn.")
    changed: int = Field(description="How many differ from the last good run.")
    writes_blocked: int = Field(description="Writes that were kept from Plex.")
    errors: int
    warnings: int
    url: str | None = Field(description="The run's page in the gallery.")


class SessionPart(_Part):
    """The editing session: edits with short pauses between them."""

    id: str
    number: int = Field(description="Which change of the session this is, from 1.")


class OutagePart(_Part):
    """Plex or the worker, away or back."""

    part: Literal["plex", "worker"]
    detail: str
    since: datetime
    seconds: float | None = Field(default=None, description="How long it was away; null while it is.")


class Message(_Part):
    """One event, told to one destination."""

    version: Literal[1] = VERSION
    event: Event
    id: str = Field(description="The same over all attempts and destinations: drop what was seen.")
    at: datetime
    severity: Literal["info", "success", "warning", "error"]
    title: str = Field(description="One line for people.")
    text: str = Field(description="A few lines for people.")
    url: str | None = Field(description="Where to look.")
    sidecar: str = Field(description="Version of kometa-sidecar.")
    session: SessionPart | None = None
    run: RunPart | None = None
    targets: list[TargetPart] = Field(default_factory=list, description="Up to 50 that changed.")
    more_targets: int = Field(default=0, description="Targets left out.")
    edit: EditPart | None = None
    problems: list[ProblemPart] = Field(default_factory=list, description="Up to 50 errors and warnings.")
    outage: OutagePart | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return self.model_dump(mode="json")


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of :class:`Message`."""
    made = Message.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kometa-sidecar notification, version 1",
        **{key: value for key, value in made.items() if key != "title"},
    }
