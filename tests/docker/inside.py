"""Run inside the worker's container (``docker exec -i ... python3 -c``): what can be reached and read from there, as JSON.

Standard library only. Its first line of stdin says what to try: addresses, names, secrets to look for.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from pathlib import Path
from typing import Any


def reach(wanted: dict[str, Any]) -> dict[str, str]:
    """What came of each attempt; ``reached`` is what must never be there."""
    told = {}
    for host, port in wanted["addresses"]:
        for kind, name in ((socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")):
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            try:
                with socket.socket(family, kind) as link:
                    link.settimeout(2)
                    link.connect((host, port))
                    link.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    link.recv(1)  # a datagram can be sent to nobody; an answer cannot come from nobody
                    told[f"{name} {host}:{port}"] = "reached"
            except OSError as error:
                told[f"{name} {host}:{port}"] = f"{type(error).__name__}: {error}"
    for name in wanted["names"]:
        try:
            socket.getaddrinfo(name, 443)
            told[f"name {name}"] = "reached"
        except OSError as error:
            told[f"name {name}"] = f"{type(error).__name__}: {error}"
    return told


def read(secrets: list[bytes]) -> tuple[list[str], dict[str, int]]:
    """Where a secret was found, and how much was looked through: environments, command lines, files, memory of processes."""
    found: list[str] = []
    looked = {"files": 0, "processes": 0, "memory": 0}

    def look(place: str, content: bytes) -> None:
        found.extend(place for secret in secrets if secret in content)

    for pid in (path.name for path in Path("/proc").iterdir() if path.name.isdigit() and int(path.name) != os.getpid()):
        looked["processes"] += 1
        for part in ("environ", "cmdline"):
            try:
                look(f"/proc/{pid}/{part}", Path(f"/proc/{pid}/{part}").read_bytes())
            except OSError:
                continue
        try:
            maps = Path(f"/proc/{pid}/maps").read_text()
            with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
                for start, end in re.findall(r"(?m)^([0-9a-f]+)-([0-9a-f]+) rw", maps):
                    try:
                        memory.seek(int(start, 16))
                        content = memory.read(int(end, 16) - int(start, 16)) or b""
                    except (OSError, OverflowError, ValueError):
                        continue
                    looked["memory"] += len(content)
                    look(f"/proc/{pid}/mem", content)
        except OSError:
            continue
    for top in ("/exchange", "/cache", "/tmp", "/config", "/etc", "/run", "/var", "/root", "/home"):
        for folder, _, names in os.walk(top):
            for name in names:
                path = Path(folder, name)
                try:
                    if path.is_file():
                        looked["files"] += 1
                        look(str(path), path.read_bytes())
                except OSError:
                    continue
    return found, looked


def writes() -> list[str]:
    """Directories that can be written."""
    able = []
    for folder in (
        "/",
        "/sidecar",
        "/sidecar/renderer",
        "/etc",
        "/config",
        "/exchange",
        "/exchange/gateway",
        "/modules",
        "/proc/sys/kernel",
    ):
        try:
            Path(folder, "written").touch()
            able.append(folder)
        except OSError:
            continue
    return able


def gateway() -> str:
    """What the gateway says to somebody without a grant."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        link.connect("/exchange/gateway/gateway.sock")
        link.sendall(
            b"GET /library/sections HTTP/1.1\r\nHost: x\r\nX-Sidecar-Origin: http://plex-0.plex.invalid:32400\r\nConnection: close\r\n\r\n"
        )
        return link.recv(200).split(b"\r\n")[0].decode()


def main() -> None:
    wanted = json.loads(sys.stdin.readline())
    found, looked = read([secret.encode() for secret in wanted["secrets"]])
    status = dict(line.split(":\t", 1) for line in Path("/proc/1/status").read_text().splitlines() if ":\t" in line)
    report = {
        "reach": reach(wanted),
        "found": found,
        "looked": looked,
        "writes": writes(),
        "gateway": gateway(),
        "interfaces": [name for _, name in socket.if_nameindex()],
        "routes": len(Path("/proc/net/route").read_text().splitlines()) - 1,
        "uid": os.getuid(),
        "status": {key: status[key].strip() for key in ("Uid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")},
        "mounts": sorted(
            line.split()[1]
            for line in Path("/proc/self/mounts").read_text().splitlines()
            if line.split()[1].startswith(("/exchange", "/cache"))
        ),
        "docker": [path for path in ("/var/run/docker.sock", "/run/docker.sock") if Path(path).exists()],
    }
    sys.stdout.write(json.dumps(report))


main()
