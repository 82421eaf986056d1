"""Docker daemons old and new: the API's version is theirs, what they say is understood, and what they refuse is told."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from sidecar.engine.container import ContainerEngine, Limits
from sidecar.engine.docker_api import Docker, Found
from sidecar.errors import EngineAway, EngineError

Answers = dict[str, tuple[int, Any]]
Serve = Callable[[str, str, Answers], Docker]

CONTAINER = {
    "Id": "c1",
    "Names": ["/kometa-sidecar-worker-x"],
    "ImageID": "sha256:1",
    "Labels": {"kometa-sidecar.instance": "x", "kometa-sidecar.config": "h"},
    "State": "running",
}


class Daemon(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    version: str
    least: str
    answers: Answers
    asked: list[str]


class Handler(BaseHTTPRequestHandler):
    server: Daemon

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: Any) -> None:
        self.server.asked.append(f"{self.command} {self.path.partition('?')[0]}")

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/version":
            self._say(200, {"ApiVersion": self.server.version, "MinAPIVersion": self.server.least, "Version": "x"})
            return
        prefix, _, rest = path[2:].partition("/")
        if tuple(map(int, prefix.split("."))) < tuple(map(int, self.server.least.split("."))):
            self._say(400, {"message": f"client version {prefix} is too old. Minimum supported API version is {self.server.least}"})
        else:
            self._say(*self.server.answers.get(f"{self.command} /{rest}", (404, {"message": "No such image"})))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def _say(self, status: int, body: Any) -> None:
        content = b"" if status == 204 else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def serve(short_dir: Path) -> Iterator[Serve]:
    servers: list[Daemon] = []

    def start(version: str, least: str, answers: Answers) -> Docker:
        path = short_dir / f"{len(servers)}.sock"
        server = Daemon(str(path), Handler)
        server.version, server.least, server.answers, server.asked = version, least, answers, []
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        docker = Docker(f"unix://{path}")
        docker.asked = server.asked  # type: ignore[attr-defined]
        return docker

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("version", "least"), [("1.41", "1.12"), ("1.52", "1.44")], ids=["Docker 20.10", "Docker 29"])
def test_the_daemons_own_version_is_spoken(serve: Serve, version: str, least: str) -> None:
    docker = serve(
        version,
        least,
        {
            "GET /info": (200, {"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"], "NCPU": 2}),
            "GET /version": (200, {"Version": "x", "ApiVersion": version}),
            "GET /images/worker:1/json": (200, {"Id": "sha256:1"}),
            "GET /containers/json": (200, [CONTAINER]),
            "POST /containers/create": (201, {"Id": "c1"}),
            "POST /containers/c1/start": (204, None),
            "DELETE /containers/c1": (204, None),
        },
    )
    host = docker.host()
    assert (host.rootless, host.remapped, host.cores) == (True, False, 2)
    assert docker.image("worker:1") == "sha256:1"
    assert docker.ours("x") == [Found("c1", "kometa-sidecar-worker-x", "sha256:1", "h", "running")]
    assert docker.create({"Image": "sha256:1"}, "kometa-sidecar-worker-x") == "c1"
    docker.start("c1")
    docker.remove("c1")
    docker.remove("c2")
    asked: list[str] = docker.asked  # type: ignore[attr-defined]
    assert f"POST /v{version}/containers/create" in asked
    assert all(line.split()[1].startswith((f"/v{version}/", "/version")) for line in asked)


def test_what_is_missing_and_what_is_refused(serve: Serve) -> None:
    docker = serve("1.41", "1.12", {"POST /containers/create": (409, {"message": "Conflict. The name is already in use"})})
    assert docker.image("worker:1") is None
    assert docker.look("c1") is None
    with pytest.raises(EngineError, match=r"Docker refuses: Conflict\. The name is already in use"):
        docker.create({}, "x")


def test_nobody_answers(short_dir: Path) -> None:
    with pytest.raises(EngineAway, match="Docker does not answer at"):
        Docker(f"unix://{short_dir}/none.sock").host()


@pytest.mark.parametrize(("asked", "given"), [(4.0, 2.0), (1.5, 1.5)])
def test_no_more_cores_are_asked_for_than_docker_has(serve: Serve, tmp_path: Path, asked: float, given: float) -> None:
    """They can be fewer than this process sees: Docker refuses the container then."""
    docker = serve("1.41", "1.12", {"GET /info": (200, {"NCPU": 2}), "GET /version": (200, {"Version": "x"})})
    engine = ContainerEngine(
        docker,
        "worker:1",
        tmp_path / "exchange",
        identity=tmp_path / "instance",
        cache=tmp_path / "cache",
        shelf=tmp_path / "shelf",
        spawn=lambda _work, _name: pytest.fail("nothing is started"),
        tell=pytest.fail,
        limits=Limits(cpus=asked),
    )
    assert engine._wish("sha256:1").cpus == given
