"""``kometa-sidecar approve``: through the daemon where one works in the data directory, else in its store."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from sidecar import reviewing
from sidecar.errors import InUse, NotThere, ReviewError, SidecarError, StoreError
from sidecar.logs import Redactor
from sidecar.pipeline.review import Reviews
from sidecar.pipeline.showcase import Showcase
from sidecar.places import address_of, open_places
from sidecar.publish import Gallery
from sidecar.review import Decided
from sidecar.settings import Settings
from sidecar.sight import is_closed, is_file
from sidecar.store import Blobs, State

PATIENCE: Final = aiohttp.ClientTimeout(total=300, connect=5)
"""Seconds; a run that was not compared yet is compared first."""

_RUN: Final = re.compile(r"\d{8}T\d{6,9}-[0-9a-f]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for."""

    verb: str
    """approve, reject or undo."""
    run: str = ""
    """Empty: the newest with pictures."""
    targets: tuple[str, ...] = ()
    """Empty: all."""
    group: str = ""
    batch: str = ""
    """Of an undo; empty: the last one."""
    who: str = ""

    @property
    def body(self) -> dict[str, object]:
        """As the API takes it."""
        if self.verb == "undo":
            return {"batch": self.batch}
        return {"run": self.run, "targets": list(self.targets) or None, "group": self.group}


def told_apart(words: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """A run's id and targets, of ``[RUN] [TARGET...]``: only runs' ids look like one."""
    if words and (_RUN.fullmatch(words[0]) or words[0] == "latest"):
        return ("" if words[0] == "latest" else words[0]), tuple(words[1:])
    return "", tuple(words)


async def carry_out(request: Request, settings: Settings, env: Mapping[str, str], redact: Redactor) -> dict[str, Any]:
    """Do it; the answer is the API's. SidecarError."""
    try:
        async with _desk(settings, env, redact) as reviews:
            return plain(await _decide(reviews, request))
    except InUse as error:
        return await _ask(request, settings, error)


async def _decide(reviews: Reviews, request: Request) -> Decided:
    if request.verb == "undo":
        return await reviews.undo(request.batch, who=request.who)
    act = reviews.approve if request.verb == "approve" else reviews.reject
    return await act(request.run, request.targets or None, request.group, who=request.who)


def plain(decided: Decided) -> dict[str, Any]:
    """As the API says it."""
    return {
        "batch": decided.batch,
        "verdict": decided.verdict.value if decided.verdict else None,
        "run": decided.run_id,
        "targets": list(decided.targets),
        "skipped": [{"target": target, "reason": reason} for target, reason in decided.skipped],
        "newer": decided.newer,
    }


@contextlib.asynccontextmanager
async def _desk(settings: Settings, env: Mapping[str, str], redact: Redactor) -> AsyncIterator[Reviews]:
    """The store and the gallery, without a daemon; on leaving, the gallery shows what was decided. InUse, StoreError."""
    data = settings.data.absolute()
    if is_closed(data / "state.db"):
        raise StoreError(f"{data} may not be read by this user (uid {os.geteuid()}): do it as the user that the daemon runs as")
    if not is_file(data / "state.db"):
        raise StoreError(f"there are no runs in {data}: give the daemon's data directory with --data")
    async with contextlib.AsyncExitStack() as stack:
        places = await asyncio.to_thread(open_places, data, env)
        stack.callback(places.release)
        stack.push_async_callback(asyncio.to_thread, shutil.rmtree, places.runtime, ignore_errors=True)
        state = await State.open(places.database)
        stack.push_async_callback(state.close)
        blobs = Blobs(places.blobs)
        gallery = Gallery(places.gallery, blobs.path, base_url=settings.web.base_url)
        showcase = Showcase(gallery, lambda kind, data: None, config_dir=await reviewing.noted_name(state), watching=False)
        await reviewing.restore(showcase, state)
        reviews, comparer = reviewing.build(
            settings.review, state=state, blobs=blobs, gallery=gallery, showcase=showcase, revisions=places.revisions, redact=redact
        )
        stack.callback(comparer.close)
        yield reviews
        await reviews.settle()
        await showcase.flush()


async def _ask(request: Request, settings: Settings, busy: InUse) -> dict[str, Any]:
    """Through the daemon that works in the data directory."""
    address = await asyncio.to_thread(address_of, settings.data.absolute())
    if not address:
        raise StoreError(f"{busy} (it does not take approvals)") from busy
    token = settings.web.token
    headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
    try:
        async with (
            aiohttp.ClientSession(timeout=PATIENCE, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(f"{address}api/v1/{request.verb}", json=request.body, headers=headers, allow_redirects=False) as answer,
        ):
            told = await answer.json(content_type=None)
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise StoreError(f"the daemon at {address} did not answer: {error or 'it took too long'}") from error
    if status == 200 and isinstance(told, dict):
        return told
    said = told.get("error") if isinstance(told, dict) else None
    message = str((said if isinstance(said, dict) else {}).get("message", f"the daemon at {address} answered {status}"))
    if status == 401:
        raise SidecarError(f"{message} Give the settings that the daemon has with --settings: they hold web.token")
    raise (NotThere if status == 404 else ReviewError)(message)
