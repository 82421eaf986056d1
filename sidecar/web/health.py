"""Is it alive, is it ready, and if not, why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from sidecar.model import Health


def readiness(health: Sequence[Health], *, published: bool, full: bool) -> tuple[bool, dict[str, object]]:
    """Whether renders can be served now, and the answer of /readyz. ``full`` tells details, for those who may know them."""
    reasons: list[dict[str, object]] = []
    if not published:
        reasons.append({"part": "gallery", "detail": "nothing is published yet"})
    for part in health:
        if part.ok:
            continue
        reason: dict[str, object] = {"part": part.part}
        if full:
            reason["detail"] = part.detail
            if part.since is not None:
                reason["since"] = part.since.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        reasons.append(reason)
    return not reasons, {"ready": not reasons, "reasons": reasons}
