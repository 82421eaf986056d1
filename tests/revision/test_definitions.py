"""Where an overlay is defined, for what Kometa says of it by name."""

from __future__ import annotations

import pytest

from sidecar.revision import find_definition
from sidecar.yamlfile import parse

OWN = b"""\
overlays:
  Bar:
    plex_all: true
    overlay:
      name: text(A)
      horizontal_align: nowhere
  4K:
    plex_search:
      all: {resolution: 4k}
    suppress_overlays: Bar
    overlay: {name: text(4K), font_color: red}
  Word: text
"""
OTHER = b"overlays:\n  Twice:\n    plex_all: true\n"


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("Bar", "", ("own.yml", 2)),
        ("Bar", "overlay horizontal_align attribute nowhere must be in [left]", ("own.yml", 6)),
        ("4K", "Overlay font_color 'red' is invalid", ("own.yml", 11)),
        ("4K", "suppress_overlays is blank", ("own.yml", 10)),
        ("4K", "something about all of it", ("own.yml", 9)),
        ("4K", "no word of it", ("own.yml", 7)),
        ("Word", "", None),
        ("Unknown", "", None),
        ("Twice", "", None),
    ],
)
def test_where_it_is(name: str, text: str, place: tuple[str, int] | None) -> None:
    documents = [
        parse(OWN, "own.yml"),
        parse(OTHER, "a.yml"),
        parse(OTHER, "b.yml"),
        parse(b"- no mapping\n", "c.yml"),
        parse(b"overlays: 3\n", "d.yml"),
    ]
    assert find_definition(documents, name, text) == place
