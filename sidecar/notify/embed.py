"""A message as Discord wants it: one embed, within every documented limit. Pure.

Limits: https://discord.com/developers/docs/resources/message#embed-object-embed-limits and
https://discord.com/developers/docs/resources/webhook#execute-webhook. Lengths are counted in UTF-16 units, the strictest
way they could be meant.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, Final

from sidecar.notify.message import facts, percent
from sidecar.notify.payload import Message

CONTENT: Final = 2000
ALT_TEXT: Final = 1024
SILENT: Final = 1 << 12
"""Message flag SUPPRESS_NOTIFICATIONS."""

_OURS: Final = {"title": 256, "description": 2000, "value": 1000, "footer": 200}
"""Characters that we use of Discord's 256, 4096, 1024 and 2048: with four fields it can never be more than 6000, all together."""
_COLOURS: Final = {"info": 0x3B82F6, "success": 0x22C55E, "warning": 0xF59E0B, "error": 0xEF4444}
_SPECIAL: Final = re.compile(r"([\\*_~|`<>\[\]])")
_AT_START: Final = re.compile(r"^(\s*)([#+-]|\d+[.)])", re.MULTILINE)
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def payload(
    message: Message,
    *,
    picture: str = "",
    alt: str = "",
    too_large: bool = False,
    users: Sequence[str] = (),
    roles: Sequence[str] = (),
    mention_on: Collection[str] = (),
    silent: bool = False,
    username: str | None = None,
    edit: bool = False,
) -> dict[str, Any]:
    """The JSON of Execute Webhook, or with ``edit`` of Edit Webhook Message.

    picture, alt   the file name of the contact sheet that goes along as files[0], and its alt text
    too_large      there is a contact sheet, but it could not be attached: say so
    users, roles   ids to mention where the event is in ``mention_on``; nobody else ever is
    """
    calls = not edit and message.event in mention_on and bool(users or roles)
    names = [*(f"<@{user}>" for user in users), *(f"<@&{role}>" for role in roles)] if calls else []
    made: dict[str, Any] = {
        "content": cut(" ".join(names), CONTENT),
        "embeds": [embed(message, picture=picture, too_large=too_large)],
        "allowed_mentions": {"parse": [], "users": list(users), "roles": list(roles)} if calls else {"parse": []},
        "attachments": [{"id": 0, "filename": picture, "description": cut(alt, ALT_TEXT)}] if picture else [],
    }
    if not edit:
        if silent:
            made["flags"] = SILENT
        if username:
            made["username"] = username
    return made


def embed(message: Message, *, picture: str = "", too_large: bool = False) -> dict[str, Any]:
    """The embed alone."""
    made: dict[str, Any] = {
        "title": cut(escaped(message.title), _OURS["title"]) or "kometa-sidecar",
        "color": _COLOURS[message.severity],
        "timestamp": message.at.isoformat(),
    }
    if description := _description(message, too_large):
        made["description"] = description
    if message.url and len(message.url) <= 2048 and message.url.startswith(("http://", "https://")):
        made["url"] = message.url
    if fields := _fields(message):
        made["fields"] = fields
    made["footer"] = {"text": cut(_plain(_footer(message)), _OURS["footer"])}
    if picture:
        made["image"] = {"url": f"attachment://{picture}"}
    return made


def size(made: dict[str, Any]) -> int:
    """What counts towards Discord's limit for a whole embed."""
    texts = [made.get("title", ""), made.get("description", ""), made.get("footer", {}).get("text", "")]
    texts += [text for field in made.get("fields", ()) for text in (field["name"], field["value"])]
    return sum(units(text) for text in texts)


def _description(message: Message, too_large: bool) -> str:
    if message.outage or message.event == "test" or message.run is None:
        return cut(escaped(message.text), _OURS["description"])
    parts = []
    if message.edit:
        for file in message.edit.files[:3]:
            parts.append(f"**{escaped(file.path)}** {file.kind}, +{file.added} −{file.removed}")
            if file.lines and len(parts) <= 4:
                lines = "\n".join(cut(_plain(line).replace("`", "ˋ"), 120) for line in file.lines)
                parts.append(f"```diff\n{lines}\n```")
        rest = len(message.edit.files) - 3 + message.edit.more
        parts += [f"and {rest} more files"] if rest > 0 else []
    if too_large:
        parts.append("The pictures are too large to attach: see the link.")
    # Whole parts only: half a code block would swallow what follows.
    kept: list[str] = []
    for part in parts:
        if units("\n".join([*kept, part])) > _OURS["description"]:
            break
        kept.append(part)
    return "\n".join(kept)


def _fields(message: Message) -> list[dict[str, Any]]:
    fields = []
    if message.targets:
        lines = [f"{escaped(target.title)}{percent(target)}" for target in message.targets[:12]]
        rest = len(message.targets) - len(lines) + message.more_targets
        fields.append(_field("Posters", [*lines, *([f"and {rest} more"] if rest else [])]))
    if message.event in ("preview.failed", "preview.recovered", "preview.changed") and message.problems:
        lines = []
        for problem in message.problems[:4]:
            place = f"{problem.file}:{problem.line}" if problem.file and problem.line else problem.file
            lines.append(" ".join(filter(None, (f"**{escaped(place)}**" if place else "", escaped(problem.what)))))
            lines += [f"→ {escaped(problem.mend)}"] if problem.mend else []
        fields.append(_field("Problems", lines))
    if message.run:
        fields.append(_field("Run", [facts(message.run)]))
    return [field for field in fields if field["value"]]


def _field(name: str, lines: Sequence[str]) -> dict[str, Any]:
    kept: list[str] = []
    for line in lines:
        line = cut(line, 300)
        if units("\n".join([*kept, line])) > _OURS["value"]:
            break
        if line.strip():
            kept.append(line)
    return {"name": name, "value": "\n".join(kept)}


def _footer(message: Message) -> str:
    parts = ["kometa-sidecar"]
    if message.run:
        parts.append(message.run.id)
    if message.session and message.session.number > 1:
        parts.append(f"edit {message.session.number} in a row")
    return " · ".join(parts)


def units(text: str) -> int:
    """Length in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, longest: int) -> str:
    """``text`` without surrounding space, at most ``longest`` units, an ellipsis where it was cut."""
    text = text.strip()
    if units(text) <= longest:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if units(text[:middle]) < longest else (low, middle - 1)
    # A cut must not end within an escape: a lone backslash would swallow what follows.
    return text[:low].rstrip().rstrip("\\") + "…"


def escaped(text: str) -> str:
    """``text`` with nothing in it that Discord's Markdown would act on."""
    return _AT_START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", _plain(text)))


def _plain(text: str) -> str:
    """Without control and direction characters, and without what no encoding can carry."""
    return _CONTROLS.sub("", text).encode("utf-8", "replace").decode()
