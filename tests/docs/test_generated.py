"""What docs/ says of the code is what the code says."""

from __future__ import annotations

import pytest

from docs.generate import HERE, SECTIONS, filled


@pytest.mark.parametrize(("file", "name"), SECTIONS)
def test_the_page_is_in_step(file: str, name: str) -> None:
    text = (HERE / file).read_text(encoding="utf-8")
    assert text == filled(text, name, SECTIONS[file, name]()), "run: make docs"


def test_a_page_without_marks() -> None:
    with pytest.raises(ValueError, match="no section x"):
        filled("text", "x", "content")
