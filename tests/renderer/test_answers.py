"""Answers that a run got, given again to the next run that may see the same, while they hold."""

from __future__ import annotations

import json
import time
from typing import Any

from renderer import answers as answering
from renderer.answers import Answers

URL = "http://plex-0.plex.invalid:32400/library/sections/1/all?X-Plex-Token=grant-1"


def child(kept: Answers | None = None, word: str = "w") -> Answers:
    made = kept or Answers()
    made.on = True
    made.begin(word)
    return made


def teach(parent: Answers, learner: Answers) -> None:
    for message in learner.news():
        told = json.loads(json.dumps(message))
        parent.learn(told["word"], told["answers"])


def key(made: Answers, url: str = URL, grant: str = "grant-1", **headers: Any) -> str:
    found = made.key("GET", url, {"Accept": "*/*", **headers}, grant)
    assert found is not None
    return found


def test_the_next_run_gets_what_this_one_got() -> None:
    first, parent = child(), Answers()
    first.keep(key(first), "60", "application/xml", "<ä/>".encode())
    found = first.find(key(first))
    assert found is not None
    assert (found.media_type, found.text) == ("application/xml", "<ä/>")
    teach(parent, first)
    second = child(parent)
    again = second.find(key(second, URL.replace("grant-1", "grant-2"), "grant-2"))
    assert again is not None
    assert again.text == "<ä/>"


def test_other_questions_have_other_answers() -> None:
    made = child()
    made.keep(key(made), "60", "application/xml", b"<a/>")
    assert made.find(key(made, URL + "&x=1")) is None
    assert made.find(key(made, Start="50")) is None
    assert made.key("POST", URL, {}, "grant-1") is None


def test_another_word_is_another_world() -> None:
    first, parent = child(), Answers()
    first.keep(key(first), "60", "application/xml", b"<a/>")
    teach(parent, first)
    assert child(parent, "changed").find(key(first)) is None
    assert child(parent, "w").find(key(first)) is not None


def test_without_a_word_or_switched_off_nothing_is_kept() -> None:
    made = child(word="")
    assert made.key("GET", URL, {}, "grant-1") is None
    off = Answers()
    off.begin("w")
    assert off.key("GET", URL, {}, "grant-1") is None


def test_an_answer_ends_with_its_time(monkeypatch: Any) -> None:
    made = child()
    made.keep(key(made), "60", "application/xml", b"<a/>")
    now = time.monotonic()
    monkeypatch.setattr(answering.time, "monotonic", lambda: now + 61)
    assert made.find(key(made)) is None


def test_odd_answers_are_not_kept() -> None:
    made = child()
    odd = [(seconds, b"x") for seconds in ("soon", "0", "-5", "nan")]
    for seconds, data in (*odd, ("60", b"\xff"), ("60", b"x" * (answering.LONGEST + 1))):
        made.keep(key(made), seconds, "application/xml", data)
    assert list(made.news()) == []
    parent = Answers()
    malformed: list[tuple[Any, Any]] = [(3, {}), ("", {"k": [1.0, "a", "b"]}), ("w", [])]
    for word, told in (*malformed, *(("w", {"k": value}) for value in ("no", [1, "a", "b"], [1.0, "a", 3]))):
        parent.learn(word, told)
    assert child(parent).find("k") is None


def test_words_not_used_for_longest_go() -> None:
    parent = Answers(most=250)
    for number in range(4):
        learner = child(word=f"w{number}")
        learner.keep(key(learner), "60", "text/xml", b"x" * 100)
        teach(parent, learner)
    found = [child(parent, f"w{number}").find(key(child(parent, f"w{number}"))) for number in range(4)]
    assert [answer is not None for answer in found] == [False, False, True, True]


def test_much_is_told_in_parts(monkeypatch: Any) -> None:
    monkeypatch.setattr(answering, "AT_ONCE", 100)
    learner, parent = child(), Answers()
    for number in range(5):
        learner.keep(key(learner, f"{URL}&n={number}"), "60", "text/xml", b"x" * 60)
    assert len(list(learner.news())) == 3
    teach(parent, learner)
    assert all(child(parent).find(key(learner, f"{URL}&n={number}")) for number in range(5))


def test_one_word_alone_is_bounded_too() -> None:
    parent = Answers(most=250)
    parent.learn("w", {str(number): [time.monotonic() + 60, "application/xml", "x" * 100] for number in range(50)})
    assert parent._size == 200
    assert len(parent._kept["w"]) == 2
