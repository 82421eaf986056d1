"""Everything else that Apprise knows: an optional extra (``pip install kometa-sidecar[apprise]``). The only apprise import.

Apprise opens its own connections: the guard against private addresses does not stand before it. Its addresses come from the
settings alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from sidecar.errors import SettingsError
from sidecar.notify.payload import Message
from sidecar.notify.sending import Later, Sent, mark_of


class Apprise:
    """One Apprise address."""

    kind: Final = "apprise"
    edits: Final = False

    def __init__(self, name: str, url: str, *, patience: float) -> None:
        """SettingsError where Apprise is not installed, or does not know the address."""
        try:
            import apprise
        except ImportError:
            raise SettingsError(f"notifications: {name} is of kind apprise, and Apprise is not installed: pip install apprise") from None
        self.name = name
        self.mark = mark_of(url)
        self._patience = patience
        self._kinds = {
            "info": apprise.NotifyType.INFO,
            "success": apprise.NotifyType.SUCCESS,
            "warning": apprise.NotifyType.WARNING,
            "error": apprise.NotifyType.FAILURE,
        }
        self._apprise = apprise.Apprise()
        if not self._apprise.add(url):
            raise SettingsError(f"notifications: Apprise does not know the address of {name}")

    async def close(self) -> None:
        """Nothing is held open."""

    async def send(self, letter_id: str, body: Mapping[str, Any], *, edit: str = "") -> Sent:
        """See ``sending.Destination``. Apprise only tells whether it worked."""
        message = Message.model_validate(body)
        text = f"{message.text}\n{message.url}" if message.url else message.text
        try:
            async with asyncio.timeout(self._patience):
                told = await self._apprise.async_notify(body=text, title=message.title, notify_type=self._kinds[message.severity])
        except TimeoutError as error:
            raise Later(f"{self.name}: no answer within {self._patience:g} s") from error
        if not told:
            raise Later(f"{self.name}: Apprise could not deliver it")
        return Sent()
