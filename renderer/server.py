"""The fork server: one thread, one selector. Takes jobs over a unix socket, forks a child per shard, passes on what they say.

The parent never runs Kometa and never blocks: children talk through pipes, connections have bounded buffers, ends come as
SIGCHLD. Whatever a child does (crash, hang, flood, fork on its own) is the child's; a job ends when all of its children are
reaped. Cancel, deadline and a connection that closes all mean SIGKILL for the process groups: a render has nothing to save.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from renderer.orders import BadOrder, Job, parse
from renderer.protocol import Decoder, ProtocolError, encode
from renderer.run import Order

MAX_CONNECTIONS = 8
SOFT_BUFFER = 2 * 1024 * 1024
"""Bytes waiting for a sidecar that does not read: from here on its log lines are dropped, and counted."""
HARD_BUFFER = 24 * 1024 * 1024
"""From here on the connection is closed, which cancels its job."""
READ = 64 * 1024
_RANK = ("finished", "failed", "crashed", "deadline", "cancelled")

Spawn = Callable[[Order, Callable[[], None]], "tuple[int, int, int]"]
"""Forks a child for an order; returns its pid, its report pipe and its output pipe. Calls the function in the child first."""


class _Connection:
    """One sidecar. Output waits here, so that a slow reader stops nobody."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.decoder = Decoder()
        self.waiting = bytearray()
        self.dropped = 0
        self.broken = False

    def send(self, message: dict[str, Any]) -> None:
        if self.broken:
            return
        if message["type"] == "log" and len(self.waiting) > SOFT_BUFFER:
            self.dropped += 1
            return
        if self.dropped and len(self.waiting) < SOFT_BUFFER // 2 and "id" in message:
            lost, self.dropped = self.dropped, 0
            text = f"{lost} log lines were left out: they came faster than they were read"
            self._queue(
                {"type": "log", "id": message["id"], "shard": message.get("shard", 0), "level": "WARNING", "text": text, "source": "worker"}
            )
        self._queue(message)

    def _queue(self, message: dict[str, Any]) -> None:
        try:
            self.waiting += encode(message)
        except ProtocolError:
            return  # a message that no frame can hold was too long to be of use
        if len(self.waiting) > HARD_BUFFER:
            self.broken = True
        self.flush()

    def flush(self) -> None:
        while self.waiting and not self.broken:
            try:
                del self.waiting[: self.link.send(self.waiting)]
            except BlockingIOError:
                return
            except OSError:
                self.broken = True


@dataclass
class _Child:
    """One shard's process, as its parent sees it."""

    shard: int
    pid: int = 0
    report: int = -1
    output: int = -1
    started: float = 0.0
    decoder: Decoder = field(default_factory=Decoder)
    result: tuple[str, str] | None = None
    partial: bytes = b""
    printed: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    prints: int = 0
    ended: bool = False


