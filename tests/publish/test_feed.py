"""feed.xml: what RFC 4287 asks of a feed, with hostile texts too."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.model import EditBrief, RunBrief, RunState
from sidecar.publish.feed import ATOM, MOST, feed

NS = {"a": ATOM}
START = datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC)
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def brief(number: int, state: RunState = RunState.DONE, **fields: object) -> RunBrief:
    found = {"changed": 2, "targets": 9, "counts": {"changed": 2, "unchanged": 7}, "ended": START + timedelta(hours=number), **fields}
    return RunBrief(id=f"2026-{number:03}", state=state, started=START + timedelta(hours=number), **found)  # type: ignore[arg-type]


def read(history: list[RunBrief], *, base_url: str = "", config_dir: str = "config") -> ET.Element:
    data = feed(history, config_dir=config_dir, base_url=base_url, paged=frozenset(each.id for each in history))
    root = ET.fromstring(data)
    assert root.tag == f"{{{ATOM}}}feed"
    for element in (root, *root.findall("a:entry", NS)):
        for name in ("id", "title", "updated"):  # RFC 4287, 4.1.1 and 4.1.2: exactly one of each
            assert len(element.findall(f"a:{name}", NS)) == 1
        assert RFC3339.fullmatch(element.findtext("a:updated", "", NS))
        assert element.findtext("a:id", "", NS).startswith("urn:uuid:")
        assert element.findtext("a:title", "", NS)
    assert root.findtext("a:author/a:name", "", NS)
    ids = [element.text for element in root.iter(f"{{{ATOM}}}id")]
    assert len(ids) == len(set(ids))
    return root


def test_runs_with_something_to_see_are_entries_newest_first() -> None:
    edit = EditBrief(files=("overlays/my.yml",), added=3, removed=1)
    history = [
        brief(5, edit=edit, warnings=1),
        brief(4, changed=0, counts={"unchanged": 9}),
        brief(3, RunState.SUPERSEDED),
        brief(2, RunState.INVALID, errors=2, changed=0, counts={}),
        brief(1, RunState.FAILED, changed=0, counts={}),
    ]
    root = read(history, base_url="https://kometa.example/preview/")
    entries = root.findall("a:entry", NS)
    assert [entry.findtext("a:title", "", NS) for entry in entries] == [
        "2 of 9 pictures changed",
        "The config cannot be rendered",
        "A render failed",
    ]
    assert entries[0].findtext("a:summary", "", NS) == "2 changed; 7 unchanged; 1 warning; edited overlays/my.yml (+3 −1)"
    [link] = entries[0].findall("a:link", NS)
    assert link.get("href") == "https://kometa.example/preview/runs/2026-005/index.html"
    assert root.findtext("a:updated", "", NS) == "2026-11-21T06:02:03Z"
    assert {link.get("rel"): link.get("href") for link in root.findall("a:link", NS)} == {
        "self": "https://kometa.example/preview/feed.xml",
        "alternate": "https://kometa.example/preview/",
    }


def test_a_title_says_what_the_runs_page_says() -> None:
    history = [
        brief(5, counts={}),  # not compared yet
        brief(4, counts={"unchanged": 2, "reused": 7}),  # an edit was taken back: as approved
        brief(3, counts={"changed": 1, "new": 1, "unchanged": 7}),
        brief(2, changed=0, failed=3, counts={"failed": 3, "unchanged": 6}),
        brief(1, changed=9, counts={"new": 9, "changed": 0}),
    ]
    assert [entry.findtext("a:title", "", NS) for entry in read(history).findall("a:entry", NS)] == [
        "2 of 9 pictures changed",
        "Nothing changed in 9 pictures",
        "2 of 9 pictures changed",
        "3 pictures failed",
        "9 new pictures",
    ]


def test_an_entry_is_the_same_for_ever_and_there_is_an_end_to_them() -> None:
    one, other = read([brief(1)]), read([brief(2), brief(1)], base_url="https://moved.example")
    assert one.findtext("a:entry/a:id", "", NS) == other.findall("a:entry", NS)[1].findtext("a:id", "", NS)
    assert one.findtext("a:id", "", NS) == other.findtext("a:id", "", NS)
    assert len(read([brief(number) for number in range(200, 0, -1)]).findall("a:entry", NS)) == MOST


def test_an_empty_history_is_a_valid_feed() -> None:
    assert read([]).findall("a:entry", NS) == []


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec=None), max_size=40), st.text(st.characters(codec=None), max_size=40))
def test_any_text_leaves_it_well_formed(path: str, config_dir: str) -> None:
    root = read([brief(1, edit=EditBrief(files=(path,), added=1))], config_dir=config_dir)
    assert len(root.findall("a:entry", NS)) == 1
