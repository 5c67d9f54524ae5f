"""The order of regions: top to bottom, then left to right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dbrt.postproc.jit import compiled


@compiled
def comes_before(corners: NDArray[np.float32], a: int, b: int) -> bool:
    """True where region `a` begins above `b`, or level with it further left, or was found first."""
    if corners[a, 1] != corners[b, 1]:
        return bool(corners[a, 1] < corners[b, 1])
    if corners[a, 0] != corners[b, 0]:
        return bool(corners[a, 0] < corners[b, 0])
    return a < b


@compiled
def reading_order(
    quads: NDArray[np.float32], n: int, corners: NDArray[np.float32], order: NDArray[np.int64]
) -> None:
    """Sort the first `n` quads by their topmost, then their leftmost coordinate.

    corners  (R, 2) float32, written: least x and least y of each
    order    (R,) int64, written: indices in order
    """
    for i in range(n):
        order[i] = i
        for axis in range(2):
            corners[i, axis] = quads[i, 0, axis]
            for k in range(1, 4):
                corners[i, axis] = min(corners[i, axis], quads[i, k, axis])
    # Shell sort: in place, and regions come nearly sorted, as their components were found from the
    # top.
    gap = 1
    while 3 * gap + 1 < n:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, n):
            moved = order[i]
            at = i
            while at >= gap and comes_before(corners, moved, order[at - gap]):
                order[at] = order[at - gap]
                at -= gap
            order[at] = moved
        gap //= 3
