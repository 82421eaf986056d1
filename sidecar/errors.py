"""Every error the daemon raises on purpose.

SidecarError
├── InputError              somebody's file or argument: carries problems with file:line and how to mend them
│   ├── SettingsError       sidecar.yml, environment, command line
│   └── ConfigError         Kometa's config.yml and the files it names
│       └── StillChanging   a file was being written whenever it was read: nothing is wrong with it
├── PlexError
│   ├── PlexAway            not reachable, timed out, 5xx, maintenance: comes back by itself
│   └── PlexRefused         401/403: the token is wrong or lacks rights
├── EngineError
│   ├── EngineMissing       no Kometa found, image missing
│   ├── EngineAway          the worker is gone or does not answer; it is restarted
│   │   └── EngineHung      it listens, and says nothing: whoever started it must end it
│   └── EngineMismatch      a worker of another version
├── GatewayError
│   └── CanaryFailed        the self-test got a write through: the daemon must not start
├── ReviewError             what was to be approved, rejected or undone cannot be (a run in progress, say)
│   └── NotThere            no such run, target, group or decision
└── StoreError              disk full, read-only, damaged
"""

from __future__ import annotations

from collections.abc import Iterable

from sidecar.model import Problem, Severity


class SidecarError(Exception):
    """Base of all. ``str(error)`` is one line for people, without secrets."""


class InputError(SidecarError):
    """Bad input. ``problems`` has at least one entry of severity error."""

    def __init__(self, problems: Iterable[Problem] | str) -> None:
        if isinstance(problems, str):
            problems = (Problem(severity=Severity.ERROR, what=problems),)
        self.problems = tuple(problems)
        first = next((p for p in self.problems if p.severity is Severity.ERROR), self.problems[0])
        super().__init__(f"{first.place}: {first.what}" if first.place else first.what)


class SettingsError(InputError):
    """sidecar.yml, an environment variable or a command-line argument is wrong."""


class ConfigError(InputError):
    """Kometa's config.yml or a file that it names cannot be used."""


class StillChanging(ConfigError):
    """A file was being written each time it was read; once it rests, it can be read."""


class PlexError(SidecarError):
    """Plex did not give what was asked."""


class PlexAway(PlexError):
    """Plex is not reachable now; trying again later may help."""


class PlexRefused(PlexError):
    """Plex answered 401 or 403; only another token helps."""


class EngineError(SidecarError):
    """The renderer could not do its work."""


class EngineMissing(EngineError):
    """There is no Kometa to start; the message says what was looked for and how to provide it."""


class EngineAway(EngineError):
    """The worker died or does not answer."""


class EngineHung(EngineAway):
    """The worker takes connections and does not greet: it is stopped, or stuck for good."""


class EngineMismatch(EngineError):
    """The worker speaks another protocol version than this daemon."""


class GatewayError(SidecarError):
    """The gateway cannot do what it is for."""


class CanaryFailed(GatewayError):
    """A write got through the self-test, or the self-test could not be made."""


class StoreError(SidecarError):
    """State could not be read or written."""


class InUse(StoreError):
    """Another process works in the data directory."""


class ReviewError(SidecarError):
    """What was to be approved, rejected or undone cannot be; the message says why."""


class NotThere(ReviewError):
    """No such run, target, group or decision."""
