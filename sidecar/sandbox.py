"""A webhook's template is worked out in a process of its own that may take little time and memory, and knows no secret.

Jinja2's sandbox keeps a template from Python's insides, not from loops without end or from numbers that fill the memory; and a
thread that is caught in one can never be ended. This file is that process's program too.

In:  JSON on standard input, ``{"template": TEXT, "message": {...}}``, or without ``message`` to see only whether it can be compiled
Out: the bytes that it makes; or exit status 3 and why not, on standard error
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from sidecar import child

LARGEST: Final = 256 * 1024
"""Bytes that a template may make."""
CPU: Final = 2
"""Seconds of computing."""
MEMORY: Final = 256 * 1024**2
"""Bytes of address space beside what the interpreter has at its start."""
PATIENCE: Final = 20.0
"""Seconds until it is ended, where the machine is too busy to let it compute for ``CPU``."""
_FAILED: Final = 3
_TOO_MUCH: Final = "it takes too long or too much memory"


class TemplateFails(Exception):
    """Why a template cannot be compiled or worked out; holds nothing of the message."""


async def render(template: str, message: Mapping[str, Any]) -> bytes:
    """What ``template`` makes of ``message``. TemplateFails."""
    try:
        return _judged(await child.ask(__file__, json.dumps({"template": template, "message": message}).encode(), PATIENCE))
    except TimeoutError:
        raise TemplateFails(_TOO_MUCH) from None


def check(template: str) -> None:
    """TemplateFails, with the line, where it does not parse or compile. Blocks."""
    try:
        _judged(child.ask_now(__file__, json.dumps({"template": template}).encode(), PATIENCE))
    except TimeoutError:
        raise TemplateFails(_TOO_MUCH) from None


def _judged(ended: child.Ended) -> bytes:
    if ended.status == 0:
        return ended.out
    raise TemplateFails(ended.why if ended.status == _FAILED else _TOO_MUCH)  # else a limit's signal ended it


def _main() -> int:
    _limit()
    try:
        given = json.load(sys.stdin)
        template = ImmutableSandboxedEnvironment(autoescape=False, undefined=jinja2.StrictUndefined).from_string(given["template"])
        if "message" in given:
            _write(template, given["message"])
    except jinja2.TemplateSyntaxError as error:
        sys.stderr.write(f"line {error.lineno}: {error.message}")
    except _Large as error:
        sys.stderr.write(str(error))
    except MemoryError:
        sys.stderr.write(_TOO_MUCH)
    except Exception as error:  # noqa: BLE001 - whatever a template runs into is its own business; its text may hold anything
        sys.stderr.write(type(error).__name__)
    else:
        return 0
    return _FAILED


class _Large(Exception):
    """It makes more than ``LARGEST``."""


def _write(template: jinja2.Template, message: object) -> None:
    made = bytearray()
    for piece in template.generate(message=message):
        made += piece.encode("utf-8", "replace")
        if len(made) > LARGEST:
            raise _Large(f"it makes more than {LARGEST:,} bytes")
    sys.stdout.buffer.write(made)
    sys.stdout.buffer.flush()


def _limit() -> None:
    now = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))


if __name__ == "__main__":
    sys.exit(_main())
