"""Starts a worker: ``python -m renderer --kometa HOME --socket PATH``, with the Python that Kometa runs with.

Exit status: 0 told to stop, 2 wrong arguments, 3 this Kometa cannot be used (stderr's last line says why), 4 nowhere to listen,
5 Kometa was changed on the disk: start the worker anew.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from renderer import __version__, cage

MEMO = "expansions.json"
FILES = "files.json"


def main(argv: list[str] | None = None) -> int:
    """Cage this process, warm Kometa up, serve."""
    parser = argparse.ArgumentParser(prog="renderer", description="Keeps Kometa warm and renders for kometa-sidecar.")
    parser.add_argument("--kometa", type=Path, required=True, metavar="HOME", help="directory of kometa.py")
    parser.add_argument("--socket", type=Path, required=True, metavar="PATH", help="unix socket to listen on")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where to keep Kometa's modules compiled")
    parser.add_argument("--layout", choices=("auto", "raqm", "basic"), default="auto", help="Pillow's text layout engine")
    parser.add_argument("--nice", type=int, default=0, metavar="N", help="lower the priority by N")
    parser.add_argument("--off", action="append", default=[], metavar="NAME", help="do not use this speed-up, or 'all'; repeatable")
    parser.add_argument("--parent", type=int, metavar="PID", help="end when this parent process ends; it holds the other end of stdin")
    parser.add_argument("--linger", type=float, metavar="N", help="end when no sidecar has been connected for N seconds")
    options = parser.parse_args(argv)
    try:
        sys.argv = ["kometa.py"]
        return _serve(options)
    except KeyboardInterrupt:
        return 0


def _serve(options: argparse.Namespace) -> int:
    environment = cage.scrub(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    network = cage.enter()
    cage.no_new_privileges()
    if options.parent is not None:
        cage.die_with(options.parent)
    guard = cage.Guard()
    guard.install()
    if options.nice > 0:
        os.nice(options.nice)

    from renderer import catalogue, speedups, warm  # after the cage: from here on Kometa's packages are loaded
    from renderer.forking import Forker
    from renderer.installation import Installation
    from renderer.protocol import PROTOCOL
    from renderer.server import Server

    home, off = options.kometa.resolve(), frozenset(options.off)
    installation = Installation(home)
    try:
        kometa = warm.load(home, options.cache, speedups.refused("preload", warm.version(home), off))
        layout = warm.layout(options.layout)
    except warm.Unusable as error:
        print(error, file=sys.stderr)  # noqa: T201  # the exit message
        return 3
    states = speedups.apply(kometa.version, off, kometa)
    kometa.speedups.update(states)
    hello = {
        "type": "hello",
        "protocol": PROTOCOL,
        "worker": __version__,
        "kometa": kometa.version,
        "build": installation.build,
        "python": ".".join(map(str, sys.version_info[:3])),
        "pillow": warm.pillow(),
        "layout": layout,
        "network": network,
        "pid": os.getpid(),
        "socket": str(options.socket.absolute()),
        "speedups": {"preload": kometa.preload, **states},
    }

    if options.cache is not None:
        kometa.memo.load(options.cache / MEMO)
        kometa.files.load(options.cache / FILES)

    def idle() -> bool:
        if kometa.files.step() or kometa.pictures.step():
            return True
        if options.cache is not None and kometa.memo.save(options.cache / MEMO):
            kometa.files.save(options.cache / FILES)
            kometa.pictures.prune()
        return False

    def learn(message: dict[str, Any]) -> None:
        kometa.memo.learn(message.get("entries"), message.get("used"))
        kometa.files.want(message.get("files"))
        kometa.pictures.want(message.get("images"))
        kometa.answers.learn(message.get("word"), message.get("answers"))

    parent = 0 if options.parent is not None else None
    try:
        server = Server(
            options.socket,
            hello,
            Forker(kometa, guard),
            parent_pipe=parent,
            learn=learn,
            idle=idle,
            linger=options.linger,
            catalogue=lambda: catalogue.read(kometa.home, kometa.version),
            changed=installation.changed,
        )
    except OSError as error:
        print(f"the worker cannot listen at {options.socket}: {error.strerror or error}{_owner(options.socket)}", file=sys.stderr)  # noqa: T201  # likewise
        return 4
    warm.settle()
    server.run()
    if server.outdated:
        print(f"Kometa in {home} was changed: the worker ends, for another to be started", file=sys.stderr)  # noqa: T201  # likewise
        return 5
    return 0


def _owner(path: Path) -> str:
    """Whose ``path`` is, or the directory that it is to be in: what is wrong, most often."""
    for place in (path, *path.parents):
        try:
            owner = place.lstat().st_uid
        except FileNotFoundError:
            continue
        except OSError:
            break
        return f". {place} belongs to user {owner}, this is user {os.getuid()}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
