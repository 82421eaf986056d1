"""The one place where asyncio tasks are made: each has a name, is held until it ends, and never fails unseen.

Model: mitmproxy's ``asyncio_utils.create_task`` (one maker, named tasks, kept references).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

Spawn = Callable[[Coroutine[Any, Any, Any], str], "asyncio.Task[Any]"]
"""What a part that needs a background task is given: ``spawn(coroutine, name)``."""


class Tasks:
    """Background tasks of one daemon."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(self, coroutine: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Start ``coroutine``; an exception that nobody awaits is logged with the task's name."""
        task = asyncio.create_task(coroutine, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task %s failed: %s", task.get_name(), error, exc_info=error)

    @property
    def names(self) -> list[str]:
        return sorted(task.get_name() for task in self._running)

    async def close(self, within: float = 5.0) -> None:
        """Cancel all and wait at most ``within`` seconds for them to end."""
        pending = [task for task in self._running if task is not asyncio.current_task()]
        for task in pending:
            task.cancel()
        if pending:
            _, late = await asyncio.wait(pending, timeout=within)
            for task in late:
                log.warning("task %s did not end within %.0f s", task.get_name(), within)
