"""From a map to outlines: border, simplification, score, pyclipper's offset for what is kept."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import pyclipper
from numpy.typing import NDArray

from dbrt.postproc.fill import outline_mean
from dbrt.postproc.jit import compiled
from dbrt.postproc.labels import C_EXTENTS, C_PIXELS, C_TOP, Ints, gather, label_runs
from dbrt.postproc.order import reading_order, sort_points
from dbrt.postproc.outline import area_and_perimeter, follow, simplify, thin_out
from dbrt.postproc.quads import component_rectangle
from dbrt.postproc.rectangle import (
    Floats,
    area,
    push,
    short_side,
    smallest_rectangle,
    write_quad,
)
from dbrt.postproc.scores import component_sums, row_sums, sums_wanted
from dbrt.regions import TextRegions

# Outlines are simplified to 0.2 % of their length, as in the published code. Before they are
# grown, to one pixel at least: the steps of a slanted edge leave their line by less, lengthen it,
# and each costs pyclipper time.
_TOLERANCE = 0.002
_GROWN_PX = 1.0
# pyclipper counts in integers: this many for a pixel. Round joins leave the arc by a quarter pixel
# at most.
_UNITS = 1024
_ARC_TOLERANCE = 0.25 * _UNITS

Path = list[list[int]]  # x and y of each point, as pyclipper takes and gives them


@compiled
def find_outlines(
    words: NDArray[np.uint64],
    pixels: NDArray[np.uint8],
    rows: int,
    columns: int,
    threshold: int,
    min_score: float,
    unclip_ratio: float,
    min_side: float,
    by_region: bool,
    runs: Ints,
    labels: Ints,
    components: Ints,
    extents: Ints,
    sums: NDArray[np.int64],
    hull: Floats,
    scores: NDArray[np.float32],
    members: Ints,
    contour: Ints,
    stack: Ints,
    points: Ints,
    offsets: NDArray[np.int64],
    distances: Floats,
) -> int:
    """Find the simplified outlines of the regions that score `min_score`; see `find_quads`.

    points     (P, 2) int32, written: border pixels x, y; outline i is points[offsets[i]:offsets[i
               + 1]]
    distances  (R,) float64, written: by how many pixels of the map each outline is to be moved
               outwards
    returns    number of regions found; -1 where the workspace is too small
    """
    n_runs, n_labels = label_runs(words, rows, columns, threshold, runs, labels)
    if n_runs < 0:
        return -1
    n = gather(runs, n_runs, labels, n_labels, components, extents)
    if by_region:
        component_sums(pixels, runs, n_runs, labels, n, sums)
    rectangle = np.empty(6, np.float64)
    prefixes = np.empty((0, 0), np.uint32)
    heads = np.full(rows, -1, np.int32)
    marks = np.zeros((3, columns // 64 + 1), np.uint64)
    read = 0.0
    found = 0
    offsets[0] = 0
    for i in range(n):
        if not component_rectangle(components, i, extents, min_side, hull, rectangle):
            continue
        left = extents[components[i, C_EXTENTS], 0]
        n_contour = follow(pixels, rows, columns, threshold, left, components[i, C_TOP], contour)
        if n_contour < 0:
            return -1
        _, length = area_and_perimeter(contour, 0, n_contour)
        # A long, narrow region must not be simplified to a line.
        tolerance = min(_TOLERANCE * length, short_side(rectangle) / 4)
        begin = offsets[found]
        end = simplify(contour, n_contour, tolerance, stack, points, begin)
        if end < 0:
            return -1
        if by_region:
            score = sums[i] / (255.0 * components[i, C_PIXELS])
        else:
            read += area(rectangle)
            if sums_wanted(prefixes, read, rows, columns):
                prefixes = row_sums(pixels, rows, columns)
            score = outline_mean(pixels, prefixes, points, begin, end, heads, stack, marks)
        if score < min_score:
            continue
        end = thin_out(points, begin, end, max(tolerance, _GROWN_PX), contour, stack)
        covered, perimeter = area_and_perimeter(points, begin, end)
        distances[found] = covered * unclip_ratio / perimeter + 0.5
        scores[found] = score
        members[found] = components[i, C_PIXELS]
        found += 1
        offsets[found] = end
    return found


@compiled
def quads_of_outlines(
    points: Floats,
    offsets: NDArray[np.int64],
    width: float,
    height: float,
    quads: NDArray[np.float32],
) -> None:
    """The smallest rectangle round each outline, clipped to the frame.

    points   (P, 2) float64, pixels of the frame; outline i is points[offsets[i]:offsets[i + 1]]
    quads    (N, 4, 2) float32, written
    """
    rectangle = np.empty(6, np.float64)
    order = np.empty(len(points), np.int64)
    hull = np.empty((len(points) + 2, 2), np.float64)
    for i in range(len(quads)):
        own = points[offsets[i] : offsets[i + 1]]
        sort_points(own, len(own), order)
        n = 0
        for k in range(len(own)):
            n = push(hull, 0, n, own[order[k], 0], own[order[k], 1])
        base = n - 1
        for k in range(len(own) - 2, -1, -1):
            n = push(hull, base, n, own[order[k], 0], own[order[k], 1])
        # The last corner is the first one again.
        smallest_rectangle(hull, n - 1, rectangle)
        write_quad(rectangle, 1.0, 1.0, width, height, quads[i])


@compiled
def in_order(
    points: Floats,
    offsets: NDArray[np.int64],
    order: NDArray[np.int64],
    arranged: NDArray[np.float32],
    arranged_offsets: NDArray[np.int64],
) -> None:
    """Copy outlines in this order, each from its point with the least x + y on.

    points, offsets    as for `quads_of_outlines`
    arranged           (P, 2) float32, written
    arranged_offsets   (N + 1,) int64, written
    """
    used = 0
    arranged_offsets[0] = 0
    for i in range(len(order)):
        begin, end = offsets[order[i]], offsets[order[i] + 1]
        first = begin
        for k in range(begin, end):
            if points[k, 0] + points[k, 1] < points[first, 0] + points[first, 1]:
                first = k
        for k in range(begin, end):
            at = first + k - begin
            at = at if at < end else at - (end - begin)
            arranged[used, 0] = points[at, 0]
            arranged[used, 1] = points[at, 1]
            used += 1
        arranged_offsets[i + 1] = used


def grow(offset: Any, path: Path, distance: float) -> list[Path]:
    """The outline moved outwards with round joins: the outer outlines of what comes of it.

    offset    a PyclipperOffset, emptied here: making one takes as long as using it
    path      in pyclipper's units, clockwise
    distance  pixels of the map, more than 0
    """
    offset.Clear()
    # A region one pixel wide is a line, which pyclipper takes as an open path only.
    ends = pyclipper.ET_CLOSEDPOLYGON if len(path) > 2 else pyclipper.ET_OPENROUND
    offset.AddPath(path, pyclipper.JT_ROUND, ends)
    pieces: list[Path] = offset.Execute(distance * _UNITS)
    return pieces if len(pieces) == 1 else [p for p in pieces if pyclipper.Orientation(p)]


def new_offset() -> Any:
    """A PyclipperOffset for `grow`."""
    return pyclipper.PyclipperOffset(2.0, _ARC_TOLERANCE)


def paths(points: NDArray[np.int32]) -> Path:
    """Border pixels (P, 2) in pyclipper's units; a pixel's centre lies right and down of its index.

    All at once, to be cut into outlines: converting them one by one takes several times as long.
    """
    listed: Path = (points.astype(np.int64) * _UNITS + _UNITS // 2).tolist()
    return listed


def to_frame(
    outlines: list[Path], scale: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The points (P, 2) of outlines in pyclipper's units, in pixels of the frame; their offsets."""
    offsets = _offsets(np.array([len(outline) for outline in outlines], np.int64))
    numbers = chain.from_iterable(chain.from_iterable(outlines))
    units = np.fromiter(numbers, np.int64, 2 * int(offsets[-1])).reshape(-1, 2)
    return units * (np.array(scale) / _UNITS), offsets


