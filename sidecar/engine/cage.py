"""What a worker's container is allowed: the whole of it is said here, by pure functions.

No network at all, no privilege, no device, nothing of the host but four directories: the gateway's socket (read-only), the
worker's own socket, Kometa's working directories, and a cache. ``payload`` is the body of Docker's "create a container".
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from sidecar.errors import EngineError

INSTANCE: Final = "kometa-sidecar.instance"
"""Label: whose container it is."""
CONFIG: Final = "kometa-sidecar.config"
"""Label: the hash of everything below but the image; another one means that the container is made anew."""

EXCHANGE: Final = PurePosixPath("/exchange")
CACHE: Final = PurePosixPath("/cache")
"""Where the worker finds them; renderer/Dockerfile makes both."""

RESTARTS: Final = 5
"""How often Docker restarts a worker that fails; then the sidecar decides."""
LINGER: Final = 120
"""Seconds after which a worker ends that no sidecar is connected to: nothing runs on for a sidecar that was killed."""
NOBODY: Final = (65532, 65532)
"""User and group of the worker where the sidecar is root."""
TMP: Final = 256 * 1024**2
"""Bytes of /tmp, which is memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A worker's container, as far as it differs from sidecar to sidecar."""

    instance: str
    image: str
    """Name or id."""
    exchange: str
    """Path on Docker's host."""
    cache: str
    """Path on Docker's host."""
    user: tuple[int, int]
    memory: int = 4 * 1024**3
    """Bytes, swap included."""
    pids: int = 256
    cpus: float = 2.0
    layout: str = "auto"
    nice: int = 5
    off: tuple[str, ...] = ()
    remapped: bool = False
    """Docker's daemon remaps users (userns-remap): not for this container, as it shares files with the sidecar."""
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The container's name; Docker lets only one have it."""
        return f"kometa-sidecar-worker-{self.instance}"


def payload(wish: Wish) -> dict[str, Any]:
    """The body of POST /containers/create (Docker API 1.41 and later)."""
    body: dict[str, Any] = {
        "Image": wish.image,
        "Cmd": _arguments(wish),
        "User": "{}:{}".format(*wish.user),
        "Env": sorted(f"{name}={value}" for name, value in {"HOME": "/tmp", **wish.env}.items()),  # noqa: S108 - in the container
        "NetworkDisabled": True,
        "Healthcheck": {"Test": ["NONE"]},  # the sidecar is connected to it; a check's connection would look like another sidecar
        "StopSignal": "SIGTERM",
        "HostConfig": _host_config(wish),
    }
    digest = hashlib.sha256(json.dumps({**body, "Image": ""}, sort_keys=True).encode()).hexdigest()[:16]
    return {**body, "Labels": {INSTANCE: wish.instance, CONFIG: digest}}


def _arguments(wish: Wish) -> list[str]:
    arguments = ["--socket", str(EXCHANGE / "worker" / "worker.sock"), "--cache", str(CACHE), "--layout", wish.layout]
    arguments += ["--nice", str(wish.nice), "--linger", str(LINGER)]
    return arguments + [argument for name in wish.off for argument in ("--off", name)]


def _host_config(wish: Wish) -> dict[str, Any]:
    shares = [
        _mount(f"{wish.exchange}/gateway", EXCHANGE / "gateway", read_only=True),
        _mount(f"{wish.exchange}/worker", EXCHANGE / "worker"),
        _mount(f"{wish.exchange}/work", EXCHANGE / "work"),
        _mount(wish.cache, CACHE),
    ]
    config: dict[str, Any] = {
        "NetworkMode": "none",
        "ReadonlyRootfs": True,
        "Tmpfs": {
            "/tmp": f"rw,noexec,nosuid,nodev,size={TMP},mode=1777",  # noqa: S108 - in the container
            "/config": "ro,noexec,nosuid,nodev,size=4096",  # the official image declares a volume there, which nobody would take away
        },
        "Mounts": shares,
        "CapDrop": ["ALL"],
        "CapAdd": [],
        "SecurityOpt": ["no-new-privileges:true"],
        "Privileged": False,
        "Devices": [],
        "IpcMode": "private",
        "PidMode": "",
        "CgroupnsMode": "private",
        "UsernsMode": "host" if wish.remapped else "",
        "Memory": wish.memory,
        "MemorySwap": wish.memory,
        "PidsLimit": wish.pids,
        "NanoCpus": int(wish.cpus * 1e9),
        "ShmSize": 16 * 1024**2,
        "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}, {"Name": "nofile", "Soft": 4096, "Hard": 4096}],
        "OomScoreAdj": 500,
        "Init": False,  # the worker is made to be process 1: it takes in orphans itself
        "AutoRemove": False,
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": RESTARTS},
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}},
    }
    return config


def _mount(source: str, target: PurePosixPath, *, read_only: bool = False) -> dict[str, Any]:
    # No propagation is asked for: Docker's own choice is private, but below its data directory (a volume), where that may not be.
    return {"Type": "bind", "Source": source, "Target": str(target), "ReadOnly": read_only}


def user_of(uid: int, gid: int, *, rootless: bool) -> tuple[int, int]:
    """As whom the worker runs: as the sidecar, so that both may use the sockets; never as root.

    In rootless Docker the container's root is the unprivileged user that Docker runs as, and the only one who may.
    """
    if rootless:
        return 0, 0
    return (uid, gid) if uid != 0 else NOBODY


_OWN = re.compile(r"/containers/([0-9a-f]{64})/(?:hostname|hosts|resolv\.conf)$")


def own_container(mountinfo: str) -> str | None:
    """The id of the container that this process runs in, from /proc/self/mountinfo (proc(5)); None outside of Docker."""
    for line in mountinfo.splitlines():
        fields = line.split(" ")
        if len(fields) > 4 and (found := _OWN.search(fields[3])) and fields[4].startswith("/etc/"):
            return found[1]
    return None


def on_host(path: Path, mounts: Iterable[Mapping[str, Any]]) -> str:
    """``path`` of this container as Docker's host knows it; ``mounts`` are those of this container (docker inspect).

    EngineError where it lies on no mount: then no other container can have it.
    """
    best: tuple[int, str] | None = None
    for mount in mounts:
        target, source = PurePosixPath(str(mount.get("Destination", "/"))), str(mount.get("Source", ""))
        if source and path.is_relative_to(target) and (best is None or len(target.parts) > best[0]):
            best = (len(target.parts), str(PurePosixPath(source) / path.relative_to(target)))
    if best is None:
        raise EngineError(f"{path} lies in this container alone: put it on a volume, so that the worker's container can share it")
    return best[1]
