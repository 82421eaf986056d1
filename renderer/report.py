"""What a child tells its parent: frames on a pipe, with a bound on their number and size.

Log lines are taken from Kometa's own logger by a handler of ours. The same lines show where the run is: Kometa has no
other sign of its phases, and they are alike in all versions. Kometa's exit code is 0 whatever happened, so CRITICAL lines are
remembered too: they are how it says that a run failed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator

from renderer.protocol import encode

MAX_LINES = 4000
"""Lines below WARNING that one child may send."""

MAX_BAD_LINES = 2000
"""Lines of WARNING and worse that one child may send."""

SOON = 16 * 1024
"""Characters of log lines that are sent together."""

BEAT = 1.0
"""Seconds between signs of life while lines are only counted."""

MAX_TEXT = 4000
"""Characters of one line."""

PHASES = ("start", "connect", "compile", "draw", "finish")

_LEVELS = {logging.CRITICAL: "CRITICAL", logging.ERROR: "ERROR", logging.WARNING: "WARNING", logging.INFO: "INFO", logging.DEBUG: "DEBUG"}

_SIGNS = (
    ("connect", re.compile(r"Starting (?:.* )?Run$")),
    ("draw", re.compile(r"(?:Re-)?Applying Overlays for the (?P<detail>.+) Library$")),
    ("finish", re.compile(r"Finished (?:.* )?Run$")),
    ("compile", re.compile(r"(?!Finished )(?P<detail>.+) Library Overlays$")),
)
_ITEM = re.compile(r"\((?P<detail>\d+/\d+\) .+)$")


class Reporter:
    """One child's voice. Safe to use from any thread of the child."""

    def __init__(self, descriptor: int, job: str, shard: int, secret: str, home: str = "") -> None:
        """``secret`` is taken out of each line; so is ``home``, the folder that this one child works in, with a slash at its end."""
        self._descriptor = descriptor
        self._about = {"id": job, "shard": shard}
        self._secret = secret
        self._home = home
        self._lock = threading.RLock()
        self._room = {False: MAX_LINES, True: MAX_BAD_LINES}
        self._dropped = 0
        self._sent = 0.0
        self._lines: list[tuple[str, str, str]] = []
        self._waiting = 0
        self._flusher: threading.Thread | None = None
        self._phase = ("", "")
        self.critical: str = ""
        """The first CRITICAL line."""
        self.item: Callable[[], tuple[str, int] | None] = lambda: None
        """Which item Kometa is at: server and rating key."""

    def send(self, kind: str, **fields: object) -> None:
        """Send one message, after the lines that wait.

        Blocks while the parent is behind; a parent that is gone ends this process (SIGPIPE).
        """
        with self._lock:
            self.flush()
            self._write(encode({"type": kind, **self._about, **fields}))

    def _soon(self, level: str, text: str, source: str) -> None:
        """Send a line together with what follows, within 16 KiB and a tenth of a second."""
        with self._lock:
            self._lines.append((level, text, source))
            self._waiting += len(text)
            if self._waiting >= SOON:
                self.flush()
            elif self._flusher is None:
                self._flusher = threading.Thread(target=self._flush_often, daemon=True)
                self._flusher.start()

    def _flush_often(self) -> None:
        while True:
            time.sleep(0.1)
            self.flush()

    def flush(self) -> None:
        """Send the lines that wait."""
        with self._lock:
            lines, self._lines, self._waiting = self._lines, [], 0
            if lines:
                self._write(encode({"type": "lines", **self._about, "lines": lines}))

    def _write(self, frame: bytes) -> None:
        self._sent = time.monotonic()
        data = memoryview(frame)
        while data:
            data = data[os.write(self._descriptor, data) :]

    def log(self, level: str, text: str, source: str = "") -> None:
        """One line of the log, cut to MAX_TEXT; beyond the bounds it is only counted."""
        bad = level in ("WARNING", "ERROR", "CRITICAL")
        if level == "CRITICAL" and not self.critical:
            self.critical = text
        with self._lock:
            if self._room[bad] <= 0:
                self._dropped += 1
                if time.monotonic() - self._sent >= BEAT:
                    self.send("beat")
                return
            self._room[bad] -= 1
        if self._secret:
            text = text.replace(self._secret, "(redacted)")
        if self._home:
            text = text.replace(self._home, "")
        if len(text) > MAX_TEXT:
            text = text[: MAX_TEXT - 1] + "…"
        item = self.item() if bad and self._phase[0] == "draw" else None  # walks the frames: before there is none to be found
        if item is not None:
            self.send("log", level=level, text=text, source=source, server=item[0], rating_key=item[1])
        elif level == "CRITICAL":  # often the last word
            self.send("log", level=level, text=text, source=source)
        else:
            self._soon(level, text, source)

    @contextlib.contextmanager
    def about(self, item: tuple[str, int] | None) -> Iterator[None]:
        """What is complained of meanwhile is about ``item``, as ``self.item`` gives it."""
        before, self.item = self.item, lambda: item
        try:
            yield
        finally:
            self.item = before

    def line(self, message: str, path: str, number: int) -> None:
        """An ordinary line of Kometa's log."""
        text = plain(message)
        if text:
            self.log("INFO", text, f"{path.rpartition('/')[2]}:{number}")
            self.watch(text)

    def phase(self, name: str, detail: str = "") -> None:
        """The run entered a phase; the same one again is not repeated, and the first and last ones are not left backwards."""
        with self._lock:
            if (name, detail) == self._phase or self._phase[0] == "finish" or (name in PHASES[:2] and self._phase[0] in PHASES[2:]):
                return
            self._phase = (name, detail)
        self.send("phase", name=name, detail=detail)

    def watch(self, text: str) -> None:
        """Look for a sign of a phase in a line of Kometa's log."""
        for name, sign in _SIGNS:
            if match := sign.match(text):
                return self.phase(name, match.groupdict().get("detail") or "")
        if self._phase[0] == "draw" and (match := _ITEM.match(text)):
            self.phase("draw", match["detail"].replace(") ", " ", 1))
        return None

    def close(self, outcome: str, detail: str) -> None:
        """The last words."""
        if self._dropped:
            self.send("log", level="WARNING", text=f"{self._dropped} more log lines were left out here", source="worker")
        self.send("result", outcome=outcome, detail=detail)


class LogHandler(logging.Handler):
    """Takes Kometa's records. Kometa's own filters rewrite levelname and filename, so only the numbers and the path are read."""

    def __init__(self, reporter: Reporter, level: int = logging.INFO) -> None:
        super().__init__(level)
        self._reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = plain(record.getMessage())
            if record.exc_info and record.exc_info[1] is not None:
                text = f"{text}: {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
            if not text:
                return
            self._reporter.log(_LEVELS.get(record.levelno, "INFO"), text, f"{record.pathname.rpartition('/')[2]}:{record.lineno}")
            if record.levelno == logging.INFO:
                self._reporter.watch(text)
        except OSError:
            self.handleError(record)


def plain(message: str) -> str:
    """A line of Kometa's without its frame: ``|==  Text  ==|`` is ``Text``, a mere rule is nothing."""
    text = message.strip()
    if len(text) > 1 and text[0] == text[-1] == "|":
        text = text[1:-1].strip()
    if len(text) > 2 and not text.strip(text[0] + "| "):
        return ""
    if len(text) > 4 and text[0] == text[-1] and not text[0].isalnum() and text[0] not in "([{<\"'`.…" and text[:2] == text[-2:]:
        inner = text.strip(text[0]).strip()
        return inner or text
    return text
