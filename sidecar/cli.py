"""The command line of ``kometa-sidecar``. Results go to standard output, all else to standard error."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from sidecar import __version__, commands, secrecy
from sidecar.errors import InputError, SidecarError
from sidecar.progress import Progress


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="kometa-sidecar", description="Real Kometa overlay previews while you edit, and never a write to Plex."
    )
    top.add_argument("--version", action="version", version=f"kometa-sidecar {__version__}")
    subs = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = subs.add_parser("run", help="watch a Kometa config directory and keep its previews fresh")
    _directory(run)
    _common(run)
    _serving(run)

    render = subs.add_parser("render", help="render a Kometa config directory's previews once")
    _directory(render)
    _common(render)
    render.add_argument("--once", action="store_true", help="render once and end (the default; said for scripts' sake)")
    render.add_argument("--json", action="store_true", help="print the result as one line of JSON")

    check = subs.add_parser("check", help="validate settings and a Kometa config directory; exit 1 on errors")
    _directory(check)
    _common(check)
    check.add_argument("--json", action="store_true", help="print the problems as one line of JSON")

    doctor = subs.add_parser("doctor", help="find out what works, what does not, and how to mend it; exit 1 where something fails")
    _directory(doctor)
    _common(doctor)
    doctor.add_argument("--json", action="store_true", help="print the findings as one line of JSON")

    demo = subs.add_parser("demo", help="try it: a small Plex of drawn posters, no network, nothing to configure")
    _common(demo)
    _serving(demo)
    demo.add_argument("--once", action="store_true", help="render once, print one line of JSON and end")

    grant = subs.add_parser("grant", help="let a Kometa of your own preview through the gateway; nothing it writes reaches Plex")
    _directory(grant)
    grant.add_argument("--settings", type=Path, metavar="FILE", help="sidecar.yml (or KOMETA_SIDECAR_SETTINGS)")
    grant.add_argument("--output", type=Path, metavar="DIR", help="where the pictures go; by default ./kometa-sidecar-previews")
    grant.add_argument("--port", type=int, metavar="N", help="the port on 127.0.0.1; by default a free one")
    grant.add_argument("--minutes", type=float, default=60.0, metavar="N", help="how long the grant is good; by default 60")
    grant.add_argument("--quiet", action="store_true", help="no progress")
    grant.set_defaults(engine=None)

    approve = subs.add_parser("approve", help="approve a run's pictures as baselines (or reject them, or take a decision back)")
    approve.add_argument(
        "what", nargs="*", metavar="[RUN] [TARGET...]", help="a run's id, by default the newest; targets' ids, by default all that differ"
    )
    approve.add_argument("--group", metavar="ID", default="", help="the targets of one group of like changes")
    other = approve.add_mutually_exclusive_group()
    other.add_argument("--reject", action="store_true", help="say that these pictures are not wanted; baselines stay")
    other.add_argument("--undo", nargs="?", const="", metavar="BATCH", help="take back the last decision, or that one")
    approve.add_argument("--who", metavar="NAME", default="", help="who decides; by default the user")
    approve.add_argument("--json", action="store_true", help="print the result as one line of JSON")
    _keeping(approve)

    tell = subs.add_parser("notifications", help="show whom the daemon tells and what waits; send again, or a test")
    tell.add_argument("verb", nargs="?", default="list", choices=["list", "replay", "test"], help="by default list")
    tell.add_argument("what", nargs="*", metavar="ID|NAME", help="messages to send again (by default all given up), or whom to test")
    tell.add_argument("--json", action="store_true", help="print the result as one line of JSON")
    _keeping(tell)

    backup = subs.add_parser("backup", help="write the data directory into one file, also while the daemon works")
    _keeping(backup)
    backup.add_argument("--output", type=Path, metavar="FILE", help="by default ./kometa-sidecar-DATE.tar.gz")

    restore = subs.add_parser("restore", help="bring a backup back into the data directory; the daemon must not be working in it")
    restore.add_argument("archive", type=Path, metavar="FILE", help="what backup wrote")
    _keeping(restore)
    restore.add_argument("--force", action="store_true", help="move what is there aside first")

    subs.add_parser("version", help="print the version")
    return top


def _directory(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("directory", type=Path, metavar="KOMETA_CONFIG_DIR", help="the directory that holds Kometa's config.yml")


def _common(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--data", type=Path, metavar="DIR", help="where the gallery, the pictures and the state are kept")
    sub.add_argument("--settings", type=Path, metavar="FILE", help="sidecar.yml (or KOMETA_SIDECAR_SETTINGS)")
    sub.add_argument(
        "--engine", choices=["auto", "process", "socket", "container", "draft"], help="who draws; by default Kometa where one is found"
    )
    sub.add_argument("--quiet", action="store_true", help="no progress")


def _keeping(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--data", type=Path, metavar="DIR", help="the data directory")
    sub.add_argument("--settings", type=Path, metavar="FILE", help="sidecar.yml (or KOMETA_SIDECAR_SETTINGS)")
    sub.add_argument("--quiet", action="store_true", help="no progress")
    sub.set_defaults(engine=None)


def _serving(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--port", type=int, metavar="N", help="the gallery's port (0: any free one)")
    sub.add_argument("--host", metavar="ADDRESS", help="the address to listen on; any but this machine's own needs a token")


def main(argv: Sequence[str] | None = None) -> None:
    """The console script."""
    secrecy.seal()
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Carry out one command; returns the exit status: 0 well, 1 the input or the render is not, 2 wrong usage."""
    options = parser().parse_args(argv)
    if options.command == "version":
        sys.stdout.write(f"kometa-sidecar {__version__}\n")
        return 0
    progress = Progress(quiet=options.quiet)
    chosen: Callable[..., Coroutine[Any, Any, int]] = {
        "run": commands.run,
        "render": commands.render,
        "check": commands.check,
        "demo": commands.demo,
        "doctor": commands.doctor,
        "grant": commands.grant,
        "approve": commands.approve,
        "notifications": commands.notifications,
        "backup": commands.backup,
        "restore": commands.restore,
    }[options.command]
    try:
        return asyncio.run(chosen(options, dict(os.environ), progress, _print))
    except InputError as error:
        progress.done()
        for problem in error.problems:
            progress.problem(problem)
        return 1
    except SidecarError as error:
        progress.done()
        progress.say(f"error: {error}", "bold red", always=True)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        progress.done()


def _print(result: object) -> None:
    """A result on standard output: a line of JSON, or text as it is."""
    sys.stdout.write((result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)) + "\n")
    sys.stdout.flush()
