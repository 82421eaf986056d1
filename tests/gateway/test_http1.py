"""Answers taken strictly, however they are cut into pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.gateway.http1 import MAX_HEAD, Answer, NotHttp, Reader, TooLong, fields, question

XML = b"<MediaContainer/>"
WHOLE = {
    "a length": (b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n" + XML, 200, XML, False),
    "a length of nothing": (b"HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n", 404, b"", False),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 17\r\n\r\n" + XML, 200, XML, False),
    "the same length twice": (b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\nContent-Length: 17\r\n\r\n" + XML, 200, XML, False),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\n<Medi\r\nC;x=y\r\naContainer/>\r\n0\r\n\r\n", 200, XML, False),
    "chunks and a trailer": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n" + XML + b"\r\n000\r\nA: b\r\n\r\n",
        200,
        XML,
        False,
    ),
    "no body": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", False),
    "nothing new, with the length of what is not sent": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 17\r\n\r\n", 304, b"", False),
    "early hints": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n" + XML,
        200,
        XML,
        False,
    ),
    "a connection that ends": (b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 17\r\n\r\n" + XML, 200, XML, True),
    "1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 17\r\n\r\n" + XML, 200, XML, True),
    "1.0 that goes on": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 17\r\n\r\n" + XML, 200, XML, False),
}


def feed(reader: Reader, data: bytes, cuts: list[int]) -> Answer | None:
    """The answer in ``data`` cut at these places; nothing but the last piece may complete it."""
    places = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    answer = None
    for start, end in pairwise(places):
        assert answer is None
        answer = reader.feed(data[start:end])
    return answer


@pytest.mark.parametrize("name", WHOLE)
@given(cuts=st.lists(st.integers(1, 150), max_size=6))
def test_an_answer_is_the_same_in_any_pieces(name: str, cuts: list[int]) -> None:
    data, status, body, last = WHOLE[name]
    answer = feed(Reader(100), data, cuts)
    assert answer
    assert (answer.status, answer.body, answer.last) == (status, body, last)


@given(st.lists(st.integers(1, 60), max_size=4))
def test_an_answer_that_ends_with_its_connection(cuts: list[int]) -> None:
    reader = Reader(100)
    assert feed(reader, b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n" + XML, cuts) is None
    answer = reader.end()
    assert answer
    assert (answer.body, answer.last, answer.headers) == (XML, True, {"server": "x"})


@pytest.mark.parametrize("name", [name for name in WHOLE if "304" not in name])
@given(data=st.data())
def test_no_part_of_an_answer_is_one(name: str, data: st.DataObject) -> None:
    whole = WHOLE[name][0]
    reader = Reader(100)
    assert reader.feed(whole[: data.draw(st.integers(0, len(whole) - 1))]) is None
    assert reader.end() is None


def test_what_comes_after_an_answer_ends_the_connection() -> None:
    answer = Reader(100).feed(WHOLE["a length"][0] + b"HTTP/1.1 200 OK\r\n")
    assert answer
    assert answer.last
    assert answer.body == XML


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"<",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nSpace : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n123456789\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * MAX_HEAD,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * MAX_HEAD,
    ],
)
def test_what_is_no_answer(data: bytes) -> None:
    with pytest.raises(NotHttp):
        Reader(100).feed(data)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 101,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"33\r\n" + b"x" * 51 + b"\r\n33\r\n" + b"x" * 50,
    ],
)
def test_what_is_too_long(data: bytes) -> None:
    with pytest.raises(TooLong):
        Reader(100).feed(data)


def test_a_question_is_these_very_bytes() -> None:
    lines = fields({"Host": "plex:32400", "X-Plex-Token": "a b"})
    assert question("/a?b=c", lines) == b"GET /a?b=c HTTP/1.1\r\nHost: plex:32400\r\nX-Plex-Token: a b\r\n\r\n"


@pytest.mark.parametrize("target", ["", "a", "/a b", "/a\r\nX: y", "/\0", "/é", "http://a/"])
def test_no_target_ends_the_line(target: str) -> None:
    with pytest.raises(ValueError, match="may not stand"):
        question(target, "")


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\n", "\0", "\x7f", "\u2028"])
def test_no_value_ends_the_line(value: str) -> None:
    with pytest.raises(ValueError, match="may not stand"):
        fields({"A": value})
