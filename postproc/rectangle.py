"""The smallest rectangle round a component: convex hull from its row ends, then rotating calipers.

Coordinates are corners of pixels (pixel (i, j) covers [j, j + 1) x [i, i + 1)), so a single pixel
has the hull (0, 0), (1, 0), (1, 1), (0, 1) and area 1. A rectangle is a row of six float64:

    ux, uy           unit vector along its first side; the second is v = (-uy, ux), clockwise from
                     u as seen
    u0, u1, v0, v1   it covers the points p with u0 <= p . u <= u1 and v0 <= p . v <= v1

With integer corners every decision here is exact: all products stay below 2 ** 53 for maps up to
8192 pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dbrt.postproc.jit import compiled

Floats = NDArray[np.float64]
UX, UY, U0, U1, V0, V1 = 0, 1, 2, 3, 4, 5
_TIE = 1e-6  # px; far above rounding, far below a pixel


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
def hull_of_rows(
    extents: NDArray[np.int32], first: int, top: int, height: int, hull: Floats
) -> int:
    """The convex hull of a component, clockwise from the right end of its top side; exact.

    extents  (E, 2) int32, [left, right) of each row; the component's rows are first .. first +
             height - 1
    hull     (2 * height + 2, 2) float64 or more, written: corners x, y
    returns  number of corners, at least 4
    """
    n = 0
    for k in range(height + 1):
        right = max(extents[first + max(k - 1, 0), 1], extents[first + min(k, height - 1), 1])
        n = push(hull, 0, n, right, top + k)
    base = n
    for k in range(height, -1, -1):
        left = min(extents[first + max(k - 1, 0), 0], extents[first + min(k, height - 1), 0])
        n = push(hull, base, n, left, top + k)
    return n


@compiled
def smallest_rectangle(hull: Floats, n: int, rectangle: Floats) -> None:
    """The rectangle of least area round a convex polygon; of equal ones the longest.

    One side lies on a side of the polygon, so one candidate for each is enough.

    hull       (>= n, 2) float64, strictly convex, clockwise, n >= 3
    rectangle  (6,) float64, written
    """
    # Areas are compared as fractions, area / square, without dividing: equal ones stay equal.
    best_area, best_square, best_side = np.inf, 1.0, 0.0
    front = back = far = 0  # the corners furthest along u, against u and along v
    for k in range(1, n):
        dx, dy = hull[1, 0] - hull[0, 0], hull[1, 1] - hull[0, 1]
        if (hull[k, 0] - hull[front, 0]) * dx + (hull[k, 1] - hull[front, 1]) * dy > 0:
            front = k
        if (hull[k, 0] - hull[back, 0]) * dx + (hull[k, 1] - hull[back, 1]) * dy < 0:
            back = k
        if (hull[k, 1] - hull[far, 1]) * dx - (hull[k, 0] - hull[far, 0]) * dy > 0:
            far = k
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        dx, dy = hull[j, 0] - hull[i, 0], hull[j, 1] - hull[i, 1]
        front = advance(hull, n, front, dx, dy)
        back = advance(hull, n, back, -dx, -dy)
        far = advance(hull, n, far, -dy, dx)
        along = (hull[front, 0] - hull[back, 0]) * dx + (hull[front, 1] - hull[back, 1]) * dy
        across = (hull[far, 1] - hull[i, 1]) * dx - (hull[far, 0] - hull[i, 0]) * dy
        covered, square = along * across, dx * dx + dy * dy
        gain = best_area * square - covered * best_square
        if gain > 0 or (gain == 0 and max(along, across) ** 2 / square > best_side):
            best_area, best_square = covered, square
            best_side = max(along, across) ** 2 / square
            rectangle[UX], rectangle[UY] = dx, dy
            rectangle[U0] = hull[back, 0] * dx + hull[back, 1] * dy
            rectangle[V0] = hull[i, 1] * dx - hull[i, 0] * dy
            rectangle[U1], rectangle[V1] = along, across
    length = np.sqrt(best_square)
    rectangle[U1] += rectangle[U0]
    rectangle[V1] += rectangle[V0]
    for k in range(6):
        rectangle[k] /= length


@compiled
def advance(hull: Floats, n: int, at: int, dx: float, dy: float) -> int:
    """The corner furthest along (dx, dy), looked for clockwise from `at`."""
    for _ in range(n):
        following = at + 1 if at + 1 < n else 0
        if (hull[following, 0] - hull[at, 0]) * dx + (hull[following, 1] - hull[at, 1]) * dy < 0:
            break
        at = following
    return at


@compiled
def short_side(rectangle: Floats) -> float:
    """The length of the shorter side."""
    return float(min(rectangle[U1] - rectangle[U0], rectangle[V1] - rectangle[V0]))


@compiled
def area(rectangle: Floats) -> float:
    """The product of its sides."""
    return float((rectangle[U1] - rectangle[U0]) * (rectangle[V1] - rectangle[V0]))


@compiled
def unclip(rectangle: Floats, ratio: float) -> None:
    """Move each side outwards by d = area * ratio / perimeter, in place.

    The smallest rectangle round an outline offset by d, as in the paper (Liao et al. 2020, section
    3.5), is for a rectangle exactly this one.
    """
    a = rectangle[U1] - rectangle[U0]
    b = rectangle[V1] - rectangle[V0]
    d = a * b * ratio / (2 * (a + b))
    rectangle[U0] -= d
    rectangle[U1] += d
    rectangle[V0] -= d
    rectangle[V1] += d


@compiled
def corner(rectangle: Floats, k: int) -> tuple[float, float]:
    """Corner `k` (0..3, clockwise)."""
    u = rectangle[U1] if 1 <= k <= 2 else rectangle[U0]
    v = rectangle[V1] if k >= 2 else rectangle[V0]
    return u * rectangle[UX] - v * rectangle[UY], u * rectangle[UY] + v * rectangle[UX]


@compiled
def write_quad(
    rectangle: Floats,
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
    least = least_y = np.inf
    for k in range(4):
        x, y = corner(rectangle, k)
        x = min(max(x * scale_x, 0.0), width)
        y = min(max(y * scale_y, 0.0), height)
        if x + y < least - _TIE or (x + y < least + _TIE and y < least_y):
            first, least, least_y = k, x + y, y
    for k in range(4):
        x, y = corner(rectangle, (first + k) % 4)
        quad[k, 0] = min(max(x * scale_x, 0.0), width)
        quad[k, 1] = min(max(y * scale_y, 0.0), height)
