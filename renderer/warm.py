"""Brings Kometa into memory, once, without running it.

kometa.py itself cannot be imported ahead: it reads arguments, environment and config directory while it is loaded. So
only its text is compiled, and what it imports is imported: third-party packages first, then ``modules``. Kometa's modules
take ``util.logger`` when they are imported, long before kometa.py of a run makes its logger; so one bare logger object is
made here and ``MyLogger`` is made to hand out that very object, which the run's own construction then initialises.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import hashlib
import importlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any

from renderer.answers import Answers
from renderer.memo import Memo
from renderer.pictures import Pictures
from renderer.preload import Preload

FIRST = ("modules.builder", "modules.config")
"""Imported before the others, in this order: Kometa's modules import each other in circles and kometa.py enters here."""


class Unusable(Exception):
    """This is no Kometa that can run here. The message is for people."""


@dataclass(frozen=True)
class Kometa:
    """Kometa in memory."""

    home: Path
    script: Path
    code: CodeType
    version: str
    preload: str
    """``on``, or why Kometa's modules are not preloaded."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Modules that could not be imported ahead, and why; a run imports them itself, or does not."""
    memo: Memo = field(default_factory=Memo)
    pictures: Pictures = field(default_factory=Pictures)
    answers: Answers = field(default_factory=Answers)
    files: Preload = field(default_factory=lambda: Preload(Path(os.devnull)))
    speedups: dict[str, str] = field(default_factory=dict)
    """Name -> on, or why it is off."""


def load(home: Path, cache: Path | None = None, without: str = "") -> Kometa:
    """Bring the Kometa in ``home`` into memory. Unusable where there is none, or a requirement of its is missing.

    ``without`` says why its own modules are not to be imported ahead, if they are not: each run then imports them itself.

    Nothing is written into ``home``: its compiled modules are kept below ``cache``, or nowhere.
    """
    script = home / "kometa.py"
    try:
        text = script.read_bytes()
        code = compile(text, str(script), "exec", dont_inherit=True)
        tree = ast.parse(text)
    except OSError as error:
        raise Unusable(f"no Kometa in {home}: {error}") from error
    except (SyntaxError, ValueError) as error:
        raise Unusable(f"{script} is not a Python {sys.version_info.major}.{sys.version_info.minor} program: {error}") from error
    sys.path.insert(0, str(home))
    sys.argv = [str(script)]
    skipped: dict[str, str] = {}
    required = set(_imports(tree.body, required=True))
    for name in dict.fromkeys(_imports(tree.body, required=False)):
        if name.split(".")[0] != "modules" and (problem := _import(name)) and name in required and sys.platform != "win32":
            raise Unusable(f"Kometa's requirement {name} is missing in {sys.executable} ({problem}): {_remedy(home)}")
    for path in sorted((home / "modules").glob("*.py")):
        for name in dict.fromkeys(_imports(_parse(path), required=False)):
            if name.split(".")[0] != "modules":
                _import(name)
    sys.pycache_prefix = str(cache) if cache else None
    sys.dont_write_bytecode = cache is None
    for name in ("logs", "util"):
        if not (home / "modules" / f"{name}.py").is_file():
            raise Unusable(f"Kometa in {home} cannot be loaded: modules/{name}.py is missing")
    preload = without or _modules(home, skipped)
    _pillow()
    memo = Memo(f"{version(home)} {_code(home)}")
    files = Preload(home, memo.look, memo.overlook)
    return Kometa(
        home=home,
        script=script,
        code=code,
        version=version(home),
        preload=preload,
        skipped=skipped,
        memo=memo,
        files=files,
        pictures=Pictures(cache / "pictures" if cache else None, home=home),
    )


def settle() -> None:
    """Collect once and keep what is there out of the collector's sight, so that children share its memory."""
    gc.collect()
    gc.freeze()


def version(home: Path) -> str:
    """As Kometa prints it: VERSION, and PART behind it where there is one."""

    def first_line(name: str) -> str:
        try:
            lines = (home / name).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return next((line.strip() for line in lines if line.strip()), "")

    main, part = first_line("VERSION"), first_line("PART")
    return f"{main}.{part}" if main and part else main or "unknown"


