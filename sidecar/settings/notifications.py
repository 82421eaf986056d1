"""Whom to tell what, and who may ask for a render from outside."""

from __future__ import annotations

import ipaddress
import re
from datetime import time
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from sidecar import apprising
from sidecar.apprising import Outcome
from sidecar.sandbox import TemplateFails, check
from sidecar.schedule import zone_of
from sidecar.settings.base import Seconds, Section, askable

EventName = Literal[
    "preview.changed",
    "preview.failed",
    "preview.recovered",
    "preview.unchanged",
    "plex.down",
    "plex.up",
    "worker.down",
    "worker.up",
]
ALL_BUT_UNCHANGED: tuple[EventName, ...] = (
    "preview.changed",
    "preview.failed",
    "preview.recovered",
    "plex.down",
    "plex.up",
    "worker.down",
    "worker.up",
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Kind = Literal["auto", "discord", "webhook", "slack", "ntfy", "gotify", "apprise-api", "apprise"]

_DISCORD_HOSTS = ("discord.com", "discordapp.com")
_DISCORD_PATH = re.compile(r".*/webhooks/(?P<id>\d+)/(?P<token>[\w.-]+)/?", re.ASCII)
_OURS = ("content-length", "transfer-encoding", "connection", "webhook-id", "webhook-timestamp", "webhook-signature")
_EVERYTHING = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


def _clock(value: Any) -> Any:
    """YAML reads an unquoted 22:00 as a number of minutes (1320)."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return time(value // 60, value % 60)
    if isinstance(value, str) and (found := re.fullmatch(r"(\d{1,2}):(\d{2})", value.strip())):
        hours, minutes = int(found[1]), int(found[2])
        if hours < 24 and minutes < 60:
            return time(hours, minutes)
    raise ValueError("it is not a time of day like 22:00")


def _zone(name: str) -> str:
    zone_of(name)
    return name


def _networks(value: Any) -> Any:
    if isinstance(value, bool):
        return _EVERYTHING if value else ()
    return [value] if isinstance(value, str) else value


ClockTime = Annotated[time, BeforeValidator(_clock)]
Id = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value), Field(pattern=r"^\d{15,21}$")]


class QuietHours(Section):
    """When nothing is sent; what happens meanwhile is told afterwards."""

    start: ClockTime = Field(description="A time of day like 22:00.")
    end: ClockTime = Field(description="A time of day like 07:00; earlier than start means the next day.")
    zone: Annotated[str, AfterValidator(_zone)] = Field("", description="A time zone like Europe/Berlin; by default this machine's.")
    let_through: tuple[EventName, ...] = Field((), description="A list of events that are sent all the same, like [plex.down].")

    @model_validator(mode="after")
    def _has_a_length(self) -> Self:
        if self.start == self.end:
            raise ValueError("quiet hours that start and end at the same time would never end or never begin")
        return self


class Mentions(Section):
    """Who is called by name (Discord)."""

    users: tuple[Id, ...] = Field((), description="A list of Discord user ids (long numbers).", max_length=20)
    roles: tuple[Id, ...] = Field((), description="A list of Discord role ids (long numbers).", max_length=20)
    events: tuple[EventName, ...] = Field(("preview.failed",), description="A list of events that call them.")


class Destination(Section):
    """Someone to tell."""

    name: str = Field(description="A short name of its own: lower-case letters, digits and -.", pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")
    kind: Kind = Field(
        "auto", description="auto (discord by its address, else webhook), discord, webhook, slack, ntfy, gotify, apprise-api, apprise."
    )
    url: SecretStr = Field(description="Where to send, like https://discord.com/api/webhooks/... (better in a secret file).")
    events: tuple[EventName, ...] = Field(ALL_BUT_UNCHANGED, description="A list of events; by default all but preview.unchanged.")
    libraries: tuple[str, ...] = Field((), description="A list of library names: only changes of these; empty for all.")
    minimum_pictures: int = Field(1, ge=1, description="Changes of fewer pictures are not told.")
    minimum_percent: float = Field(
        0.0, ge=0, le=100, description="Changes where no picture differs by more than this share of its pixels are not told."
    )
    quiet: QuietHours | None = Field(None, description="Quiet hours: start, end, zone.")
    mentions: Mentions | None = Field(None, description="Whom to mention (Discord): users, roles, events.")
    session: Seconds = Field(600.0, description="Seconds (or 10m): edits with shorter pauses between them are told in one message.")
    give_up: Seconds = Field(86_400.0, description="Seconds (or 24h) after which a message that cannot be delivered is given up.")
    timeout: Seconds = Field(15.0, description="Seconds to wait for an answer.")
    private: Annotated[tuple[Network, ...], BeforeValidator(_networks)] = Field(
        (), description="true, or a list of networks like 192.168.1.0/24: private addresses that may be reached."
    )
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="Header names and values to send along.")
    secret: SecretStr | None = Field(
        None, min_length=16, description="At least 16 characters, or whsec_...: the key that messages are signed with."
    )
    template: str | None = Field(None, description="A Jinja2 template of the body, for receivers that want another shape.")
    content_type: str = Field(
        "application/json", description="The Content-Type of what the template makes.", pattern=r"^[\w.+-]+/[\w.+-]+(; ?[\w=.-]+)?$"
    )
    pictures: bool = Field(True, description="true or false: whether Discord gets a contact sheet of what changed.")
    thread: Id | None = Field(None, description="The id of a Discord thread to write into.")
    silent: bool = Field(False, description="true or false: whether Discord messages make no sound.")
    username: str | None = Field(
        None, min_length=1, max_length=80, description="The name that Discord shows, without 'discord' or 'clyde' in it."
    )

    @property
    def what(self) -> str:
        """``kind``, decided."""
        if self.kind != "auto":
            return self.kind
        host = (urlsplit(self.url.get_secret_value()).hostname or "").lower()
        return "discord" if any(host == known or host.endswith(f".{known}") for known in _DISCORD_HOSTS) else "webhook"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        url = self.url.get_secret_value()
        if self.kind != "apprise":
            try:
                askable(url)
            except ValueError as error:
                raise ValueError(f"the url of {self.name}: {error}") from None
        else:
            if "://" not in url:
                raise ValueError(f"the url of {self.name} is no Apprise address (service://...)")
            outcome = apprising.check(url)
            if outcome is Outcome.MISSING:
                raise ValueError(
                    f"{self.name} is of kind apprise, and Apprise is not installed: pip install apprise, in this program's venv"
                )
            if outcome is not Outcome.DONE:
                raise ValueError(f"the url of {self.name} is none that Apprise knows")
            return self
        parts = urlsplit(url)
        if self.what == "discord" and not _DISCORD_PATH.fullmatch(parts.path):
            raise ValueError(f"the url of {self.name} is no Discord webhook: it must end in /webhooks/NUMBER/TOKEN")
        if self.what == "ntfy" and not parts.path.strip("/"):
            raise ValueError(f"the url of {self.name} names no ntfy topic: write https://ntfy.sh/your-topic")
        if self.username and re.search("discord|clyde", self.username, re.IGNORECASE):
            raise ValueError(f"Discord refuses the username {self.username}: it may not hold 'discord' or 'clyde'")
        for name, value in self.headers.items():
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
                raise ValueError(f"{name!r} is no header name")
            if name.lower() in _OURS:
                raise ValueError(f"the header {name} is not for you to set: it is made with each message")
            if re.search(r"[\r\n\0]", value.get_secret_value()):
                raise ValueError(f"the header {name} of {self.name} holds a line break: write it in one line")
        if self.template is not None:
            if self.what != "webhook":
                raise ValueError(f"{self.name} is of kind {self.what}, which has a shape of its own: a template is for kind webhook")
            try:
                check(self.template)
            except TemplateFails as error:
                raise ValueError(f"the template of {self.name} does not parse: {error}") from None
        return self

    @property
    def secrets(self) -> tuple[SecretStr, ...]:
        """The address, what it is made of that must not be told, the signing key and the headers."""
        url = self.url.get_secret_value()
        parts = urlsplit(url)
        inner = [parts.password or "", parts.query.rpartition("token=")[2] if "token=" in parts.query else ""]
        if found := _DISCORD_PATH.fullmatch(parts.path):
            inner.append(found["token"])
        return (self.url, *(SecretStr(text) for text in inner if text), *((self.secret,) if self.secret else ()), *self.headers.values())


class HookSettings(Section):
    """Who may ask for a render from outside: Plex, Kometa, anybody with the secret."""

    secret: SecretStr | None = Field(
        None,
        description="At least 16 letters, digits, - or _; without one no hook is open.",
        min_length=16,
    )
    extra: int = Field(8, ge=0, le=100, description="How many items that hooks named are previewed besides the chosen ones.")
    extra_for: Seconds = Field(14 * 86_400.0, description="Seconds (or 14d) for which they are, since a hook named them last.")

    @model_validator(mode="after")
    def _fits_a_path(self) -> Self:
        if self.secret is not None and not re.fullmatch(r"[\w.~-]+", self.secret.get_secret_value(), re.ASCII):
            raise ValueError("hooks.secret stands in an address: it may hold letters, digits, and . _ ~ - only")
        return self
