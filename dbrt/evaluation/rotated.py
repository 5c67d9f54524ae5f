"""The protocol of MSRA-TD500: rotated boxes.

C. Yao et al., "Detecting Texts of Arbitrary Orientations in Natural Images", CVPR 2012: box
and detection are each turned about their own centre until they lie level; they match where the
areas then overlap by more than half (intersection over union) and their angles differ by less than
pi/8. A line is matched once; missing a difficult line, or finding it, counts neither way.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.datasets import Word
from dbrt.evaluation.iou import MIN_IOU
from dbrt.evaluation.matching import Comparison, Detections, summarise
from dbrt.evaluation.report import Report

MAX_ANGLE = np.pi / 8  # radians; a match is below it


def evaluate_msra(
    detections: Sequence[Detections], words: Sequence[Sequence[Word]], min_score: float = -np.inf
) -> Report:
    """Score the detections of many pictures by the protocol of MSRA-TD500.

    Arguments as for `evaluate_icdar`; of a polygon the smallest rectangle about it is taken.
    """
    pairs = zip(detections, words, strict=True)
    return summarise([compare_rotated(found, truth) for found, truth in pairs], min_score)


def compare_rotated(detections: Detections, words: Sequence[Word]) -> Comparison:
    """Compare one picture's detections with its text lines by the rules above."""
    polygons, scores = detections
    found = _boxes(list(polygons))
    truth = _boxes([word.polygon for word in words])
    care = np.array([word.care for word in words], bool)
    agree = (_level_iou(truth, found) > MIN_IOU) & (_angle_between(truth, found) < MAX_ANGLE)
    counts = ~agree[~care].any(axis=0)
    return Comparison.build(agree, counts, words, scores)


def _boxes(polygons: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return the smallest rectangles (N, 5) float64: centre x, y, long side, short side, angle.

    Pixels and radians; the angle is that of the long side, from 0 to pi.
    """
    boxes = np.empty((len(polygons), 5), np.float64)
    for box, polygon in zip(boxes, polygons, strict=True):
        # From the corners: the angle that minAreaRect returns changed between OpenCV versions.
        corners = cv2.boxPoints(cv2.minAreaRect(np.ascontiguousarray(polygon, np.float32)))
        sides = np.diff(corners[:3], axis=0)
        lengths = np.hypot(sides[:, 0], sides[:, 1])
        along = sides[np.argmax(lengths)]
        angle = np.arctan2(along[1], along[0]) % np.pi
        box[:] = (*corners.mean(axis=0), lengths.max(), lengths.min(), angle)
    return boxes


def _level_iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the IoU (A, B) of boxes (A, 5) and (B, 5), each turned level about its centre."""
    half_a, half_b = a[:, None, 2:4] / 2, b[None, :, 2:4] / 2
    low = np.maximum(a[:, None, :2] - half_a, b[None, :, :2] - half_b)
    high = np.minimum(a[:, None, :2] + half_a, b[None, :, :2] + half_b)
    shared = np.clip(high - low, 0, None).prod(axis=2)
    union = (a[:, 2] * a[:, 3])[:, None] + (b[:, 2] * b[:, 3])[None] - shared
    overlap: NDArray[np.float64] = np.zeros_like(shared)
    np.divide(shared, union, out=overlap, where=union > 0)
    return overlap


def _angle_between(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the angle (A, B) between the long sides, 0 to pi/2."""
    difference: NDArray[np.float64] = np.abs(a[:, None, 4] - b[None, :, 4])
    return np.minimum(difference, np.pi - difference)