def _code(home: Path) -> str:
    """A hash of the text of Kometa's modules: two Kometas of one version may differ in it, and in what they make of a template."""
    digest = hashlib.sha256()
    for path in sorted((home / "modules").glob("*.py")):
        with contextlib.suppress(OSError):  # importing it will say what is wrong
            digest.update(f"{path.name}\0".encode("utf-8", "surrogateescape") + path.read_bytes())
    return digest.hexdigest()[:16]


def layout(wanted: str) -> str:
    """Choose Pillow's text layout engine, and say which one it is: raqm or basic. It changes pixels.

    ``basic`` switches RAQM off as if libfribidi were not there (which is how the official image is). Unusable where raqm is
    asked for and cannot be had.
    """
    from PIL import ImageFont

    core: Any = ImageFont.core
    if wanted == "basic":
        core.HAVE_RAQM = False
    found = "raqm" if getattr(core, "HAVE_RAQM", False) else "basic"
    if wanted == "raqm" and found != "raqm":
        raise Unusable(
            "text layout raqm is asked for, but Pillow finds no libfribidi here: install it (Debian: libfribidi0) or use layout basic"
        )
    return found


def pillow() -> str:
    """Pillow's version."""
    import PIL

    return str(getattr(PIL, "__version__", "unknown"))


def _remedy(home: Path) -> str:
    return f"install with {sys.executable} -m pip install -r {home / 'requirements.txt'}, or name another Python (KOMETA_PYTHON)"


def _imports(body: list[ast.stmt], *, required: bool) -> Iterator[str]:
    """Names of the modules imported at the top of a program, also inside try and if.

    ``required`` leaves out those of a ``try`` whose failure the program survives (no exit in the handler) and those under ``if``.
    """
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.Try):
            leaves = any(
                isinstance(call, ast.Call) and "exit" in ast.dump(call.func) for handler in node.handlers for call in ast.walk(handler)
            )
            if leaves or not required:
                yield from _imports(node.body, required=required)
        elif isinstance(node, ast.If) and not required:
            yield from _imports(node.body, required=required)


def _parse(path: Path) -> list[ast.stmt]:
    try:
        return ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return []  # importing it will say what is wrong


def _import(name: str) -> str:
    """Import ``name``; what was wrong, or nothing."""
    try:
        importlib.import_module(name)
    except Exception as error:  # noqa: BLE001  # a package of Kometa's may fail in any way; a run will find it again and say so
        return f"{type(error).__name__}: {error}"
    return ""


def _modules(home: Path, skipped: dict[str, str]) -> str:
    """Import Kometa's modules with a bare logger; ``on``, or why not."""
    if problem := _import("modules.logs"):
        raise Unusable(f"Kometa in {home} cannot be loaded: modules.logs: {problem}")
    if problem := _import("modules.util"):
        raise Unusable(f"Kometa in {home} cannot be loaded: modules.util: {problem}; {_remedy(home)}")
    logger_class = getattr(sys.modules["modules.logs"], "MyLogger", None)
    util: Any = sys.modules["modules.util"]
    if not isinstance(logger_class, type) or not hasattr(util, "logger"):
        return "off: Kometa's logger was not found"
    bare: Any = object.__new__(logger_class)
    logger_class.__new__ = lambda _class, *_args, **_kwargs: bare  # type: ignore[assignment,method-assign]
    util.logger = bare
    there = sorted(
        f"modules.{path.stem}" for path in (home / "modules").glob("*.py") if path.stem.isidentifier() and path.stem != "__init__"
    )
    for name in [*(first for first in FIRST if first in there), *there]:
        if name not in sys.modules and (problem := _import(name)):
            skipped[name] = problem
    return "on"


def _pillow() -> None:
    """Load Pillow's codecs: otherwise every child does on its first picture."""
    try:
        from PIL import Image, ImageFont  # noqa: F401  # ImageFont loads its library
    except ImportError as error:
        raise Unusable(f"Kometa's requirement pillow is missing in {sys.executable} ({error})") from error
    Image.preinit()  # its formats come first, as in a run that meets a JPEG first
    Image.init()
