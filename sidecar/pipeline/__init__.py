"""Leads the flow through the stages.

loop (latest wins) -> plan (what to render) -> render (one run) -> judge (what became of it) -> showcase (what is shown)
"""

from __future__ import annotations

from sidecar.pipeline.loop import Pipeline
from sidecar.pipeline.plan import Plan, Planner
from sidecar.pipeline.render import Renderer

__all__ = ["Pipeline", "Plan", "Planner", "Renderer"]
