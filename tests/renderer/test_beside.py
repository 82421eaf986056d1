"""Encoding goes on beside: what is uploaded, in which order, and what becomes of an error are as if it did not."""

from __future__ import annotations

import ast
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import PIL.Image
import pytest

from renderer import at, beside, quick
from renderer.report import Reporter

KOMETA = """
from pathlib import Path

class BadRequest(Exception):
    pass

class Logger:
    def __init__(self):
        self.errors = []
        self.stacks = 0
    def error(self, text):
        self.errors.append((self.reporter.item(), text))
    def stacktrace(self):
        self.stacks += 1

logger = Logger()

class Plex:
    def __init__(self, folder, fails):
        self.url, self.folder, self.fails, self.uploads = "http://plex-0.plex.invalid:32400", folder, fails, []
    def upload_poster(self, item, image, url=False):
        if item.ratingKey in self.fails and not url:
            raise self.fails[item.ratingKey]
        self.uploads.append((item.ratingKey, image if url else Path(image).read_bytes()))

class Overlays:
    def __init__(self, library):
        self.library = library

    def run_overlays(self):
        for item, picture, exif in self.library.items:
            overlay.get_canvas_size(item)
            item_title, over_names = item.title, ["A", "B"]
            exif[0x04BC] = "overlay"
            temp = self.library.folder + "/temp." + self.library.kind.partition("_")[0]
            if self.library.kind == "webp_lossless":
                picture.save(temp, exif=exif, lossless=True)
            elif self.library.kind == "webp_lossy":
                picture.save(temp, exif=exif, quality=90)
            elif self.library.kind == "png_plain":
                picture.save(temp)
            else:
                picture.save(temp, exif=exif)
            self.library.upload_poster(item, temp)
            exif.clear()
            self.library.upload_poster(item, "http://elsewhere/picture.jpg", url=True)
        return "done"
"""


class Quiet(Reporter):
    def __init__(self) -> None:
        super().__init__(-1, "job", 0, "")

    def send(self, kind: str, **fields: object) -> None:
        """To nobody."""


Run = Callable[..., tuple[Any, Any]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    module, plex, overlay = ModuleType("modules.overlays"), ModuleType("modules.plex"), ModuleType("modules.overlay")
    exec(KOMETA, module.__dict__)
    overlay.get_canvas_size = lambda _item: (1000, 1500)  # type: ignore[attr-defined]
    module.overlay = overlay  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "modules.overlay", overlay)
    plex.Plex = module.Plex  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "modules.overlays", module)
    monkeypatch.setitem(sys.modules, "modules.plex", plex)
    monkeypatch.setattr(PIL.Image.Image, "save", PIL.Image.Image.save)

    def go(count: int, *, apart: bool, kind: str = "webp_lossy", fails: dict[int, Exception] | None = None) -> tuple[Any, Any]:
        folder = tmp_path / f"{apart}"
        folder.mkdir()
        library = module.Plex(str(folder), fails or {})  # type: ignore[attr-defined]
        library.kind = kind
        library.items = [
            (
                SimpleNamespace(ratingKey=key, title=f"Movie {key}"),
                PIL.Image.linear_gradient("L").rotate(key).convert("RGB"),
                PIL.Image.Exif(),
            )
            for key in range(count)
        ]
        if apart:
            reporter = Quiet()
            reporter.item = at.finder()
            module.logger.reporter = reporter  # type: ignore[attr-defined]
            pictures = beside.Beside(folder, reporter, module.logger, (module.BadRequest,))  # type: ignore[attr-defined]
            quick.install(reporter, folder, look_ahead=False, beside=pictures)
            beside.attach(pictures)
        assert module.Overlays(library).run_overlays() == "done"  # type: ignore[attr-defined]
        assert not list((folder / beside.FOLDER).glob("*"))
        return library.uploads, module.logger  # type: ignore[attr-defined]

    yield go
    sys.modules.pop("modules.overlays")


def files(uploads: Any) -> list[tuple[int, bytes]]:
    return [(key, data) for key, data in uploads if isinstance(data, bytes)]


@pytest.mark.parametrize("kind", ["webp_lossy", "webp_lossless", "png", "jpg", "png_plain"])
def test_the_uploads_are_the_same(run: Run, kind: str) -> None:
    plain, _ = run(7, apart=False, kind=kind)
    apart, logger = run(7, apart=True, kind=kind)
    assert files(apart) == files(plain)
    assert len({data for _, data in files(apart)}) == 7
    assert kind == "png_plain" or all(b"overlay" in data for _, data in files(apart)), "the tag was taken before Kometa took it away"
    assert [key for key, data in apart if isinstance(data, str)] == list(range(7)), "an upload by address is none of it"
    assert logger.errors == []


