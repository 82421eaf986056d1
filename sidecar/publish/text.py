"""Hostile text made harmless to read: titles, file names and log lines come from anywhere.

HTML escaping is the template engine's; this is for what escaping leaves: characters that are not seen, that reorder
what is seen, or that cannot be encoded. Marks that real titles need (ZWJ in emoji, LRM/RLM in Hebrew and Arabic) stay.
"""

from __future__ import annotations

import re
from typing import Final

LIMIT: Final = 4000
"""Characters of one text on a page; what is longer is cut and ends with an ellipsis."""

_SPECIAL: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    "\u200b\u2028\u2029\u2060\ufeff"  # unseen: zero width space, line and paragraph separators, word joiner, BOM
    "\u202a-\u202e\u2066-\u2069\u206a-\u206f"  # bidi embeddings, overrides and isolates; deprecated format characters
    "\ufff9-\ufffb\U000e0000-\U000e007f"  # interlinear annotation, tags
    "\ud800-\udfff]"  # lone surrogates: not encodable
)


def _show(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)  # the control pictures block: ␀ ... ␟
    if code == 0x7F:
        return "\u2421"
    return f"[U+{code:04X}]"


def visible(text: str, limit: int = LIMIT) -> str:
    """``text`` with control, reordering and unencodable characters replaced by visible names, at most ``limit`` long."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return _SPECIAL.sub(_show, text.replace("\r\n", "\n"))


def encodable(text: str) -> str:
    """``text`` for JSON: only lone surrogates are replaced, since no UTF-8 reader takes them."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
