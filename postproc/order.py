"""The order of regions: top to bottom, then left to right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dbrt.postproc.jit import compiled

Points = NDArray[np.float32] | NDArray[np.float64]


@compiled
def comes_before(points: Points, a: int, b: int) -> bool:
    """True where point `a` lies above `b`, or level with it further left, or has a lower index."""
    if points[a, 1] != points[b, 1]:
        return bool(points[a, 1] < points[b, 1])
    if points[a, 0] != points[b, 0]:
        return bool(points[a, 0] < points[b, 0])
    return a < b


@compiled
def sort_points(points: Points, n: int, order: NDArray[np.int64]) -> None:
    """Sort the first `n` points from top to bottom, then left to right.

    points  (>= n, 2), x and y
    order   (>= n,) int64, written: indices in order
    """
    for i in range(n):
        order[i] = i
    # Shell sort: in place, and quick where most is in order, as regions found from the top are.
    gap = 1
    while 3 * gap + 1 < n:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, n):
            moved = order[i]
            at = i
            while at >= gap and comes_before(points, moved, order[at - gap]):
                order[at] = order[at - gap]
                at -= gap
            order[at] = moved
        gap //= 3


@compiled
def reading_order(
    quads: NDArray[np.float32], n: int, corners: NDArray[np.float32], order: NDArray[np.int64]
) -> None:
    """Sort the first `n` quads by their topmost, then their leftmost coordinate.

    corners  (R, 2) float32, written: least x and least y of each
    order    (R,) int64, written: indices in order
    """
    for i in range(n):
        for axis in range(2):
            corners[i, axis] = quads[i, 0, axis]
            for k in range(1, 4):
                corners[i, axis] = min(corners[i, axis], quads[i, k, axis])
    sort_points(corners, n, order)
