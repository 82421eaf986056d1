"""Notifications for people: what the API shows of them, and ``kometa-sidecar notifications``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sidecar import __version__
from sidecar.destinations import subscribe
from sidecar.errors import NotThere
from sidecar.logs import Redactor
from sidecar.model import Blob
from sidecar.notify import Notifier, Teller
from sidecar.places import Places
from sidecar.settings import Settings
from sidecar.store import Blobs, State


class Desk:
    """``Telling`` of :mod:`sidecar.web.api`. The web server starts first: until ``notifier`` is there, nobody is told anything."""

    def __init__(self) -> None:
        self.notifier: Notifier | None = None

    async def status(self, limit: int) -> Mapping[str, object]:
        return await self.notifier.status(limit) if self.notifier else {"destinations": [], "letters": []}

    async def replay(self, letter_ids: Sequence[str] | None) -> int:
        return await self.notifier.replay(letter_ids) if self.notifier else 0

    async def test(self, name: str) -> Mapping[str, str]:
        if self.notifier is None:
            if name:
                raise KeyError(name)
            return {}
        return await self.notifier.test(name)


def notifier_of(settings: Settings, state: State, blobs: Blobs, redact: Redactor, gallery: str, **more: Any) -> Notifier:
    """A notifier for the settings' destinations; to be closed. ``more``: see ``Notifier``."""

    def picture(sha256: str, media_type: str) -> bytes | None:
        try:
            return blobs.path(Blob(sha256=sha256, size=0, media_type=media_type)).read_bytes()
        except OSError:  # cleared away meanwhile: the contact sheet goes without it
            return None

    teller = Teller(gallery=gallery, version=__version__, redact=redact)
    return Notifier(state, subscribe(settings.notifications, picture), teller, **more)


async def carry_out(verb: str, what: Sequence[str], settings: Settings, redact: Redactor) -> dict[str, Any]:
    """``list``, ``replay`` (letters' ids, or none for all) or ``test`` (names, or none for all), also beside a running daemon.

    NotThere for a destination that is not in the settings; StoreError.
    """
    redact.learn(settings.secrets)
    places = Places(data=settings.data.absolute(), runtime=settings.data)  # not locked: a daemon may be at work there
    state = await State.open(places.database, shared=True)
    try:
        notifier = notifier_of(settings, state, Blobs(places.blobs), redact, settings.web.base_url)
        try:
            if verb == "replay":
                return {"replayed": await notifier.replay(list(what) or None)}
            if verb == "list":
                return await notifier.status()
            try:
                return {"results": {name: why for each in what or ("",) for name, why in (await notifier.test(each)).items()}}
            except KeyError as error:
                raise NotThere(f"there is no destination {error.args[0]} in the settings") from None
        finally:
            await notifier.close()
    finally:
        await state.close()
