"""How sure the map is of a region: the mean over its rectangle, or over its own pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dbrt.postproc.blocks import Bytes, row_sum
from dbrt.postproc.jit import compiled
from dbrt.postproc.rectangle import Rectangle

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
def row_sums(map: Bytes, rows: int, columns: int) -> Sums:
    """The sums of the beginnings of the map's rows; four bytes a pixel, one pass."""
    sums = np.zeros((rows, columns + 1), np.uint32)
    for row in range(rows):
        total = np.uint32(0)
        for column in range(columns):
            total += map[row, column]
            sums[row, column + 1] = total
    return sums


@compiled
def sums_wanted(sums: Sums, read: float, rows: int, columns: int) -> bool:
    """True where `read` pixels so far make it time for `row_sums`."""
    return len(sums) == 0 and read > _READ_BEFORE_SUMS * rows * columns


@compiled
def span_sum(map: Bytes, sums: Sums, row: int, start: int, stop: int) -> int:
    """The sum of map[row, start:stop], from `sums` where they were made."""
    if len(sums) > 0:
        return int(sums[row, stop]) - int(sums[row, start])
    return row_sum(map, row, start, stop)


@compiled
def side_bounds(low: float, high: float, along: float, across: float) -> tuple[float, float, float]:
    """Where two parallel sides cut the lines of pixels: first x, last x, and x by which both move.

    The sides are low <= x * along + y * across <= high. At y = 0; each y adds the third to both.
    Upright ones, which cut none or all, are nowhere.
    """
    if abs(along) < _UPRIGHT:
        return -np.inf, np.inf, 0.0
    a, b = (low - _ON_SIDE) / along, (high + _ON_SIDE) / along
    return min(a, b), max(a, b), -across / along


@compiled
def rectangle_mean(map: Bytes, sums: Sums, rows: int, columns: int, rectangle: Rectangle) -> float:
    """The mean of the map over the pixels with their centre in the rectangle, 0..1; 0 without any.

    map   (H, W) uint8, W >= 64; only the first `rows` rows and `columns` columns count
    sums  of the map's rows; see `span_sum`
    """
    ux, uy, u0, u1, v0, v1 = rectangle
    # Of the y of its corners, u * uy + v * ux.
    top = min(u0 * uy, u1 * uy) + min(v0 * ux, v1 * ux)
    bottom = max(u0 * uy, u1 * uy) + max(v0 * ux, v1 * ux)
    first_u, last_u, step_u = side_bounds(u0, u1, ux, uy)
    first_v, last_v, step_v = side_bounds(v0, v1, -uy, ux)
    begin = max(int(np.ceil(top - 0.5 - _ON_SIDE)), 0)
    end = min(int(np.floor(bottom - 0.5 + _ON_SIDE)) + 1, rows)
    total = count = 0
    for row in range(begin, end):
        y = row + 0.5
        first = max(first_u + step_u * y, first_v + step_v * y, 0.5)
        last = min(last_u + step_u * y, last_v + step_v * y, columns - 0.5)
        if first > last:
            continue
        start, stop = int(np.ceil(first - 0.5)), int(np.floor(last - 0.5)) + 1
        total += span_sum(map, sums, row, start, stop)
        count += stop - start
    return total / (255.0 * count) if count > 0 else 0.0
