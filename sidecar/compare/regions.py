"""Where a mask of differing pixels is set: boxes around its regions, and a coarse print of the whole. Pure."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sidecar.review import Box

CELL: Final = 8
"""Pixels: what lies within two such cells is one region."""
MOST: Final = 20
"""Boxes; the smallest beyond these are left out."""
GRID: Final = 24
"""Cells of a print, each way."""
SHARE: Final = 0.03
"""Of a print's cell that must differ for it to be set: specks do not count."""

Bools = NDArray[np.bool_]


def regions_of(mask: Bools) -> tuple[Box, ...]:
    """Boxes around the connected regions of ``mask``, near ones as one, none overlapping, largest first."""
    boxes = [_tight(mask, box) for box in _components(_any(mask, CELL))]
    while (merged := _merge(boxes)) is not None:
        boxes = merged
    return tuple(sorted(boxes, key=lambda box: (-box[2] * box[3], box[1], box[0]))[:MOST])


def print_of(mask: Bools) -> str:
    """Which cells of a coarse grid over ``mask`` differ, as hex: alike for like changes, whatever the picture's size."""
    rows = np.linspace(0, mask.shape[0], GRID + 1).astype(int)
    columns = np.linspace(0, mask.shape[1], GRID + 1).astype(int)
    sums: Any = np.pad(mask.astype(np.int32).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    corners = sums[np.ix_(rows, columns)]
    counts = corners[1:, 1:] - corners[:-1, 1:] - corners[1:, :-1] + corners[:-1, :-1]
    areas = np.outer(np.diff(rows), np.diff(columns))
    return np.packbits(counts > SHARE * areas).tobytes().hex()


def overlap(one: str, other: str) -> float:
    """How much two prints have in common: cells set in both, of cells set in either; 1 for two empty ones."""
    a, b = int(one or "0", 16), int(other or "0", 16)
    either = (a | b).bit_count()
    return (a & b).bit_count() / either if either else 1.0


def _any(mask: Bools, cell: int) -> Bools:
    height, width = -(-mask.shape[0] // cell), -(-mask.shape[1] // cell)
    padded = np.zeros((height * cell, width * cell), dtype=bool)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    cells: Any = padded.reshape(height, cell, width, cell).any(axis=(1, 3))
    return np.asarray(cells, dtype=bool)


def _components(cells: Bools) -> list[Box]:
    """Boxes in pixels around the connected cells; a gap of one cell does not part them."""
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(cells), strict=True)}
    found = []
    while left:
        start = left.pop()
        stack = [start]
        top, low, first, last = start[0], start[0], start[1], start[1]
        while stack:
            y, x = stack.pop()
            top, low, first, last = min(top, y), max(low, y), min(first, x), max(last, x)
            for near_y in range(y - 2, y + 3):
                for near_x in range(x - 2, x + 3):
                    if (near_y, near_x) in left:
                        left.remove((near_y, near_x))
                        stack.append((near_y, near_x))
        found.append((first * CELL, top * CELL, (last - first + 1) * CELL, (low - top + 1) * CELL))
    return found


def _tight(mask: Bools, box: Box) -> Box:
    x, y, width, height = box
    part = mask[y : y + height, x : x + width]
    rows, columns = np.nonzero(part.any(axis=1))[0], np.nonzero(part.any(axis=0))[0]
    return (x + int(columns[0]), y + int(rows[0]), int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1)


def _merge(boxes: list[Box]) -> list[Box] | None:
    """``boxes`` with the first two that overlap made one; None where none do."""
    for index, one in enumerate(boxes):
        for other_index in range(index + 1, len(boxes)):
            other = boxes[other_index]
            if _touch(one, other):
                x, y = min(one[0], other[0]), min(one[1], other[1])
                right, low = max(one[0] + one[2], other[0] + other[2]), max(one[1] + one[3], other[1] + other[3])
                return [*boxes[:index], (x, y, right - x, low - y), *boxes[index + 1 : other_index], *boxes[other_index + 1 :]]
    return None


def _touch(one: Box, other: Box) -> bool:
    return one[0] < other[0] + other[2] and other[0] < one[0] + one[2] and one[1] < other[1] + other[3] and other[1] < one[1] + one[3]
