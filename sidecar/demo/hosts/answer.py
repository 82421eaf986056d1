"""Requests to the stand-in hosts and their answers. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HostCall:
    """A request to a host, without the host."""

    host: str
    method: str
    segments: tuple[str, ...]
    """Of the path, decoded."""
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return "/" + "/".join(self.segments)

    def json(self) -> dict[str, object]:
        """The body's JSON object, or an empty one."""
        try:
            data = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return data if isinstance(data, dict) else {}


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back."""

    body: bytes
    media_type: str = "text/plain; charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def json_reply(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A JSON reply."""
    return Reply(json.dumps(data, ensure_ascii=False).encode(), "application/json;charset=utf-8", status, headers or {})


def text_reply(text: str, status: int = 200, media_type: str = "text/plain; charset=utf-8") -> Reply:
    """A text reply."""
    return Reply(text.encode(), media_type, status)
