"""How sure the map is of a region: the mean over its rectangle, or over its own pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dbrt.postproc.jit import compiled
from dbrt.postproc.labels import COMPONENT, LABEL, ROW, START, STOP, Ints
from dbrt.postproc.rectangle import U0, U1, UX, UY, V0, V1, Floats, corner

# A pixel whose centre lies on a side counts; a side of a slanted rectangle runs through centres
# often, and rounding must not decide. Far above rounding, far below a pixel.
_ON_SIDE = 1e-6
# Directions are those of whole-numbered steps, so a slanted side has at least 1 / 8192 in both.
_UPRIGHT = 1e-9
# Regions that lie in each other read the same pixels again and again. Once they have read this many
# maps, sums of each row are made, from which any span takes one step. Words read less than one map.
_READ_BEFORE_SUMS = 2

# (H, W + 1) uint32: column c holds the sum of the row's first c pixels. Without rows: not made.
Sums = NDArray[np.uint32]


@compiled
def row_sums(pixels: NDArray[np.uint8], rows: int, columns: int) -> Sums:
    """The sums of the beginnings of the map's rows; four bytes a pixel, one pass."""
    sums = np.zeros((rows, columns + 1), np.uint32)
    for row in range(rows):
        total = np.uint32(0)
        for column in range(columns):
            total += pixels[row, column]
            sums[row, column + 1] = total
    return sums


@compiled
def sums_wanted(sums: Sums, read: float, rows: int, columns: int) -> bool:
    """True where `read` pixels so far make it time for `row_sums`."""
    return len(sums) == 0 and read > _READ_BEFORE_SUMS * rows * columns


@compiled
def span_sum(pixels: NDArray[np.uint8], sums: Sums, row: int, start: int, stop: int) -> int:
    """The sum of pixels[row, start:stop], from `sums` where they were made."""
    if len(sums) > 0:
        return int(sums[row, stop]) - int(sums[row, start])
    total = 0
    for column in range(start, stop):
        total += pixels[row, column]
    return total


@compiled
def row_span(
    rectangle: Floats, inverse_x: float, inverse_y: float, y: float
) -> tuple[float, float]:
    """The interval of x in which the line at height `y` lies in the rectangle or on it.

    Nothing where the first is greater than the last.

    inverse_x, inverse_y  1 / ux and 1 / uy; 0 where the sides are upright
    """
    u, v = y * rectangle[UY], y * rectangle[UX]
    u0, u1 = rectangle[U0] - _ON_SIDE - u, rectangle[U1] + _ON_SIDE - u
    v0, v1 = v - rectangle[V1] - _ON_SIDE, v - rectangle[V0] + _ON_SIDE
    # u0 <= x * ux <= u1 and v0 <= x * uy <= v1
    a, b = min(u0 * inverse_x, u1 * inverse_x), max(u0 * inverse_x, u1 * inverse_x)
    c, d = min(v0 * inverse_y, v1 * inverse_y), max(v0 * inverse_y, v1 * inverse_y)
    if inverse_x == 0.0:
        a, b = (-np.inf, np.inf) if u0 <= 0.0 <= u1 else (np.inf, -np.inf)
    if inverse_y == 0.0:
        c, d = (-np.inf, np.inf) if v0 <= 0.0 <= v1 else (np.inf, -np.inf)
    return max(a, c), min(b, d)


@compiled
def rectangle_mean(
    pixels: NDArray[np.uint8], sums: Sums, rows: int, columns: int, rectangle: Floats
) -> float:
    """The mean of the map over the pixels with their centre in the rectangle, 0..1; 0 without any.

    pixels  (H, W) uint8; only the first `rows` rows and `columns` columns count
    sums    of the map's rows; see `span_sum`
    """
    top, bottom = np.inf, -np.inf
    for k in range(4):
        y = corner(rectangle, k)[1]
        top, bottom = min(top, y), max(bottom, y)
    ux, uy = rectangle[UX], rectangle[UY]
    inverse_x = 1.0 / ux if abs(ux) > _UPRIGHT else 0.0
    inverse_y = 1.0 / uy if abs(uy) > _UPRIGHT else 0.0
    total = count = 0
    for row in range(max(int(np.floor(top)), 0), min(int(np.ceil(bottom)), rows)):
        first, last = row_span(rectangle, inverse_x, inverse_y, row + 0.5)
        first, last = max(first, 0.5), min(last, columns - 0.5)
        if first > last:
            continue
        start, stop = int(np.ceil(first - 0.5)), int(np.floor(last - 0.5)) + 1
        total += span_sum(pixels, sums, row, start, stop)
        count += stop - start
    return total / (255.0 * count) if count > 0 else 0.0


@compiled
def component_sums(
    pixels: NDArray[np.uint8],
    runs: Ints,
    n_runs: int,
    labels: Ints,
    n: int,
    sums: NDArray[np.int64],
) -> None:
    """Add up the map over the pixels of each of the `n` components.

    sums  (R,) int64, written
    """
    sums[:n] = 0
    for i in range(n_runs):
        total = 0
        for column in range(runs[i, START], runs[i, STOP]):
            total += pixels[runs[i, ROW], column]
        sums[labels[runs[i, LABEL], COMPONENT]] += total
