"""Runs made visible: a static gallery for people, summary.json and latest.json for programs.

view -> cards (what is shown) -> images (linked, thumbnails) -> pages, summary -> files, the index last
"""

from __future__ import annotations

from sidecar.publish.gallery import Gallery
from sidecar.publish.recall import recall
from sidecar.publish.view import GalleryView, RunBrief

__all__ = ["Gallery", "GalleryView", "RunBrief", "recall"]
