"""The only module that knows the Docker SDK: a few blocking calls, their answers as plain data, their errors as ours.

The API's version is settled with the daemon (Docker 20.10 speaks 1.41, Docker 29 wants 1.44 at least). Each call makes its own
connection and has a timeout; call them in a thread.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import docker
from docker.errors import APIError, DockerException, NotFound
from docker.utils import parse_repository_tag
from requests.exceptions import RequestException

from sidecar.engine.cage import CONFIG, INSTANCE
from sidecar.errors import EngineAway, EngineError

TIMEOUT: Final = 15
"""Seconds for Docker to answer a call, or to send the next word of a long one."""
DEFAULT: Final = "unix:///var/run/docker.sock"


@dataclass(frozen=True, slots=True)
class Found:
    """A container of ours."""

    id: str
    name: str
    image: str
    """Image id."""
    config: str
    """The hash that its label carries."""
    state: str
    """created, running, restarting, exited, dead, removing, paused."""
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Host:
    """What of Docker's own setup matters to a container's."""

    version: str
    rootless: bool
    remapped: bool
    cores: int
    """Docker refuses a container that may use more."""


class Docker:
    """``url`` as in DOCKER_HOST. Every method raises EngineAway where Docker does not answer, EngineError where it refuses."""

    def __init__(self, url: str) -> None:
        self.url = url

    def host(self) -> Host:
        with self._api() as api:
            about = api.info()
            options = " ".join(about.get("SecurityOptions") or ())
            return Host(api.version()["Version"], "name=rootless" in options, "name=userns" in options, max(1, int(about.get("NCPU") or 1)))

    def image(self, name: str) -> str | None:
        """The id of image ``name``; None where Docker has none."""
        with self._api() as api:
            try:
                return str(api.inspect_image(name)["Id"])  # type: ignore[no-untyped-call]  # the stubs lack it
            except NotFound:
                return None

    def pull(self, name: str, progress: Callable[[str], bool]) -> None:
        """Fetch ``name`` from its registry; ``progress`` is told in words, and says whether to go on."""
        repository, tag = parse_repository_tag(name)
        with self._api() as api:
            layers: dict[str, tuple[int, int]] = {}
            words = "just begun"
            for step in cast(Iterator[Mapping[str, Any]], api.pull(repository, tag=tag or "latest", stream=True, decode=True)):
                if "error" in step:
                    raise EngineError(f"Docker cannot pull {name}: {step['error']}")
                detail = step.get("progressDetail") or {}
                if step.get("status") == "Downloading" and detail.get("total"):
                    layers[str(step.get("id"))] = (int(detail["current"]), int(detail["total"]))
                    done, whole = (sum(sizes) for sizes in zip(*layers.values(), strict=True))
                    words = f"{done / whole:.0%} of {whole / 1e6:.0f} MB"
                if not progress(words):
                    raise EngineAway(f"the pull of {name} was given up")

    def ours(self, instance: str) -> list[Found]:
        """Every container of ``instance``, whatever its state."""
        with self._api() as api:
            rows = api.containers(all=True, filters={"label": f"{INSTANCE}={instance}"})
            return [
                Found(
                    id=row["Id"],
                    name=row["Names"][0].removeprefix("/") if row.get("Names") else "",
                    image=row["ImageID"],
                    config=(row.get("Labels") or {}).get(CONFIG, ""),
                    state=row["State"],
                )
                for row in rows
            ]

    def look(self, container: str) -> Found | None:
        """A container as it is now; None where it is gone."""
        with self._api() as api:
            try:
                row = api.inspect_container(container)
            except NotFound:
                return None
            state = row["State"]
            labels = row["Config"].get("Labels") or {}
            return Found(row["Id"], row["Name"].removeprefix("/"), row["Image"], labels.get(CONFIG, ""), state["Status"], state["ExitCode"])

    def mounts(self, container: str) -> list[dict[str, Any]]:
        """What is mounted in ``container``."""
        with self._api() as api:
            return list(api.inspect_container(container)["Mounts"])

    def create(self, body: Mapping[str, Any], name: str) -> str:
        """Make a container; its id."""
        with self._api() as api:
            made = api.create_container_from_config(dict(body), name)  # type: ignore[no-untyped-call]  # the stubs lack it
            return str(made["Id"])

    def start(self, container: str) -> None:
        """Start it; nothing where it runs already."""
        with self._api() as api:
            api.start(container)

    def remove(self, container: str) -> None:
        """End it and take it away; nothing where it is gone, or going, already."""
        with self._api() as api:
            try:
                api.remove_container(container, force=True, v=True)
            except NotFound:
                return
            except APIError as error:
                if error.status_code != 409:  # the removal is already in progress
                    raise

    def words(self, container: str) -> str:
        """The last line that it printed."""
        with self._api() as api:
            text = api.logs(container, stdout=True, stderr=True, tail=20).decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1] if lines else "it said nothing"

    @contextlib.contextmanager
    def _api(self) -> Iterator[docker.APIClient]:
        _probe(self.url)
        try:
            api = docker.APIClient(base_url=self.url, version="auto", timeout=TIMEOUT)
        except (DockerException, RequestException, OSError) as error:
            raise EngineAway(f"Docker does not answer at {self.url}: {_words(error)}") from error
        try:
            yield api
        except APIError as error:
            raise EngineError(f"Docker refuses: {error.explanation or error}") from error
        except (DockerException, RequestException, OSError) as error:
            raise EngineAway(f"Docker does not answer at {self.url}: {_words(error)}") from error
        finally:
            api.close()


def _probe(url: str) -> None:
    """Knock first: the SDK words a closed door badly, and leaves its socket open."""
    if not url.startswith("unix://"):
        return
    path = url.removeprefix("unix://")
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(TIMEOUT)
        try:
            door.connect(path)
        except PermissionError as error:
            raise EngineAway(f"this user may not use Docker at {path}: add it to the group docker, or use engine socket") from error
        except OSError as error:
            raise EngineAway(f"Docker does not answer at {path}: {error.strerror or error}") from error


def _words(error: Exception) -> str:
    """The innermost reason, in one line."""
    inner: BaseException = error
    while inner.__cause__ is not None:
        inner = inner.__cause__
    return " ".join(str(inner).split())[:200]
