"""A worker process and a plain socket to it: the protocol as bytes, without the sidecar's client."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from renderer.protocol import Decoder, encode

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0


def unfold(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """``messages`` with the lines that were sent together as messages of their own."""
    one = [
        [{**message, "type": "log", "level": level, "text": text, "source": source} for level, text, source in message["lines"]]
        if message["type"] == "lines"
        else [message]
        for message in messages
    ]
    return [message for several in one for message in several]


class Talk:
    """One connection. Messages are kept in the order they came."""

    def __init__(self, path: Path) -> None:
        self.link = socket.socket(socket.AF_UNIX)
        self.link.settimeout(PATIENCE)
        try:
            self.link.connect(str(path))
        except OSError:
            self.link.close()
            raise
        self.decoder = Decoder()
        self.queue: list[dict[str, Any]] = []
        self.hello = self.take("hello")[-1]

    def send(self, **message: Any) -> None:
        self.link.sendall(encode(message))

    def take(self, until: str, wanted: Callable[[dict[str, Any]], bool] = lambda _message: True) -> list[dict[str, Any]]:
        """All messages up to the first of type ``until`` that is ``wanted``, that one included."""
        taken = []
        while True:
            while self.queue:
                message = self.queue.pop(0)
                taken.append(message)
                if message["type"] == until and wanted(message):
                    return taken
            data = self.link.recv(65536)
            if not data:
                raise EOFError(f"closed before {until}: {taken}")
            self.queue += unfold(self.decoder.feed(data))

    def render(self, *homes: Path, job: str = "job", gateway: str = "/nowhere", deadline: float = 20, **options: Any) -> None:
        shards = [{"index": number, "home": str(home), "token": f"token-{number}"} for number, home in enumerate(homes)]
        self.send(type="render", id=job, gateway=gateway, deadline=deadline, shards=shards, options=options)

    def run(self, *homes: Path, **more: Any) -> list[dict[str, Any]]:
        self.render(*homes, **more)
        return self.take("done")

    def close(self) -> None:
        self.link.close()


class Worker:
    """A worker's process."""

    def __init__(self, process: subprocess.Popen[str], path: Path) -> None:
        self.process = process
        self.path = path
        self.talks: list[Talk] = []

    def talk(self) -> Talk:
        """A connection, as soon as there is one to be had."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                talk = Talk(self.path)
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"no worker: {self.process.communicate(timeout=5)}") from None
                time.sleep(0.02)
            else:
                self.talks.append(talk)
                return talk


@contextmanager
def worker(kometa: Path, scratch: Path, *arguments: str, python: str = sys.executable, **env: str) -> Iterator[Worker]:
    """A worker for ``kometa``, started as an engine does."""
    path = scratch / "w.sock"
    library = scratch / "lib"
    library.mkdir(exist_ok=True)
    if not (library / "renderer").exists():
        (library / "renderer").symlink_to(ROOT / "renderer")
    command = [python, "-m", "renderer", "--kometa", str(kometa), "--socket", str(path), "--cache", str(scratch / "cache"), *arguments]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(library), **env}
    process = subprocess.Popen(
        command, cwd=library, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    made = Worker(process, path)
    try:
        yield made
    finally:
        for talk in made.talks:
            talk.close()
        process.terminate()
        try:
            process.communicate(timeout=10)
        finally:
            process.kill()
            process.wait()


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(*pids: int, within: float = 5.0) -> bool:
    """Whether all of ``pids`` end within some seconds."""
    end = time.monotonic() + within
    while any(alive(pid) for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def logs(messages: list[dict[str, Any]], *levels: str) -> list[str]:
    return [message["text"] for message in messages if message["type"] == "log" and (not levels or message["level"] in levels)]
