"""The smallest rectangle round a component: convex hull from its row ends, then rotating calipers.

Coordinates are corners of pixels (pixel (i, j) covers [j, j + 1) x [i, i + 1)), so a single pixel
has the hull (0, 0), (1, 0), (1, 1), (0, 1) and area 1.

With integer corners every decision here is exact: all products stay below 2 ** 53 for maps up to
8192 pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dbrt.postproc.jit import compiled
from dbrt.postproc.labels import END, FIRST, Ints

Floats = NDArray[np.float64]
_TIE = 1e-6  # px; far above rounding, far below a pixel


class Rectangle(NamedTuple):
    """What covers the points p with u0 <= p . u <= u1 and v0 <= p . v <= v1.

    ux, uy           unit vector along its first side; the second is v = (-uy, ux), clockwise from
                     u as seen
    """

    ux: float
    uy: float
    u0: float
    u1: float
    v0: float
    v1: float


@compiled
def push(hull: Floats, base: int, n: int, x: float, y: float) -> int:
    """Append a corner to the chain hull[base:n], dropping those that no longer turn clockwise."""
    while n - base >= 2:
        ax, ay = hull[n - 2, 0], hull[n - 2, 1]
        bx, by = hull[n - 1, 0], hull[n - 1, 1]
        if (bx - ax) * (y - by) - (by - ay) * (x - bx) > 0:
            break
        n -= 1
    hull[n, 0] = x
    hull[n, 1] = y
    return n + 1


@compiled
def hull_of_rows(lists: Ints, first: int, top: int, height: int, hull: Floats) -> int:
    """The convex hull of a component, clockwise from the right end of its top side; exact.

    lists    (R, 4) int32; rows first .. first + height - 1 are the component's extents
    hull     (2 * height + 2, 2) float64 or more, written: corners x, y
    returns  number of corners, at least 4
    """
    n = 0
    last = lists[first, END]
    for k in range(height):
        right = lists[first + k, END]
        n = push(hull, 0, n, max(last, right), top + k)
        last = right
    n = push(hull, 0, n, last, top + height)
    base = n
    last = lists[first + height - 1, FIRST]
    for k in range(height - 1, -1, -1):
        left = lists[first + k, FIRST]
        n = push(hull, base, n, min(last, left), top + k + 1)
        last = left
    return push(hull, base, n, last, top)


@compiled
def short_side(rectangle: Rectangle) -> float:
    """The length of the shorter side."""
    return min(rectangle.u1 - rectangle.u0, rectangle.v1 - rectangle.v0)


@compiled
def area(rectangle: Rectangle) -> float:
    """The product of its sides."""
    return (rectangle.u1 - rectangle.u0) * (rectangle.v1 - rectangle.v0)


@compiled
def unclip(rectangle: Rectangle, ratio: float) -> Rectangle:
    """Move each side outwards by d = area * ratio / perimeter.

    The smallest rectangle round an outline offset by d, as in the paper (Liao et al. 2020, section
    3.5), is for a rectangle exactly this one.
    """
    ux, uy, u0, u1, v0, v1 = rectangle
    a, b = u1 - u0, v1 - v0
    d = a * b * ratio / (2.0 * (a + b))
    return Rectangle(ux, uy, u0 - d, u1 + d, v0 - d, v1 + d)


@compiled
def write_quad(
    rectangle: Rectangle,
    scale_x: float,
    scale_y: float,
    width: float,
    height: float,
    quad: NDArray[np.float32],
) -> None:
    """The rectangle's corners in the frame, clipped to it, clockwise from the one with least x + y.

    Of two corners with the same sum the upper one is the first.

    quad  (4, 2) float32, written
    """
    first = 0
    least = first_y = np.inf
    for turn in range(8):  # once to find the first corner, once from there
        k = turn & 3
        u = rectangle.u1 if 1 <= k <= 2 else rectangle.u0
        v = rectangle.v1 if k >= 2 else rectangle.v0
        x = min(max((u * rectangle.ux - v * rectangle.uy) * scale_x, 0.0), width)
        y = min(max((u * rectangle.uy + v * rectangle.ux) * scale_y, 0.0), height)
        if turn < 4:
            if x + y < least - _TIE or (x + y < least + _TIE and y < first_y):
                first, least, first_y = k, x + y, y
        else:
            quad[(k - first) & 3, 0] = x
            quad[(k - first) & 3, 1] = y
