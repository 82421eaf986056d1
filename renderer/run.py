"""One shard, in a child process: a full ``kometa.py -r --overlays-only`` in the directory it was given.

The child is a copy of the warm worker. It makes itself a process as a fresh Kometa would be (directory, arguments,
temporary files, log), and then executes kometa.py's own text as a module, with everything that text imports already in
memory. ``kometa.py`` only starts a run under ``__main__``, and then in a process pool whose result nobody reads; here
its ``start`` is called directly, with what ``process`` would hand to it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import random
import signal
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from renderer import at, beside, cage, observe, quick, speedups
from renderer.bridge import Bridge
from renderer.report import LogHandler, Reporter
from renderer.warm import Kometa

UUID = "5e1dca8a-0000-4000-8000-6b6f6d657461"
"""Kometa's client identifier in previews: the same in all, so that equal requests stay equal. Ours, never a user's."""


@dataclass(frozen=True)
class Order:
    """What one child is to do."""

    job: str
    shard: int
    home: Path
    """Working directory; ``home/config/config.yml`` is the config."""
    token: str
    gateway: str
    timeout: int = 60
    """Seconds; Kometa's --timeout, for requests that set none of their own."""
    level: int = logging.INFO
    """Lowest level of log lines to send."""
    plex: str = ""
    """Word under which Plex's answers may be kept."""

    @property
    def config(self) -> Path:
        return self.home / "config" / "config.yml"


def child(kometa: Kometa, guard: cage.Guard, order: Order, report: int, output: int) -> None:
    """Run ``order`` and leave the process. ``report`` and ``output`` are pipes to the parent: frames, and stdout with stderr."""
    status = 70  # EX_SOFTWARE, unless the run comes to its end
    try:
        _become(kometa, order, output)
        reporter = Reporter(report, order.job, order.shard, order.token, f"{order.home}/")
        reporter.phase("start")
        outcome, detail = _run(kometa, guard, order, reporter)
        reporter.close(outcome, detail)
        status = 0
    except BaseException:  # noqa: BLE001  # whatever it is: the last words of this process go to stderr, which the parent shows
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _become(kometa: Kometa, order: Order, output: int) -> None:
    """Make this copy of the worker a process of its own."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    cage.first_to_go()
    cage.bound_files()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if null > 2:
        os.close(null)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # for the life of the process
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115  # likewise
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115  # likewise
    faulthandler.enable(sys.stderr)
    random.seed()  # a copy of the parent's generator would give all children the same numbers
    temporary = order.home / "tmp"
    temporary.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = str(temporary)
    tempfile.tempdir = None
    os.chdir(order.home)
    fonts = order.home / "fonts"  # Kometa looks for its own fonts in its working directory
    if not os.path.lexists(fonts) and (kometa.home / "fonts").is_dir():
        fonts.symlink_to(kometa.home / "fonts", target_is_directory=True)
    identifier = order.config.parent / "UUID"
    if not identifier.exists():
        identifier.write_text(UUID)


def _run(kometa: Kometa, guard: cage.Guard, order: Order, reporter: Reporter) -> tuple[str, str]:
    """Outcome and detail. Exceptions are Kometa's own and end in ``failed``."""
    guard.report = lambda text: reporter.log("WARNING", text, "worker")
    kometa.answers.begin(order.plex)
    kometa.files.begin(order.token)
    bridge = Bridge(order.gateway, order.token, kometa.answers)
    for note in bridge.install():
        reporter.log("WARNING", note, "worker")
    guard.only(order.gateway)
    try:
        module = _load(kometa, order)
        _listen(kometa, module, reporter, order)
        if kometa.speedups.get("log_relief") == "on" and order.level > logging.DEBUG:
            speedups.relieve(reporter)
        reporter.item = at.finder()
        _catch(kometa, reporter, order)
        observe.install(reporter)
        arguments: dict[str, Any] = module.run_args
        reporter.phase("connect")
        module.start(
            {
                "collections": arguments.get("run-collections"),
                "libraries": arguments.get("run-libraries"),
                "files": arguments.get("run-files"),
            }
        )
    except SystemExit:
        # Kometa leaves like this where it cannot even begin; why, it printed.
        return "failed", reporter.critical
    except Exception as error:  # noqa: BLE001  # Kometa's, of any kind: it becomes the outcome
        traceback.print_exc()
        return "failed", reporter.critical or f"{type(error).__name__}: {error}"
    finally:
        bridge.close()
        _teach(kometa, reporter)
    reporter.phase("finish")
    return ("failed", reporter.critical) if reporter.critical else ("finished", "")


def _catch(kometa: Kometa, reporter: Reporter, order: Order) -> None:
    """See to each picture as Kometa saves it."""
    look_ahead = kometa.speedups.get("quick_pictures") == "on"
    pictures = None
    if kometa.speedups.get("encode_beside") == "on":
        overlays: Any = sys.modules["modules.overlays"]
        pictures = beside.Beside(order.home, reporter, overlays.logger, (overlays.BadRequest,))
    if look_ahead or pictures is not None:
        quick.install(reporter, order.home, look_ahead=look_ahead, beside=pictures)
    if pictures is not None:
        beside.attach(pictures)


def _teach(kometa: Kometa, reporter: Reporter) -> None:
    """Tell the parent what this run learnt, for the next ones."""
    reporter.send("learnt", files=kometa.files.news(), images=kometa.pictures.news())
    for news in kometa.memo.news():
        reporter.send("learnt", **news)
    for answers in kometa.answers.news():
        reporter.send("learnt", **answers)


def _load(kometa: Kometa, order: Order) -> ModuleType:
    """kometa.py as a module, seeing the arguments of this shard."""
    sys.argv = [str(kometa.script), "-r", "--overlays-only", "--read-only-config", "--ignore-ghost", "--timeout", str(order.timeout)]
    sys.argv += ["--config", str(order.config)]
    _no_dotenv()
    module = ModuleType("kometa")
    module.__file__ = str(kometa.script)
    sys.modules["kometa"] = module
    exec(kometa.code, module.__dict__)  # noqa: S102  # Kometa's own program text, as python would execute it
    return module


def _no_dotenv() -> None:
    """Kometa's installation may hold a .env with somebody's secrets; a preview has no use for them."""
    dotenv = sys.modules.get("dotenv")
    if dotenv is not None:
        dotenv.load_dotenv = lambda *_args, **_kwargs: False  # type: ignore[attr-defined]


def _listen(kometa: Kometa, module: ModuleType, reporter: Reporter, order: Order) -> None:
    """Put our handler in the place of Kometa's console one."""
    logger = getattr(getattr(module, "logger", None), "_logger", None) or logging.getLogger("Kometa")
    for handler in list(logger.handlers):
        if type(handler) is logging.StreamHandler:
            logger.removeHandler(handler)
    logger.addHandler(LogHandler(reporter, order.level))
    logger.propagate = False
