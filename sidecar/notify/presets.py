"""Services with a shape of their own: Slack-compatible hooks, ntfy, Gotify, Apprise API. Pure but for sending.

Slack (also Mattermost, Rocket.Chat, Discord's /slack): https://api.slack.com/messaging/webhooks
ntfy: https://docs.ntfy.sh/publish/#publish-as-json; Gotify: https://gotify.net/docs/pushmsg;
Apprise API: https://github.com/caronc/apprise-api
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp
from yarl import URL

from sidecar.notify.payload import Message
from sidecar.notify.sending import USER_AGENT, Sent, judge, mark_of, request

Shape = Callable[[Message, URL], tuple[URL, dict[str, Any]]]
"""A message and the address from the settings -> where to POST, and what."""


class Preset:
    """One service. Nothing can be edited there: a session's later edits come as one message at its end."""

    edits: Final = False

    def __init__(
        self, kind: str, name: str, url: str, session: aiohttp.ClientSession, *, headers: Mapping[str, str] | None = None, patience: float
    ) -> None:
        self.kind = kind
        self.name = name
        self.mark = mark_of(url)
        self._shape = SHAPES[kind]
        self._url = URL(url)
        self._session = session
        self._headers = dict(headers or {})
        self._patience = patience

    async def close(self) -> None:
        await self._session.close()

    async def send(self, letter_id: str, body: Mapping[str, Any], *, edit: str = "") -> Sent:
        """See ``sending.Destination``."""
        url, made = self._shape(Message.model_validate(body), self._url)
        headers = {"User-Agent": USER_AGENT, "Content-Type": "application/json", "Idempotency-Key": letter_id, **self._headers}
        data = json.dumps(made, ensure_ascii=False).encode("utf-8", "replace")
        judge(
            self.name,
            await request(self._session, self.name, "POST", str(url), data=data, headers=headers, patience=self._patience),
        )
        return Sent()


def slack(message: Message, url: URL) -> tuple[URL, dict[str, Any]]:
    """Text only: every Slack-compatible receiver takes it."""
    title, text = _slack_escaped(message.title), _slack_escaped(message.text)
    link = f"\n<{message.url}|Open the gallery>" if message.url else ""
    return url, {"text": f"*{title}*\n{text[:3000]}{link}"}


def ntfy(message: Message, url: URL) -> tuple[URL, dict[str, Any]]:
    """Published as JSON, which goes to the server's root: the topic is the address's last part."""
    made: dict[str, Any] = {
        "topic": url.name,
        "title": message.title[:250],
        "message": message.text[:3500] or message.title,
        "priority": {"error": 4, "warning": 3}.get(message.severity, 3),
        "tags": [{"error": "rotating_light", "success": "white_check_mark"}.get(message.severity, "frame_with_picture")],
    }
    if message.url:
        made["click"] = message.url
    return url.parent.with_query(url.query), made


def gotify(message: Message, url: URL) -> tuple[URL, dict[str, Any]]:
    """``/message`` is added where the address is the server's alone; the application's token is in a header or ``?token=``."""
    made: dict[str, Any] = {
        "title": message.title[:250],
        "message": message.text[:3500] or message.title,
        "priority": 8 if message.severity == "error" else 4,
    }
    if message.url:
        made["extras"] = {"client::notification": {"click": {"url": message.url}}}
    return (url if url.name == "message" else (url / "message").with_query(url.query)), made


def apprise_api(message: Message, url: URL) -> tuple[URL, dict[str, Any]]:
    """``POST /notify/KEY`` of an Apprise API server."""
    kinds = {"info": "info", "success": "success", "warning": "warning", "error": "failure"}
    link = f"\n{message.url}" if message.url else ""
    return url, {"title": message.title[:250], "body": f"{message.text[:3500]}{link}", "type": kinds[message.severity], "format": "text"}


SHAPES: Final[Mapping[str, Shape]] = {"slack": slack, "ntfy": ntfy, "gotify": gotify, "apprise-api": apprise_api}


def _slack_escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