class Server:
    """Listens until ``shutdown`` or SIGTERM. ``hello`` is sent to whoever connects; ``spawn`` forks (see ``Spawn``)."""

    def __init__(self, path: Path, hello: dict[str, Any], spawn: Spawn, *, parent_pipe: int | None = None) -> None:
        self._path = path
        self._hello = hello
        self._spawn = spawn
        self._selector = selectors.DefaultSelector()
        self._connections: list[_Connection] = []
        self._job: Job | None = None
        self._owner: _Connection | None = None
        self._children: list[_Child] = []
        self._ending = ""
        self._stopping = False
        self._started = 0.0
        self._parent_pipe = parent_pipe
        self._wake_out, self._wake_in = socket.socketpair()
        self._listener = _listen(path)

    # ── the loop ─────────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """Serve until told to stop; then no child is left and the socket is gone."""
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        signal.set_wakeup_fd(self._wake_in.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, _on_child)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        register = self._selector.register
        register(self._listener, selectors.EVENT_READ, self._accept)
        register(self._wake_out, selectors.EVENT_READ, self._woken)
        if self._parent_pipe is not None:
            register(self._parent_pipe, selectors.EVENT_READ, self._parent_gone)
        try:
            while not self._stopping:
                for key, mask in self._selector.select(self._patience()):
                    key.data(mask)
                self._tend()
        finally:
            self._close()

    def _patience(self) -> float | None:
        """Seconds until something is due by the clock; None where nothing is."""
        return None if self._job is None or self._ending else max(0.0, self._started + self._job.deadline - time.monotonic())

    def _tend(self) -> None:
        """What follows from the events just handled."""
        if self._job is not None and not self._ending and time.monotonic() >= self._started + self._job.deadline:
            self._end("deadline")
        self._reap()
        for connection in [c for c in self._connections if c.broken]:
            self._drop(connection)
        for connection in self._connections:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.waiting else 0)
            if self._selector.get_key(connection.link).events != wanted:
                self._selector.modify(connection.link, wanted, self._handler(connection))

    def _on_stop(self, _number: int, _frame: object) -> None:
        self._stopping = True

    def _woken(self, _mask: int) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake_out.recv(READ):
                pass

    def _parent_gone(self, _mask: int) -> None:
        """The daemon holds the other end and never writes: anything here means that it is gone."""
        self._stopping = True

    def _close(self) -> None:
        for child in self._children:
            _kill(child.pid)
        for child in self._children:
            if not child.ended:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(child.pid, 0)
        for connection in self._connections:
            connection.link.close()
        self._listener.close()
        self._path.unlink(missing_ok=True)
        self._selector.close()

    # ── connections ──────────────────────────────────────────────────────────────────────────────────────

    def _accept(self, _mask: int) -> None:
        try:
            link, _ = self._listener.accept()
        except OSError:
            return  # gone again, or out of descriptors for now
        if len(self._connections) >= MAX_CONNECTIONS:
            link.close()
            return
        link.setblocking(False)
        connection = _Connection(link)
        self._connections.append(connection)
        self._selector.register(link, selectors.EVENT_READ, self._handler(connection))
        connection.send(self._hello)

    def _handler(self, connection: _Connection) -> Callable[[int], None]:
        def handle(mask: int) -> None:
            if mask & selectors.EVENT_WRITE:
                connection.flush()
            if mask & selectors.EVENT_READ:
                self._read(connection)

        return handle

    def _read(self, connection: _Connection) -> None:
        try:
            data = connection.link.recv(READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            connection.broken = True
            return
        try:
            messages = connection.decoder.feed(data)
        except ProtocolError:
            connection.broken = True
            return
        for message in messages:
            self._message(connection, message)

    def _message(self, connection: _Connection, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "ping":
            connection.send({"type": "pong", "n": message.get("n")})
        elif kind == "render":
            self._render(connection, message)
        elif kind == "cancel":
            if self._job is not None and self._owner is connection and message.get("id") == self._job.id:
                self._end("cancelled")
        elif kind == "shutdown":
            self._stopping = True

    def _drop(self, connection: _Connection) -> None:
        self._selector.unregister(connection.link)
        connection.link.close()
        self._connections.remove(connection)
        if self._owner is connection:
            self._owner = None
            self._end("cancelled")

    # ── jobs ─────────────────────────────────────────────────────────────────────────────────────────────

    def _render(self, connection: _Connection, message: dict[str, Any]) -> None:
        refused = {"type": "refused", "id": message.get("id")}
        if self._job is not None:
            connection.send({**refused, "detail": f"busy with {self._job.id}"})
            return
        try:
            job = parse(message)
        except BadOrder as error:
            connection.send({**refused, "detail": str(error)})
            return
        self._job, self._owner, self._ending, self._started = job, connection, "", time.monotonic()
        self._children = [_Child(shard=order.shard) for order in job.orders]
        for child, order in zip(self._children, job.orders, strict=True):
            child.started = time.monotonic()
            try:
                child.pid, child.report, child.output = self._spawn(order, self._leave)
            except OSError as error:
                child.result = ("crashed", f"no process could be started: {error}")
                self._finish(child, "")
                continue
            for descriptor, reader in ((child.report, self._said), (child.output, self._printed)):
                os.set_blocking(descriptor, False)
                self._selector.register(descriptor, selectors.EVENT_READ, lambda _mask, c=child, r=reader: r(c))
        self._maybe_done()

    def _leave(self) -> None:
        """In a child: let go of what is the parent's."""
        signal.set_wakeup_fd(-1)
        self._selector.close()
        for link in (self._listener, self._wake_in, self._wake_out, *(c.link for c in self._connections)):
            link.close()
        for child in self._children:
            for descriptor in (child.report, child.output):
                if descriptor >= 0:
                    os.close(descriptor)
        if self._parent_pipe is not None:
            os.close(self._parent_pipe)

    def _end(self, why: str) -> None:
        """Kill what still runs of the job."""
        self._ending = self._ending or why
        for child in self._children:
            if not child.ended and child.pid:
                _kill(child.pid)

    def _tell(self, message: dict[str, Any]) -> None:
        if self._owner is not None:
            self._owner.send(message)

    def _said(self, child: _Child) -> bool:
        """Pass on what came through the report pipe; False at its end."""
        data = _take(child.report)
        if data is None:
            return True
        try:
            messages = child.decoder.feed(data)
        except ProtocolError as error:
            child.result = ("crashed", f"the child's report is damaged: {error}")
            _kill(child.pid)
            messages, data = [], b""
        for message in messages:
            if message["type"] == "result":
                child.result = (str(message.get("outcome")), str(message.get("detail", "")))
            elif self._job is not None and not self._ending:
                self._tell({**message, "id": self._job.id, "shard": child.shard})
        if not data:
            child.report = self._unlisten(child.report)
        return bool(data)

    def _printed(self, child: _Child) -> bool:
        """Pass on stdout and stderr as log lines, the first 500; the last ones are kept to explain a crash. False at the end."""
        data = _take(child.output)
        if data is None:
            return True
        *lines, child.partial = (child.partial + data).split(b"\n")
        if not data or len(child.partial) > READ:
            lines, child.partial = [*lines, child.partial], b""
        for line in lines:
            text = line.decode("utf-8", "replace").rstrip()[:4000]
            if not text:
                continue
            child.printed.append(text)
            child.prints += 1
            if child.prints <= 500 and self._job is not None and not self._ending:
                self._tell({"type": "log", "id": self._job.id, "shard": child.shard, "level": "WARNING", "text": text, "source": "printed"})
        if not data:
            child.output = self._unlisten(child.output)
        return bool(data)

    def _unlisten(self, descriptor: int) -> int:
        self._selector.unregister(descriptor)
        os.close(descriptor)
        return -1

    def _reap(self) -> None:
        """Take in the children that ended; as process 1 of a container, orphans too."""
        for child in self._children:
            if child.ended or not child.pid:
                continue
            try:
                if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                    continue
                _kill(child.pid)  # what it may have started itself; its group's number is still its own
                _, status = os.waitpid(child.pid, 0)
                how = _how(status)
            except ChildProcessError:
                how = "it ended unseen"
            for descriptor, reader in ((child.report, self._said), (child.output, self._printed)):
                if descriptor >= 0:
                    while reader(child) and _readable(descriptor):
                        pass
            child.report = self._unlisten(child.report) if child.report >= 0 else -1
            child.output = self._unlisten(child.output) if child.output >= 0 else -1
            self._finish(child, how)
        if os.getpid() == 1:
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
        self._maybe_done()

    def _finish(self, child: _Child, how: str) -> None:
        """Tell the end of one shard."""
        child.ended = True
        if child.result is None:
            child.result = (self._ending, "") if self._ending else ("crashed", " / ".join([how, *list(child.printed)[-3:]]))
        outcome, detail = child.result
        if outcome not in _RANK:
            child.result = outcome, detail = "crashed", f"unknown outcome {outcome}"
        if outcome == "failed" and detail.startswith("Kometa left") and child.printed:
            child.result = outcome, detail = outcome, f"{detail}: {' / '.join(list(child.printed)[-3:])}"
        if self._job is not None:
            seconds = round(time.monotonic() - child.started, 3)
            self._tell(
                {"type": "shard", "id": self._job.id, "shard": child.shard, "outcome": outcome, "detail": detail, "seconds": seconds}
            )

    def _maybe_done(self) -> None:
        """Tell the end of the job, once all of its children ended."""
        if self._job is None or not all(child.ended for child in self._children):
            return
        results = [child.result or ("crashed", "") for child in self._children]
        outcome, detail = max(results, key=lambda result: _RANK.index(result[0]))
        seconds = round(time.monotonic() - self._started, 3)
        self._tell({"type": "done", "id": self._job.id, "outcome": outcome, "detail": detail, "seconds": seconds})
        self._job, self._owner, self._children, self._ending = None, None, [], ""


def _listen(path: Path) -> socket.socket:
    """A listening unix socket that only its owner may use, in the place of a dead worker's."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    listener.listen(MAX_CONNECTIONS)
    listener.setblocking(False)
    return listener


def _on_child(_number: int, _frame: object) -> None:
    """Only there so that SIGCHLD writes to the wake-up descriptor."""


def _take(descriptor: int) -> bytes | None:
    """What can be read now; empty at the end, None where there is nothing yet."""
    try:
        return os.read(descriptor, READ)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _readable(descriptor: int) -> bool:
    with selectors.DefaultSelector() as once:
        once.register(descriptor, selectors.EVENT_READ)
        return bool(once.select(0))


def _kill(pid: int) -> None:
    """End a child and whatever it started. Only for a pid that is not reaped yet."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"the child left with status {code}"
    try:
        return f"the child was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"the child was ended by signal {-code}"