def test_a_few_are_under_way_at_a_time(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoding stands still until Kometa waits for it: by then a few wait, and Kometa has not gone on."""
    begun: list[int] = []
    gate = threading.Event()
    original = PIL.Image.Image.save
    waiting = beside.Beside._advance

    def save(self: Any, target: Any, *args: Any, **kwargs: Any) -> None:
        gate.wait(20)
        original(self, target, *args, **kwargs)

    def advance(self: Any, most: int) -> None:
        if most < beside.MOST:  # else it waits for none
            begun.append(len(self._waiting))
            if begun[-1] > most:
                gate.set()
        waiting(self, most)

    monkeypatch.setattr(PIL.Image.Image, "save", save)
    monkeypatch.setattr(beside.Beside, "_advance", advance)
    uploads, _ = run(6, apart=True)
    assert begun[:4] == [0, 1, 2, 3]
    assert max(begun) <= beside.MOST
    assert [key for key, _ in files(uploads)] == list(range(6))


def test_what_is_ready_does_not_wait_for_the_next_picture(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """That item may wait for a slow server, or for ever."""
    overlay: Any = sys.modules["modules.overlay"]
    seen: list[int] = []

    class AtOnce(ThreadPoolExecutor):
        def submit(self, *args: Any, **kwargs: Any) -> Any:
            job = super().submit(*args, **kwargs)
            job.exception()
            return job

    def upload_poster(self: Any, item: Any, image: Any, url: Any = False) -> None:
        sent.extend([item.ratingKey] if not url else [])
        original(self, item, image, url=url)

    sent: list[int] = []
    plex: Any = sys.modules["modules.plex"]
    original = plex.Plex.upload_poster
    monkeypatch.setattr(plex.Plex, "upload_poster", upload_poster)
    monkeypatch.setattr(overlay, "get_canvas_size", lambda _item: seen.append(len(sent)))
    monkeypatch.setattr(beside, "ThreadPoolExecutor", AtOnce)
    run(4, apart=True)
    assert seen == [0, 1, 2, 3]


def test_an_upload_that_fails_is_its_own_items(run: Run) -> None:
    module: Any = sys.modules["modules.overlays"]
    uploads, logger = run(4, apart=True, fails={1: module.BadRequest("(403) no"), 2: ValueError("odd")})
    assert [key for key, _ in files(uploads)] == [0, 3]
    assert logger.errors == [
        (("plex-0", 1), "  Overlay Error: (403) no\n  Overlays Attempted on Movie 1: A, B"),
        (("plex-0", 2), "ValueError: odd\nOverlays Attempted on Movie 2: A, B"),
    ]
    assert logger.stacks == 2


def test_a_file_that_cannot_be_written_is_its_items(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    original = PIL.Image.Image.save

    def save(self: Any, target: Any, *args: Any, **kwargs: Any) -> None:
        if str(target).endswith("/2.webp"):
            raise OSError(28, "No space left on device")
        original(self, target, *args, **kwargs)

    monkeypatch.setattr(PIL.Image.Image, "save", save)
    uploads, logger = run(3, apart=True)
    assert [key for key, _ in files(uploads)] == [0, 2]
    full = "  Overlay Error: [Errno 28] No space left on device\n  Overlays Attempted on Movie 1: A, B"
    assert logger.errors == [(("plex-0", 1), full)]


def place(text: str) -> bool:
    tree = ast.parse(text).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return beside.place(tree)


GOOD = """
def run_overlays(self):
    for item in self.items:
        try:
            temp = "x"
            if a:
                new_poster.save(temp, exif=e, quality=1)
            elif b:
                new_poster.save(temp, exif=e, lossless=True)
            else:
                new_poster.save(temp)
            self.library.upload_poster(item, temp)
            self.library.edit_tags("label", item)
        except OSError:
            pass
"""


def test_the_place_is_where_a_saved_file_is_only_uploaded() -> None:
    assert place(GOOD)
    assert place(
        GOOD.replace(
            "            if a:\n                new_poster.save(temp, exif=e, quality=1)\n            elif b:", "            if b:"
        )
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("new_poster.save(temp)", "pass"),
        ("new_poster.save(temp)", "new_poster.save(other)"),
        ("new_poster.save(temp)", "x = new_poster.save(temp)"),
        ("upload_poster(item, temp)", "upload_poster(item, temp, url=False)"),
        ("upload_poster(item, temp)", "upload_poster(other, temp)"),
        ("upload_poster(item, temp)", "upload_poster(item, other)"),
        ("self.library.upload_poster(item, temp)", "done = self.library.upload_poster(item, temp)"),
        ("self.library.upload_poster(item, temp)", "pass"),
        ("            self.library.upload_poster", "            look(item)\n            self.library.upload_poster"),
        ("edit_tags(", "compare(temp, "),
        (
            "        except OSError:\n            pass",
            "            new_poster.save(temp)\n            self.library.upload_poster(item, temp)\n        finally:\n            pass",
        ),
    ],
)
def test_any_other_place_is_none(old: str, new: str) -> None:
    assert old in GOOD
    assert not place(GOOD.replace(old, new))
