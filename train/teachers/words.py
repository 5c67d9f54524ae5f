"""From CRAFT's two maps to words.

Post-processing of Baek et al. 2019, section 3.2 and the published code's parameters: characters and
what joins them, each above its threshold, are joined to connected components; a component with a
clear character in it is a word; its pixels that only join are taken off again, the rest is grown by
what the low threshold cut away, and the smallest rectangle round it is the word's quad.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

LOW_TEXT = 0.4  # a pixel of a character
LINK = 0.4  # a pixel between two characters of a word
CLEAR_TEXT = 0.7  # a word's clearest pixel, at least
_FEWEST_PIXELS = 10
# A rectangle as square as this gets upright sides: its smallest one may stand on a corner.
_SQUARE = 0.1

Map = NDArray[np.float32]  # (H, W), about 0..1


@dataclass(frozen=True)
class ScoredQuad:
    """A word as a teacher sees it.

    quad   (4, 2) float32 pixels, clockwise, from the corner whose x + y is smallest
    score  0..1
    """

    quad: NDArray[np.float32]
    score: float


def words_of_maps(region: Map, affinity: Map, *, lowest: float = LOW_TEXT) -> list[ScoredQuad]:
    """Find words on CRAFT's maps.

    lowest   components whose clearest pixel is below are left out
    returns  quads in pixels of the map, scores = the region score of the clearest pixel
    """
    text = region > LOW_TEXT
    links = affinity > LINK
    joined = (text | links).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=4)
    found = []
    for label in range(1, count):
        x, y, width, height, area = (int(value) for value in stats[label])
        if area < _FEWEST_PIXELS:
            continue
        # Room for the growth below.
        reach = 1 + int(2 * math.sqrt(area * min(width, height) / (width * height)))
        rows = slice(max(y - reach, 0), y + height + reach)
        columns = slice(max(x - reach, 0), x + width + reach)
        inside = labels[rows, columns] == label
        score = float(region[rows, columns][inside].max())
        letters = inside & ~(links[rows, columns] & ~text[rows, columns])
        if score < max(lowest, LOW_TEXT) or not letters.any():
            continue
        grown = cv2.dilate(letters.astype(np.uint8), np.ones((reach, reach), np.uint8))
        quad = _rectangle(np.argwhere(grown)[:, ::-1]) + np.array(
            (columns.start, rows.start), np.float32
        )
        found.append(ScoredQuad(quad, min(score, 1.0)))
    return found


def _rectangle(pixels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Smallest rectangle round whole pixels (x, y), as a quad."""
    corners = np.concatenate([pixels + np.array((dx, dy)) for dx in (0, 1) for dy in (0, 1)])
    points = corners.astype(np.float32)
    quad = cv2.boxPoints(cv2.minAreaRect(points)).astype(np.float32)
    sides = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
    longer, shorter = max(sides[0], sides[1]), min(sides[0], sides[1])
    if longer < shorter * (1 + _SQUARE):
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        quad = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    return np.roll(quad, -int(quad.sum(axis=1).argmin()), axis=0)
