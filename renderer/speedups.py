"""Work that a preview can skip without a pixel changing. Each has a name, can be switched off, and is fail-soft.

    preload         Kometa's modules are imported once, by the worker, and its children have them by fork (warm.py)
    mdblist_sleep   MDBList's fixed wait before each request; the gateway keeps the rate towards the real host
    retry_wait      the ten seconds between tenacity's tries; the tries remain
    template_loop   the fixed number of substitution passes over a template's text ends once nothing is left to substitute
    template_memo   an expansion that was made before, of the same templates with the same variables, is not made again (memo.py)
    filter_choices  the choices of a filter (resolutions, genres, ...) are read once per library and run, not once per definition
    title_probe     that no collection is named like an overlay is looked up in one list of collections, not asked once per definition
    plex_answers    what the gateway answered in an earlier render is not asked again while Plex has not changed (answers.py)
    pictures        a poster at canvas size, and an overlay's image decoded, are made once (pictures.py)
    tls_stores      the certificates that no connection here will be checked against are not loaded: TLS ends at the gateway
    yaml_preload    Kometa's own YAML files are parsed once, by the worker while it is idle (preload.py)
    pastes          an overlay of the poster's size is laid over it where it is not transparent (pastes.py)
    encode_beside   Kometa goes on to the next item while a finished picture is encoded (beside.py)
    quick_pictures  a quick JPEG of each composite is handed on before Kometa encodes its exact file (quick.py)
    log_relief      debug lines, which nobody is sent, are not made; Kometa's log file in the preview's folder is not written

A speed-up that does not find the place it knows is off and says why: in ``hello``, and so in every run. Those that depend on
the text of Kometa's functions are only used with versions for which the identity test passed (``VERIFIED``).
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from renderer import beside, pastes
from renderer.memo import Memo
from renderer.pictures import Pictures
from renderer.preload import Preload, yaml_class
from renderer.report import Reporter
from renderer.source import NotFound, leave_early, rewrite, source
from renderer.warm import Kometa

VERIFIED = ("2.2.2", "2.4.4")
"""Kometa versions whose warm output was compared with cold output, byte by byte. Others run as they are."""

SHORT_WAIT = 0.25
"""Seconds between tries, in the place of Kometa's ten."""


def apply(version: str, off: frozenset[str], kometa: Kometa) -> dict[str, str]:
    """Switch on what can be; per name ``on``, or ``off: why``. Call once, when Kometa's modules are loaded."""
    switches = {
        **SWITCHES,
        "template_memo": lambda: _template_memo(kometa.memo),
        "plex_answers": lambda: setattr(kometa.answers, "on", True),
        "pictures": lambda: _pictures(kometa.pictures),
        "yaml_preload": lambda: _yaml_preload(kometa.files),
        "pastes": _pastes,
        "encode_beside": _encode_beside,
        "quick_pictures": _quick_pictures,
        "log_relief": _log_relief,
    }
    states = {}
    for name, switch in switches.items():
        if why := refused(name, version, off):
            states[name] = why
            continue
        try:
            switch()
            states[name] = "on"
        except NotFound as error:
            states[name] = f"off: {error}"
        except Exception as error:  # noqa: BLE001  # an unknown Kometa may break any assumption; a preview without the speed-up is right as well
            states[name] = f"off: {type(error).__name__}: {error}"
    return states


def refused(name: str, version: str, off: frozenset[str]) -> str:
    """``off: why`` where the speed-up ``name`` is not to be tried at all, else nothing. ``off`` holds names, or ``all``."""
    if off & {name, "all"}:
        return "off: by setting"
    return "" if version in VERIFIED else f"off: not verified with Kometa {version}"


def _module(name: str) -> ModuleType:
    module = sys.modules.get(name)
    if module is None:
        raise NotFound(f"{name} is not loaded")
    return module


# ── waits ────────────────────────────────────────────────────────────────────────────────────────────────