def beyond(
    points: NDArray[np.float64], offsets: NDArray[np.int64], width: float, height: float
) -> NDArray[np.intp]:
    """The indices of the outlines that are not wholly inside the frame."""
    low = np.minimum.reduceat(points, offsets[:-1])
    high = np.maximum.reduceat(points, offsets[:-1])
    outside: NDArray[np.intp] = np.flatnonzero(
        (low < 0).any(axis=1) | (high > (width, height)).any(axis=1)
    )
    return outside


def clip(outline: NDArray[np.float64], width: float, height: float) -> list[NDArray[np.float64]]:
    """The parts of an outline inside the frame, in its pixels."""
    right, bottom = round(width * _UNITS), round(height * _UNITS)
    clipper = pyclipper.Pyclipper()
    clipper.AddPath(np.rint(outline * _UNITS).astype(np.int64).tolist(), pyclipper.PT_SUBJECT, True)
    clipper.AddPath([(0, 0), (right, 0), (right, bottom), (0, bottom)], pyclipper.PT_CLIP, True)
    rule = pyclipper.PFT_NONZERO
    pieces = clipper.Execute(pyclipper.CT_INTERSECTION, rule, rule)
    return [np.array(p, np.float64) / _UNITS for p in pieces if pyclipper.Orientation(p)]


def clip_all(
    points: NDArray[np.float64],
    offsets: NDArray[np.int64],
    sources: NDArray[np.int64],
    width: float,
    height: float,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """What lies inside the frame of all outlines: points, offsets, and the source of each piece."""
    outside = set(beyond(points, offsets, width, height).tolist())
    if not outside:
        return points, offsets, sources
    outlines, kept = [], []
    for i, source in enumerate(sources):
        outline = points[offsets[i] : offsets[i + 1]]
        for piece in clip(outline, width, height) if i in outside else [outline]:
            outlines.append(piece)
            kept.append(source)
    lengths = np.array([len(outline) for outline in outlines], np.int64)
    joined = np.concatenate(outlines) if outlines else np.empty((0, 2))
    return joined, _offsets(lengths), np.array(kept, np.int64)


def take(
    points: NDArray[np.float64], offsets: NDArray[np.int64], chosen: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The points and offsets of some of the outlines."""
    outlines = [points[offsets[i] : offsets[i + 1]] for i in chosen]
    return np.concatenate(outlines), _offsets(np.array([len(o) for o in outlines], np.int64))


def assemble(
    points: NDArray[np.float64],
    offsets: NDArray[np.int64],
    scores: NDArray[np.float32],
    width: float,
    height: float,
    truncated: bool,
) -> TextRegions:
    """The regions with these outlines, sorted; the smallest rectangle of each is its quad.

    points, offsets  of N outlines, 3 points at least each, clockwise, pixels of the frame
    scores           (N,) float32
    width, height    of the frame in pixels
    """
    n = len(scores)
    quads = np.empty((n, 4, 2), np.float32)
    quads_of_outlines(points, offsets, width, height, quads)
    order = np.empty(n, np.int64)
    reading_order(quads, n, np.empty((n, 2), np.float32), order)
    arranged, arranged_offsets = np.empty((len(points), 2), np.float32), np.empty_like(offsets)
    in_order(points, offsets, order, arranged, arranged_offsets)
    return TextRegions(quads[order], scores[order], arranged, arranged_offsets, truncated)


def _offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
