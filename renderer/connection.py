"""The fork server's socket, and one sidecar's connection to it: messages in, a bounded buffer of messages out."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from renderer.protocol import Decoder, ProtocolError, encode

SOFT_BUFFER = 2 * 1024 * 1024
"""Bytes waiting for a sidecar that does not read: from here on its log lines are dropped, and counted."""
HARD_BUFFER = 24 * 1024 * 1024
"""From here on the connection is closed, which cancels its job."""


class Connection:
    """One sidecar. Output waits here, so that a slow reader stops nobody."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.decoder = Decoder()
        self.waiting = bytearray()
        self.dropped = 0
        self.broken = False

    def send(self, message: dict[str, Any]) -> None:
        if self.broken:
            return
        if message["type"] in ("log", "lines") and len(self.waiting) > SOFT_BUFFER:
            self.dropped += len(message.get("lines", "1"))
            return
        if self.dropped and len(self.waiting) < SOFT_BUFFER // 2 and "id" in message:
            lost, self.dropped = self.dropped, 0
            text = f"{lost} log lines were left out: they came faster than they were read"
            self._queue(
                {"type": "log", "id": message["id"], "shard": message.get("shard", 0), "level": "WARNING", "text": text, "source": "worker"}
            )
        self._queue(message)

    def _queue(self, message: dict[str, Any]) -> None:
        try:
            self.waiting += encode(message)
        except ProtocolError:
            return  # a message that no frame can hold was too long to be of use
        if len(self.waiting) > HARD_BUFFER:
            self.broken = True
        self.flush()

    def flush(self) -> None:
        while self.waiting and not self.broken:
            try:
                del self.waiting[: self.link.send(self.waiting)]
            except BlockingIOError:
                return
            except OSError:
                self.broken = True


def listen(path: Path, backlog: int) -> socket.socket:
    """A listening unix socket that only its owner may use, in the place of a dead worker's."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    listener.listen(backlog)
    listener.setblocking(False)
    return listener
