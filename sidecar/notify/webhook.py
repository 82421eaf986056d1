"""A message as JSON to one address, signed where there is a key, or in the shape of a template.

The signature is that of Standard Webhooks (https://www.standardwebhooks.com): ``webhook-id``, ``webhook-timestamp`` and
``webhook-signature: v1,BASE64`` of HMAC-SHA256 over ``id.timestamp.body``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp

from sidecar import sandbox
from sidecar.notify.sending import USER_AGENT, Refused, Sent, judge, mark_of, request


class Webhook:
    """One address of any program."""

    kind: Final = "webhook"
    edits: Final = False

    def __init__(
        self,
        name: str,
        url: str,
        session: aiohttp.ClientSession,
        *,
        headers: Mapping[str, str] | None = None,
        secret: str = "",
        template: str | None = None,
        content_type: str = "application/json",
        patience: float = 15.0,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``secret`` is text, or ``whsec_`` and base64. ``template`` is Jinja2; it sees ``message``, as in the schema."""
        self.name = name
        self.mark = mark_of(url)
        self._url = url
        self._session = session
        self._headers = dict(headers or {})
        self._key = key_of(secret)
        self._template = template
        self._content_type = content_type
        self._patience = patience
        self._wall = wall

    async def close(self) -> None:
        await self._session.close()

    async def send(self, letter_id: str, body: Mapping[str, Any], *, edit: str = "") -> Sent:
        """See ``sending.Destination``."""
        data = json.dumps(body, ensure_ascii=False).encode()
        if self._template is not None:
            try:
                data = await sandbox.render(self._template, body)
            except sandbox.TemplateFails as error:
                raise Refused(f"{self.name}: the template failed: {error}") from error
        headers = {
            "User-Agent": USER_AGENT,
            "Content-Type": self._content_type,
            "Idempotency-Key": letter_id,
            "X-Kometa-Sidecar-Event": str(body.get("event", "")),
            **signed(self._key, letter_id, int(self._wall()), data),
            **self._headers,
        }
        judge(
            self.name,
            await request(self._session, self.name, "POST", self._url, data=data, headers=headers, patience=self._patience),
        )
        return Sent()


def key_of(secret: str) -> bytes:
    """The key of a secret: ``whsec_`` and base64, or the text itself."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


def signed(key: bytes, delivery: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers that identify a delivery, and sign it where there is a ``key``."""
    headers = {"webhook-id": delivery, "webhook-timestamp": str(timestamp)}
    if key:
        digest = hmac.new(key, f"{delivery}.{timestamp}.".encode() + body, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers
