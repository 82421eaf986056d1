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
from collections.abc import Callable
from pathlib import Path
from typing import Any

from renderer.children import RANK, READ, Child, kill, readable, reap, reap_orphans, take
from renderer.connection import Connection, listen
from renderer.limits import TICK
from renderer.orders import BadOrder, Job, parse
from renderer.protocol import ProtocolError
from renderer.run import Order

MAX_CONNECTIONS = 8
"""More are closed as they come."""
MAX_PRINTED = 500
"""Lines of a child's stdout and stderr that are passed on."""

QUIET = 0.05
"""Seconds without an event before idle work is done."""

Spawn = Callable[[Order, Callable[[], None]], "tuple[int, int, int]"]
"""Forks a child for an order; returns its pid, its report pipe and its output pipe. Calls the function in the child first."""


class Server:
    """Listens until ``shutdown`` or SIGTERM. ``hello`` is sent to whoever connects; ``spawn`` forks (see ``Spawn``).

    ``learn`` takes what children learnt; ``idle`` does a piece of work while there is no job, and says whether there was one.
    ``changed`` says whether Kometa is another on the disk by now: then the worker ends (``outdated``), for another to be started.
    ``catalogue`` is the answer to the message of that name. ``linger``: seconds without any connection after which it ends.
    """

    def __init__(
        self,
        path: Path,
        hello: dict[str, Any],
        spawn: Spawn,
        *,
        parent_pipe: int | None = None,
        learn: Callable[[dict[str, Any]], None] = lambda _message: None,
        idle: Callable[[], bool] = lambda: False,
        catalogue: Callable[[], dict[str, Any]] | None = None,
        changed: Callable[[], bool] = lambda: False,
        linger: float | None = None,
    ) -> None:
        self._path = path
        self._hello = hello
        self._spawn = spawn
        self._learn = learn
        self._idle = idle
        self._catalogue = catalogue
        self._changed = changed
        self.outdated = False
        self._linger = linger
        self._lonely = time.monotonic()
        self._more = True
        self._selector = selectors.DefaultSelector()
        self._connections: list[Connection] = []
        self._job: Job | None = None
        self._owner: Connection | None = None
        self._children: list[Child] = []
        self._ending = ""
        self._next: tuple[Connection, dict[str, Any]] | None = None
        self._stopping = False
        self._started = 0.0
        self._parent_pipe = parent_pipe
        self._wake_out, self._wake_in = socket.socketpair()
        self._listener = listen(path, MAX_CONNECTIONS)

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
                events = self._selector.select(self._patience())
                for key, mask in events:
                    key.data(mask)
                self._tend()
                if not events and self._job is None:
                    self._more = self._idle()
        finally:
            self._close()

    def _patience(self) -> float | None:
        """Seconds until something is due by the clock; None where nothing is."""
        if self._job is None and self._more:
            return QUIET
        if self._job is None and not self._connections and self._linger is not None:
            return max(0.0, self._lonely + self._linger - time.monotonic())
        if self._job is None or self._ending:
            return None
        left = max(0.0, self._started + self._job.deadline - time.monotonic())
        return min(TICK, left) if self._job.limits.any else left

    def _tend(self) -> None:
        """What follows from the events just handled."""
        if self._job is not None and not self._ending and time.monotonic() >= self._started + self._job.deadline:
            self._end("deadline")
        self._bound()
        self._reap()
        if self._connections or self._job is not None:
            self._lonely = time.monotonic()
        elif self._linger is not None and time.monotonic() >= self._lonely + self._linger:
            self._stopping = True
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
            kill(child.pid)
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
            return  # gone again, or no descriptor is free
        if len(self._connections) >= MAX_CONNECTIONS:
            link.close()
            return
        link.setblocking(False)
        connection = Connection(link)
        self._connections.append(connection)
        self._selector.register(link, selectors.EVENT_READ, self._handler(connection))
        connection.send(self._hello)

    def _handler(self, connection: Connection) -> Callable[[int], None]:
        def handle(mask: int) -> None:
            if mask & selectors.EVENT_WRITE:
                connection.flush()
            if mask & selectors.EVENT_READ:
                self._read(connection)

        return handle

    def _read(self, connection: Connection) -> None:
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

    def _message(self, connection: Connection, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "ping":
            if self._job is None and self._is_outdated():
                return
            connection.send({"type": "pong", "n": message.get("n")})
        elif kind == "render":
            self._render(connection, message)
        elif kind == "cancel":
            if self._job is not None and self._owner is connection and message.get("id") == self._job.id:
                self._end("cancelled")
            elif self._next is not None and self._next[0] is connection and message.get("id") == self._next[1].get("id"):
                self._next = None
                connection.send({"type": "done", "id": message.get("id"), "outcome": "cancelled", "detail": "", "seconds": 0.0})
        elif kind == "catalogue" and self._catalogue is not None:
            connection.send(self._catalogue())
        elif kind == "shutdown":
            self._stopping = True

    def _drop(self, connection: Connection) -> None:
        self._selector.unregister(connection.link)
        connection.link.close()
        self._connections.remove(connection)
        if self._owner is connection:
            self._owner = None
            self._end("cancelled")

    # ── jobs ─────────────────────────────────────────────────────────────────────────────────────────────

    def _render(self, connection: Connection, message: dict[str, Any]) -> None:
        refused = {"type": "refused", "id": message.get("id")}
        if self._job is not None and self._ending and self._next is None:
            self._next = (connection, message)  # the job before is being killed: a matter of milliseconds
            return
        if self._job is not None:
            connection.send({**refused, "detail": f"busy with {self._job.id}"})
            return
        try:
            job = parse(message)
        except BadOrder as error:
            connection.send({**refused, "detail": str(error)})
            return
        if self._is_outdated():
            return
        self._job, self._owner, self._ending, self._started = job, connection, "", time.monotonic()
        self._children = [Child(shard=order.shard) for order in job.orders]
        for child, order in zip(self._children, job.orders, strict=True):
            child.started = child.heard = time.monotonic()
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

    def _is_outdated(self) -> bool:
        """Whether Kometa is another by now; then this is the end."""
        if not self.outdated and self._changed():
            self.outdated = self._stopping = True
        return self.outdated

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

    def _end(self, why: str) -> None:
        """Kill what still runs of the job."""
        self._ending = self._ending or why
        for child in self._children:
            if not child.ended and child.pid:
                kill(child.pid)

    def _bound(self) -> None:
        """End children that passed a limit of their own; the others go on."""
        if self._job is None or self._ending or not self._job.limits.any:
            return
        for child in self._children:
            if not child.ended and child.result is None:
                passed = self._job.limits.passed(child.pid, time.monotonic() - child.heard, child.phase)
                if passed is not None:
                    child.limit, child.result = passed[0], passed[1:]
                    kill(child.pid)

    def _tell(self, message: dict[str, Any]) -> None:
        if self._owner is not None:
            self._owner.send(message)

    def _said(self, child: Child) -> bool:
        """Pass on what came through the report pipe; False at its end."""
        data = take(child.report)
        if data is None:
            return True
        try:
            messages = child.decoder.feed(data)
        except ProtocolError as error:
            child.result = ("crashed", f"the child's report is damaged: {error}")
            kill(child.pid)
            messages, data = [], b""
        child.heard = time.monotonic()
        for message in messages:
            if message["type"] == "beat":
                continue
            if message["type"] == "phase":
                child.phase = str(message.get("name")), str(message.get("detail", ""))
            if message["type"] == "learnt":
                self._learn(message)
                self._more = True
            elif message["type"] == "result" and child.result is None:
                child.result = (str(message.get("outcome")), str(message.get("detail", "")))
            elif self._job is not None and not self._ending:
                self._tell({**message, "id": self._job.id, "shard": child.shard})
        if not data:
            child.report = self._unlisten(child.report)
        return bool(data)

    def _printed(self, child: Child) -> bool:
        """Pass on stdout and stderr as log lines, MAX_PRINTED of them. False at the end."""
        data = take(child.output)
        if data is None:
            return True
        for number, text in enumerate(child.lines(data), child.prints):
            if number < MAX_PRINTED and self._job is not None and not self._ending:
                self._tell({"type": "log", "id": self._job.id, "shard": child.shard, "level": "WARNING", "text": text, "source": "printed"})
            child.prints = number + 1
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
            how = reap(child.pid)
            if how is None:
                continue
            for descriptor, reader in ((child.report, self._said), (child.output, self._printed)):
                if descriptor >= 0:
                    while reader(child) and readable(descriptor):
                        pass
            child.report = self._unlisten(child.report) if child.report >= 0 else -1
            child.output = self._unlisten(child.output) if child.output >= 0 else -1
            self._finish(child, how)
        if os.getpid() == 1:
            reap_orphans()
        self._maybe_done()

    def _finish(self, child: Child, how: str) -> None:
        """Tell the end of one shard."""
        child.ended = True
        outcome, detail = child.conclude(how, self._ending)
        if self._job is not None:
            seconds = round(time.monotonic() - child.started, 3)
            ended = {"type": "shard", "id": self._job.id, "shard": child.shard, "outcome": outcome, "detail": detail, "seconds": seconds}
            self._tell({**ended, "limit": child.limit} if child.limit else ended)

    def _maybe_done(self) -> None:
        """Tell the end of the job, once all of its children ended."""
        if self._job is None or not all(child.ended for child in self._children):
            return
        if not self._ending and self._is_outdated():  # what was drawn may be half of this and half of that
            text = "Kometa was changed while it rendered: the worker ends, and another one is started"
            self._tell({"type": "log", "id": self._job.id, "shard": 0, "level": "WARNING", "text": text, "source": "worker"})
            return
        results = [child.result or ("crashed", "") for child in self._children]
        outcome, detail = max(results, key=lambda result: RANK.index(result[0]))
        seconds = round(time.monotonic() - self._started, 3)
        self._tell({"type": "done", "id": self._job.id, "outcome": outcome, "detail": detail, "seconds": seconds})
        self._job, self._owner, self._children, self._ending = None, None, [], ""
        following, self._next = self._next, None
        if following is not None and following[0] in self._connections:
            self._render(*following)


def _on_child(_number: int, _frame: object) -> None:
    """Only there so that SIGCHLD writes to the wake-up descriptor."""
