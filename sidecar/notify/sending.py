"""What it means to send: a destination's contract, how a delivery may end, and one guarded HTTP request."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import aiohttp

from sidecar.addresses import PrivateAddress

USER_AGENT: Final = "kometa-sidecar (webhook)"
LONGEST_ANSWER: Final = 256 * 1024
"""Bytes of an answer that are read."""
MOST_PATIENCE: Final = 3600.0
"""Seconds: a receiver that asks for more is asked again after this."""


class Refused(Exception):
    """The receiver will never take this message: trying again cannot help."""


class Shut(Exception):
    """The receiver is gone or does not know us any more: nothing more is sent until a person mends it."""


class Later(Exception):
    """Not delivered now. ``after`` is the seconds the receiver asked for, or 0."""

    def __init__(self, why: str, after: float = 0.0, *, asked: bool = False, everywhere: bool = False) -> None:
        """``asked``: the receiver is well and only wants a pause (429). ``everywhere``: so do all of its kind."""
        super().__init__(why)
        self.after = min(after, MOST_PATIENCE)
        self.asked = asked
        self.everywhere = everywhere


@dataclass(frozen=True, slots=True)
class Sent:
    """Delivered."""

    remote: str = ""
    """The receiver's id of the message, to edit it by."""
    pause: float = 0.0
    """Seconds that the receiver wants before the next one."""


class Destination(Protocol):
    """Someone to tell."""

    @property
    def name(self) -> str:
        """How letters and log lines call it: they never hold the address, which may be a secret."""

    @property
    def kind(self) -> str: ...
    @property
    def edits(self) -> bool:
        """Whether a message can be changed after it was sent."""

    @property
    def mark(self) -> str:
        """A hash of its address."""

    async def send(self, letter_id: str, body: Mapping[str, Any], *, edit: str = "") -> Sent:
        """Deliver a message (``Message.plain``); with ``edit``, in place of the one of that id. Refused, Shut or Later."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def wait(self) -> float:
        """Seconds of Retry-After, where it gives seconds."""
        text = self.headers.get("retry-after", "")
        try:
            return max(0.0, float(text)) if text.isascii() and text.replace(".", "", 1).isdigit() else 0.0
        except ValueError:
            return 0.0


def mark_of(url: str) -> str:
    """Tells whether an address is still the same, without telling the address."""
    return hashlib.sha256(b"kometa-sidecar destination\0" + url.encode()).hexdigest()[:16]


async def request(
    session: aiohttp.ClientSession,
    name: str,
    method: str,
    url: str,
    *,
    data: bytes | aiohttp.MultipartWriter,
    headers: Mapping[str, str],
    patience: float,
) -> Answer:
    """One request, redirects not followed. Later where none came in ``patience`` seconds, Shut for a forbidden address."""
    try:
        async with session.request(
            method, url, data=data, headers=headers, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=patience)
        ) as answer:
            body = await answer.content.read(LONGEST_ANSWER)
            return Answer(answer.status, {key.lower(): value for key, value in answer.headers.items()}, body)
    except TimeoutError as error:
        raise Later(f"{name}: no answer within {patience:g} s") from error
    except aiohttp.InvalidURL as error:
        raise Shut(f"{name}: its address is none that can be asked") from error
    except (aiohttp.ClientError, OSError) as error:
        if _private(error):
            raise forbidden(name) from error
        # The error's text may hold the address: only its kind is told.
        raise Later(f"{name}: {type(error).__name__}") from error


def forbidden(name: str) -> Shut:
    """Where a destination's address may not be reached."""
    return Shut(f"{name}: its address is a private one; if it is meant to be, set private: true (or its network) for this destination")


def _private(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, PrivateAddress) or isinstance(getattr(error, "os_error", None), PrivateAddress):
            return True
        if isinstance(error, BaseExceptionGroup) and any(_private(inner) for inner in error.exceptions):
            return True
        error = error.__cause__
    return False


def judge(name: str, answer: Answer) -> None:
    """Nothing for 2xx. Else Shut for 401, 404 and 410, Later for what may pass, Refused for the rest."""
    status = answer.status
    if 200 <= status < 300:
        return
    if status == 429:
        raise Later(f"{name}: HTTP 429, too many messages", answer.wait, asked=True)
    if status in (408, 425) or status >= 500:
        raise Later(f"{name}: HTTP {status}", answer.wait)
    if status in (401, 404, 410):
        raise Shut(f"{name}: HTTP {status}: the receiver does not know this address or key any more")
    if 300 <= status < 400:
        raise Refused(f"{name}: HTTP {status}: it points elsewhere, which is not followed; put the final address into the settings")
    raise Refused(f"{name}: HTTP {status}")
