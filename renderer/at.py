"""Which item Kometa is drawing: what it complains of meanwhile is about that one.

Its log names an item by a title that others may bear too. The frame of its drawing loop says it for certain; it is looked at only
when there is something to complain of. A Kometa of another shape costs the name of the item, nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from renderer.observe import server_name


def finder() -> Callable[[], tuple[str, int] | None]:
    """A function for the thread that draws: the Plex server's name and the rating key of the item that ``Overlays.run_overlays`` is at.

    None before the first one and outside of it. (Kometa compiles inside of it too, before its first item.)
    """
    drawing = getattr(getattr(sys.modules.get("modules.overlays"), "Overlays", None), "run_overlays", None)
    code = getattr(drawing, "__code__", None)

    def find() -> tuple[str, int] | None:
        frame: Any = sys._getframe(1)  # noqa: SLF001  # see above
        while frame is not None and frame.f_code is not code:
            frame = frame.f_back
        if frame is None:
            return None
        names = frame.f_locals
        try:
            return server_name(str(names["self"].library.url)), int(names["item"].ratingKey)
        except (KeyError, AttributeError, TypeError, ValueError):
            return None

    return find
