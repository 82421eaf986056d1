"""Kometa's working directories of a render: one for each shard, its config made once for all that have the same libraries."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sidecar import revision as revisions
from sidecar.model import PreviewConfig, Shard
from sidecar.pipeline.plan import Plan

Config = tuple[PreviewConfig, revisions.ConfigText]


async def lay_out(plan: Plan, shards: Sequence[Shard], kometa_home: Path | None) -> None:
    """Make the homes of ``shards``. StoreError where the disk does not take them."""
    made = await asyncio.to_thread(configs, plan, shards)

    def one(shard: Shard) -> None:
        preview, text = made[shard.index]
        revisions.materialise(plan.revision, preview, shard.home, token=shard.token, kometa_home=kometa_home, text=text)

    await asyncio.gather(*(asyncio.to_thread(one, shard) for shard in shards))


def configs(plan: Plan, shards: Iterable[Shard]) -> dict[int, Config]:
    """By index, the config of each shard: without the libraries that it has no target of, which would only be compiled for nothing."""
    libraries = plan.preview.data["libraries"]
    assert isinstance(libraries, Mapping)
    made: dict[frozenset[str], Config] = {}
    found: dict[int, Config] = {}
    for shard in shards:
        shown = {(target.server, target.library) for target in shard.targets}
        keys = frozenset(library.key for library in plan.revision.libraries if (library.server, library.name) in shown)
        if keys not in made:
            data = {**plan.preview.data, "libraries": {key: section for key, section in libraries.items() if key in keys}}
            preview = replace(plan.preview, data=data)
            made[keys] = preview, revisions.config_text(preview)
        found[shard.index] = made[keys]
    return found
