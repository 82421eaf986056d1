"""Is a worker there? ``python -m renderer.health SOCKET`` ends with 0 where one says hello within three seconds, else with 1."""

from __future__ import annotations

import socket
import sys

from renderer.protocol import Decoder, ProtocolError


def well(path: str, timeout: float = 3.0) -> bool:
    """Whether a worker greets at the unix socket ``path``."""
    decoder = Decoder()
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(timeout)
            link.connect(path)
            while data := link.recv(65536):
                if messages := decoder.feed(data):
                    return bool(messages[0]["type"] == "hello")
    except (OSError, ProtocolError):
        pass
    return False


if __name__ == "__main__":
    sys.exit(0 if len(sys.argv) == 2 and well(sys.argv[1]) else 1)
