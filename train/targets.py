"""Label maps of differentiable binarization, from polygons (numpy, OpenCV, pyclipper; no keras).

Channels, each (H, W) uint8:

    0  text       1 inside a word shrunk by D = A (1 - r^2) / L, r = 0.4
    1  mask       0 where don't-care text lies
    2  threshold  0.3 (76) far from the border to 0.7 (178) on it, 255 = 1.0
    3  border     1 inside a word grown by D: where the threshold map is learnt

Source: Liao et al. 2020, section 3.4; A is the polygon's area, L its perimeter.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pyclipper
from numpy.typing import NDArray

SHRINK_RATIO = 0.4
THRESHOLD_LOW, THRESHOLD_HIGH = 0.3, 0.7
# pyclipper works on integers: coordinates are scaled so that rounding stays below 0.001 px.
_CLIPPER_SCALE = 1024.0
# fillPoly takes fixed-point coordinates with so many fractional bits.
_FILL_BITS = 6

Polygon = NDArray[np.float32]  # (M, 2) x, y


def make_targets(
    polygons: Sequence[Polygon], care: Sequence[bool], shape: tuple[int, int], *, min_side: float
) -> NDArray[np.uint8]:
    """Draw the four label maps of one picture.

    polygons  (M, 2) float each, pixels, either orientation
    care      False for don't-care text
    shape     (H, W)
    min_side  words are don't-care whose shorter side is below, pixels
    returns   (4, H, W) uint8, the channels of the module
    """
    text = np.zeros(shape, np.uint8)
    mask = np.ones(shape, np.uint8)
    closeness = np.zeros(shape, np.float32)
    border = np.zeros(shape, np.uint8)
    for polygon, is_care in zip(polygons, care, strict=True):
        if not is_care or short_side(polygon) < min_side:
            fill(mask, polygon, 0)
            continue
        distance = offset_distance(polygon)
        shrunk = offset(polygon, -distance) if distance > 0.0 else []
        if not shrunk:
            fill(mask, polygon, 0)
            continue
        for piece in shrunk:
            fill(text, piece, 1)
        _draw_border(closeness, border, polygon, distance)
    # The band of a word reaches over its neighbours' don't-care areas: the mask decides there.
    border &= mask
    span = THRESHOLD_HIGH - THRESHOLD_LOW
    threshold = np.round(255.0 * (THRESHOLD_LOW + span * closeness)).astype(np.uint8)
    return np.stack((text, mask, threshold, border))


def short_side(polygon: Polygon) -> float:
    """Shorter side of the minimum-area rectangle round a polygon, in pixels."""
    return float(min(cv2.minAreaRect(np.ascontiguousarray(polygon, np.float32))[1]))


def offset_distance(polygon: Polygon, ratio: float = SHRINK_RATIO) -> float:
    """D = A (1 - r^2) / L in pixels; 0 for a polygon without length."""
    closed = np.ascontiguousarray(polygon, np.float32)
    perimeter = cv2.arcLength(closed, True)
    return abs(cv2.contourArea(closed)) * (1.0 - ratio * ratio) / perimeter if perimeter else 0.0


def offset(polygon: Polygon, distance: float) -> list[Polygon]:
    """Grow (or with a negative distance shrink) a polygon, round joins; the pieces that remain."""
    clipper = pyclipper.PyclipperOffset()
    path = np.round(np.asarray(polygon, np.float64) * _CLIPPER_SCALE).astype(np.int64)
    clipper.AddPath(path.tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    pieces = clipper.Execute(distance * _CLIPPER_SCALE)
    return [(np.array(p, np.float64) / _CLIPPER_SCALE).astype(np.float32) for p in pieces]


def fill(canvas: NDArray[np.uint8], polygon: Polygon, value: int) -> None:
    """Set the pixels of `canvas` (H, W) whose centres lie in a polygon, in place."""
    # fillPoly's integer x is the pixel's centre; ours is its left edge: hence the half pixel.
    points = np.round((np.asarray(polygon, np.float64) - 0.5) * (1 << _FILL_BITS))
    cv2.fillPoly(canvas, [points.astype(np.int32)], [value], shift=_FILL_BITS)


def _draw_border(
    closeness: NDArray[np.float32], border: NDArray[np.uint8], polygon: Polygon, distance: float
) -> None:
    """Raise `closeness` to 1 - d / D within the grown word, d the distance to its outline."""
    height, width = closeness.shape
    left, top = np.floor(polygon.min(axis=0) - distance).astype(int)
    right, bottom = np.ceil(polygon.max(axis=0) + distance).astype(int)
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if right <= left or bottom <= top:
        return
    origin = np.array([left, top], np.float32)
    inside = np.zeros((bottom - top, right - left), np.uint8)
    for piece in offset(polygon, distance):
        fill(inside, piece - origin, 1)
    near = 1.0 - np.minimum(outline_distance(polygon - origin, inside.shape) / distance, 1.0)
    near *= inside
    rows, columns = slice(top, bottom), slice(left, right)
    np.maximum(closeness[rows, columns], near, out=closeness[rows, columns])
    border[rows, columns] |= inside


def outline_distance(polygon: Polygon, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Distance of every pixel centre to the polygon's outline, (H, W) float32 pixels, exact."""
    height, width = shape
    y = np.arange(height, dtype=np.float32)[:, None] + np.float32(0.5)
    x = np.arange(width, dtype=np.float32)[None, :] + np.float32(0.5)
    nearest = np.full(shape, np.inf, np.float32)
    for (ax, ay), (bx, by) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        dx, dy = float(bx - ax), float(by - ay)
        length2 = dx * dx + dy * dy
        if length2 == 0.0:
            continue
        px, py = x - np.float32(ax), y - np.float32(ay)
        along = px * np.float32(dx / length2) + py * np.float32(dy / length2)
        np.clip(along, 0.0, 1.0, out=along)
        px = px - along * np.float32(dx)
        py = py - along * np.float32(dy)
        np.minimum(nearest, px * px + py * py, out=nearest)
    return np.sqrt(nearest)
