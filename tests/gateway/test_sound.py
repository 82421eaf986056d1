"""What is said to be sound XML is sound for expat, whatever it is; and what Plex writes is said to be."""

from __future__ import annotations

from xml.parsers.expat import ExpatError, ParserCreate

import aiohttp
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sidecar.demo import DemoPlex, World
from sidecar.gateway import sound
from sidecar.gateway.sound import Tags

HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n'
ITEM = HEAD + (
    b'<MediaContainer size="1" librarySectionTitle="Films &amp; &quot;more&#39;s&#10;"  allowSync="1">\n'
    b'<Video ratingKey="1" title="Am\xc3\xa9lie > \'x\' ]]&gt;"\n summary="two\nlines\t">\n'
    b'<Media id="1"><Part id="2" key="/library/parts/2/file.mkv" /></Media>\n'
    b'<Role tag="A"/><Role tag="B"/></Video >\n</MediaContainer>\n'
)

ODD = (
    b'"', b"'", b"<", b">", b"/", b"&", b"=", b" ", b"\n", b"\x00", b"\x0b", b"\x7f", b"\xc3", b"\xa9", b"\xef\xbf\xbe", b"\xef\xbb\xbf",
    b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"&amp;", b"&#0;", b"&#39;", b"&#x41;", b"&lol;", b"]]>", b"<!--", b"-->", b"<![CDATA[", b"<?x?>",
    b"<!DOCTYPE MediaContainer>", b"<Role/>", b"</Role>", b'<Role tag=""/>', b'<a b=""c=""/>', b'<a b="" b=""/>', b'<a b ="" />',
    b"</Video>", b"</MediaContainer>", b'id="', b' id="7"', b' id=""', b"x", b"-", b".", b":", b"xmlns", b'""', b'="" ', HEAD, b"",
)  # fmt: skip


def of_expat(data: bytes) -> bool:
    """Whether ``data`` is well-formed and declares no document type."""
    declared: list[str] = []
    parser = ParserCreate()
    parser.StartDoctypeDeclHandler = lambda name, *_rest: declared.append(name)
    try:
        parser.Parse(data, True)
    except ExpatError:
        return False
    return not declared


places = st.integers(0, len(ITEM))
changes = st.lists(st.tuples(places, st.integers(0, 40), st.one_of(st.sampled_from(ODD), st.binary(max_size=4))), min_size=0, max_size=4)


@settings(max_examples=300)
@given(changes)
def test_what_is_said_to_be_sound_is_sound(made: list[tuple[int, int, bytes]]) -> None:
    data = ITEM
    for at, gone, put in made:
        data = data[:at] + put + data[at + gone :]
    tags = Tags()
    for _ in range(2):  # the second time the tags are known
        if tags.sound(data):
            assert of_expat(data)
    assert tags.sound(ITEM), "what was met before does not matter"


@settings(max_examples=150)
@given(st.lists(st.sampled_from(ODD), max_size=8))
@example([])
def test_what_is_said_of_scraps_is_true(scraps: list[bytes]) -> None:
    for data in (b"".join(scraps), b"<a>" + b"".join(scraps) + b"</a>", b'<a b="' + b"".join(scraps) + b'"/>'):
        assert not Tags().sound(data) or of_expat(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xef\xbb\xbf<a/>",
        b"text<a/>",
        b'<a b=">',
        b"<a/><a/>",
        b"<a></a><b></b>",
        b"<a></b>",
        b"</a>",
        b"<a>",
        b"<a>text</a>",
        b'<a b="1" b="2"/>',
        b'<a b="1"c="2"/>',
        b"<a b='1'/>",
        b'<a b="&lol;"/>',
        b'<a b="&amp"/>',
        b'<a b="&am" c="p;"/>',
        b'<a b="<"/>',
        b'<a b="\x01&amp;"/>',
        b'<a b="\xc3" c="\xa9"/>',
        b'<a b="\xef\xbf\xbf"/>',
        b'<a b="\xed\xa0\x80"/>',
        b"<!DOCTYPE a><a/>",
        b'<a>"]]>"</a>',
        b'<a>x="]]>"</a>',
        b'<!-- "--" --><a/>',
        b'<?xml version="1.0" encoding="latin-1"?><a/>',
    ],
)
def test_what_is_not_said_to_be_sound(data: bytes) -> None:
    assert not Tags().sound(data)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound, "MOST", 2)
    monkeypatch.setattr(sound, "LONGEST", 20)
    tags = Tags()
    assert tags.sound(b"<a>" + b"".join(b"<b%d/>" % number for number in range(50)) + b"</a>")
    assert len(tags._known) == 2
    tags = Tags()
    assert not tags.sound(b'<a b="' + b"x" * sound.LARGEST + b'"/>')
    assert tags.sound(b"<" + b"a" * 30 + b"/>")
    assert tags._known == {}


async def test_what_plex_writes_is_said_to_be_sound() -> None:
    tags = Tags()
    reads = ("/", "/library/sections", "/library/sections/1/all", "/library/metadata/101", "/library/metadata/101?includeGuids=1")
    async with DemoPlex(World.sample()) as plex, aiohttp.ClientSession(headers={"X-Plex-Token": plex.token}) as session:
        for read in reads:
            async with session.get(plex.url + read) as answer:
                assert tags.sound(await answer.read()), read
    assert tags.sound(ITEM)
