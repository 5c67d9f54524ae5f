"""DB's decode as its published code does it, with OpenCV and pyclipper: what dbrt is timed against.

M. Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", AAAI 2020,
section 3.5, and the steps of the code published with it: contours through the centres of pixels,
holes among them, scores over a mask drawn with whole-numbered corners.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import pyclipper
from numpy.typing import NDArray

Map = NDArray[np.uint8]  # (H, W), 255 = certain text
Points = NDArray[np.float32]  # (M, 2) x and y, pixels of the map
Regions = tuple[list[Points], list[float]]  # outlines and their scores

MOST = 1000  # contours that are looked at
_MIN_SIDE = 3.0
_MIN_GROWN_SIDE = 5.0
_TOLERANCE = 0.002  # of an outline's length


@dataclass(frozen=True)
class Thresholds:
    """What every contender decodes with; see `decode`."""

    binarize: float = 0.3
    min_score: float = 0.6
    unclip_ratio: float = 1.5


def paper_quads(map: Map, thresholds: Thresholds, units: int = 1) -> Regions:
    """The smallest rectangle round each contour, grown.

    units  pyclipper's whole numbers for one pixel: 1 as published; 1024 without rounding to speak
           of
    """
    found: Regions = ([], [])
    for contour in _contours(map, thresholds.binarize):
        corners, short = _rectangle(contour)
        if short < _MIN_SIDE:
            continue
        score = _mean_inside(map, corners)
        if score < thresholds.min_score:
            continue
        grown = _grow(corners, thresholds.unclip_ratio, units)
        if len(grown) != 1:
            continue
        quad, short = _rectangle(grown[0])
        if short >= _MIN_GROWN_SIDE:
            found[0].append(_clip(quad, map))
            found[1].append(score)
    return found


def paper_polygons(map: Map, thresholds: Thresholds, units: int = 1) -> Regions:
    """The outline of each contour, simplified and grown; `units` as for `paper_quads`."""
    found: Regions = ([], [])
    for contour in _contours(map, thresholds.binarize):
        tolerance = _TOLERANCE * cv2.arcLength(contour, True)
        outline = cv2.approxPolyDP(contour, tolerance, True).reshape(-1, 2).astype(np.float32)
        if len(outline) < 4:
            continue
        score = _mean_inside(map, outline)
        if score < thresholds.min_score:
            continue
        grown = _grow(outline, thresholds.unclip_ratio, units)
        if len(grown) == 1 and _rectangle(grown[0])[1] >= _MIN_GROWN_SIDE:
            found[0].append(_clip(grown[0], map))
            found[1].append(score)
    return found


def _contours(map: Map, binarize: float) -> list[NDArray[np.int32]]:
    text = (map >= math.floor(binarize * 255) + 1).astype(np.uint8)
    contours, _ = cv2.findContours(text, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    return [np.asarray(contour, np.int32) for contour in contours[:MOST]]


def _rectangle(points: NDArray[np.int32] | Points) -> tuple[Points, float]:
    """The smallest rectangle round the points and its shorter side."""
    rectangle = cv2.minAreaRect(points)
    return np.asarray(cv2.boxPoints(rectangle), np.float32), float(min(rectangle[1]))


def _mean_inside(map: Map, outline: Points) -> float:
    height, width = map.shape
    left, top = np.clip(np.floor(outline.min(0)).astype(int), 0, (width - 1, height - 1))
    right, bottom = np.clip(np.ceil(outline.max(0)).astype(int), 0, (width - 1, height - 1))
    mask = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    cv2.fillPoly(mask, [(outline - (left, top)).astype(np.int32)], (1,))
    return float(cv2.mean(map[top : bottom + 1, left : right + 1], mask)[0]) / 255


def _grow(outline: Points, ratio: float, units: int) -> list[Points]:
    distance = cv2.contourArea(outline) * ratio / cv2.arcLength(outline, True)
    offset = pyclipper.PyclipperOffset(2.0, 0.25 * units)
    path = np.rint(outline * units).astype(np.int64).tolist()
    offset.AddPath(path, pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    pieces = offset.Execute(distance * units)
    return [(np.array(piece) / units).astype(np.float32) for piece in pieces]


def _clip(outline: Points, map: Map) -> Points:
    return np.clip(outline, 0, (map.shape[1], map.shape[0])).astype(np.float32)
