"""Apprise in a process of its own, with our guard before each of its connections. The only apprise import.

Apprise opens its own connections, follows redirects, and its threads cannot be ended. In the process that this file is the program of, an
audit hook sees the very address of each connection before it is made, whatever a name or a redirect said before.

In:  JSON on standard input: ``url``, ``private`` (networks that may be reached), and to send: ``title``, ``text``, ``severity``
Out: the exit status, see :class:`Outcome`
"""

from __future__ import annotations

import ipaddress
import json
import logging
import sys
from collections.abc import Iterable
from enum import IntEnum
from typing import Any, Final

from sidecar import child
from sidecar.addresses import Allows, Network, PrivateAddress, allowing

PATIENCE: Final = 30.0
"""Seconds for a look at an address, which sends nothing."""
_KINDS: Final = {"info": "INFO", "success": "SUCCESS", "warning": "WARNING", "error": "FAILURE"}


class Outcome(IntEnum):
    """Exit statuses."""

    DONE = 0
    FAILED = 10
    """Not delivered; Apprise does not tell why."""
    MISSING = 11
    """Apprise is not installed."""
    UNKNOWN = 12
    """Apprise does not know such an address."""
    PRIVATE = 13
    """It would have reached an address that it may not."""


def check(url: str) -> Outcome:
    """DONE where Apprise knows the address. Blocks; sends nothing."""
    try:
        return _outcome(child.ask_now(__file__, json.dumps({"url": url, "private": []}).encode(), PATIENCE))
    except TimeoutError:
        return Outcome.FAILED


async def send(url: str, private: Iterable[Network], *, title: str, text: str, severity: str, patience: float) -> Outcome:
    """Deliver a message. TimeoutError."""
    given = {"url": url, "private": [str(network) for network in private], "title": title, "text": text, "severity": severity}
    return _outcome(await child.ask(__file__, json.dumps(given).encode(), patience))


def _outcome(ended: child.Ended) -> Outcome:
    return Outcome(ended.status) if ended.status in list(Outcome) else Outcome.FAILED


class _Guard:
    """Refuses connections and datagrams to addresses that are not allowed, and to sockets of this machine."""

    def __init__(self, allows: Allows) -> None:
        self._allows = allows
        self.refused = False

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """An audit hook (PEP 578): ``socket.connect``, ``socket.sendto`` and ``socket.sendmsg`` come with the socket and the address."""
        if event not in ("socket.connect", "socket.sendto", "socket.sendmsg") or args[1] is None:
            return
        address = args[1]
        if not isinstance(address, tuple) or not self._allows(str(address[0])):
            self.refused = True
            raise PrivateAddress("the address is a private one")


def _main() -> Outcome:
    given = json.load(sys.stdin)
    guard = _Guard(allowing(ipaddress.ip_network(network) for network in given["private"]))
    sys.addaudithook(guard)
    logging.disable()  # Apprise logs addresses
    try:
        import apprise
    except ImportError:
        return Outcome.MISSING
    receivers = apprise.Apprise()
    if not receivers.add(given["url"]):
        return Outcome.UNKNOWN
    if "text" not in given:
        return Outcome.DONE
    kind = getattr(apprise.NotifyType, _KINDS[given["severity"]])
    delivered = receivers.notify(body=given["text"], title=given["title"], notify_type=kind)
    return Outcome.DONE if delivered else Outcome.PRIVATE if guard.refused else Outcome.FAILED


if __name__ == "__main__":
    sys.exit(_main())
