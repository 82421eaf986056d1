"""Tells systemd how the daemon is: sd_notify's protocol, one datagram per word (sd_notify(3)). Without systemd it does nothing.

The watchdog is fed from the event loop: a loop that hangs feeds it no more, and systemd starts the service anew.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Mapping
from typing import Final

log = logging.getLogger(__name__)

_LONGEST: Final = 200
"""Characters of a status line: what ``systemctl status`` shows in one."""


class Systemd:
    """One service's line to its manager. No method fails: a manager that does not hear must not end the service."""

    def __init__(self, env: Mapping[str, str]) -> None:
        """``env`` holds NOTIFY_SOCKET and WATCHDOG_USEC where systemd started this process (and meant it, not its child)."""
        address = env.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._status = ""
        ours = env.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        limit = env.get("WATCHDOG_USEC", "")
        self.watchdog = int(limit) / 1e6 if self._address and ours and limit.isascii() and limit.isdecimal() and int(limit) else None
        """Seconds within which systemd wants to hear from us, or None."""

    def __bool__(self) -> bool:
        """Whether anybody listens."""
        return bool(self._address)

    def ready(self, status: str) -> None:
        """The service serves; also the end of a reload."""
        self._status = status
        self._send("READY=1", f"STATUS={_line(status)}")

    def reloading(self) -> None:
        """The settings are being read anew; ``ready`` must follow."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The service ends."""
        self._send("STOPPING=1", "STATUS=stopping")

    def status(self, text: str) -> None:
        """One line for people in ``systemctl status``; told only where it is another."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={_line(text)}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    async def keep_alive(self) -> None:
        """Feed the watchdog while the loop turns, twice as often as it asks for (sd_watchdog_enabled(3)), until cancelled."""
        if self.watchdog is None:
            return
        while True:
            self.alive()
            await asyncio.sleep(self.watchdog / 2)

    def _send(self, *words: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.setblocking(False)
                line.sendto("\n".join(words).encode("utf-8", "replace"), self._address)
        except OSError as error:
            log.debug("systemd does not listen at %s: %s", self._address, error.strerror or error)


def _line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]
