"""A Discord channel, through an incoming webhook.

Sent with ``?wait=true``, so that the answer has the message's id; the next message of the same topic edits that one. Discord says in
headers how many requests are left and for how long there are none, and in the body of a 429 how long to wait, in
seconds: https://discord.com/developers/docs/topics/rate-limits.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from yarl import URL

from sidecar.notify import embed, sheet
from sidecar.notify.payload import Message
from sidecar.notify.sending import USER_AGENT, Answer, Later, Refused, Sent, Shut, judge, mark_of, request
from sidecar.notify.sheet import Read, Sheet

log = logging.getLogger(__name__)

SHRUNK: Final = 500_000
"""Bytes of the contact sheet at most after a 413 (and a third of what it was). After another 413 there is none."""

UNKNOWN_MESSAGE: Final = 10008
"""Error code: somebody deleted the message that was to be edited."""
UNKNOWN_CHANNEL: Final = 10003


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How messages look. Ids are Discord's."""

    thread: str | None = None
    silent: bool = False
    username: str | None = None
    users: Sequence[str] = ()
    roles: Sequence[str] = ()
    mention_on: frozenset[str] = frozenset()


class Discord:
    """One webhook. ``read`` gives pictures for the contact sheet; None: none are sent."""

    kind: Final = "discord"
    edits: Final = True

    def __init__(
        self,
        name: str,
        url: str,
        session: aiohttp.ClientSession,
        *,
        read: Read | None = None,
        style: Style | None = None,
        patience: float = 15.0,
    ) -> None:
        self.name = name
        self.mark = mark_of(url)
        self._url = URL(url.rstrip("/"))
        self._session = session
        self._read = read
        self._style = style or Style()
        self._patience = patience

    async def close(self) -> None:
        await self._session.close()

    async def send(self, letter_id: str, body: Mapping[str, Any], *, edit: str = "") -> Sent:
        """See ``sending.Destination``."""
        message = Message.model_validate(body)
        picture = await self._drawn(message, sheet.LIMIT)
        answer = await self._ask(letter_id, message, picture, False, edit)
        if answer.status == 404 and edit and _code(answer) == UNKNOWN_MESSAGE:
            log.info("the message of %s that was to be edited is gone: a new one is sent", self.name)
            edit = ""
            answer = await self._ask(letter_id, message, picture, False, edit)
        if answer.status == 413 and picture is not None:
            log.info("the pictures are too large for %s: shrunk", self.name)
            picture = await self._drawn(message, min(SHRUNK, len(picture.data) // 3))
            answer = await self._ask(letter_id, message, picture, picture is None, edit)
            if answer.status == 413 and picture is not None:
                log.info("the pictures are too large for %s: left out", self.name)
                answer = await self._ask(letter_id, message, None, True, edit)
        return self._judge(answer)

    async def _drawn(self, message: Message, limit: int) -> Sheet | None:
        return await asyncio.to_thread(sheet.draw, message, self._read, limit) if self._read is not None else None

    async def _ask(self, letter_id: str, message: Message, picture: Sheet | None, too_large: bool, edit: str) -> Answer:
        style = self._style
        made = embed.payload(
            message,
            picture=sheet.FILE if picture else "",
            alt=picture.alt if picture else "",
            too_large=too_large,
            users=style.users,
            roles=style.roles,
            mention_on=style.mention_on,
            silent=style.silent,
            username=style.username,
            edit=bool(edit),
        )
        url = self._url / "messages" / edit if edit else self._url.update_query(wait="true")
        if style.thread:
            url = url.update_query(thread_id=style.thread)
        headers = {"User-Agent": USER_AGENT, "X-Delivery-Id": letter_id}
        text = json.dumps(made, ensure_ascii=False).encode("utf-8", "replace")
        data: bytes | aiohttp.MultipartWriter = text
        if picture is None:
            headers["Content-Type"] = "application/json"
        else:
            data = aiohttp.MultipartWriter("form-data")
            part = data.append(text, {"Content-Type": "application/json"})
            part.set_content_disposition("form-data", name="payload_json")
            part = data.append(io.BytesIO(picture.data), {"Content-Type": "image/jpeg"})
            part.set_content_disposition("form-data", name="files[0]", filename=sheet.FILE)
        method = "PATCH" if edit else "POST"
        return await request(self._session, self.name, method, str(url), data=data, headers=headers, patience=self._patience)

    def _judge(self, answer: Answer) -> Sent:
        if answer.status == 429:
            after, everywhere = _wanted(answer)
            raise Later(f"{self.name}: Discord wants a pause of {after:g} s", after, asked=True, everywhere=everywhere)
        if answer.status == 404 and _code(answer) == UNKNOWN_CHANNEL:
            raise Shut(f"{self.name}: Discord knows no such thread or channel: check the setting thread")
        if answer.status in (401, 404):
            raise Shut(f"{self.name}: Discord does not know this webhook any more (HTTP {answer.status}): make a new one and set its url")
        if answer.status == 413:
            raise Refused(f"{self.name}: Discord finds even the bare message too large (HTTP 413)")
        if answer.status == 400:
            raise Refused(f"{self.name}: Discord refuses the message (HTTP 400, code {_code(answer)}{_where(answer)})")
        judge(self.name, answer)
        remote = _data(answer).get("id")
        return Sent(remote if isinstance(remote, str) and remote.isdigit() else "", _pause(answer))


def _pause(answer: Answer) -> float:
    """Seconds until the next request is allowed, where this one was the last of its window."""
    if answer.headers.get("x-ratelimit-remaining", "").strip() != "0":
        return 0.0
    return _number(answer.headers.get("x-ratelimit-reset-after", ""))


def _wanted(answer: Answer) -> tuple[float, bool]:
    """Seconds to wait after a 429, and whether that holds for all of Discord. The body knows it best: the header is rounded up."""
    data = _data(answer)
    after = data.get("retry_after")
    everywhere = data.get("global") is True or answer.headers.get("x-ratelimit-scope") == "global"
    if isinstance(after, (int, float)) and not isinstance(after, bool) and after >= 0:
        return float(after), everywhere
    return answer.wait or _number(answer.headers.get("x-ratelimit-reset-after", "")) or 1.0, everywhere


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return min(value, 3600.0) if value > 0 else 0.0  # NaN is not greater


def _data(answer: Answer) -> Mapping[str, Any]:
    try:
        data = json.loads(answer.body)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _code(answer: Answer) -> int:
    code = _data(answer).get("code")
    return code if isinstance(code, int) else 0


def _where(answer: Answer) -> str:
    """The names of what Discord complains of, without any text of the message."""
    errors = _data(answer).get("errors")
    return f", at {', '.join(sorted(str(name)[:40] for name in errors))}" if isinstance(errors, dict) and errors else ""
