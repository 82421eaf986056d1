"""The log: ``logs/meta.log`` in the config directory, and the console.

    [2026-01-31 12:00:00,123] [overlays.py:42]            [INFO]     | text, padded                    |
                                                                     | a continuation line of the same |

Messages that begin with ``|`` bring their own border. One record per line, so that a handler sees lines as they are written.
"""

from __future__ import annotations

import logging
import sys
import traceback
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

TRACE = 0
HERE = __file__


class LineFormatter(logging.Formatter):
    """A line of meta.log, or (``console``) of the terminal."""

    def __init__(self, width: int, console: bool) -> None:
        super().__init__()
        self.width = width
        self.console = console

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        body = text if text.startswith("|") else f"| {text:<{self.width - 2}} |"
        if record.exc_info:
            body += "\n" + self.formatException(record.exc_info)
        if self.console:
            return body
        if getattr(record, "continued", False):
            return " " * 65 + body
        level = "TRACE" if getattr(record, "traced", False) else record.levelname
        where = f"[{record.filename}:{record.lineno}]"
        return f"[{self.formatTime(record)}] {where:<27} {f'[{level}]':<10} {body}"


class MyLogger:
    """Kometa's modules take this from ``modules.util.logger`` when they are imported."""

    def __init__(self, logger_name, default_dir, screen_width, separating_character, ignore_ghost, is_debug, is_trace, log_requests):
        self.logger_name = logger_name
        self.default_dir = default_dir
        self.screen_width = screen_width
        self.separating_character = separating_character
        self.ignore_ghost = ignore_ghost
        self.is_debug = is_debug
        self.is_trace = is_trace
        self.log_requests = log_requests
        self.log_dir = Path(default_dir) / "logs"
        self.main_log = str(self.log_dir / "meta.log")
        self.main_handler = None
        self.save_errors = False
        self.saved_errors: list[Any] = []
        self.secrets: list[str] = []
        self.spacing = 0
        self.log_dir.mkdir(parents=True, exist_ok=True)
        self._logger = logging.getLogger(None if log_requests else logger_name)
        self._logger.setLevel(logging.DEBUG)
        console = logging.StreamHandler()
        # As Kometa: the console has it all, whatever --debug says, since ``debug`` is a method and always true.
        console.setLevel(logging.DEBUG if self.debug else logging.INFO)
        console.setFormatter(LineFormatter(screen_width, console=True))
        self._logger.addHandler(console)

    def add_main_handler(self) -> None:
        """Open meta.log; an earlier one becomes meta-1.log, up to 9 of them."""
        handler = RotatingFileHandler(self.main_log, delay=True, mode="w", backupCount=9, encoding="utf-8")
        handler.namer = lambda name: "{0}-{2}.{1}".format(*name.rsplit(".", 2))
        handler.setFormatter(LineFormatter(self.screen_width, console=False))
        if Path(self.main_log).is_file():
            handler.doRollover()
        self.main_handler = handler
        self._logger.addHandler(handler)

    def remove_main_handler(self) -> None:
        self._logger.removeHandler(self.main_handler)

    def clear_errors(self) -> None:
        self.saved_errors = []

    def secret(self, text) -> None:
        """Never write ``text`` again."""
        if text and str(text) not in self.secrets:
            self.secrets.append(str(text))

    def separator(self, text=None, space=True, border=True, debug=False) -> None:
        write = self.debug if debug else self.info
        line = f"|{self.separating_character * self.screen_width}|"
        fill = " " if space else self.separating_character
        if border:
            write(line)
        for part in text.split("\n") if text else ():
            write(f"|{f' {part} ':{fill}^{self.screen_width}}|")
        if border and text:
            write(line)

    def info_center(self, msg) -> None:
        self.info(f"{msg!s:^{self.screen_width - 2}}")

    def trace(self, msg, *args, **kwargs) -> None:
        if self.is_trace:
            self._log(TRACE, str(msg), args, **kwargs)

    def debug(self, msg, *args, **kwargs) -> None:
        if self._logger.isEnabledFor(logging.DEBUG):
            self._log(logging.DEBUG, str(msg), args, **kwargs)

    def info(self, msg, *args, **kwargs) -> None:
        if self._logger.isEnabledFor(logging.INFO):
            self._log(logging.INFO, str(msg), args, **kwargs)

    def warning(self, msg, *args, **kwargs) -> None:
        if self._logger.isEnabledFor(logging.WARNING):
            self._log(logging.WARNING, str(msg), args, **kwargs)

    def error(self, msg, *args, **kwargs) -> None:
        self._keep(msg)
        if self._logger.isEnabledFor(logging.ERROR):
            self._log(logging.ERROR, str(msg), args, **kwargs)

    def critical(self, msg, *args, **kwargs) -> None:
        self._keep(msg)
        self._log(logging.CRITICAL, str(msg), args, **kwargs)

    def stacktrace(self, trace=False) -> None:
        (self.trace if trace else self.debug)(traceback.format_exc())

    def ghost(self, text) -> None:
        """A passing line of progress, on the console alone."""
        if not self.ignore_ghost:
            sys.stdout.write(f"| {text!s:<{max(self.spacing - 2, 0)}}\r")
            self.spacing = len(str(text)) + 2

    def exorcise(self) -> None:
        if not self.ignore_ghost:
            sys.stdout.write(" " * self.spacing + "\r")
            self.spacing = 0

    def _keep(self, msg) -> None:
        if self.save_errors:
            self.saved_errors.append(msg)

    def _log(self, level, msg, args, exc_info=None, extra=None, stack_info=False, stacklevel=1) -> None:
        for number, line in enumerate(msg.split("\n")):
            for secret in self.secrets:
                line = line.replace(secret, "(redacted)")
            file, lineno, function = self._caller()
            name = self._logger.name
            record = self._logger.makeRecord(name, level or logging.DEBUG, file, lineno, line, args, exc_info, function, extra)
            record.continued = number > 0
            record.traced = level == TRACE
            self._logger.handle(record)

    def _caller(self) -> tuple[str, int, str]:
        frame = sys._getframe(1)
        while frame.f_back and frame.f_code.co_filename == HERE:
            frame = frame.f_back
        return frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name