class _NoSleep:
    """Stands in for the module ``time`` inside one module of Kometa: everything as it is, but sleep returns at once."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def sleep(self, _seconds: float) -> None:
        return None


def _mdblist_sleep() -> None:
    module: Any = _module("modules.mdblist")
    if getattr(module, "time", None) is not sys.modules["time"]:
        raise NotFound("modules.mdblist does not import time")
    module.time = _NoSleep(module.time)


def _retry_wait() -> None:
    nap: Any = _module("tenacity.nap")
    sleep = nap.time.sleep

    class Nap(_NoSleep):
        def sleep(self, seconds: float) -> None:
            sleep(min(seconds, SHORT_WAIT))

    nap.time = Nap(nap.time)


# ── logging ──────────────────────────────────────────────────────────────────────────────────────────────


def _log_relief() -> None:
    """Only looks whether it can be had; a child that is to send debug lines has none (``relieve``)."""
    logger = getattr(_module("modules.logs"), "MyLogger", None)
    if logger is None or not callable(getattr(logger, "debug", None)) or not callable(getattr(logger, "_log", None)):
        raise NotFound("modules.logs has no MyLogger with debug")
    takes = inspect.signature(logger.stacktrace).parameters if callable(getattr(logger, "stacktrace", None)) else ()
    if tuple(takes) != ("self", "trace"):
        raise NotFound("modules.logs has no MyLogger with stacktrace")


def relieve(reporter: Reporter) -> None:
    """In a child: no debug lines, no rules and blank lines (which say nothing and are sent to nobody), and no log file.

    A stack trace is a debug line, and most of the work of a definition that matches nothing. An ordinary line goes straight to
    ``reporter`` instead of through Kometa's formatters and logging's records.
    """
    logger: Any = _module("modules.logs").MyLogger
    logger.debug = _nothing
    traced = logger.stacktrace
    logger.stacktrace = lambda self, trace=False: traced(self, trace=True) if trace else None
    original = logger.info
    own = logger.info.__code__.co_filename

    def info(self: Any, msg: Any, *args: Any, **kwargs: Any) -> None:
        text = str(msg)
        if args or kwargs or "\n" in text or "Pool(" in text:
            original(self, msg, *args, **kwargs)  # what Kometa does with these is its own business
        elif text.strip("|=- "):
            for secret in self.secrets:
                text = text.replace(secret, "(redacted)")
            frame: Any = sys._getframe(1)  # noqa: SLF001  # as logging itself finds out who logs
            while frame.f_back and frame.f_code.co_filename == own:
                frame = frame.f_back
            reporter.line(text, frame.f_code.co_filename, frame.f_lineno)

    logger.info = info
    handlers: Any = _module("logging.handlers")
    handlers.RotatingFileHandler.emit = _open_only
    adds = logging.Logger.addHandler

    def add_handler(self: Any, handler: Any) -> None:
        adds(self, handler)
        if isinstance(handler, handlers.RotatingFileHandler):
            _open_only(handler, None)  # a run may have no line that comes so far

    logging.Logger.addHandler = add_handler  # type: ignore[method-assign, assignment]


def _nothing(*_args: Any, **_kwargs: Any) -> None:
    """Does nothing."""


def _open_only(handler: Any, _record: object) -> None:
    """The file is there, as Kometa expects when it closes its log; nothing is written into it."""
    if handler.stream is None:
        handler.stream = handler._open()  # noqa: SLF001  # as FileHandler.emit does


# ── questions asked once ─────────────────────────────────────────────────────────────────────────────────

PROBES = 8
"""Questions for a collection by its title that a run asks one by one, before it reads the list of all."""


def _filter_choices() -> None:
    owner: Any = getattr(_module("modules.plex"), "Plex", None)
    original = getattr(owner, "get_tags", None)
    if original is None:
        raise NotFound("modules.plex has no Plex.get_tags")
    known: WeakKeyDictionary[Any, dict[str, list[Any]]] = WeakKeyDictionary()  # of one run: filled after the fork only

    def get_tags(self: Any, tag: Any) -> Any:
        if not isinstance(tag, str):
            return original(self, tag)
        tags = known.setdefault(self, {})
        if tag not in tags:
            tags[tag] = list(original(self, tag))
        return list(tags[tag])

    owner.get_tags = get_tags


def _title_probe() -> None:
    """An overlay is built as a collection would be, so Kometa looks for one of its name; only an equal title counts."""
    module: Any = _module("modules.plex")
    owner: Any = getattr(module, "Plex", None)
    original = getattr(owner, "get_collection", None)
    failed = getattr(module, "Failed", None)
    if original is None or failed is None or getattr(owner, "search", None) is None:
        raise NotFound("modules.plex has no Plex.get_collection")
    names = original.__code__.co_varnames[: original.__code__.co_argcount]
    if names != ("self", "data", "force_search", "debug"):
        raise NotFound(f"get_collection takes {', '.join(names)}")
    probes: WeakKeyDictionary[Any, int] = WeakKeyDictionary()  # of one run: filled after the fork only
    titles: WeakKeyDictionary[Any, frozenset[str]] = WeakKeyDictionary()

    def get_collection(self: Any, data: Any, force_search: bool = False, debug: bool = True) -> Any:
        if isinstance(data, str):
            probes[self] = probes.get(self, 0) + 1
            if probes[self] > PROBES:
                if self not in titles:
                    titles[self] = frozenset(str(found.title).casefold() for found in self.search(libtype="collection"))
                if data.casefold() not in titles[self]:
                    raise failed(f"Plex Error: Collection {data} not found")
        return original(self, data, force_search=force_search, debug=debug)

    owner.get_collection = get_collection


# ── what is kept ─────────────────────────────────────────────────────────────────────────────────────────


def _template_memo(memo: Memo) -> None:
    owner = getattr(_module("modules.meta"), "DataFile", None)
    original: Any = getattr(owner, "apply_template", None)
    if owner is None or original is None:
        raise NotFound("modules.meta has no DataFile.apply_template")
    names = original.__code__.co_varnames[: original.__code__.co_argcount]
    if names != ("self", "call_name", "mapping_name", "data", "template_call", "extra_variables"):
        raise NotFound(f"apply_template takes {', '.join(names)}")
    if not callable(getattr(_module("modules.util"), "get_list", None)):
        raise NotFound("modules.util has no get_list")
    owner.apply_template = memo.remembering(original)


def _yaml_preload(preload: Preload) -> None:
    owner = yaml_class()
    if owner is None:
        raise NotFound("modules.request has no YAML")
    code = owner.__init__.__code__  # type: ignore[misc]
    names = code.co_varnames[: code.co_argcount]
    if names != ("self", "path", "input_data", "check_empty", "create", "start_empty"):
        raise NotFound(f"YAML takes {', '.join(names)}")
    preload.attach(owner)


def _pictures(pictures: Pictures) -> None:
    for name in ("modules.overlay", "modules.overlays"):
        module: Any = _module(name)
        real = getattr(module, "Image", None)
        if real is None or real is not sys.modules.get("PIL.Image"):
            raise NotFound(f"{name} does not import PIL's Image")
    for name in ("modules.overlay", "modules.overlays"):
        module = _module(name)
        module.Image = pictures.module(module.Image)


def _pastes() -> None:
    pillow: Any = _module("PIL.Image")
    try:
        pillow.Image.paste = pastes.paste_where_seen(pillow)
    except ValueError as error:
        raise NotFound(str(error)) from error


def _encode_beside() -> None:
    """Only looks whether it can be had; each child sees to its own."""
    module: Any = _module("modules.overlays")
    function = getattr(getattr(module, "Overlays", None), "run_overlays", None)
    if not beside.place(source(function)):
        raise NotFound("the upload that follows the save of a picture was not found")
    upload = getattr(getattr(_module("modules.plex"), "Plex", None), "upload_poster", None)
    takes = inspect.signature(upload).parameters if callable(upload) else ()
    if tuple(takes) != ("self", "item", "image", "url"):
        raise NotFound(f"upload_poster takes {', '.join(takes)}")
    if not hasattr(module, "BadRequest") or not hasattr(module, "logger"):
        raise NotFound("modules.overlays has no BadRequest or no logger")


def _quick_pictures() -> None:
    """Only looks whether they can be had; each child sees to its own."""
    drawing = getattr(getattr(_module("modules.overlays"), "Overlays", None), "run_overlays", None)
    names = set(getattr(getattr(drawing, "__code__", None), "co_varnames", ())) | set(
        getattr(getattr(drawing, "__code__", None), "co_cellvars", ())
    )
    if not {"self", "item"} <= names:
        raise NotFound("modules.overlays has no Overlays.run_overlays with an item")


def _tls_stores() -> None:
    context: Any = sys.modules["ssl"].SSLContext
    if not callable(getattr(context, "load_default_certs", None)):
        raise NotFound("ssl has no SSLContext.load_default_certs")
    context.load_default_certs = _nothing


# ── template expansion ───────────────────────────────────────────────────────────────────────────────────


def _template_loop() -> None:
    """Each pass can change the text only where a ``<<`` is in it, so a pass over a text without one does nothing."""
    owner = getattr(_module("modules.meta"), "DataFile", None)
    if owner is None:
        raise NotFound("modules.meta has no DataFile")
    owner.apply_template = rewrite(owner.apply_template, leave_early)


SWITCHES: dict[str, Callable[[], None]] = {
    "mdblist_sleep": _mdblist_sleep,
    "retry_wait": _retry_wait,
    "template_loop": _template_loop,
    "filter_choices": _filter_choices,
    "title_probe": _title_probe,
    "tls_stores": _tls_stores,
}
