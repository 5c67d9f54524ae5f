"""From a map to quads in one call: label, rectangle, score, unclip, scale, clip, order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dbrt.postproc.jit import compiled
from dbrt.postproc.labels import (
    C_BOTTOM,
    C_EXTENTS,
    C_LEFT,
    C_PIXELS,
    C_RIGHT,
    C_TOP,
    Ints,
    gather,
    label_runs,
)
from dbrt.postproc.order import reading_order
from dbrt.postproc.rectangle import (
    Floats,
    area,
    hull_of_rows,
    short_side,
    smallest_rectangle,
    unclip,
    write_quad,
)
from dbrt.postproc.scores import component_sums, rectangle_mean, row_sums, sums_wanted


@compiled
def component_rectangle(
    components: Ints, i: int, extents: Ints, min_side: float, hull: Floats, rectangle: Floats
) -> bool:
    """Write the smallest rectangle of component `i`; False where it is below `min_side` wide."""
    top = components[i, C_TOP]
    height = components[i, C_BOTTOM] - top
    width = components[i, C_RIGHT] - components[i, C_LEFT]
    # The smallest rectangle has no larger area than the upright one and at least its diameter,
    # from which follows: below min_side / sqrt(2) in one direction, no rectangle can be min_side
    # wide.
    if 2.0 * min(width, height) ** 2 < min_side * min_side:
        return False
    n = hull_of_rows(extents, components[i, C_EXTENTS], top, height, hull)
    smallest_rectangle(hull, n, rectangle)
    return short_side(rectangle) >= min_side


@compiled
def find_quads(
    words: NDArray[np.uint64],
    pixels: NDArray[np.uint8],
    rows: int,
    columns: int,
    threshold: int,
    min_score: float,
    unclip_ratio: float,
    min_side: float,
    by_region: bool,
    scale_x: float,
    scale_y: float,
    frame_width: float,
    frame_height: float,
    runs: Ints,
    labels: Ints,
    components: Ints,
    extents: Ints,
    sums: NDArray[np.int64],
    hull: Floats,
    scores: NDArray[np.float32],
    members: Ints,
    quads: NDArray[np.float32],
    corners: NDArray[np.float32],
    order: NDArray[np.int64],
) -> int:
    """Decode the map's first `rows` rows and `columns` columns; allocates nothing for each region.

    The arguments are those of `decode`, the arrays those of `Workspace`.

    quads, scores  written: what was found
    members        (R,) int32, written: pixels of the component that each belongs to
    order          (R,) int64, written: indices of quads from top to bottom
    returns        number of regions found; -1 where the workspace is too small
    """
    n_runs, n_labels = label_runs(words, rows, columns, threshold, runs, labels)
    if n_runs < 0:
        return -1
    n = gather(runs, n_runs, labels, n_labels, components, extents)
    if by_region:
        component_sums(pixels, runs, n_runs, labels, n, sums)
    rectangle = np.empty(6, np.float64)
    prefixes = np.empty((0, 0), np.uint32)
    read = 0.0
    found = 0
    for i in range(n):
        if not component_rectangle(components, i, extents, min_side, hull, rectangle):
            continue
        if by_region:
            score = sums[i] / (255.0 * components[i, C_PIXELS])
        else:
            read += area(rectangle)
            if sums_wanted(prefixes, read, rows, columns):
                prefixes = row_sums(pixels, rows, columns)
            score = rectangle_mean(pixels, prefixes, rows, columns, rectangle)
        if score < min_score:
            continue
        unclip(rectangle, unclip_ratio)
        write_quad(rectangle, scale_x, scale_y, frame_width, frame_height, quads[found])
        scores[found] = score
        members[found] = components[i, C_PIXELS]
        found += 1
    reading_order(quads, found, corners, order)
    return found
