"""The mean of a map inside an outline, row by row, in time that grows with the outline's length.

Each edge marks, in a row of bits, where it crosses a row of pixels. Bits need no sorting, and 64
columns without a mark cost one step; so a comb of thousands of teeth costs no more than its border
is long.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dbrt.postproc.blocks import ALL, ONE, ZERO, lowest_bit
from dbrt.postproc.jit import compiled
from dbrt.postproc.labels import Ints
from dbrt.postproc.scores import Sums, span_sum

Bits = NDArray[np.uint64]
# Rows of the marks, one bit for each column.
_ABOVE, _BELOW, _ON = 0, 1, 2
# An edge that passes a pixel's centre this closely runs through it; far above rounding.
_ON_EDGE = 1e-6

_SIGN = np.uint64(63)
_SHIFTS = np.array([1, 2, 4, 8, 16, 32], np.uint64)


@compiled
def parities(word: np.uint64, before: np.uint64) -> np.uint64:
    """Bit k: whether bits 0..k of `word`, and `before` (all ones or none), are odd in number."""
    for k in range(6):
        word ^= word << _SHIFTS[k]
    return word ^ before


@compiled
def list_edges(points: Ints, begin: int, end: int, top: int, heads: Ints, lists: Ints) -> None:
    """Chain the edges by the row in which they begin; level ones are left out, they cross none.

    heads  (rows,) int32, -1 everywhere; written: the first edge of each row, counted from `top`
    lists  (V, 2) int32; column 0 written: the next edge that begins in the same row, or -1
    """
    for k in range(begin, end):
        following = k + 1 if k + 1 < end else begin
        if points[k, 1] != points[following, 1]:
            row = min(points[k, 1], points[following, 1]) - top
            lists[k - begin, 0] = heads[row]
            heads[row] = k - begin


@compiled
def mark_row(
    points: Ints, begin: int, end: int, row: int, lists: Ints, n_active: int, marks: Bits
) -> tuple[int, int, int]:
    """Mark where the active edges cross a row; drop those that end in it.

    An edge is cut just above the row's centre line and just below it, and both results count: so
    the outline's topmost and lowest pixels are in.

    lists    (V, 2) int32; column 1: the active edges
    marks    (3, columns // 64 + 1) uint64, written: crossings above and below, each before the
             column of its bit, and pixels that lie on an edge
    returns  number of edges still active, first and last column with a mark
    """
    kept, least, most = 0, 64 * marks.shape[1], 0
    for i in range(n_active):
        edge = lists[i, 1]
        k = begin + edge
        following = k + 1 if k + 1 < end else begin
        ax, ay, bx, by = points[k, 0], points[k, 1], points[following, 0], points[following, 1]
        x = ax + (row - ay) * (bx - ax) / (by - ay)
        column = int(np.floor(x + _ON_EDGE))
        word, bit = (column + 1) >> 6, ONE << np.uint64((column + 1) & 63)
        if min(ay, by) < row:
            marks[_ABOVE, word] ^= bit
        if row < max(ay, by):
            marks[_BELOW, word] ^= bit
            lists[kept, 1] = edge
            kept += 1
        if x - column <= _ON_EDGE:
            marks[_ON, column >> 6] |= ONE << np.uint64(column & 63)
        least, most = min(least, column), max(most, column + 1)
    return kept, least, most


@compiled
def marked_sum(
    pixels: NDArray[np.uint8], sums: Sums, row: int, least: int, most: int, marks: Bits
) -> tuple[int, int]:
    """Sum and number of the pixels of a row that its marks enclose; clears the marks."""
    total = count = 0
    start = -1
    above = below = before = ZERO
    for i in range(least >> 6, (most >> 6) + 1):
        above = parities(marks[_ABOVE, i], above)
        below = parities(marks[_BELOW, i], below)
        inside = above | below | marks[_ON, i]
        marks[:, i] = ZERO
        above = ALL if above >> _SIGN else ZERO
        below = ALL if below >> _SIGN else ZERO
        changes = inside ^ ((inside << ONE) | before)
        before = inside >> _SIGN
        while changes != ZERO:
            column = 64 * i + lowest_bit(changes)
            changes &= changes - ONE
            if start < 0:
                start = column
                continue
            total += span_sum(pixels, sums, row, start, column)
            count += column - start
            start = -1
    return total, count


@compiled
def outline_mean(
    pixels: NDArray[np.uint8],
    sums: Sums,
    points: Ints,
    begin: int,
    end: int,
    heads: Ints,
    lists: Ints,
    marks: Bits,
) -> float:
    """The mean of the map over the pixels with their centre in the outline or on it, 0..1.

    sums    of the map's rows; see `span_sum`
    points  (P, 2) int32; the outline is points[begin:end]
    heads   (rows,) int32, scratch: -1 everywhere, before and after
    lists   (V, 2) int32, scratch
    marks   (3, columns // 64 + 1) uint64, scratch: 0 everywhere, before and after
    """
    top = bottom = points[begin, 1]
    left = right = points[begin, 0]
    for k in range(begin, end):
        top, bottom = min(top, points[k, 1]), max(bottom, points[k, 1])
        left, right = min(left, points[k, 0]), max(right, points[k, 0])
    if top == bottom:  # all on one line: no edge crosses it
        total, count = span_sum(pixels, sums, top, left, right + 1), right + 1 - left
        return float(total / (255.0 * count))
    list_edges(points, begin, end, top, heads, lists)
    total = count = n_active = 0
    for row in range(top, bottom + 1):
        edge = heads[row - top]
        heads[row - top] = -1
        while edge >= 0:
            lists[n_active, 1] = edge
            n_active += 1
            edge = lists[edge, 0]
        n_active, least, most = mark_row(points, begin, end, row, lists, n_active, marks)
        row_total, row_count = marked_sum(pixels, sums, row, least, most, marks)
        total += row_total
        count += row_count
    return float(total / (255.0 * count))
