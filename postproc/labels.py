"""Connected regions of a probability map, found as runs of text pixels in each row.

A pixel is text where its value is at least `threshold` (1..255). Pixels that touch by side or
corner belong to one component (8-connectivity). Rows are read eight pixels at a time as `uint64`
words (little-endian: the lowest byte is the leftmost pixel), and empty ones cost one vectorised
pass.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dbrt.postproc.jit import compiled

Ints = NDArray[np.int32]

# Columns of `runs`, one row for each run of text pixels, in reading order.
ROW, START, STOP, LABEL = 0, 1, 2, 3
# Columns of `labels`, one row for each provisional label.
PARENT, TOP, BOTTOM, COMPONENT = 0, 1, 2, 3
# Columns of `components`, one row for each connected component, topmost first.
C_TOP, C_BOTTOM, C_LEFT, C_RIGHT, C_PIXELS, C_EXTENTS = 0, 1, 2, 3, 4, 5

_HIGH = np.uint64(0x8080808080808080)
_LOW7 = np.uint64(0x7F7F7F7F7F7F7F7F)
_ONES = np.uint64(0x0101010101010101)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_EIGHT = np.uint64(8)
_TOP_BYTE = np.uint64(56)
_FAR = np.int32(2**31 - 1)


@compiled
def find_root(labels: Ints, label: int) -> int:
    """The smallest label joined to `label`; halves the path on the way."""
    while labels[label, PARENT] != label:
        labels[label, PARENT] = labels[labels[label, PARENT], PARENT]
        label = labels[label, PARENT]
    return label


@compiled
def join(labels: Ints, a: int, b: int) -> int:
    """Make the components of the labels `a` and `b` one, and return its root."""
    a = find_root(labels, a)
    b = find_root(labels, b)
    low = min(a, b)
    labels[max(a, b), PARENT] = low
    return low


@compiled
def touching_label(
    runs: Ints, labels: Ints, start: int, stop: int, above: int, above_end: int
) -> int:
    """The label of the runs above that touch [start, stop), all joined, or -1 where none does.

    `above` is the first run of the row above that ends at `start` or later, `above_end` the end of
    that row.
    """
    label = -1
    while above < above_end and runs[above, START] <= stop:
        other = runs[above, LABEL]
        if label < 0:
            label = find_root(labels, other)
        elif other != label:
            label = join(labels, label, other)
        above += 1
    return label


@compiled
def text_bits(word: np.uint64, add: np.uint64, either: np.uint64) -> np.uint64:
    """Bit 7 of each byte of `word` that is text; other bits are noise.

    A byte x is text where (x & 127) + (128 - threshold) carries into bit 7, or its own bit 7 is
    set; where the threshold is 128 or more, both must be (and 128 is taken from it). `either` is
    all ones for the first.
    """
    carried = (word & _LOW7) + add
    return (word & carried) | ((word | carried) & either)


@compiled
def row_has_text(
    words: NDArray[np.uint64], row: int, n_words: int, add: np.uint64, either: np.uint64
) -> bool:
    """True where any pixel of the row is text; a third of the time that `mark_changes` takes."""
    seen = _ZERO
    for i in range(n_words):
        seen |= text_bits(words[row, i], add, either)
    return bool(seen & _HIGH != _ZERO)


@compiled
def mark_changes(
    words: NDArray[np.uint64],
    row: int,
    n_words: int,
    add: np.uint64,
    either: np.uint64,
    last_mask: np.uint64,
    text: NDArray[np.uint64],
    change: NDArray[np.uint64],
) -> None:
    """Set bit 7 of each byte of `change` where one of that pixel and the one before is text."""
    for i in range(n_words):
        text[i + 1] = text_bits(words[row, i], add, either) & _HIGH
    text[n_words] &= last_mask
    for i in range(n_words + 1):
        change[i] = text[i + 1] ^ ((text[i + 1] << _EIGHT) | (text[i] >> _TOP_BYTE))


@compiled
def label_runs(
    words: NDArray[np.uint64], rows: int, columns: int, threshold: int, runs: Ints, labels: Ints
) -> tuple[int, int]:
    """Find the runs of text in the map's first `rows` rows and `columns` columns; join them.

    words    (H, W / 8) uint64, the map
    runs     (R, 4) int32, written: row, start, stop, label
    labels   (R, 4) int32, written: parent, top row, bottom row of the runs that carry the label
    returns  number of runs and of labels; (-1, 0) where R is too small
    """
    n_words = (columns + 7) // 8
    last_mask = _ALL >> np.uint64(8 * (8 * n_words - columns))
    # One word of nothing before the row, and one behind it, which ends a run that reaches the
    # border.
    text = np.zeros(n_words + 2, np.uint64)
    change = np.zeros(n_words + 1, np.uint64)
    add = _ONES * np.uint64(128 - (threshold & 127))
    either = _ALL if threshold < 128 else _ZERO
    n_runs = n_labels = row_begin = 0
    for row in range(rows):
        above, above_end, row_begin = row_begin, n_runs, n_runs
        if not row_has_text(words, row, n_words, add, either):
            continue
        if n_runs + 4 * n_words > len(runs):
            return -1, 0
        mark_changes(words, row, n_words, add, either, last_mask, text, change)
        start = -1
        for i in range(n_words + 1):
            left = change[i]
            while left != _ZERO:
                # The index of the lowest byte that changes, counted by one multiplication.
                below = (left & (~left + _ONE)) - _ONE
                column = 8 * i - 1 + int(((below & _ONES) * _ONES) >> _TOP_BYTE)
                left &= left - _ONE
                if start < 0:
                    start = column
                    continue
                while above < above_end and runs[above, STOP] < start:
                    above += 1
                label = touching_label(runs, labels, start, column, above, above_end)
                if label < 0:
                    label = n_labels
                    n_labels += 1
                    labels[label, PARENT] = label
                    labels[label, TOP] = row
                labels[label, BOTTOM] = row
                runs[n_runs, ROW] = row
                runs[n_runs, START] = start
                runs[n_runs, STOP] = column
                runs[n_runs, LABEL] = label
                n_runs += 1
                start = -1
    return n_runs, n_labels


@compiled
def gather(
    runs: Ints, n_runs: int, labels: Ints, n_labels: int, components: Ints, extents: Ints
) -> int:
    """Collect the runs of each component.

    components  (R, 6) int32, written: top row, bottom row (end), left, right (end), pixels, offset
                into `extents`
    extents     (R, 2) int32, written: leftmost and rightmost (end) text column of each row of each
                component
    returns     number of components
    """
    n = 0
    for label in range(n_labels):
        parent = labels[label, PARENT]
        bottom = labels[label, BOTTOM] + 1
        if parent == label:
            # The root is the component's oldest label, so no other begins above it.
            labels[label, COMPONENT] = n
            components[n, C_TOP] = labels[label, TOP]
            components[n, C_BOTTOM] = bottom
            n += 1
        else:
            component = labels[parent, COMPONENT]
            labels[label, COMPONENT] = component
            components[component, C_BOTTOM] = max(components[component, C_BOTTOM], bottom)
    used = 0
    for i in range(n):
        components[i, C_LEFT] = _FAR
        components[i, C_RIGHT] = 0
        components[i, C_PIXELS] = 0
        components[i, C_EXTENTS] = used
        height = components[i, C_BOTTOM] - components[i, C_TOP]
        for k in range(used, used + height):
            extents[k, 0] = _FAR
            extents[k, 1] = 0
        used += height
    for i in range(n_runs):
        start, stop = runs[i, START], runs[i, STOP]
        component = labels[runs[i, LABEL], COMPONENT]
        k = components[component, C_EXTENTS] + runs[i, ROW] - components[component, C_TOP]
        extents[k, 0] = min(extents[k, 0], start)
        extents[k, 1] = max(extents[k, 1], stop)
        components[component, C_LEFT] = min(components[component, C_LEFT], start)
        components[component, C_RIGHT] = max(components[component, C_RIGHT], stop)
        components[component, C_PIXELS] += stop - start
    return n
