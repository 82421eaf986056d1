"""Writes into docs/ what the code says: ``make docs``. A test compares the two."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, cast

from sidecar import notify
from sidecar.gateway import policy
from sidecar.settings import reference
from sidecar.web.api import Api, openapi

HERE: Final = Path(__file__).parent


def operations() -> str:
    """The API's table. Nothing is asked of what stands behind it."""
    nobody = cast("Any", None)
    api = Api(source=nobody, actions=nobody, reviewing=nobody, telling=nobody, events=nobody, stream=nobody, redact=str, login=False)
    return openapi.table(api.operations)


SECTIONS: Final[Mapping[tuple[str, str], Callable[[], str]]] = {
    ("gateway.md", "policy"): policy.table,
    ("settings.md", "settings"): reference.table,
    ("api.md", "operations"): operations,
}
"""(file, name of its marked section) -> what stands there."""
FILES: Final[Mapping[str, Callable[[], str]]] = {
    "notification.v1.schema.json": lambda: json.dumps(notify.schema(), indent=2, ensure_ascii=False) + "\n",
}
"""Whole files."""


def filled(text: str, name: str, content: str) -> str:
    """``text`` with ``content`` between the marks of ``name``. ValueError where there are none."""
    pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"there is no section {name}")
    return pattern.sub(lambda found: f"{found[1]}\n{content}\n{found[2]}", text)


def main() -> None:
    """Writes every section and file."""
    for file, content in FILES.items():
        (HERE / file).write_text(content(), encoding="utf-8")
        sys.stdout.write(f"{file}\n")
    for (file, name), content in SECTIONS.items():
        path = HERE / file
        path.write_text(filled(path.read_text(encoding="utf-8"), name, content()), encoding="utf-8")
        sys.stdout.write(f"{file}: {name}\n")


if __name__ == "__main__":
    main()
