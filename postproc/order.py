"""The order of regions: top to bottom, then left to right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dbrt.postproc.jit import compiled
from dbrt.postproc.labels import Ints

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
def sort_points(points: Points, n: int, order: Ints) -> None:
    """Sort the first `n` points from top to bottom, then left to right.

    points  (>= n, 2), x and y
    order   (>= n, C) int32, column 0 written: indices in order
    """
    for i in range(n):
        order[i, 0] = i
    # Shell sort: in place, and quick where most is in order, as regions found from the top are.
    gap = 1
    while 3 * gap + 1 < n:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, n):
            moved = order[i, 0]
            at = i
            while at >= gap and comes_before(points, moved, order[at - gap, 0]):
                order[at, 0] = order[at - gap, 0]
                at -= gap
            order[at, 0] = moved
        gap //= 3


@compiled
def reading_order(
    quads: NDArray[np.float32], n: int, keys: NDArray[np.float64], order: Ints
) -> None:
    """Sort the first `n` quads by their topmost, then their leftmost coordinate.

    keys   (>= n, 2) float64, written: least x and least y of each
    order  (>= n, C) int32, column 0 written: indices in order
    """
    for i in range(n):
        for axis in range(2):
            keys[i, axis] = min(
                quads[i, 0, axis], quads[i, 1, axis], quads[i, 2, axis], quads[i, 3, axis]
            )
    sort_points(keys, n, order)


@compiled
def arrange(
    quads: NDArray[np.float32],
    scores: NDArray[np.float32],
    points: NDArray[np.float64],
    offsets: NDArray[np.int64],
    n: int,
    keys: NDArray[np.float64],
    order: Ints,
    arranged_quads: NDArray[np.float32],
    arranged_scores: NDArray[np.float32],
    arranged: NDArray[np.float32],
    arranged_offsets: NDArray[np.int64],
) -> None:
    """Copy `n` regions in order, each outline from its point with the least x + y on.

    points, offsets  (P, 2) float64; outline i is points[offsets[i]:offsets[i + 1]]
    keys             (>= n, 2) float64, scratch
    order            (>= n, C) int32, column 0 written: indices in order
    arranged...      written: quads, scores, (P, 2) float32 points and their (n + 1,) int64 offsets
    """
    reading_order(quads, n, keys, order)
    used = 0
    arranged_offsets[0] = 0
    for i in range(n):
        chosen = order[i, 0]
        arranged_quads[i] = quads[chosen]
        arranged_scores[i] = scores[chosen]
        begin, end = offsets[chosen], offsets[chosen + 1]
        first, least = begin, np.inf
        for k in range(begin, end):
            if points[k, 0] + points[k, 1] < least:
                first, least = k, points[k, 0] + points[k, 1]
        for k in range(first, end):
            arranged[used, 0], arranged[used, 1] = points[k, 0], points[k, 1]
            used += 1
        for k in range(begin, first):
            arranged[used, 0], arranged[used, 1] = points[k, 0], points[k, 1]
            used += 1
        arranged_offsets[i + 1] = used
