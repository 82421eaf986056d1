"""Lets Kometa go on to the next item while the finished picture of the last one is encoded.

Encoding a WebP takes longer than all the rest of an item together, and Pillow lets go of the interpreter meanwhile. So what Kometa
saves is encoded in another thread, by the very call that Kometa made, and the upload that follows is made when the file is
there: in the same order, by Kometa's own thread, as soon as it begins or saves another, or has done all. Kometa does nothing with
the file but upload it, and an upload's answer is empty; that this is so is looked up in its source (``place``), and nothing is changed
where it isn't.
"""

from __future__ import annotations

import ast
import contextlib
import itertools
import os
import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from renderer.report import Reporter

THREADS = 2
"""Encoders of one child. There are as many children as cores; towards the end of a render some of these are idle."""
MOST = 3
"""Pictures that wait at a time: each takes 6 MB, and as much again while it is encoded."""
FOLDER = "encoded"
"""Below a shard's home."""

Upload = Callable[[Any, Any, str], Any]


def place(function: ast.FunctionDef) -> bool:
    """Whether, in ``run_overlays``, the statement after the saves uploads the saved file, and the file is used nowhere else."""
    uses: dict[str, int] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            uses[node.id] = uses.get(node.id, 0) + 1
    found = [
        (saves, str(upload.args[1].id))
        for node in ast.walk(function)
        for body in (getattr(node, "body", None), getattr(node, "orelse", None))
        if isinstance(body, list)
        for before, after in itertools.pairwise(body)
        if (upload := _upload(after)) is not None and (saves := _saves(before, str(upload.args[1].id)))
    ]
    return len(found) == 1 and uses[found[0][1]] == found[0][0] + 1


def _upload(statement: ast.stmt) -> Any:
    """``self.library.upload_poster(item, FILE)``, its result not looked at."""
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return None
    call = statement.value
    names = [argument.id for argument in call.args if isinstance(argument, ast.Name)]
    right = ast.unparse(call.func) == "self.library.upload_poster" and len(call.args) == 2 and names[:1] == ["item"] and len(names) == 2
    return call if right and not call.keywords else None


def _saves(statement: ast.stmt, file: str) -> int:
    """How many ``PICTURE.save(FILE, ...)`` the statement holds, if it is one or a choice between some; else 0."""
    if isinstance(statement, ast.If):
        counts = [_saves(inner, file) for body in (statement.body, statement.orelse) for inner in body]
        return sum(counts) if counts and all(counts) else 0
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "save" and call.args:
        return int(isinstance(call.args[0], ast.Name) and call.args[0].id == file)
    return 0


@dataclass
class _Picture:
    """On its way."""

    file: Path
    encoded: Future[None]
    item: tuple[str, int] | None
    """Plex server and rating key."""
    title: str
    overlays: str
    saved_as: str
    """Where Kometa believes it to be."""
    upload: Callable[[], None] | None = None


class Beside:
    """The pictures of one child. All methods are called by Kometa's own thread."""

    def __init__(self, home: Path, reporter: Reporter, logger: Any, sent: tuple[type[BaseException], ...]) -> None:
        """``logger`` is Kometa's; ``sent`` are the errors of an upload that Kometa counts as the item's, as those of the disk."""
        self._folder = home / FOLDER
        self._folder.mkdir(exist_ok=True)
        self._reporter = reporter
        self._logger = logger
        self._ordinary: tuple[type[BaseException], ...] = (OSError, SyntaxError, *sent)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="encode")
        self._waiting: deque[_Picture] = deque()
        self._saved: _Picture | None = None
        self._count = 0

    def begin(self) -> None:
        """Kometa is at another item: upload what is encoded by now, before it waits for whatever that item needs."""
        self._advance(MOST)

    def save(self, save: Callable[..., None], picture: Any, target: str, args: Any, kwargs: dict[str, Any], names: dict[str, Any]) -> None:
        """In the place of ``picture.save(target, *args, **kwargs)``. ``names``: the variables of the frame that saves."""
        self._advance(MOST - 1)
        exif = kwargs.get("exif")
        if exif is not None and not isinstance(exif, bytes):
            kwargs = {**kwargs, "exif": exif.tobytes()}  # as Pillow's plugins do, and before the next item can change it
        self._count += 1
        file = self._folder / f"{self._count}{Path(target).suffix}"
        encoded: Future[None] = self._pool.submit(save, picture, str(file), *args, **kwargs)
        about = str(names.get("item_title", "")), ", ".join(map(str, names.get("over_names") or ()))
        self._saved = _Picture(file, encoded, self._reporter.item(), *about, target)

    def upload(self, upload: Upload, plex: Any, item: Any, image: Any) -> bool:
        """In the place of ``upload(plex, item, image)``; False where that file is none of these."""
        picture, self._saved = self._saved, None
        if picture is None or image != picture.saved_as:
            return False
        picture.upload = lambda: upload(plex, item, str(picture.file))
        self._waiting.append(picture)
        return True

    def finish(self) -> None:
        """Wait for all, and upload them."""
        self._advance(0)

    def _advance(self, most: int) -> None:
        """Upload what is encoded, in order, and wait until ``most`` are left."""
        while self._waiting and (len(self._waiting) > most or self._waiting[0].encoded.done()):
            picture = self._waiting.popleft()
            try:
                picture.encoded.result()
                assert picture.upload is not None
                picture.upload()
            except self._ordinary as error:
                self._complain(picture, f"  Overlay Error: {error}\n  Overlays Attempted on")
            except Exception as error:  # noqa: BLE001  # as Kometa itself: the other items are still to be drawn
                self._complain(picture, f"{type(error).__name__}: {error}\nOverlays Attempted on")
            finally:
                with contextlib.suppress(OSError):
                    os.unlink(picture.file)  # noqa: PTH108  # a missing file is no error here, as with the others

    def _complain(self, picture: _Picture, what: str) -> None:
        """As Kometa would have, had it waited."""
        with self._reporter.about(picture.item):
            self._logger.stacktrace()
            self._logger.error(f"{what} {picture.title}: {picture.overlays}")


def attach(beside: Beside) -> None:
    """In a child: let uploads and the end of a library pass by ``beside``. Saves are passed to it by who catches them (quick.py)."""
    overlays: Any = sys.modules["modules.overlays"].Overlays
    plex: Any = sys.modules["modules.plex"].Plex
    original, drawing = plex.upload_poster, overlays.run_overlays
    module: Any = sys.modules.get("modules.overlay")
    canvas_size = getattr(module, "get_canvas_size", None)

    def upload_poster(self: Any, item: Any, image: Any, url: Any = False) -> Any:
        if not url and beside.upload(original, self, item, image):
            return None
        return original(self, item, image, url=url)

    def run_overlays(self: Any) -> Any:
        try:
            return drawing(self)
        finally:
            beside.finish()

    plex.upload_poster, overlays.run_overlays = upload_poster, run_overlays
    if canvas_size is None:
        return

    def get_canvas_size(*args: Any, **kwargs: Any) -> Any:
        beside.begin()
        return canvas_size(*args, **kwargs)

    module.get_canvas_size = get_canvas_size
