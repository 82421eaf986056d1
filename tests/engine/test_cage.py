"""What a worker's container is allowed: a snapshot, and who it runs as, and where its directories are on Docker's host."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.engine.cage import CONFIG, NOBODY, Wish, on_host, own_container, payload, user_of
from sidecar.errors import EngineError

WISH = Wish(instance="0123456789ab", image="sha256:1", exchange="/data/exchange", cache="/data/cache/container", user=(1000, 1001))
SNAPSHOT = Path(__file__).with_name("container.json")


def test_the_container_is_what_the_snapshot_says() -> None:
    """Any change of what a container may do shows in the snapshot's diff."""
    assert payload(WISH) == json.loads(SNAPSHOT.read_text())


def test_nothing_opens_the_cage() -> None:
    host = payload(replace(WISH, memory=1, pids=2, cpus=0.5, layout="basic", off=("all",), remapped=True))["HostConfig"]
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["Privileged"]) == ("none", True, False)
    assert (host["CapDrop"], host["CapAdd"], host["Devices"]) == (["ALL"], [], [])
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"], host["NanoCpus"]) == (1, 1, 2, 500_000_000)
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 5}
    assert {mount["Target"] for mount in host["Mounts"]} == {"/exchange/gateway", "/exchange/worker", "/exchange/work", "/cache"}
    assert [mount["Target"] for mount in host["Mounts"] if mount["ReadOnly"]] == ["/exchange/gateway"]
    assert "docker.sock" not in json.dumps(host)
    assert "Binds" not in host
    assert host["UsernsMode"] == "host"


def test_the_label_tells_every_other_configuration_apart() -> None:
    others = [
        replace(WISH, exchange="/e"),
        replace(WISH, cache="/c"),
        replace(WISH, user=(1, 1)),
        replace(WISH, memory=5),
        replace(WISH, pids=5),
        replace(WISH, cpus=1.0),
        replace(WISH, layout="raqm"),
        replace(WISH, nice=1),
        replace(WISH, off=("all",)),
        replace(WISH, remapped=True),
    ]
    assert len({payload(wish)["Labels"][CONFIG] for wish in (WISH, *others)}) == 1 + len(others)
    assert payload(replace(WISH, image="sha256:2"))["Labels"] == payload(WISH)["Labels"], "the image's id is compared by itself"


@pytest.mark.parametrize(
    ("uid", "rootless", "user"), [(1000, False, (1000, 1000)), (0, False, NOBODY), (0, True, (0, 0)), (1000, True, (0, 0))]
)
def test_the_worker_runs_as_the_sidecar_but_never_as_root(uid: int, rootless: bool, user: tuple[int, int]) -> None:
    assert user_of(uid, uid, rootless=rootless) == user


ID = "0f" * 32
MOUNTINFO = f"""
733 631 0:52 / / rw,relatime - overlay overlay rw
741 733 254:1 /var/lib/docker/containers/{ID}/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/vda1 rw
742 733 254:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw,relatime - ext4 /dev/vda1 rw
"""


def test_a_process_knows_its_own_container() -> None:
    assert own_container(MOUNTINFO) == ID
    assert own_container("733 631 0:52 / / rw,relatime - ext4 /dev/vda1 rw\n") is None
    assert own_container(f"1 2 3:4 /var/lib/docker/containers/{ID}/hostname /mnt/x rw - ext4 x rw") is None


def test_paths_are_dockers_own() -> None:
    mounts = [
        {"Destination": "/data", "Source": "/var/lib/docker/volumes/data/_data", "Type": "volume"},
        {"Destination": "/data/exchange", "Source": "/srv/x"},
        {"Destination": "/tmp", "Source": ""},
    ]
    assert on_host(Path("/data/cache/c"), mounts) == "/var/lib/docker/volumes/data/_data/cache/c"
    assert on_host(Path("/data/exchange"), mounts) == "/srv/x"
    with pytest.raises(EngineError, match="put it on a volume"):
        on_host(Path("/tmp/x"), mounts)
    with pytest.raises(EngineError):
        on_host(Path("/database"), mounts)


@given(st.lists(st.sampled_from(["a", "b", "data", "x.y"]), max_size=5))
def test_on_a_plain_host_every_path_is_itself(parts: list[str]) -> None:
    path = Path("/", *parts)
    assert on_host(path, [{"Source": "/", "Destination": "/"}]) == str(path)
