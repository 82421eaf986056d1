"""Reads a ``render`` message: a Job, or BadOrder with what is wrong. Looks at the shards' files, changes nothing."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from renderer.limits import Limits
from renderer.run import Order

MAX_SHARDS = 64
MAX_DEADLINE = 24 * 3600.0
"""Seconds."""


class BadOrder(Exception):
    """The message asks for nothing that can be done. The text is for people."""


@dataclass(frozen=True)
class Job:
    """A checked ``render`` message."""

    id: str
    deadline: float
    """Seconds."""
    orders: tuple[Order, ...]
    limits: Limits = field(default_factory=Limits)


def parse(message: dict[str, Any]) -> Job:
    """The job that ``message`` asks for. BadOrder where a field is missing or wrong, or a shard's directory is not laid out."""
    job = _text(message, "id")
    gateway = _text(message, "gateway")
    if not gateway.startswith("/"):
        raise BadOrder(f"gateway is not an absolute path: {gateway!r}")
    deadline = message.get("deadline")
    if not _seconds(deadline):
        raise BadOrder(f"deadline is not a number of seconds: {deadline!r}")
    options = message.get("options") or {}
    if not isinstance(options, dict):
        raise BadOrder("options is not an object")
    timeout = options.get("timeout", 60)
    if isinstance(timeout, bool) or not isinstance(timeout, int) or not 1 <= timeout <= 3600:
        raise BadOrder(f"options.timeout is not a whole number of seconds: {timeout!r}")
    level = {"INFO": logging.INFO, "DEBUG": logging.DEBUG}.get(options.get("log_level", "INFO"))
    if level is None:
        raise BadOrder(f"options.log_level is neither INFO nor DEBUG: {options.get('log_level')!r}")
    patience, memory = options.get("phase_deadline"), options.get("memory")
    if patience is not None and not _seconds(patience):
        raise BadOrder(f"options.phase_deadline is not a number of seconds: {patience!r}")
    if memory is not None and (isinstance(memory, bool) or not isinstance(memory, int) or memory <= 0):
        raise BadOrder(f"options.memory is not a number of bytes: {memory!r}")
    shards = message.get("shards")
    if not isinstance(shards, list) or not 1 <= len(shards) <= MAX_SHARDS or not all(isinstance(shard, dict) for shard in shards):
        raise BadOrder(f"shards is not a list of 1 to {MAX_SHARDS} objects")
    orders = tuple(_order(job, gateway, timeout, level, shard) for shard in shards)
    for what, values in (("index", [order.shard for order in orders]), ("home", [str(order.home) for order in orders])):
        if len(set(values)) != len(values):
            raise BadOrder(f"two shards have the same {what}")
    return Job(id=job, deadline=float(deadline), orders=orders, limits=Limits(phase_deadline=patience, memory=memory))


def _seconds(value: object) -> TypeGuard[float]:
    return not isinstance(value, bool) and isinstance(value, (int, float)) and math.isfinite(value) and 0 < value <= MAX_DEADLINE


def _order(job: str, gateway: str, timeout: int, level: int, shard: dict[str, Any]) -> Order:
    index = shard.get("index")
    if isinstance(index, bool) or not isinstance(index, int) or index < 0:
        raise BadOrder(f"shard index is not a whole number: {index!r}")
    home = Path(_text(shard, "home"))
    plex = shard.get("plex") or ""
    if not isinstance(plex, str):
        raise BadOrder(f"shard {index}: plex is no text")
    order = Order(job=job, shard=index, home=home, token=_text(shard, "token"), gateway=gateway, timeout=timeout, level=level, plex=plex)
    if not home.is_absolute() or not home.is_dir():
        raise BadOrder(f"shard {index}: there is no directory {home} here")
    if not order.config.is_file():
        raise BadOrder(f"shard {index}: there is no {order.config}")
    return order


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value or "\0" in value:
        raise BadOrder(f"{name} is missing or no text")
    return value
