"""A Docker daemon that runs containers, worker images made for the test, and what is left behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest

from sidecar.engine.docker_api import DEFAULT, Docker
from tests.cold import KometaInstall
from tests.docker.image import worker_image


@pytest.fixture
def docker(docker_daemon: str) -> Iterator[Docker]:
    """The daemon; no container of ours may be left on it."""

    def ours() -> set[str]:
        listed = subprocess.run(
            ["docker", "ps", "-aq", "--filter", "label=kometa-sidecar.instance"], capture_output=True, text=True, check=True
        )
        return set(listed.stdout.split())

    before = ours()
    yield Docker(os.environ.get("DOCKER_HOST") or DEFAULT)
    left = ours() - before
    for container in left:
        subprocess.run(["docker", "rm", "-f", container], capture_output=True, check=True)
    assert not left


@pytest.fixture(scope="session")
def image_of(docker_daemon: str) -> Callable[[KometaInstall], str]:
    """The name of the worker image of a Kometa; made once."""
    made: dict[str, str] = {}

    def image(kometa: KometaInstall) -> str:
        if kometa.kind not in made:
            made[kometa.kind] = worker_image(kometa)
        return made[kometa.kind]

    return image
