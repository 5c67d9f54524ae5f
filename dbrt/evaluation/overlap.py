"""Areas of polygons and of their intersections, exact to floating point, for a few hundred pairs.

Convex polygons are clipped against each other (I. E. Sutherland and G. W. Hodgman, "Reentrant
polygon clipping", CACM 17, 1974). A polygon that is not convex is taken as a fan of triangles about
its first corner, each with its sign: where the polygon is simple, the signs add up to one inside
and to zero outside, so areas of intersection add up too.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Polygons = NDArray[np.float32] | Sequence[NDArray[np.float32]]  # (N, 4, 2), or N times (M, 2)

_Corners = list[tuple[float, float]]


class Shape:
    """A polygon made ready for intersecting: convex pieces with a sign, its area and its bounds.

    pieces  convex polygons with positive orientation, and +1 or -1 for each
    area    pixels, 0 where the polygon is degenerate
    bounds  least x, least y, greatest x, greatest y
    """

    __slots__ = ("area", "bounds", "pieces")

    def __init__(self, polygon: NDArray[np.float32]) -> None:
        corners: _Corners = [(float(x), float(y)) for x, y in polygon]
        signed = _signed_area(corners)
        if signed < 0:
            corners.reverse()
        self.area = abs(signed)
        xs, ys = [c[0] for c in corners], [c[1] for c in corners]
        self.bounds = (min(xs), min(ys), max(xs), max(ys))
        self.pieces = [(corners, 1)] if _is_convex(corners) else _fan(corners)


def polygon_area(polygon: NDArray[np.float32]) -> float:
    """Return the area of a polygon (M, 2) in square pixels, whatever its orientation."""
    return Shape(polygon).area


def intersection_area(a: Shape, b: Shape) -> float:
    """Return the area that two shapes share: at least 0, at most the smaller one's."""
    left, top = max(a.bounds[0], b.bounds[0]), max(a.bounds[1], b.bounds[1])
    right, bottom = min(a.bounds[2], b.bounds[2]), min(a.bounds[3], b.bounds[3])
    if left >= right or top >= bottom:
        return 0.0
    shared = sum(
        sign_a * sign_b * abs(_signed_area(_clip(piece_a, piece_b)))
        for piece_a, sign_a in a.pieces
        for piece_b, sign_b in b.pieces
    )
    # Only a polygon that crosses itself can leave these bounds by more than rounding.
    return min(max(shared, 0.0), a.area, b.area)


def intersection_matrix(rows: Sequence[Shape], columns: Sequence[Shape]) -> NDArray[np.float64]:
    """Return the shared areas (len(rows), len(columns)) float64, square pixels."""
    shared = [[intersection_area(a, b) for b in columns] for a in rows]
    return np.array(shared, np.float64).reshape(len(rows), len(columns))


def iou_matrix(rows: Sequence[Shape], columns: Sequence[Shape]) -> NDArray[np.float64]:
    """Return intersection over union (len(rows), len(columns)) float64, 0..1, of every pair."""
    shared = intersection_matrix(rows, columns)
    areas = np.array([s.area for s in rows])[:, None] + np.array([s.area for s in columns])[None]
    union = areas - shared
    overlap: NDArray[np.float64] = np.zeros_like(shared)
    np.divide(shared, union, out=overlap, where=union > 0)
    return overlap


def _signed_area(corners: _Corners) -> float:
    """Half the sum of cross products; positive for corners clockwise as seen (y down)."""
    if len(corners) < 3:
        return 0.0
    x0, y0 = corners[0]  # relative to a corner: nothing is lost where coordinates are large
    return 0.5 * sum(
        (ax - x0) * (by - y0) - (bx - x0) * (ay - y0)
        for (ax, ay), (bx, by) in pairwise(corners[1:])
    )


def _cross(a: tuple[float, float], b: tuple[float, float], p: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])


def _is_convex(corners: _Corners) -> bool:
    """Whether no corner turns back; the fan's signs rule out shapes that wind more than once."""
    around = corners + corners[:2]
    turns = (_cross(a, b, c) >= 0 for a, b, c in zip(around, around[1:], around[2:], strict=False))
    fan = (_cross(corners[0], b, c) >= 0 for b, c in pairwise(corners[1:]))
    return all(turns) and all(fan)


def _fan(corners: _Corners) -> list[tuple[_Corners, int]]:
    pieces: list[tuple[_Corners, int]] = []
    for b, c in pairwise(corners[1:]):
        turn = _cross(corners[0], b, c)
        if turn > 0:
            pieces.append(([corners[0], b, c], 1))
        elif turn < 0:
            pieces.append(([corners[0], c, b], -1))
    return pieces


def _clip(subject: _Corners, window: _Corners) -> _Corners:
    """Return the part of a convex polygon that lies in another; both of positive orientation."""
    for start, end in zip(window, window[1:] + window[:1], strict=True):
        if not subject:
            break
        sides = [_cross(start, end, corner) for corner in subject]
        kept: _Corners = []
        for i, (corner, side) in enumerate(zip(subject, sides, strict=True)):
            before, side_before = subject[i - 1], sides[i - 1]
            if (side > 0 > side_before) or (side < 0 < side_before):
                t = side_before / (side_before - side)
                kept.append(
                    (
                        before[0] + t * (corner[0] - before[0]),
                        before[1] + t * (corner[1] - before[1]),
                    )
                )
            if side >= 0:
                kept.append(corner)
        subject = kept
    return subject
