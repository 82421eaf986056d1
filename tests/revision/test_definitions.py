"""Where an overlay is defined, for what Kometa says of it by name."""

from __future__ import annotations

import pytest

from sidecar.revision import find_definition, find_entry, find_part, find_variable
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


CONFIG = b"""\
libraries:
  Movies:
    overlay_files:
      - url: https://example.org/a.yml
      - default: resolution
        template_variables:
          horizontal_align: nowhere
          vertical_align: top
      - default: ratings
  Films:
    library_name: Shows
    overlay_files:
      - default: ratings
        template_variables: {vertical_align: up, horizontal_align: left}
  Else: 3
"""


@pytest.mark.parametrize(
    ("kind", "name", "line"),
    [("url", "https://example.org/a.yml", 4), ("default", "resolution", 5), ("default", "ratings", None), ("git", "x", None)],
)
def test_where_a_file_is_named(kind: str, name: str, line: int | None) -> None:
    assert find_entry(parse(CONFIG, "config.yml"), kind, name) == (("config.yml", line) if line else None)


@pytest.mark.parametrize(
    ("text", "library", "line"),
    [
        ("overlay horizontal_align attribute nowhere must be in [left, center, right]", "Movies", 7),
        ("overlay horizontal_align attribute nowhere must be in [left, center, right]", "", 7),
        ("overlay horizontal_align attribute nowhere must be in [left, center, right]", "Shows", None),
        ("overlay vertical_align attribute 'up' must be in [top, bottom]", "Shows", 14),
        ("overlay vertical_align attribute sideways must be in [top, bottom]", "Movies", None),
        ("", "", None),
    ],
)
def test_where_a_variable_was_given(text: str, library: str, line: int | None) -> None:
    assert find_variable(parse(CONFIG, "config.yml"), text, library) == (("config.yml", line) if line else None)


def test_a_config_of_another_shape_names_nothing() -> None:
    for raw in (b"- a\n", b"libraries: 3\n", b"libraries: {A: {overlay_files: {default: x}}}\n"):
        assert find_entry(parse(raw, "config.yml"), "default", "x") is None


PARTS = b"""\
queues:
  q: {default: 3}
overlays:
  One: 5
  One More:
    plex_all: true
"""


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("own.yml", "Config Warning: overlay: One must be a dictionary", 4),
        ("own.yml", "Config Warning: overlay: One More must be a dictionary", 5),
        ("own.yml", "Config Error: queue q must be a list", 2),
        ("own.yml", "Config Error: queues attribute is blank", 1),
        ("own.yml", "YAML Error: overlays attribute is required", 3),
        ("own.yml", "Config Error: templates must be a dictionary", None),
        ("own.yml", "something else", None),
        ("other.yml", "Config Warning: overlay: One must be a dictionary", None),
    ],
)
def test_which_part_of_a_file_is_meant(file: str, text: str, line: int | None) -> None:
    assert find_part([parse(PARTS, "own.yml")], file, text) == line
