"""What strangers send that is no HTTP is one line in the log, not a traceback: else anybody could fill the disk with them."""

from __future__ import annotations

import logging
from typing import Any

from aiohttp import http_exceptions, web


class ServerLog(logging.LoggerAdapter[logging.Logger]):
    """For ``web.AppRunner(app, logger=ServerLog())``. Failures of handlers never get here: the application answers them."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger("sidecar.web.server"), {})

    def exception(self, msg: object, *args: object, exc_info: Any = True, **more: Any) -> None:
        if isinstance(exc_info, http_exceptions.HttpProcessingError | web.RequestPayloadError):
            self.info("%s: what came is no sound HTTP", str(msg) % args if args else msg)
        else:
            super().exception(msg, *args, exc_info=exc_info, **more)
