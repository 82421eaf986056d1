"""Everything else that Apprise knows: an optional extra. See ``sidecar.apprising`` for how it is kept from private addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sidecar import apprising
from sidecar.addresses import Network
from sidecar.apprising import Outcome
from sidecar.notify.payload import Message
from sidecar.notify.sending import Later, Sent, Shut, forbidden, mark_of


class Apprise:
    """One Apprise address."""

    kind: Final = "apprise"
    edits: Final = False

    def __init__(self, name: str, url: str, *, private: Iterable[Network] = (), patience: float) -> None:
        self.name = name
        self.mark = mark_of(url)
        self._url = url
        self._private = tuple(private)
        self._patience = patience

    async def close(self) -> None:
        """Nothing is held open."""

    async def send(self, letter_id: str, body: Mapping[str, Any], *, edit: str = "") -> Sent:
        """See ``sending.Destination``. Apprise only tells whether it worked."""
        message = Message.model_validate(body)
        text = f"{message.text}\n{message.url}" if message.url else message.text
        try:
            outcome = await apprising.send(
                self._url, self._private, title=message.title, text=text, severity=message.severity, patience=self._patience
            )
        except TimeoutError as error:
            raise Later(f"{self.name}: no answer within {self._patience:g} s") from error
        if outcome is Outcome.PRIVATE:
            raise forbidden(self.name)
        if outcome in (Outcome.MISSING, Outcome.UNKNOWN):
            raise Shut(f"{self.name}: Apprise is not installed any more, or does not know the address")
        if outcome is not Outcome.DONE:
            raise Later(f"{self.name}: Apprise could not deliver it")
        return Sent()
