"""Outlines that pyclipper moves outwards: their pieces in the frame, and the quads of these."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyclipper
from numpy.typing import NDArray

from dbrt.postproc.calipers import HULL_ROOM, smallest_rectangle
from dbrt.postproc.jit import compiled
from dbrt.postproc.order import arrange
from dbrt.postproc.polygons import CHORD_PX
from dbrt.postproc.rectangle import Floats, write_quad
from dbrt.regions import TextRegions

# pyclipper counts in integers: this many for a pixel.
_UNITS = 1024

Path = list[list[int]]  # x and y of each point, as pyclipper takes and gives them


@compiled
def corner_turn(hull: Floats, a: int, b: int, x: float, y: float) -> float:
    """Above 0 where (x, y) lies clockwise of the line from row `a` to row `b`."""
    dx, dy = hull[b, 0] - hull[a, 0], hull[b, 1] - hull[a, 1]
    return float(dx * (y - hull[a, 1]) - dy * (x - hull[a, 0]))


@compiled
def hull_of_polygon(points: Floats, hull: Floats) -> tuple[int, int]:
    """The convex hull of a polygon that does not cross itself, clockwise (Melkman 1987).

    points   (n, 2) float64, n >= 3, clockwise
    hull     (2 * n + 2, 2) float64 or more, written
    returns  first row and number of corners
    """
    n = len(points)
    start = 0
    for k in range(n):
        if points[k, 1] < points[start, 1] or (
            points[k, 1] == points[start, 1] and points[k, 0] < points[start, 0]
        ):
            start = k
    # From the topmost point and its neighbours, which are never in one line.
    first, last = n - 1, n + 2
    hull[first] = hull[last] = points[(start + 1) % n]
    hull[first + 1], hull[first + 2] = points[start - 1], points[start]
    for k in range(2, n - 1):
        x, y = points[(start + k) % n]
        ahead = corner_turn(hull, first, first + 1, x, y)
        behind = corner_turn(hull, last - 1, last, x, y)
        if ahead > 0.0 and behind > 0.0:
            continue
        while last - first > 2 and corner_turn(hull, first, first + 1, x, y) <= 0.0:
            first += 1
        while last - first > 2 and corner_turn(hull, last - 1, last, x, y) <= 0.0:
            last -= 1
        first, last = first - 1, last + 1
        hull[first, 0] = hull[last, 0] = x
        hull[first, 1] = hull[last, 1] = y
    return first, last - first


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
    longest = 0
    for i in range(len(quads)):
        longest = max(longest, offsets[i + 1] - offsets[i])
    hull = np.empty((2 * longest + 4 + HULL_ROOM, 2), np.float64)
    for i in range(len(quads)):
        first, n = hull_of_polygon(points[offsets[i] : offsets[i + 1]], hull)
        rectangle = smallest_rectangle(hull[first:], n, 0.0)
        write_quad(rectangle, 1.0, 1.0, width, height, quads[i])


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
    return pyclipper.PyclipperOffset(2.0, CHORD_PX * _UNITS)


def grown_in_frame(
    offset: Any,
    border: NDArray[np.int32],
    distance: float,
    scale: tuple[float, float],
    width: float,
    height: float,
) -> list[NDArray[np.float64]]:
    """What lies in the frame of an outline moved outwards, by pyclipper; in pixels of the frame.

    border  (P, 2) int32 pixels; a pixel's centre lies right and down of its index
    """
    path: Path = (border.astype(np.int64) * _UNITS + _UNITS // 2).tolist()
    found = []
    for piece in grow(offset, path, distance):
        points = np.array(piece) * (np.array(scale) / _UNITS)
        inside = (points >= 0).all() and (points <= (width, height)).all()
        found += [points] if inside else clip(points, width, height)
    return found


def clip(outline: NDArray[np.float64], width: float, height: float) -> list[NDArray[np.float64]]:
    """The parts of an outline inside the frame, in its pixels."""
    right, bottom = round(width * _UNITS), round(height * _UNITS)
    clipper = pyclipper.Pyclipper()
    clipper.AddPath(np.rint(outline * _UNITS).astype(np.int64).tolist(), pyclipper.PT_SUBJECT, True)
    clipper.AddPath([(0, 0), (right, 0), (right, bottom), (0, bottom)], pyclipper.PT_CLIP, True)
    rule = pyclipper.PFT_NONZERO
    pieces = clipper.Execute(pyclipper.CT_INTERSECTION, rule, rule)
    return [np.array(p, np.float64) / _UNITS for p in pieces if pyclipper.Orientation(p)]


def quads_round(
    outlines: list[NDArray[np.float64]], width: float, height: float
) -> NDArray[np.float32]:
    """The smallest rectangle round each outline, clipped to the frame: (N, 4, 2) float32."""
    points, offsets = joined(outlines)
    quads = np.empty((len(outlines), 4, 2), np.float32)
    quads_of_outlines(points, offsets, width, height, quads)
    return quads


def joined(
    outlines: list[NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Outlines one behind the other, and the offsets of each."""
    lengths = np.cumsum([0] + [len(outline) for outline in outlines])
    return np.concatenate(outlines), lengths.astype(np.int64)


def assemble(
    outlines: list[NDArray[np.float64]],
    quads: NDArray[np.float32],
    scores: NDArray[np.float32],
    truncated: bool,
) -> TextRegions:
    """The regions with these outlines (3 points at least, clockwise), quads and scores, sorted."""
    n = len(scores)
    points, offsets = joined(outlines)
    keys, order = np.empty((n, 2), np.float64), np.empty((n, 1), np.int32)
    arranged = np.empty_like(quads), np.empty_like(scores)
    ragged = np.empty(points.shape, np.float32), np.empty_like(offsets)
    arrange(quads, scores, points, offsets, n, keys, order, *arranged, *ragged)
    return TextRegions(*arranged, *ragged, truncated=truncated)
