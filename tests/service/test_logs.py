"""Log lines: readable or JSON, with the ids of what they belong to, and without a secret."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from urllib.parse import quote

import pytest
from watchdog.observers.api import EventQueue, ObservedWatch
from watchdog.observers.inotify import InotifyEmitter

from sidecar import logs
from tests.web.site import Site, raw

SECRET = 's3cr3t-"PLANTED"\\ü&'
"""With what JSON and URLs write otherwise."""


def lines(style: str) -> io.StringIO:
    redact = logs.Redactor()
    redact.learn([SECRET, "no"])
    stream = io.StringIO()
    logs.set_up(level="info", style=style, redact=redact, stream=stream)
    return stream


@pytest.mark.parametrize("style", ["readable", "json"])
def test_no_secret_passes_the_handler(style: str) -> None:
    stream = lines(style)
    try:
        int(f"https://hook.example/{SECRET}")
    except ValueError:
        logging.getLogger("somebody.else").error("/hook?token=%s&more=%s", quote(SECRET), json.dumps(SECRET))
        logging.getLogger("somebody.else").exception("token=%s is no good", SECRET, extra={"more": SECRET})
    logging.getLogger("somebody.else").warning("%(a)s", {"a": {"b": SECRET}}, stack_info=True)
    said = stream.getvalue()
    assert "PLANTED" not in said
    assert said.count(logs.MASK) >= 3
    assert "is no good" in said


def test_a_stop_that_crosses_an_event_is_no_error() -> None:
    """watchdog calls it one; a full queue, of which the same module tells, stays."""
    stream = lines("readable")
    InotifyEmitter(EventQueue(), ObservedWatch("/", recursive=False)).queue_events(0)
    assert stream.getvalue() == ""
    logging.getLogger("watchdog.observers.inotify").warning("Inotify queue overflowed")
    assert "overflowed" in stream.getvalue()


def test_json_lines_are_json_each_and_carry_the_ids() -> None:
    stream = lines("json")
    context = asyncio.new_event_loop()

    async def work() -> None:
        logs.REQUEST.set("req-1")
        logs.RUN.set("run-1")
        logging.getLogger("x").info("two\nlines \u2028 and more")

    context.run_until_complete(work())
    context.close()
    logging.getLogger("x").info("outside")
    first, second = map(json.loads, stream.getvalue().removesuffix("\n").split("\n"))
    assert (first["request"], first["run"], first["message"]) == ("req-1", "run-1", "two\nlines \u2028 and more")
    assert first["level"] == "info"
    assert "request" not in second
    assert second["time"].endswith("+00:00")


async def test_an_answer_and_its_log_lines_share_an_id(site: Site) -> None:
    stream = lines("json")
    for given, kept in (("from-the-proxy.1", True), ("evil\tid", False), ("x" * 65, False)):
        request = (
            f"POST /api/v1/render HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: {given}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        _, text = await raw(site.port, request.encode())
        answered = text.partition("X-Request-ID: ")[2].partition("\r\n")[0]
        assert (answered == given) is kept
        assert 0 < len(answered) <= 64
        logged = [json.loads(line) for line in stream.getvalue().splitlines()]
        [ours] = [line for line in logged if line.get("request") == answered]
        assert ours["message"] == "POST /api/v1/render: 202"
    readable = lines("readable")
    await raw(
        site.port, b"POST /api/v1/render HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: abc\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    assert "[request=abc]" in readable.getvalue()
