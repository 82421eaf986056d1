"""XML cut to what a grant may see."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sidecar.gateway.policy import View
from sidecar.gateway.scope import EMPTY, PAGE, Garbled, Page, cut, cut_listing, parse
from sidecar.model import Scope

SCOPE = Scope(targets=frozenset({1, 3, 31}), visible=frozenset({1, 2, 3, 30, 31}), sections=frozenset({1}))


def container(inner: str, **attributes: str) -> bytes:
    said = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<MediaContainer{said}>{inner}</MediaContainer>'.encode()


def keys(data: bytes) -> list[str]:
    return [child.get("ratingKey", "") for child in parse(data) if child.get("ratingKey")]


def source(items: list[tuple[int, str]], asked: list[tuple[int, int]], *, paged: bool = True, head: str = ""):  # type: ignore[no-untyped-def]
    async def give(start: int, size: int) -> bytes:
        asked.append((start, size))
        shown = items[start : start + size] if paged else items
        inner = head + "".join(f'<Video ratingKey="{key}" type="{kind}" title="&lt;&#228;&gt;"/>' for key, kind in shown)
        extra = {"totalSize": str(len(items)), "offset": str(start)} if paged else {}
        return container(inner, size=str(len(shown)), **extra)

    return give


async def test_pages_are_those_of_what_is_left() -> None:
    asked: list[tuple[int, int]] = []
    items = [(key, "movie") for key in range(1, 2 * PAGE + 10)]
    got = await cut_listing(source(items, asked), SCOPE, Page(1, 2))
    assert keys(got) == ["2", "3"]
    root = parse(got)
    assert (root.get("size"), root.get("totalSize"), root.get("offset")) == ("2", "5", "1")
    assert asked == [(0, PAGE), (PAGE, PAGE), (2 * PAGE, PAGE)]
    assert root[0].get("title") == "<ä>"


@given(st.lists(st.integers(1, 40), unique=True, max_size=30), st.integers(0, 35), st.one_of(st.none(), st.integers(1, 12)))
async def test_paging_through_gives_each_visible_item_once_in_order(order: list[int], start: int, size: int | None) -> None:
    wanted = [str(key) for key in order if key in SCOPE.visible]
    items = [(key, "movie") for key in order]
    got = await cut_listing(source(items, []), SCOPE, Page(start, size))
    assert keys(got) == wanted[start : None if size is None else start + size]
    assert parse(got).get("totalSize") == str(len(wanted))


async def test_levels() -> None:
    """Shows, movies and artists that targets need are listed; seasons and episodes only where they are targets."""
    items = [(1, "show"), (2, "show"), (4, "show"), (30, "season"), (31, "season"), (32, "season"), (77, "collection")]
    assert keys(await cut_listing(source(items, []), SCOPE, Page())) == ["1", "2", "31", "77"]
    assert keys(await cut_listing(source(items, []), SCOPE, Page(), subtree=True)) == ["1", "2", "30", "31", "77"]


async def test_a_server_that_does_not_page_is_asked_once() -> None:
    asked: list[tuple[int, int]] = []
    items = [(key, "movie") for key in range(1, 2 * PAGE)]
    got = await cut_listing(source(items, asked, paged=False), SCOPE, Page())
    assert keys(got) == ["1", "2", "3", "30", "31"]
    assert len(asked) == 1


async def test_asking_what_can_be_filtered_reads_no_items() -> None:
    asked: list[tuple[int, int]] = []
    got = await cut_listing(source([(1, "movie")] * 9, asked, head="<Meta><Type key='x'/></Meta>"), SCOPE, Page(0, 0))
    root = parse(got)
    assert root.find("Meta/Type") is not None
    assert root.get("size") == "0"
    assert root.get("totalSize") is None
    assert asked == [(0, 0)]


async def test_asking_for_the_count_counts_what_is_left() -> None:
    got = await cut_listing(source([(1, "movie"), (9, "movie")], []), SCOPE, Page(0, 0))
    assert (parse(got).get("size"), parse(got).get("totalSize")) == ("0", "1")
    got = await cut_listing(source([], []), SCOPE, Page(0, 0))
    assert (parse(got).get("size"), parse(got).get("totalSize")) == ("0", "0")


async def test_what_has_no_number_is_not_an_item_of_the_library() -> None:
    async def posters(start: int, size: int) -> bytes:
        return container('<Photo ratingKey="upload://posters/a"/><Video ratingKey="9" type="movie"/><Other/>', size="3")

    got = await cut_listing(posters, SCOPE, Page())
    assert keys(got) == ["upload://posters/a"]
    assert parse(got).find("Other") is not None


def test_libraries_in_scope() -> None:
    data = container('<Directory key="1" title="A"/><Directory key="2" title="B"/><Directory key="x"/><Note/>', size="4")
    root = parse(cut(data, View.SECTIONS, SCOPE))
    assert [child.get("title") for child in root] == ["A", None]
    assert root.get("size") == "2"


def test_settings_that_name_accounts_and_keys_are_left_out() -> None:
    names = ("DatabaseCacheSize", "PlexOnlineToken", "customCertificatePath", "PlexOnlineMail")
    data = container("".join(f'<Setting id="{name}"/>' for name in names))
    assert [child.get("id") for child in parse(cut(data, View.PREFS, SCOPE))] == ["DatabaseCacheSize"]


def test_other_items_inside_an_answer_go() -> None:
    inner = (
        '<Video ratingKey="1" title="T"><Media id="5"><Part key="p"/></Media>'
        '<OnDeck size="2"><Video ratingKey="9"/><Video ratingKey="2"/></OnDeck>'
        '<Related><Hub size="x"><Video ratingKey="8"/><Video ratingKey="77" type="collection"/></Hub></Related></Video>'
        '<Video ratingKey="9"/>'
    )
    root = parse(cut(container(inner, size="2", totalSize="2", myPlexUsername="me@example.org"), View.ITEMS, SCOPE))
    assert (root.get("size"), root.get("totalSize"), root.get("myPlexUsername")) == ("1", "1", None)
    assert [element.get("ratingKey") for element in root.iter() if element.get("ratingKey")] == ["1", "2", "77"]
    assert root.find("Video/OnDeck").get("size") == "1"  # type: ignore[union-attr]
    assert root.find("Video/Media/Part") is not None


def test_attributes_keep_their_order() -> None:
    data = container('<Video z="1" ratingKey="1" a="2" m="3"/><Video ratingKey="999"/>', size="2", b="x", a="y")
    assert re.search(rb'<MediaContainer size="1" b="x" a="y"><Video z="1" ratingKey="1" a="2" m="3" />', cut(data, View.WHOLE, SCOPE))


def test_what_needs_no_cut_is_passed_on_byte_for_byte() -> None:
    data = container('<Video  z="1" ratingKey="1"><Media/></Video>', size="1")
    assert cut(data, View.ITEMS, SCOPE) is data


BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><MediaContainer t="&b;"/>'
XXE = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><MediaContainer>&a;</MediaContainer>'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"<html><body>hello</body></html>",
        b"<MediaContainer>",
        b"\xff\xfe<",
        b'<?xml version="1.0" encoding="nonsense"?><MediaContainer/>',
        BOMB,
        XXE,
    ],
)
def test_garbage_is_told_as_such(data: bytes) -> None:
    with pytest.raises(Garbled):
        cut(data, View.WHOLE, SCOPE)


def test_the_empty_answer_is_one() -> None:
    assert parse(EMPTY).get("size") == "0"


@st.composite
def containers(draw: st.DrawFn) -> bytes:
    """Answers whose keys, libraries and tokens stand in every way in which XML lets them stand."""
    numbers = st.sampled_from(["1", "2", "9", "30", "&#57;", "01", "x", ""])
    names = st.sampled_from(["ratingKey", "librarySectionID", "parentRatingKey", "title", "type", "token", "authToken", "a:ratingKey"])
    marks = st.sampled_from(['="{}"', "='{}'", ' = "{}"', '=\n"{}"'])
    words = st.sampled_from(["collection", "ratingKey=", "oken", "movie"])

    def attributes() -> str:
        found = draw(st.dictionaries(names, st.one_of(numbers, words), max_size=3))
        return "".join(f" {name}{draw(marks).format(value)}" for name, value in found.items())

    inner = "".join(
        draw(st.sampled_from(["<Video{}/>", "<Video{}><Role/></Video>", "<Related><Video{}/></Related>"])).format(attributes())
        for _ in range(draw(st.integers(0, 4)))
    )
    inner += draw(st.sampled_from(["", '<!-- ratingKey="9" -->', '<![CDATA[ratingKey="9"]]>', "text"]))
    encoding = draw(st.sampled_from(["utf-8", "UTF-8", "iso-8859-1", "utf-16"]))
    head = draw(st.sampled_from(["", f'<?xml version="1.0" encoding="{encoding}"?>\n', f"<?xml version='1.0' encoding='{encoding}'?>"]))
    text = f'{head}<MediaContainer xmlns:a="b"{attributes()}>{inner}</MediaContainer>'
    return text.encode("utf-16" if encoding == "utf-16" and head else "utf-8")


@settings(max_examples=300)
@example(b'<MediaContainer><Directory ratingKey="2" type="collection" librarySectionID="9"/></MediaContainer>')
@example(b'<MediaContainer><Video ratingKey="9" type="movie"/></MediaContainer>')
@given(containers())
def test_nothing_hidden_gets_through_and_nothing_else_is_touched(data: bytes) -> None:
    """However it is written: what is passed on byte for byte holds nothing that is hidden, and what holds nothing is."""

    def hidden(element: Element, section: str) -> bool:
        key = element.get("ratingKey", "")
        if element.get("type") == "collection" and "ratingKey" in element.attrib:
            where = element.get("librarySectionID", section)
            return where.isdecimal() and int(where) not in SCOPE.sections
        return key.isdecimal() and int(key) not in SCOPE.visible

    before = parse(data)
    private = {"myPlexUsername", "authToken", "token", "accessToken"}
    section = before.get("librarySectionID", "")
    unclean = bool(private & set(before.keys())) or any(hidden(element, section) for element in before.iter() if element is not before)
    got = cut(data, View.ITEMS, SCOPE)
    after = parse(got)
    assert not private & set(after.keys())
    assert not any(hidden(element, section) for element in after.iter() if element is not after)
    assert unclean or got == data
