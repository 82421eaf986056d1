"""The cage, each in a process of its own: it cannot be left again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from renderer import cage
from tests.renderer.talk import ROOT

ROOT_USER = os.getuid() == 0


def caged(program: str, *, user: int | None = None) -> list[str]:
    """Lines that ``program`` prints, run after ``sys.path`` and ``cage`` are there, as ``user`` where given."""
    text = f"import os, socket, sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom renderer import cage\n"
    if user is not None:
        text += f"import ctypes, encodings.idna\nos.setgroups([])\nos.setgid({user})\nos.setuid({user})\n"
        text += "ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)\n"  # PR_SET_DUMPABLE, as after an exec: /proc/self is the user's own
    done = subprocess.run([sys.executable, "-c", text + program], capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    return done.stdout.splitlines()


REACH = """
print(cage.enter(), os.getuid() == before[0], os.getgid() == before[1])
print([name for _, name in socket.if_nameindex()])
try:
    socket.create_connection(("127.0.0.1", port), timeout=2).close()
    print("reached")
except OSError as error:
    print("unreachable")
path = os.path.join(folder, "file")
open(path, "w").close()
print(os.stat(path).st_uid == before[0])
"""


def reach(user: int | None, folder: Path) -> list[str]:
    with socket_listener() as port:
        return caged(f"before = os.getuid(), os.getgid()\nport, folder = {port}, {str(folder)!r}\n{REACH}", user=user)


class socket_listener:  # noqa: N801  # used like a function
    """A TCP server on loopback that somebody outside the cage could reach."""

    def __enter__(self) -> int:
        import socket

        self.link = socket.create_server(("127.0.0.1", 0))
        return int(self.link.getsockname()[1])

    def __exit__(self, *_ignored: object) -> None:
        self.link.close()


@pytest.mark.parametrize(
    "user", [None, pytest.param(65534, marks=pytest.mark.skipif(not ROOT_USER, reason="needs root to be another user"))]
)
def test_the_network_is_gone_and_files_stay_ones_own(user: int | None, short_dir: Path) -> None:
    short_dir.chmod(0o777)
    wall, interfaces, reached, owner = reach(user, short_dir)
    if wall.startswith("refused"):
        pytest.skip("this kernel gives no network namespace")
    assert (wall, interfaces, reached, owner) == ("none True True", "['lo']", "unreachable", "True")


def test_without_a_namespace_the_wall_is_named(short_dir: Path) -> None:
    """Where unshare is refused nothing is half done: identity and network are as before."""
    lines = caged("cage._unshare = lambda flags: False\ncage.isolated = lambda: False\nprint(cage.enter(), os.getuid())")
    assert lines == [f"refused {os.getuid()}"]


def test_the_guard_names_what_it_refuses() -> None:
    lines = caged(
        """
guard = cage.Guard()
guard.install()
guard.report = print
for attempt in (
    lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
    lambda: socket.getaddrinfo("plex.tv", 443),
    lambda: socket.gethostbyname("plex.tv"),
    lambda: socket.create_server(("127.0.0.1", 0)),
):
    try:
        attempt()
        print("NOT REFUSED")
    except OSError:
        pass
one, two = socket.socketpair()
one.send(b"x")
print(two.recv(1))
one.close(); two.close()
"""
    )
    assert [line.partition(": ")[2].partition(" ")[0] for line in lines[:-1]] == [
        "socket.getaddrinfo",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.bind",
    ]
    assert lines[-1] == "b'x'"


def test_only_the_gateways_socket_is_left(short_dir: Path) -> None:
    lines = caged(
        f"""
guard = cage.Guard()
guard.install()
servers = []
for name in ("gateway", "docker"):
    server = socket.socket(socket.AF_UNIX)
    server.bind({str(short_dir)!r} + "/" + name)
    server.listen()
    servers.append(server)
guard.only({str(short_dir)!r} + "/gateway")
for name in ("gateway", "docker"):
    link = socket.socket(socket.AF_UNIX)
    try:
        link.connect({str(short_dir)!r} + "/" + name)
        print(name, "connected")
    except cage.NetworkRefused:
        print(name, "refused")
    link.close()
for server in servers:
    server.close()
"""
    )
    assert lines == ["gateway connected", "docker refused"]


def test_the_environment_is_scrubbed() -> None:
    kept = cage.scrub(
        {"PATH": "/bin", "KOMETA_TMDBKEY": "secret", "PMM_X": "secret", "LC_ALL": "C", "HTTPS_PROXY": "http://p", "KOMETA_DOCKER": "True"}
    )
    assert kept == {
        "PATH": "/bin",
        "LC_ALL": "C",
        "KOMETA_DOCKER": "True",
        "NETRC": os.devnull,
        "PLEXAPI_CONFIG_PATH": os.devnull,
        "GIT_PYTHON_REFRESH": "quiet",
    }


def test_privileges_and_core_dumps_are_off() -> None:
    program = "print(resource.getrlimit(resource.RLIMIT_CORE))\nprint(open('/proc/self/status').read())"
    lines = caged(f"import resource\ncage.no_new_privileges()\n{program}")
    assert lines[0] == "(0, 0)"
    assert "NoNewPrivs:\t1" in lines
