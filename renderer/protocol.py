"""What the sidecar and the worker say to each other: length-prefixed JSON over a unix socket.

A frame is a 4-byte big-endian length and that many bytes of UTF-8 JSON: one object with a ``type``. The worker
speaks first. Pure: bytes in, messages out; the sockets are the callers'.

    worker  -> sidecar   hello      protocol, worker, kometa, python, pillow, layout, network, pid, socket (path),
                                    speedups {name: state}
    sidecar -> worker    render     id, gateway (path of its unix socket), deadline (s), shards [{index, home, token, plex}], options {}
    sidecar -> worker    cancel     id
    sidecar -> worker    ping       n
    sidecar -> worker    catalogue
    sidecar -> worker    shutdown
    worker  -> sidecar   pong       n
    worker  -> sidecar   catalogue  version, fonts [name], overlays {file name: text}: what Kometa brings with it
    worker  -> sidecar   phase      id, shard, name (start, connect, compile, draw, finish), detail
    worker  -> sidecar   log        id, shard, level, text, source; server and rating_key where it is a complaint about an item
    worker  -> sidecar   lines      id, shard, lines [[level, text, source], ...]: several of log at once
    worker  -> sidecar   overlays   id, shard, server, rating_key, applied [...], left_out [...]
    worker  -> sidecar   quick      id, shard, server, rating_key: home/quick/SERVER.RATING_KEY.jpg shows what is about to be uploaded
    worker  -> sidecar   shard      id, shard, outcome (finished, failed, cancelled, deadline, crashed), detail, seconds, limit
    worker  -> sidecar   done       id, outcome (the worst of the shards'), detail, seconds
    worker  -> sidecar   refused    id, detail: the render was not started (busy, bad message)

Options: ``timeout`` (Kometa's --timeout, whole seconds, 60), ``log_level`` (INFO or DEBUG, INFO), ``phase_deadline`` (seconds in
which a shard must show some progress; none) and ``memory`` (bytes that a shard may take; any). A shard that was ended for one of the
last two names it as its ``limit``. Text of ``log`` is one line; a flood of them is cut and its length told by a line of source
``worker``; lines that Kometa printed have the source ``printed``. ``detail`` of draw is the library, then each item as ``1/10 Title``.
An entry of ``applied`` or ``left_out`` has name, kind, order, group, weight, queue, text, file, box [x, y, width, height], reason and
by, as far as they are known.

``plex`` is a word that is the same again only while nothing changed on the Plex servers and the shard may see the same of them;
empty (or left out) where nobody can tell. ``home`` is Kometa's working directory for the shard: ``home/config/config.yml`` is its
config; ``home/config`` is where it writes. One render at a time. A closed connection cancels the render that came over it.
"""

from __future__ import annotations

import json
import struct
from typing import Any

PROTOCOL = 3
"""Both ends must agree; a worker of another number is refused."""

MAX_FRAME = 8 * 1024 * 1024
"""Bytes; a longer frame closes the connection."""

ORIGIN_HEADER = "X-Sidecar-Origin"
"""On every request through the gateway's unix socket: ``scheme://host[:port]`` that Kometa meant."""

GRANT_HEADER = "X-Sidecar-Grant"
"""On every request through the gateway's unix socket: the shard's token."""

KEEP_HEADER = "X-Sidecar-Keep"
"""On an answer through the gateway's unix socket: the seconds for which it may be given again under the same ``plex`` word."""

PLEX_SUFFIX = ".plex.invalid"
"""Plex server NAME is ``http://NAME.plex.invalid:32400`` in what Kometa is given (RFC 6761: never resolves)."""

_HEAD = struct.Struct(">I")


class ProtocolError(Exception):
    """The other end sent what is not a frame, or an oversized one."""


def encode(message: dict[str, Any]) -> bytes:
    """A frame of ``message``. ProtocolError where it is longer than MAX_FRAME."""
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    if len(body) > MAX_FRAME:
        raise ProtocolError(f"frame of {len(body)} bytes is over {MAX_FRAME}")
    return _HEAD.pack(len(body)) + body


class Decoder:
    """Cuts a byte stream into messages: feed it what arrived, take what is whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Messages completed by ``data``, in order. ProtocolError ends the connection."""
        self._buffer += data
        messages = []
        while len(self._buffer) >= _HEAD.size:
            (length,) = _HEAD.unpack_from(self._buffer)
            if length > MAX_FRAME:
                raise ProtocolError(f"frame of {length} bytes is over {MAX_FRAME}")
            end = _HEAD.size + length
            if len(self._buffer) < end:
                break
            try:
                message = json.loads(self._buffer[_HEAD.size : end].decode("utf-8", "surrogatepass"))
            except ValueError as error:
                raise ProtocolError(f"frame is not JSON: {error}") from error
            if not isinstance(message, dict) or not isinstance(message.get("type"), str):
                raise ProtocolError("frame is not an object with a type")
            messages.append(message)
            del self._buffer[:end]
        return messages
