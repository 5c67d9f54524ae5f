"""The outline of a component: its border followed, simplified, its area and length.

Outlines run through the centres of border pixels, clockwise as seen, in whole numbers: pixel (i,
j) is the point (j, i). Their true place is half a pixel right and down, and the half pixel from
there to the outer edge is part of the offset that `unclip` gives them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dbrt.postproc.jit import compiled
from dbrt.postproc.labels import Ints

# The eight neighbours, clockwise as seen from the right one.
_DX = np.array([1, 1, 0, -1, -1, -1, 0, 1], np.int32)
_DY = np.array([0, 1, 1, 1, 0, -1, -1, -1], np.int32)

# Words have fewer points than this where their border turns.
_PIECE = 128
# What is grown, in time that rises with the square of it where an outline is ragged. An outline
# simplified to 0.2 % of its length can't have more.
MOST_CORNERS = 500


@compiled
def next_direction(
    pixels: NDArray[np.uint8],
    rows: int,
    columns: int,
    threshold: int,
    x: int,
    y: int,
    direction: int,
) -> int:
    """The first neighbour of (x, y) that is text, clockwise from `direction`; -1 where none is."""
    for turn in range(8):
        d = (direction + turn) % 8
        nx, ny = x + _DX[d], y + _DY[d]
        if 0 <= nx < columns and 0 <= ny < rows and pixels[ny, nx] >= threshold:
            return d
    return -1


@compiled
def follow(
    pixels: NDArray[np.uint8],
    rows: int,
    columns: int,
    threshold: int,
    left: int,
    top: int,
    contour: Ints,
) -> int:
    """Walk round a component's outer border, clockwise, and note where the direction changes.

    left, top  the leftmost text pixel of the component's topmost row
    contour    (C, 2) int32, written: x, y; a strip one pixel wide is walked there and back
    returns    number of points; -1 where C is too small
    """
    contour[0, 0] = left
    contour[0, 1] = top
    first = next_direction(pixels, rows, columns, threshold, left, top, 0)
    if first < 0:
        return 1
    n = 1
    x, y, direction = left, top, first
    while True:
        x += _DX[direction]
        y += _DY[direction]
        # What lies counterclockwise of where we came from was seen to be no text.
        following = next_direction(pixels, rows, columns, threshold, x, y, direction + 6)
        if x == left and y == top and following == first:
            return n
        if following != direction:
            if n == len(contour):
                return -1
            contour[n, 0] = x
            contour[n, 1] = y
            n += 1
            direction = following


@compiled
def farthest(contour: Ints, n: int, origin: int) -> int:
    """The point of the contour farthest from point `origin`."""
    best, best_square = origin, -1
    for k in range(n):
        dx = int(contour[k, 0]) - contour[origin, 0]
        dy = int(contour[k, 1]) - contour[origin, 1]
        if dx * dx + dy * dy > best_square:
            best, best_square = k, dx * dx + dy * dy
    return best


@compiled
def farthest_from_chord(contour: Ints, n: int, a: int, b: int) -> tuple[int, float]:
    """The point between `a` and `b` (b > a, points counted modulo n) farthest from the segment."""
    ax, ay = contour[a % n, 0], contour[a % n, 1]
    dx, dy = float(contour[b % n, 0] - ax), float(contour[b % n, 1] - ay)
    square = dx * dx + dy * dy
    best, best_distance = -1, -1.0
    for k in range(a + 1, b):
        at = k if k < n else k - n
        px, py = float(contour[at, 0] - ax), float(contour[at, 1] - ay)
        along = (px * dx + py * dy) / square if square > 0 else 0.0
        along = min(max(along, 0.0), 1.0)
        ex, ey = px - along * dx, py - along * dy
        distance = ex * ex + ey * ey
        if distance > best_distance:
            best, best_distance = k, distance
    return best, np.sqrt(best_distance) if best >= 0 else 0.0


@compiled
def pieces(first: int, last: int, stack: Ints, depth: int) -> int:
    """Push the contour from point `first` to `last` on the stack in pieces, the first one on top.

    A piece has _PIECE points at most, so that no contour, however ragged, costs the square of its
    length.
    """
    while last > first:
        stack[depth, 0], stack[depth, 1] = max(first, last - _PIECE), last
        last = stack[depth, 0]
        depth += 1
    return depth


@compiled
def simplify(contour: Ints, n: int, tolerance: float, stack: Ints, points: Ints, used: int) -> int:
    """Keep the points of a closed contour that no chord misses by more than `tolerance` pixels.

    Douglas and Peucker 1973, from two points as far apart as the contour is wide; a contour longer
    than _PIECE points keeps one of each so many as well.

    stack    (C, 2) int32, scratch
    points   (P, 2) int32; the kept points are appended from row `used` on, in order
    returns  rows of `points` used now; -1 where P is too small
    """
    if used + n > len(points):
        return -1
    start = farthest(contour, n, 0)
    middle = farthest(contour, n, start)
    if middle < start:
        middle += n
    # Segments still to be looked at; taken from the end, so their starts come out in order.
    depth = pieces(middle, start + n, stack, 0)
    depth = pieces(start, middle, stack, depth)
    while depth > 0:
        depth -= 1
        a, b = stack[depth, 0], stack[depth, 1]
        split, distance = farthest_from_chord(contour, n, a, b)
        if distance > tolerance:
            stack[depth, 0], stack[depth, 1] = split, b
            stack[depth + 1, 0], stack[depth + 1, 1] = a, split
            depth += 2
        else:
            points[used, 0] = contour[a % n, 0]
            points[used, 1] = contour[a % n, 1]
            used += 1
    return used


@compiled
def thin_out(
    points: Ints, begin: int, end: int, tolerance: float, contour: Ints, stack: Ints
) -> int:
    """Simplify points[begin:end] in place, more and more coarsely, to MOST_CORNERS at most.

    returns  the new end
    """
    while end - begin > MOST_CORNERS:
        tolerance *= 2.0
        n = end - begin
        contour[:n] = points[begin:end]
        end = simplify(contour, n, tolerance, stack, points, begin)
    return end


@compiled
def area_and_perimeter(points: Ints, begin: int, end: int) -> tuple[float, float]:
    """Area and perimeter of what the outline's pixels cover, in pixels.

    The outline runs half a pixel inside; the strip between, with round corners, adds half the
    perimeter and a disc to the area, which is exact where the outline is convex.
    """
    twice, length = 0.0, 0.0
    for k in range(begin, end):
        following = k + 1 if k + 1 < end else begin
        ax, ay = float(points[k, 0]), float(points[k, 1])
        bx, by = float(points[following, 0]), float(points[following, 1])
        twice += ax * by - bx * ay
        length += np.sqrt((bx - ax) ** 2 + (by - ay) ** 2)
    return abs(twice) / 2 + length / 2 + np.pi / 4, length + np.pi
