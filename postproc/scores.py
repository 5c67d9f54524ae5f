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


@compiled
def within(low: float, high: float, slope: float, at: float) -> tuple[float, float]:
    """The interval of x with low <= x * slope + at <= high."""
    if abs(slope) < 1e-12:
        return (-np.inf, np.inf) if low <= at <= high else (np.inf, -np.inf)
    a, b = (low - at) / slope, (high - at) / slope
    return min(a, b), max(a, b)


@compiled
def rectangle_mean(pixels: NDArray[np.uint8], rows: int, columns: int, rectangle: Floats) -> float:
    """The mean of the map over the pixels with their centre in the rectangle, 0..1; 0 without any.

    pixels  (H, W) uint8; only the first `rows` rows and `columns` columns count
    """
    top, bottom = np.inf, -np.inf
    for k in range(4):
        y = corner(rectangle, k)[1]
        top, bottom = min(top, y), max(bottom, y)
    ux, uy = rectangle[UX], rectangle[UY]
    total = count = 0
    for row in range(max(int(np.floor(top)), 0), min(int(np.ceil(bottom)), rows)):
        y = row + 0.5
        a, b = within(rectangle[U0] - _ON_SIDE, rectangle[U1] + _ON_SIDE, ux, y * uy)
        c, d = within(rectangle[V0] - _ON_SIDE, rectangle[V1] + _ON_SIDE, -uy, y * ux)
        a, b = max(a, c, 0.5), min(b, d, columns - 0.5)
        if a > b:
            continue
        start, stop = int(np.ceil(a - 0.5)), int(np.floor(b - 0.5)) + 1
        for column in range(start, stop):
            total += pixels[row, column]
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
