"""The daemon's web server: the gallery, live events, the API, health.

    errors (one shape) -> who calls -> Host allow-list -> login -> same origin -> handler

The gallery needs none of this: its directory is a static site by itself.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from pydantic import SecretStr

from sidecar import logs
from sidecar.errors import ReviewError, SettingsError, SidecarError
from sidecar.web.api import Actions, Api, Reviewing, Source, Telling
from sidecar.web.auth import ENTRY, Door, Entry, check_bind, is_local, may_change
from sidecar.web.callers import CALLER, Proxies
from sidecar.web.errors import answer, explain, explain_own, wants_json
from sidecar.web.events import Events
from sidecar.web.files import GalleryFiles
from sidecar.web.headers import Hosts, add_headers, request_id
from sidecar.web.health import Checks
from sidecar.web.hooks import Asking, Hooks
from sidecar.web.login import Login
from sidecar.web.strangers import PATIENCE, body_within
from sidecar.web.stream import Stream

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")

MAX_BODY = 64 * 1024
"""Bytes of a request's body: nothing here takes more than a login form or a list of targets."""


def make_app(
    *,
    gallery: Path,
    events: Events,
    source: Source,
    actions: Actions,
    reviewing: Reviewing,
    telling: Telling,
    asking: Asking | None = None,
    hook_secret: SecretStr | None = None,
    metrics: Callable[[], Awaitable[bytes]] | None = None,
    redact: Callable[[str], str] = str,
    host: str = "127.0.0.1",
    token: SecretStr | None = None,
    base_url: str = "",
    base_path: str = "",
    trusted_proxies: Iterable[str] = (),
    allowed_hosts: Iterable[str] = (),
    heartbeat: float = 15.0,
    max_listeners: int = 100,
    hold: float = 1.0,
    patience: float = PATIENCE,
) -> web.Application:
    """The application, to be run by an ``AppRunner``; stopping it ends ``events``.

    gallery          the directory that ``Gallery`` publishes to
    source           what there is to tell
    actions          what people may ask for
    reviewing        takes what people decide of pictures
    telling          knows of notifications
    asking           what hooks may ask for, with ``hook_secret``; without either there are none
    metrics          gives the text of /metrics; programs on this machine read it without the token, unless there is a ``base_url``
    redact           masks known secrets in every text that goes out
    host             the address listened on; SettingsError for one that others reach where there is no ``token``
    base_url         where people reach it through a proxy, ``https://kometa.example/preview``: its name is an allowed Host, its
                     path is served as well as /, and cookies are Secure where it is https
    base_path        the path to serve as well as /, where it is not that of ``base_url``
    trusted_proxies  networks whose X-Forwarded-For, -Proto and -Host are believed
    allowed_hosts    more names that Host may carry, e.g. this machine's
    heartbeat        seconds between signs of life on an idle event stream
    hold             seconds for which one wrong token too many is held back
    patience         seconds for a request's body to come whole
    """
    check_bind(host, token)
    outside = urlsplit(base_url)
    prefix = (base_path or outside.path).rstrip("/")
    if not _PREFIX.fullmatch(prefix) or {".", ".."} & set(prefix.split("/")):
        raise SettingsError(f"web.base_url or web.base_path: the path {prefix} has characters other than letters, digits and . _ ~ -")
    try:
        proxies = Proxies(trusted_proxies)
    except ValueError as error:
        raise SettingsError(f"web.trusted_proxies: {error}") from error
    door = Door(token, hold=hold)
    if door.open and (base_url or proxies.known):
        log.warning("a reverse proxy lets others in, and there is no web.token: make sure that it asks for a login itself")
    hosts = Hosts([*allowed_hosts, outside.hostname or ""])
    origins = frozenset({f"{outside.scheme}://{outside.netloc}".lower()} if base_url else ())
    files = GalleryFiles(gallery)
    stream = Stream(heartbeat=heartbeat, most=max_listeners)
    api = Api(
        source=source,
        actions=actions,
        reviewing=reviewing,
        telling=telling,
        events=events,
        stream=stream,
        redact=redact,
        login=not door.open,
    )
    checks = Checks(files, source.health, redact, metrics)
    login = Login(door, prefix=prefix, host=(outside.hostname or "").lower(), secure=outside.scheme == "https")
    hooks = Hooks(hook_secret, asking, hold=hold)

    async def slash(_: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(prefix.rpartition("/")[2] + "/")

    public = login.public | hooks.public | {checks.alive, checks.ready, slash}

    def inner(request: web.Request) -> str:
        """The request's path below the prefix, without the first slash."""
        path = request.path
        return path[len(prefix) + 1 :] if prefix and path.startswith(f"{prefix}/") else path[1:]

    @web.middleware
    async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        logs.REQUEST.set(request_id(request))  # a connection's task answers one request after the other
        try:
            async with body_within(request, patience):
                response = await handler(request)
            if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD):
                log.info("%s %s: %d", request.method, request.rel_url.raw_path, response.status)
            return response
        except web.HTTPRequestTimeout:
            late = answer(408, "too_slow", "The body did not come in time.", inner(request))
            late.force_close()
            return late
        except web.HTTPException as error:
            if error.status < 400:
                raise
            return explain(error, inner(request))
        except web.RequestPayloadError:
            return answer(400, "bad_request", "The body is not what its headers say.", inner(request))
        except SidecarError as error:
            level = logging.INFO if isinstance(error, ReviewError) else logging.WARNING
            log.log(level, "request %s %s: %s", request.method, request.rel_url.raw_path, error)
            return explain_own(error, redact(str(error)), inner(request))
        except Exception:
            # The outermost handler: whatever a handler missed becomes one logged line and one answer.
            log.exception("request %s %s failed", request.method, request.rel_url.raw_path)
            return answer(500, "failed", "The daemon could not answer this; its log says why.", inner(request))

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        path = inner(request)
        handles = request.match_info.handler
        request[CALLER] = caller = proxies.caller(request)
        # Whoever calls a hook has its secret: no page of another site can have been rebound to this name.
        if handles != checks.alive and handles not in hooks.public and not hosts.allows(caller.host):
            return answer(421, "wrong_host", "This name is not known here. Put it into web.base_url, or use the address.", path)
        # A hook's secret is no wrong token: it must not count as a try.
        request[ENTRY] = entry = Entry.REFUSED if handles in hooks.public else await door.entry(request, caller)
        if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD) and not may_change(request, caller, entry, origins):
            return answer(403, "cross_site", "This was asked by another site.", path)
        local = handles == checks.metrics and not base_url and is_local(request)
        if not entry.allowed and not local and handles not in public:
            if entry is Entry.SLOWED:
                wait = str(int(door.tries.wait(caller.key)) + 1)
                return answer(429, "too_many_tries", "Too many wrong tokens; wait.", path, {hdrs.RETRY_AFTER: wait})
            if request.method == hdrs.METH_GET and not wants_json(path) and "text/html" in request.headers.get(hdrs.ACCEPT, ""):
                raise web.HTTPSeeOther(login.address(path))
            return answer(401, "login_needed", "A token is needed.", path, {hdrs.WWW_AUTHENTICATE: "Bearer"})
        return await handler(request)

    async def page(request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        if path in ("", "index.html") and not files.published:
            return answer(503, "starting", "Nothing is published yet; try again in a moment.", path, {hdrs.RETRY_AFTER: "2"})
        return await files.serve(path, private=not door.open)

    async def stop(_: web.Application) -> None:
        events.close()

    app = web.Application(middlewares=[errors, guard], client_max_size=MAX_BODY)
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(stop)
    for base in dict.fromkeys((prefix, "")):
        api.add_to(app.router, base)
        checks.add_to(app.router, base)
        login.add_to(app.router, base)
        hooks.add_to(app.router, base)
        if base:
            app.router.add_get(base, slash)
        app.router.add_get(base + "/{path:.*}", page)
    return app
