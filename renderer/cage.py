"""What keeps the worker away from the network, from secrets and from outliving its daemon. Linux; elsewhere only the guard.

Two walls. An empty network namespace (``enter``), where the kernel allows one: nothing but a loopback that is down, so
that no code at all can reach anything. And a guard in the interpreter (``Guard``) on every socket that Python opens:
it names what was tried, works without any privilege, and leaves just one way out, the gateway's unix socket. Native code
could pass the guard, so ``hello`` says which wall stands.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38

KEPT = frozenset(
    {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_DATA_DIRS", "KOMETA_DOCKER", "KOMETA_LINUXSERVER", "BRANCH_NAME"}
)
"""Environment variables a worker may know; with LC_*. XDG_DATA_DIRS decides which fonts Kometa finds, KOMETA_DOCKER how it
looks at itself. Every other KOMETA_* is an argument or a secret of somebody's own Kometa."""

LARGEST = 512 * 1024 * 1024
"""Bytes of a file that a child writes; Kometa's largest are pictures of a few MB."""

_NAMES = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"})
_SOCKETS = frozenset({"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"})


def scrub(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment a worker runs with: ``KEPT``, and no way back to a user's own credentials (.netrc, plexapi's config.ini)."""
    kept = {key: value for key, value in environ.items() if key in KEPT or key.startswith("LC_")}
    return {**kept, "NETRC": os.devnull, "PLEXAPI_CONFIG_PATH": os.devnull, "GIT_PYTHON_REFRESH": "quiet"}


class NetworkRefused(ConnectionRefusedError):
    """Something in the worker tried to use the network. An OSError, so that Kometa takes it for a network that is down."""


class Guard:
    """Refuses every socket use but AF_UNIX; once ``only`` was called, every unix socket but one. Cannot be taken off again.

    Needs no privilege. Sees what goes through Python's ``socket`` (PEP 578's audit events), not what a C library does.
    """

    def __init__(self) -> None:
        self._path: str | None = None
        self.report: Callable[[str], None] | None = None

    def install(self) -> None:
        sys.addaudithook(self._audit)

    def only(self, path: str) -> None:
        """From now on ``path`` is the only socket that may be connected to."""
        self._path = path

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event in _NAMES:
            self._refuse(f"{event} of {args[0]!r}")
        elif event in _SOCKETS:
            family = args[0].family
            if family != socket.AF_UNIX:
                self._refuse(f"{event} to {args[1]!r}")
            if self._path is not None and event == "socket.connect" and os.fsdecode(args[1]) != self._path:
                self._refuse(f"{event} to {args[1]!r}")

    def _refuse(self, what: str) -> None:
        message = f"the worker has no network: {what} refused"
        if self.report is not None:
            self.report(message)
        raise NetworkRefused(message)


def enter() -> str:
    """Enter an empty network namespace. ``none`` where nothing but loopback is left, else ``refused`` (the guard alone).

    Call it before any thread exists (unshare(2): CLONE_NEWUSER needs a single-threaded process). Tried in a child first,
    because a half-made user namespace cannot be left again. Root needs no user namespace and keeps its rights to files;
    anybody else keeps uid and gid by a map of one entry.
    """
    if isolated():
        return "none"
    for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET):
        if _in_child(flags) and _unshare(flags):
            break
    return "none" if isolated() else "refused"


def isolated() -> bool:
    """Whether this process has no network interface but loopback."""
    try:
        names = [name for _, name in socket.if_nameindex()]
    except OSError:  # it asks through a netlink socket, which a service may be forbidden
        try:
            lines = Path("/proc/self/net/dev").read_text(encoding="ascii").splitlines()[2:]
        except (OSError, ValueError):
            return False
        names = [line.partition(":")[0].strip() for line in lines]
    return all(name == "lo" for name in names)


def _in_child(flags: int) -> bool:
    pid = os.fork()
    if pid == 0:
        done = False
        try:
            done = _unshare(flags) and isolated()
        finally:
            os._exit(0 if done else 1)
    return os.waitpid(pid, 0)[1] == 0


def _unshare(flags: int) -> bool:
    uid, gid = os.getuid(), os.getgid()
    libc = _libc()
    if libc is None or libc.unshare(flags) != 0:
        return False
    if flags & _CLONE_NEWUSER:
        try:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
        except OSError:
            return False
    return True


def no_new_privileges() -> None:
    """No set-uid program gains anything here (prctl(2)); no core dump either, as it would hold grants."""
    libc = _libc()
    if libc is not None:
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if resource.getrlimit(resource.RLIMIT_CORE) != (0, 0):  # a service manager may have set it, and forbidden the call
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def die_with(parent: int) -> None:
    """Be killed when ``parent`` (the pid of our parent process) dies. Exits at once where it is dead already.

    To be called after ``enter``: the kernel forgets the wish when credentials change (prctl(2), PR_SET_PDEATHSIG).
    """
    libc = _libc()
    if libc is None:
        return
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def bound_files() -> None:
    """No file of this process grows beyond LARGEST: a log that has no end must not fill the disk. Writing more is an OSError."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = LARGEST if most == resource.RLIM_INFINITY else min(LARGEST, most)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))


def first_to_go() -> None:
    """Where memory runs out, the kernel takes this process before others (proc(5), oom_score_adj)."""
    try:
        Path("/proc/self/oom_score_adj").write_text("900")
    except OSError:
        return  # not Linux, or not allowed: a wish only


def _libc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    return ctypes.CDLL(None, use_errno=True)
