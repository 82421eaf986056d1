"""The gallery's pictures: named by content, linked once, never changed; each with a small one for the grid."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sidecar.errors import StoreError
from sidecar.model import Blob, Run
from sidecar.publish.files import link_or_copy, write_atomic
from sidecar.publish.thumbs import make_thumb, thumb_width
from sidecar.review import RunReview

log = logging.getLogger(__name__)

_SHA: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A published picture. URLs are relative to the gallery's root."""

    url: str
    thumb: str
    """The same as ``url`` where no small one could be made."""
    width: int
    """Pixels; 0 where the store does not know."""
    height: int
    size: int
    sha256: str

    @property
    def usual_thumb(self) -> str:
        """Where ``thumb`` is as a rule: what pages need not say."""
        return f"thumbs/{self.sha256}-{thumb_width(self.width, self.height)}.webp"

    @property
    def landscape(self) -> bool:
        return self.width > self.height

    @property
    def square(self) -> bool:
        return self.width > 0 and abs(self.width - self.height) * 20 < self.width


class Images:
    """What is already published is remembered, so that a publish touches new pictures only."""

    def __init__(self, root: Path, blob_path: Callable[[Blob], Path]) -> None:
        self._root = root
        self._blob_path = blob_path
        self._shots: dict[str, Shot] = {}
        self._owed: dict[str, Blob] = {}
        """Shown at full size until a small one is made."""
        self._workers = min(4, len(os.sched_getaffinity(0)))  # Pillow decodes and encodes outside the interpreter's lock

    def publish(
        self,
        runs: Iterable[Run | None] = (),
        reviews: Iterable[RunReview] = (),
        more: Iterable[Blob | None] = (),
    ) -> tuple[Blob, ...]:
        """Make every picture of ``runs``, of their ``reviews``, and ``more`` available. StoreError where the disk refuses.

        Returns those that want a small one. These take longer than all the rest and are left to :meth:`make_thumbs`: a new picture
        is to be seen now.
        """
        wanted = {blob.sha256: blob for blob in more if blob is not None}
        masks = set()
        for run in runs:
            for picture in run.pictures if run else ():
                if picture.quick is not None:
                    wanted[picture.quick.sha256] = picture.quick
                    masks.add(picture.quick.sha256)  # shown for a moment: no small one is worth its while
                wanted.update((blob.sha256, blob) for blob in (picture.before, picture.after) if blob is not None)
        for review in reviews:
            for target in review.targets:
                mask = target.comparison.mask if target.comparison else None
                if mask is not None:
                    masks.add(mask.sha256)
                wanted.update((blob.sha256, blob) for blob in (target.reference, mask) if blob is not None)
        for sha256 in wanted.keys() - self._shots.keys():
            shot = self._one(wanted[sha256], sha256 in masks)
            if shot is not None:
                self._shots[sha256] = shot
        return tuple(blob for sha256, blob in self._owed.items() if sha256 in wanted)

    @property
    def owed(self) -> Mapping[str, Blob]:
        """By sha256, the pictures shown at full size for want of a small one."""
        return self._owed

    def lacks(self, run: Run) -> bool:
        """Does a picture of ``run`` want a small one?"""
        return self.owes(blob for picture in run.pictures for blob in (picture.before, picture.after))

    def owes(self, blobs: Iterable[Blob | None]) -> bool:
        """Does any of ``blobs`` want a small one?"""
        return any(blob is not None and blob.sha256 in self._owed for blob in blobs)

    def make_thumbs(self, wanted: Iterable[Blob]) -> None:
        """Make those of the small pictures of ``wanted`` that are owed. StoreError where the disk refuses."""
        blobs = tuple(blob for blob in wanted if blob.sha256 in self._owed)
        if len(blobs) <= 1:
            shots = [self._small(blob) for blob in blobs]
        else:
            with ThreadPoolExecutor(self._workers, thread_name_prefix="thumbs") as pool:
                shots = list(pool.map(self._small, blobs))
        for shot in shots:
            del self._owed[shot.sha256]
            self._shots[shot.sha256] = shot

    def prune(self, keep: Collection[str], *, older_than: float) -> int:
        """Remove pictures of none of these sha256s that are older than so many seconds; how many. OSError where the disk refuses."""
        until = time.time() - older_than
        gone = 0
        for folder in ("img", "thumbs"):
            for path in (self._root / folder).glob("*"):
                sha256 = path.name[:64]
                if sha256 not in keep and _SHA.fullmatch(sha256) and path.stat().st_mtime < until:
                    path.unlink(missing_ok=True)
                    self._shots.pop(sha256, None)
                    self._owed.pop(sha256, None)
                    gone += 1
        return gone

    def shot(self, blob: Blob | None) -> Shot | None:
        """The published picture of ``blob``; None without one, or where the store has lost it."""
        return None if blob is None else self._shots.get(blob.sha256)

    def _one(self, blob: Blob, mask: bool) -> Shot | None:
        """``mask``: shown over a picture of its size only, so that no small one is needed."""
        if not _SHA.fullmatch(blob.sha256):
            raise StoreError(f"not a content hash: {blob.sha256!r}")
        url = f"img/{blob.name}"
        target = self._root / url
        try:
            link_or_copy(self._blob_path(blob), target, blob.sha256)
        except FileNotFoundError:
            log.warning("picture %s is missing from the store", blob.name)
            return None
        shot = Shot(url=url, thumb=url, width=blob.width, height=blob.height, size=blob.size, sha256=blob.sha256)
        if mask:
            return shot
        if not _holds_something(self._root / shot.usual_thumb):
            self._owed[blob.sha256] = blob
            return shot
        return replace(shot, thumb=shot.usual_thumb)

    def _small(self, blob: Blob) -> Shot:
        shot = self._shots[blob.sha256]
        data = make_thumb(self._root / shot.url, thumb_width(blob.width, blob.height))
        if data is None:
            return shot
        write_atomic(self._root / shot.usual_thumb, data)
        return replace(shot, thumb=shot.usual_thumb)


def _holds_something(path: Path) -> bool:
    """A power cut may have left the mere name of a small picture."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False
