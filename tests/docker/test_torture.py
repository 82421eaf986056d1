"""Three kills at random moments; ``python -m tests.docker.torture --rounds 50`` makes many, of every kind."""

from __future__ import annotations

import os
import random
import shutil

import pytest

from tests.docker.torture import torture

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker"), pytest.mark.timeout(600)]


async def test_nothing_is_lost_doubled_or_left(docker_daemon: str) -> None:
    missing = [name for name in ("docker", "dockerd", "containerd", "unshare") if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        pytest.skip("no second Docker daemon: that needs root, dockerd and containerd")
    kinds = ["worker", "dockerd", "sidecar"]
    chance = random.Random()
    chance.shuffle(kinds)
    tally = await torture(kinds, chance)
    assert tally.killed == dict.fromkeys(kinds, 1)
    assert tally.runs["done"] == 1 + len(kinds)
