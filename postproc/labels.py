"""Connected regions of a probability map, found as runs of text pixels in each row.

A pixel is text where its value is at least `threshold` (1..255). Pixels that touch by side or
corner belong to one component (8-connectivity).

All lists stand one behind the other in one array of whole numbers, so that few of its pages are
touched: runs, then components (two rows each), then extents.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dbrt.postproc.blocks import (
    BLOCK,
    ONE,
    ZERO,
    Bytes,
    lowest_bit,
    next_text,
    rest_bits,
    row_sum,
    text_bits,
)
from dbrt.postproc.jit import compiled

Ints = NDArray[np.int32]

# Columns of a run, in reading order. OWNER is first an earlier run of the same component, or the
# run itself, then the component.
ROW, START, STOP, OWNER = 0, 1, 2, 3
# Columns of a component's first row, and of its second; topmost component first.
TOP, BOTTOM, LEFT, RIGHT = 0, 1, 2, 3
PIXELS, EXTENTS, SUM_HIGH, SUM_LOW = 0, 1, 2, 3
# Columns of the extents, one row for each row of a component.
FIRST, END = 0, 1

_FAR = np.int32(2**31 - 1)
_SUM_BITS = 30


@compiled
def find_root(lists: Ints, run: int) -> int:
    """The first run joined to `run`; halves the path on the way."""
    while lists[run, OWNER] != run:
        lists[run, OWNER] = lists[lists[run, OWNER], OWNER]
        run = lists[run, OWNER]
    return run


@compiled
def root_above(lists: Ints, start: int, stop: int, above: int, above_end: int) -> int:
    """The root of the runs above that touch [start, stop), all joined, or -1 where none does.

    `above` is the first run of the row above that ends at `start` or later, `above_end` the end of
    that row.
    """
    root = -1
    while above < above_end and lists[above, START] <= stop:
        other = find_root(lists, above)
        if root < 0 or other < root:
            root, other = other, root
        if other >= 0:
            lists[other, OWNER] = root
        above += 1
    return root


@compiled
def label_row(
    map: Bytes,
    row: int,
    columns: int,
    threshold: int,
    lists: Ints,
    n: int,
    above: int,
) -> int:
    """Append the runs of a row to the `n` there are; `above` is the first of the row above.

    returns  number of runs
    """
    above_end = n
    start = -1
    before = ZERO
    offset, whole = row * map.shape[1], columns // BLOCK
    rest = rest_bits(map, row, BLOCK * whole, columns, threshold)
    for block in range(whole + 2):
        if block < whole:
            bits = text_bits(map, offset + BLOCK * block, threshold)
        else:
            # Nothing stands behind the row, which ends a run that reaches the border.
            bits = rest if block == whole else ZERO
        changes = bits ^ ((bits << ONE) | before)
        before = bits >> np.uint64(BLOCK - 1)
        while changes != ZERO:
            column = BLOCK * block + lowest_bit(changes)
            changes &= changes - ONE
            if start < 0:
                start = column
                continue
            while above < above_end and lists[above, STOP] < start:
                above += 1
            root = root_above(lists, start, column, above, above_end)
            lists[n, ROW], lists[n, START], lists[n, STOP] = row, start, column
            lists[n, OWNER] = root if root >= 0 else n
            n += 1
            start = -1
    return n


@compiled
def label_runs(map: Bytes, rows: int, columns: int, threshold: int, lists: Ints) -> int:
    """Find the runs of text in the map's first `rows` rows and `columns` columns; join them.

    map      (H, W) uint8, W >= 64
    lists    (R, 4) int32, written: row, start, stop, an earlier run of the component
    returns  number of runs; -1 where R is too small
    """
    width = map.shape[1]
    n = begin = 0
    labelled, row = -1, 0
    while row < rows:
        row = next_text(map, row * width, rows * width, threshold) // width
        if row == rows:
            break
        if n + columns // 2 + 1 > len(lists):
            return -1
        above, begin = begin if labelled == row - 1 else n, n
        n = label_row(map, row, columns, threshold, lists, n, above)
        labelled = row
        row += 1
    return n


@compiled
def gather(map: Bytes, n_runs: int, lists: Ints, with_sums: bool) -> int:
    """Collect the runs of each component behind them: see `component` for what is there then.

    returns  number of components; -1 where there is no room
    """
    n = 0
    for i in range(n_runs):
        if lists[i, OWNER] == i:
            n += 1
    base, used = n_runs, n_runs + 2 * n
    if used > len(lists):
        return -1
    n = 0
    for i in range(n_runs):
        row, start, stop = lists[i, ROW], lists[i, START], lists[i, STOP]
        owner = lists[i, OWNER]
        if owner == i:
            at = base + 2 * n
            lists[i, OWNER] = n
            lists[at, TOP], lists[at, LEFT], lists[at, RIGHT] = row, start, stop
            lists[at + 1, PIXELS] = lists[at + 1, SUM_HIGH] = lists[at + 1, SUM_LOW] = 0
            n += 1
        else:
            # Earlier runs know their component by now.
            owner = lists[owner, OWNER]
            lists[i, OWNER] = owner
            at = base + 2 * owner
            lists[at, LEFT] = min(lists[at, LEFT], start)
            lists[at, RIGHT] = max(lists[at, RIGHT], stop)
        lists[at, BOTTOM] = row + 1
        lists[at + 1, PIXELS] += stop - start
        if with_sums:
            total = lists[at + 1, SUM_LOW] + row_sum(map, row, start, stop)
            lists[at + 1, SUM_HIGH] += total >> _SUM_BITS
            lists[at + 1, SUM_LOW] = total & ((1 << _SUM_BITS) - 1)
    for i in range(n):
        at = base + 2 * i
        height = lists[at, BOTTOM] - lists[at, TOP]
        if used + height > len(lists):
            return -1
        lists[at + 1, EXTENTS] = used
        for k in range(used, used + height):
            lists[k, FIRST] = _FAR
            lists[k, END] = 0
        used += height
    for i in range(n_runs):
        at = base + 2 * lists[i, OWNER]
        k = lists[at + 1, EXTENTS] + lists[i, ROW] - lists[at, TOP]
        lists[k, FIRST] = min(lists[k, FIRST], lists[i, START])
        lists[k, END] = max(lists[k, END], lists[i, STOP])
    return n


@compiled
def component_mean(lists: Ints, at: int) -> float:
    """The mean of the map over a component's pixels, 0..1; `gather` was asked for sums.

    at  its first row in `lists`
    """
    total = (lists[at + 1, SUM_HIGH] << _SUM_BITS) + lists[at + 1, SUM_LOW]
    return float(total / (255.0 * lists[at + 1, PIXELS]))
