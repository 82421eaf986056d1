"""The ``<<name>>`` references of config.yml, as Kometa resolves them: from KOMETA_NAME, PMM_NAME and config/.env."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*(.*?)\s*$")
_REFERENCE = re.compile(r"<<([^<>]+)>>")
_OWN = "KOMETA_SIDECAR_"
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


def parse_env(text: str) -> dict[str, str]:
    """The assignments of a ``.env`` file: comments, ``export`` and quotes as python-dotenv takes them, no expansion."""
    found = {}
    for line in text.lstrip("\ufeff").splitlines():
        assignment = _LINE.match(line)
        if not assignment or line.lstrip().startswith("#"):
            continue
        name, value = assignment.groups()
        if value[:1] in ("'", '"'):
            quoted = re.match(r"'((?:\\.|[^'\\])*)'|\"((?:\\.|[^\"\\])*)\"", value)
            if quoted:
                value = (
                    quoted.group(1)
                    if quoted.group(1) is not None
                    else _ESCAPE.sub(lambda found: _ESCAPED.get(found.group(1), found.group(1)), quoted.group(2))
                )
        else:
            value = re.split(r"\s+#", value, maxsplit=1)[0].rstrip()
        found[name] = value
    return found


def references(env: Mapping[str, str]) -> dict[str, str]:
    """Name in ``<<name>>`` -> value, for the variables Kometa looks at. Both spellings, ``plex-token`` and ``PLEX_TOKEN``."""
    found = {}
    for prefix in ("PMM_", "KOMETA_"):
        for variable, value in env.items():
            upper = variable.upper()
            if upper.startswith(prefix) and not upper.startswith(_OWN) and value.strip():
                name = variable.lower()[len(prefix) :].replace("_", "-")
                found[name] = value
                found[name.upper().replace("-", "_")] = value
    return found


def resolve(data: Any, values: Mapping[str, str], unresolved: Callable[[tuple[str | int, ...], str], None]) -> Any:
    """``data`` with references replaced, except below ``template_variables`` (Kometa leaves those to its templates).

    A value that is nothing but an unknown reference becomes None, as in Kometa; ``unresolved(where, name)`` is told.
    """

    def walk(node: Any, where: tuple[str | int, ...]) -> Any:
        if isinstance(node, dict):
            return {key: value if key == "template_variables" else walk(value, (*where, str(key))) for key, value in node.items()}
        if isinstance(node, list):
            return [walk(value, (*where, index)) for index, value in enumerate(node)]
        if not isinstance(node, str) or "<<" not in node:
            return node
        text = _REFERENCE.sub(lambda found: values.get(found.group(1), found.group(0)), node)
        for name in _REFERENCE.findall(text):
            unresolved(where, name)
        return None if text.startswith("<<") and text.endswith(">>") else text

    return walk(data, ())
