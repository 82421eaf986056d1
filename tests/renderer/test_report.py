"""What is made of Kometa's log."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer import report
from renderer.protocol import Decoder
from renderer.report import LogHandler, Reporter, plain
from tests.renderer.talk import unfold


class Pipe:
    """A reporter and what comes out of it."""

    def __init__(self) -> None:
        self.out, self.into = os.pipe()
        self.reporter = Reporter(self.into, "job", 3, "the-token")
        self.decoder = Decoder()

    def messages(self) -> list[dict[str, Any]]:
        return unfold(self.decoder.feed(os.read(self.out, 10**6)))


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    os.close(made.out)
    os.close(made.into)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("|====================|", ""),
        ("|                    |", ""),
        ("", ""),
        ("|  Movies Library Overlays  |", "Movies Library Overlays"),
        ("|======= Finished Run =======|", "Finished Run"),
        ("====== Gathering Items for x Overlay ======", "Gathering Items for x Overlay"),
        ("(1/2) Heat (1995)", "(1/2) Heat (1995)"),
        ("  Overlay Error: 'x' | y  ", "Overlay Error: 'x' | y"),
        ("[1, 2, 1]", "[1, 2, 1]"),
        ("...and more...", "...and more..."),
        ("A", "A"),
    ],
)
def test_frames_are_taken_off(line: str, text: str) -> None:
    assert plain(line) == text


@given(st.text(max_size=60))
def test_words_are_never_lost(line: str) -> None:
    """Whatever is a letter or a digit stays, in order; and what is plain stays as it is."""
    assert [c for c in plain(line) if c.isalnum()] == [c for c in line if c.isalnum()] or len(set(line.strip("| \t\n\r"))) <= 1
    assert plain(plain(line)) == plain(line) or "|" in line


def test_phases_follow_kometas_log(pipe: Pipe) -> None:
    for line in (
        "Starting Run",
        "Movies Library",
        "Movies Library Overlays",
        "Applying Overlays for the Movies Library",
        "(1/2) Heat (1995)",
        "(2/2) Ran",
        "Finished Movies Library Overlays",
        "TV: All (2) Library Overlays",
        "Re-Applying Overlays for the TV: All (2) Library",
        "Starting Run",
        "Finished Run",
        "Movies Library Overlays",
    ):
        pipe.reporter.watch(line)
    assert [(message["name"], message["detail"]) for message in pipe.messages()] == [
        ("connect", ""),
        ("compile", "Movies"),
        ("draw", "Movies"),
        ("draw", "1/2 Heat (1995)"),
        ("draw", "2/2 Ran"),
        ("compile", "TV: All (2)"),
        ("draw", "TV: All (2)"),
        ("finish", ""),
    ]


def test_records_become_lines(pipe: Pipe) -> None:
    logger = logging.Logger("k")
    logger.addHandler(LogHandler(pipe.reporter))
    logger.info("|   Starting Run   |")
    logger.debug("not asked for")
    logger.error("token the-token is %s", "bad")
    error = ValueError("why")
    logger.critical("Uncaught Exception", exc_info=(ValueError, error, None))
    messages = pipe.messages()
    assert [(m["level"], m["text"]) for m in messages if m["type"] == "log"] == [
        ("INFO", "Starting Run"),
        ("ERROR", "token (redacted) is bad"),
        ("CRITICAL", "Uncaught Exception: ValueError: why"),
    ]
    assert all(m["id"] == "job" and m["shard"] == 3 for m in messages)
    assert messages[0]["source"].startswith("test_report.py:")
    assert pipe.reporter.critical == "Uncaught Exception: ValueError: why"


def test_bounds_keep_bad_news(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MAX_LINES", 3)
    monkeypatch.setattr(report, "MAX_BAD_LINES", 2)
    reporter = Reporter(pipe.into, "job", 0, "")
    for number in range(5):
        reporter.log("INFO", f"line {number}")
    for number in range(3):
        reporter.log("ERROR", f"error {number}" + "x" * 5000)
    reporter.close("finished", "")
    messages = pipe.messages()
    texts = [m["text"] for m in messages if m["type"] == "log"]
    assert [text.rstrip("x…") for text in texts[:5]] == ["line 0", "line 1", "line 2", "error 0", "error 1"]
    assert texts[5:] == ["3 more log lines were left out here"]
    assert max(map(len, texts)) == report.MAX_TEXT
    assert messages[-1]["type"] == "result"
