"""Run a cold, stock ``kometa.py`` (real or stand-in) as a person would, against stand-ins for Plex and the internet.

    python -m tests.cold --kometa DIR [--python EXE] --hosts '{"api.themoviedb.org": "http://127.0.0.1:1234/..."}' CONFIG_DIR

It is what every picture of the product is compared with: nothing of the product is in its way. Kometa's own files are
neither changed nor written to; its config directory is a copy.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML

SITE: Final = Path(__file__).parent / "cold_site"
STANDIN: Final = Path(__file__).parent / "standin"
_LOG = re.compile(r"^\[(?P<time>[^\]]+)\] \[(?P<source>[^\]]+)\] +\[(?P<level>[A-Z]+)\] +\|(?P<text>.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class KometaInstall:
    """A folder with kometa.py, and the Python that has its requirements."""

    home: Path
    python: Path
    kind: str
    """real or standin."""

    @property
    def version(self) -> str:
        return (self.home / "VERSION").read_text(encoding="utf-8").strip()


STANDIN_INSTALL: Final = KometaInstall(home=STANDIN, python=Path(sys.executable), kind="standin")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One message of meta.log, its continuation lines joined."""

    level: str
    source: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdResult:
    """What a cold run left behind."""

    home: Path
    """Its working directory; ``home/config`` is the copy it ran on."""
    log: str
    """meta.log, empty where none was written."""
    console: str
    returncode: int
    seconds: float

    @property
    def entries(self) -> tuple[LogEntry, ...]:
        return parse_log(self.log)

    def messages(self, *levels: str) -> list[str]:
        """Texts at ``levels`` (ERROR, CRITICAL, ...), without the summary that repeats them at the end."""
        return [entry.text for entry in self.entries if entry.level in levels]


def parse_log(text: str) -> tuple[LogEntry, ...]:
    """Messages of a meta.log: ``[time] [file.py:line] [LEVEL] | text |`` and prefix-less continuation lines."""
    found: list[list[str]] = []
    for line in text.splitlines():
        if match := _LOG.match(line):
            found.append([match["level"], match["source"], match["text"].rstrip("|").strip()])
        elif found:
            found[-1][2] += "\n" + line.strip().strip("|").strip()
    return tuple(LogEntry(level=level, source=source, text=message) for level, source, message in found)


def lay_out(config_dir: Path, kometa: KometaInstall, scratch: Path, plex: tuple[str, str] | None = None) -> Path:
    """A working directory in ``scratch`` where ``config/...`` and ``fonts/...`` resolve; returns its config.yml.

    ``plex`` (URL, token) replaces what config.yml says, in the copy.
    """
    config = scratch / "config"
    shutil.copytree(config_dir, config, dirs_exist_ok=True)
    (scratch / "fonts").symlink_to(kometa.home / "fonts", target_is_directory=True)
    file = config / "config.yml"
    if plex is not None:
        yaml = YAML()
        data = yaml.load(file)
        data["plex"] = {**(data.get("plex") or {}), "url": plex[0], "token": plex[1]}
        yaml.dump(data, file)
    return file


async def cold_run(
    kometa: KometaInstall,
    config_dir: Path,
    hosts: Mapping[str, str],
    scratch: Path,
    *,
    plex: tuple[str, str] | None = None,
    args: Sequence[str] = ("-r", "--overlays-only"),
    timeout: float = 300.0,
    env: Mapping[str, str] | None = None,
) -> ColdResult:
    """Run ``python kometa.py ARGS --config COPY/config.yml`` to its end. TimeoutError (and the process killed) after ``timeout`` s."""
    file = await asyncio.to_thread(lay_out, config_dir, kometa, scratch, plex)
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        kometa.python,
        kometa.home / "kometa.py",
        *args,
        "--config",
        file,
        cwd=scratch,
        env=environment(scratch, hosts) | dict(env or {}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,  # kometa.py works in a child of its own: a timeout must end both
    )
    try:
        console, _ = await asyncio.wait_for(process.communicate(), timeout)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    seconds = time.perf_counter() - started
    log = scratch / "config" / "logs" / "meta.log"
    return ColdResult(
        home=scratch,
        log=log.read_text(encoding="utf-8") if log.exists() else "",
        console=console.decode("utf-8", "replace"),
        returncode=process.returncode or 0,
        seconds=seconds,
    )


def environment(scratch: Path, hosts: Mapping[str, str]) -> dict[str, str]:
    """A plain environment: no KOMETA_* (kometa.py takes those for secrets and arguments), no byte code written beside Kometa."""
    cache = Path(tempfile.gettempdir()) / f"kometa-cold-pycache-{os.getuid()}"
    kept = {name: os.environ[name] for name in ("PATH", "TZ", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {
        "HOME": str(scratch),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(SITE),
        "PYTHONPYCACHEPREFIX": str(cache),
        "COLD_HOSTS": json.dumps(dict(hosts)),
    }


def main() -> None:
    """Command line: one cold run; its log on stdout."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config_dir", type=Path)
    parser.add_argument("--kometa", type=Path, default=STANDIN, help="folder with kometa.py (default: the stand-in)")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="interpreter with its requirements")
    parser.add_argument("--hosts", type=json.loads, default={}, help="JSON {host: base URL}; other hosts are refused")
    parser.add_argument("--plex-url")
    parser.add_argument("--plex-token", default="")
    parser.add_argument("args", nargs="*", default=["-r", "--overlays-only"], help="arguments of kometa.py, after --")
    given = parser.parse_args()
    install = KometaInstall(home=given.kometa.resolve(), python=given.python, kind="given")
    scratch = Path(tempfile.mkdtemp(prefix="ks-cold-"))
    plex = (given.plex_url, given.plex_token) if given.plex_url else None
    result = asyncio.run(cold_run(install, given.config_dir.resolve(), given.hosts, scratch, plex=plex, args=given.args))
    sys.stdout.write(result.log or result.console)
    sys.stdout.write(f"{result.seconds:.2f} s, exit code {result.returncode}, {scratch}\n")


if __name__ == "__main__":
    main()
