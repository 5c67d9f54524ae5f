"""From a map to outlines: border, simplification, score, growth of what is kept."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dbrt.postproc.blocks import Bytes
from dbrt.postproc.calipers import smallest_rectangle
from dbrt.postproc.envelope import NO_ROOM, NOT_GROWN, grow_outline, hull_of_outline
from dbrt.postproc.fill import outline_mean
from dbrt.postproc.jit import compiled
from dbrt.postproc.labels import BOTTOM, EXTENTS, FIRST, PIXELS, TOP, Ints, component_mean
from dbrt.postproc.order import arrange
from dbrt.postproc.outline import MOST_CORNERS, area_and_perimeter, follow, simplify, thin_out
from dbrt.postproc.quads import MEMBERS, find_components, too_narrow
from dbrt.postproc.rectangle import Floats, Rectangle, area, hull_of_rows, short_side, write_quad
from dbrt.postproc.scores import row_sums, sums_wanted
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

# Outlines are simplified to 0.2 % of their length, as in the published code.
_TOLERANCE = 0.002
# A chord lies this far inside its arc at most; a corner in place of an arc, this far outside.
CHORD_PX = 0.02


class Outlines(NamedTuple):
    """Room for outlines; `find_outlines` writes to it.

    contour, stack  (C, 2) int32, scratch
    points          (C, 2) int32: border pixels x, y, simplified; outline i is
                    points[offsets[i]:offsets[i + 1]]
    offsets         (R + 1,) int64
    distances       (R,) float64: by how many pixels of the map each is to be moved outwards
    grown           (G, 2) float64: outlines moved outwards, pixels of the frame
    grown_offsets   (R + 1,) int64: nothing for an outline that is left to pyclipper
    arranged        (G, 2) float32: grown outlines in order, each from its least x + y on
    arranged_offsets  (R + 1,) int64
    """

    contour: Ints
    stack: Ints
    points: Ints
    offsets: NDArray[np.int64]
    distances: Floats
    grown: Floats
    grown_offsets: NDArray[np.int64]
    arranged: NDArray[np.float32]
    arranged_offsets: NDArray[np.int64]


@compiled
def find_outlines(  # noqa: PLR0915 - one pass, and each call is entered with cold caches
    map: Bytes,
    settings: Settings,
    lists: Ints,
    hull: Floats,
    quads: NDArray[np.float32],
    scores: NDArray[np.float32],
    room: Outlines,
) -> tuple[int, int]:
    """Find the outlines of the regions that score well enough, simplified and grown.

    map, settings, lists, hull  see `find_quads`
    quads, scores  written: regions in order in the first half, as they were found in the second;
                   a quad is the smallest rectangle round the outline, grown, scaled and clipped
    returns        number of regions found, -1 where there is not room enough; and how many of them
                   are left to pyclipper
    """
    n, base = find_components(map, settings, lists)
    if n < 0:
        return -1, 0
    rows, columns = int(settings[ROWS]), int(settings[COLUMNS])
    threshold: Any = np.uint8(settings[THRESHOLD])
    by_region = settings[BY_REGION] != 0.0
    sums = np.empty((0, 0), np.uint32)
    heads = np.full(rows, -1, np.int32)
    marks = np.zeros((3, columns // 64 + 1), np.uint64)
    work = np.empty((MOST_CORNERS + 2, 6), np.float64)
    read = 0.0
    half, found, left = len(quads) // 2, 0, 0
    room.offsets[0] = room.grown_offsets[0] = 0
    for at in range(base, base + 2 * n, 2):
        if too_narrow(lists, at, settings[MIN_SIDE]):
            continue
        first, top = lists[at + 1, EXTENTS], lists[at, TOP]
        height = lists[at, BOTTOM] - top
        corners = hull_of_rows(lists, first, top, height, hull)
        rectangle = smallest_rectangle(hull, corners, 0.0)
        if short_side(rectangle) < settings[MIN_SIDE]:
            continue
        n_contour = follow(map, rows, columns, threshold, lists[first, FIRST], top, room.contour)
        if n_contour < 0:
            return -1, 0
        _, perimeter = area_and_perimeter(room.contour, 0, n_contour)
        # A long, narrow region must not be simplified to a line.
        tolerance = min(_TOLERANCE * perimeter, short_side(rectangle) / 4)
        begin = room.offsets[found]
        end = simplify(room.contour, n_contour, tolerance, room.stack, room.points, begin)
        if end < 0:
            return -1, 0
        if by_region:
            score = component_mean(lists, at)
        else:
            read += area(rectangle)
            if sums_wanted(sums, read, rows, columns):
                sums = row_sums(map, rows, columns)
            score = outline_mean(map, sums, room.points, begin, end, heads, room.stack, marks)
        if score < settings[MIN_SCORE]:
            continue
        end = thin_out(room.points, begin, end, tolerance, room.contour, room.stack)
        covered, perimeter = area_and_perimeter(room.points, begin, end)
        distance = covered * settings[UNCLIP_RATIO] / perimeter + 0.5
        corners = hull_of_outline(room.points, begin, end, top, height, lists, first, room.stack)
        used = room.grown_offsets[found]
        grown_end = grow_outline(
            room.points,
            begin,
            end,
            room.stack,
            corners,
            distance,
            CHORD_PX,
            work,
            room.grown,
            used,
        )
        if grown_end >= 0:
            grown_end = to_frame(room.grown, used, grown_end, settings)
        if grown_end == NO_ROOM:
            return -1, 0
        left += grown_end == NOT_GROWN
        write_quad(
            rectangle_round(room.points, begin, room.stack, corners, distance, hull),
            settings[SCALE_X],
            settings[SCALE_Y],
            settings[FRAME_WIDTH],
            settings[FRAME_HEIGHT],
            quads[half + found],
        )
        scores[half + found] = score
        # The runs are not wanted any more, and there is one at least for each component.
        lists[found, MEMBERS] = lists[at + 1, PIXELS]
        room.distances[found] = distance
        found += 1
        room.offsets[found] = end
        room.grown_offsets[found] = max(grown_end, used)
    arrange(
        quads[half:],
        scores[half:],
        room.grown,
        room.grown_offsets,
        found,
        hull,
        lists,
        quads,
        scores,
        room.arranged,
        room.arranged_offsets,
    )
    return found, left


@compiled
def rectangle_round(
    points: Ints, begin: int, corners: Ints, n: int, radius: float, hull: Floats
) -> Rectangle:
    """The smallest rectangle round an outline moved outwards by `radius`, pixels of the map.

    points, begin  see `grow_outline`
    corners, n     its convex hull; see `hull_of_outline`
    hull           (n + HULL_ROOM, 2) float64, scratch
    """
    for k in range(n):
        for axis in range(2):
            hull[k, axis] = points[begin + corners[k, 0], axis] + 0.5
    if n == 1:
        x, y = hull[0, 0], hull[0, 1]
        return Rectangle(1.0, 0.0, x - radius, x + radius, y - radius, y + radius)
    return smallest_rectangle(hull, n, radius)


@compiled
def cut(points: Floats, begin: int, end: int, axis: int, limit: float, sign: float) -> int:
    """Cut off what of points[begin:end] has sign * coordinate > sign * limit; in place.

    returns  the new end; NO_ROOM without as many free rows behind; NOT_GROWN where more than one
             piece may be left
    """
    crossings, used = 0, end
    for k in range(begin, end):
        following = k + 1 if k + 1 < end else begin
        a, b = sign * (points[k, axis] - limit), sign * (points[following, axis] - limit)
        if used + 2 > len(points):
            return NO_ROOM
        if a <= 0.0:
            points[used] = points[k]
            used += 1
        if (a <= 0.0) != (b <= 0.0):
            crossings += 1
            for c in range(2):
                points[used, c] = (points[k, c] * b - points[following, c] * a) / (b - a)
            points[used, axis] = limit
            used += 1
    if crossings > 2:
        return NOT_GROWN
    for k in range(end, used):
        points[begin + k - end] = points[k]
    return begin + used - end


@compiled
def to_frame(points: Floats, begin: int, end: int, settings: Settings) -> int:
    """Scale points[begin:end] to the frame and clip them to it; returns as `cut` does."""
    scale = settings[SCALE_X], settings[SCALE_Y]
    sides = settings[FRAME_WIDTH], settings[FRAME_HEIGHT]
    for axis in range(2):
        low, high = np.inf, -np.inf
        for k in range(begin, end):
            points[k, axis] *= scale[axis]
            low, high = min(low, points[k, axis]), max(high, points[k, axis])
        if low < 0.0:
            end = cut(points, begin, end, axis, 0.0, -1.0)
        if high > sides[axis] and end >= 0:
            end = cut(points, begin, end, axis, sides[axis], 1.0)
        if end < 0:
            break
    return end
