"""From a map to quads in one call: label, rectangle, score, unclip, scale, clip, order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dbrt.postproc.blocks import Bytes
from dbrt.postproc.calipers import smallest_rectangle
from dbrt.postproc.jit import compiled
from dbrt.postproc.labels import (
    BOTTOM,
    EXTENTS,
    LEFT,
    PIXELS,
    RIGHT,
    TOP,
    Ints,
    component_mean,
    gather,
    label_runs,
)
from dbrt.postproc.order import reading_order
from dbrt.postproc.rectangle import (
    Floats,
    area,
    hull_of_rows,
    short_side,
    unclip,
    write_quad,
)
from dbrt.postproc.scores import rectangle_mean, row_sums, sums_wanted
from dbrt.postproc.settings import (
    BY_REGION,
    COLUMNS,
    FRAME_HEIGHT,
    FRAME_WIDTH,
    MIN_SCORE,
    MIN_SIDE,
    ROWS,
    SCALE_X,
    SCALE_Y,
    THRESHOLD,
    UNCLIP_RATIO,
    Settings,
)

# Columns of `lists` once regions are in order: an index, and the text pixels of the region.
INDEX, MEMBERS = 0, 1


@compiled
def find_components(map: Bytes, settings: Settings, lists: Ints) -> tuple[int, int]:
    """Label the map: number of components and the first one's row in `lists`; -1 without room."""
    rows, columns = int(settings[ROWS]), int(settings[COLUMNS])
    threshold: Any = np.uint8(settings[THRESHOLD])
    n_runs = label_runs(map, rows, columns, threshold, lists)
    if n_runs < 0:
        return -1, 0
    return gather(map, n_runs, lists, settings[BY_REGION] != 0.0), n_runs


@compiled
def too_narrow(lists: Ints, at: int, min_side: float) -> bool:
    """True where the component can't have a rectangle `min_side` wide: seen without making it.

    The smallest rectangle has no larger area than the upright one and at least its diameter, from
    which follows: below min_side / sqrt(2) in one direction, no rectangle can be min_side wide.
    """
    height = lists[at, BOTTOM] - lists[at, TOP]
    width = lists[at, RIGHT] - lists[at, LEFT]
    return bool(2.0 * min(width, height) ** 2 < min_side * min_side)


@compiled
def find_quads(
    map: Bytes,
    settings: Settings,
    lists: Ints,
    hull: Floats,
    quads: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> int:
    """Decode a map; allocates nothing for each region.

    map       (H, W) uint8, W >= 64
    settings  see `settings`
    lists     (R, 4) int32, written: column 1, pixels of the component each region belongs to
    hull      (R + HULL_ROOM, 2) float64, scratch
    quads     (R / 2, 4, 2) float32, written: regions from top to bottom in the first half
    scores    (R / 2,) float32, written
    returns   number of regions found; -1 where R is too small
    """
    n, base = find_components(map, settings, lists)
    if n < 0:
        return -1
    rows, columns = int(settings[ROWS]), int(settings[COLUMNS])
    min_side, by_region = settings[MIN_SIDE], settings[BY_REGION] != 0.0
    sums = np.empty((0, 0), np.uint32)
    read = 0.0
    half, found = len(quads) // 2, 0
    for at in range(base, base + 2 * n, 2):
        if too_narrow(lists, at, min_side):
            continue
        top = lists[at, TOP]
        corners = hull_of_rows(lists, lists[at + 1, EXTENTS], top, lists[at, BOTTOM] - top, hull)
        rectangle = smallest_rectangle(hull, corners, 0.0)
        if short_side(rectangle) < min_side:
            continue
        if by_region:
            score = component_mean(lists, at)
        else:
            read += area(rectangle)
            if sums_wanted(sums, read, rows, columns):
                sums = row_sums(map, rows, columns)
            score = rectangle_mean(map, sums, rows, columns, rectangle)
        if score < settings[MIN_SCORE]:
            continue
        write_quad(
            unclip(rectangle, settings[UNCLIP_RATIO]),
            settings[SCALE_X],
            settings[SCALE_Y],
            settings[FRAME_WIDTH],
            settings[FRAME_HEIGHT],
            quads[half + found],
        )
        scores[half + found] = score
        # The runs are not wanted any more, and there is one at least for each component.
        lists[found, MEMBERS] = lists[at + 1, PIXELS]
        found += 1
    reading_order(quads[half:], found, hull, lists)
    for k in range(found):
        quads[k] = quads[half + lists[k, INDEX]]
        scores[k] = scores[half + lists[k, INDEX]]
    return found
