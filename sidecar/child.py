"""A program of ours in a process of its own: it can be ended at any time, and it knows nothing that it was not given.

For work that must not be done in a thread, which nothing can end, or beside our secrets. The program is a file of this package that
is run by this interpreter; it reads standard input to its end and answers on standard output, or with an exit status.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

_ENVIRONMENT: Final = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""What Python needs to find its packages, and TLS its certificates; the rest may hold secrets."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    status: int
    """Exit status; negative: the signal that ended it."""
    out: bytes
    why: str
    """What it said on standard error."""


async def ask(program: str, given: bytes, patience: float) -> Ended:
    """Run the file ``program``; gone at the end of this, also where it is cancelled. TimeoutError after ``patience`` seconds."""
    child = await asyncio.create_subprocess_exec(
        *_command(program), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()
    )
    try:
        async with asyncio.timeout(patience):
            out, why = await child.communicate(given)
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    return Ended(child.returncode or 0, out, why.decode("utf-8", "replace").strip())


def ask_now(program: str, given: bytes, patience: float) -> Ended:
    """The same, blocking."""
    try:
        done = subprocess.run(  # noqa: S603 - a file of this package, by this interpreter
            _command(program), input=given, capture_output=True, env=_environment(), timeout=patience, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error
    return Ended(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace").strip())


def _command(program: str) -> list[str]:
    return [sys.executable, "-P", program]


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
