"""The IoU protocol of ICDAR 2015, challenge 4, for quads, and the same for polygons.

D. Karatzas et al., "ICDAR 2015 competition on Robust Reading", ICDAR 2015; the rules are those of
the competition's evaluation script for localisation by intersection over union:

1. A detection of which more than half lies on one don't-care word counts neither way.
2. Words and detections, in the order of their lists, are matched one to one where their
   intersection over union is above 0.5; the first that fits is taken.
3. Precision, recall and H-mean are taken over all pictures together.

CTW1500 and Total-Text are scored by the same rules on polygons, as is usual since the DB paper.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dbrt.datasets import Word
from dbrt.evaluation.matching import Comparison, Detections, summarise
from dbrt.evaluation.overlap import Shape, intersection_matrix, iou_matrix
from dbrt.evaluation.report import Report

MIN_IOU = 0.5  # a match is above it, never at it
MAX_ON_DONT_CARE = 0.5  # a detection's share on don't-care text, above which it does not count


def compare(detections: Detections, words: Sequence[Word]) -> Comparison:
    """Compare one picture's detections with its words by the rules above."""
    polygons, scores = detections
    found = [Shape(polygon) for polygon in polygons]
    truth = [Shape(word.polygon) for word in words]
    dont_care = [shape for shape, word in zip(truth, words, strict=True) if not word.care]
    counts = ~_on_dont_care(found, dont_care)
    return Comparison.build(iou_matrix(truth, found) > MIN_IOU, counts, words, scores)


def evaluate_icdar(
    detections: Sequence[Detections], words: Sequence[Sequence[Word]], min_score: float = -np.inf
) -> Report:
    """Score the detections of many pictures by the IoU protocol of ICDAR 2015.

    detections  for each picture: quads (N, 4, 2) float32 or N polygons (M, 2) float32, in pixels,
                and their scores (N,) float32 or None
    words       for each picture, in the same order: its words
    min_score   detections below it are left out
    """
    pairs = zip(detections, words, strict=True)
    return summarise([compare(found, truth) for found, truth in pairs], min_score)


def _on_dont_care(found: list[Shape], dont_care: list[Shape]) -> NDArray[np.bool_]:
    """Which detections (D,) lie by more than half on a single don't-care word."""
    shared = intersection_matrix(found, dont_care)
    areas = np.array([shape.area for shape in found]).reshape(-1, 1)
    share = np.divide(shared, areas, out=np.zeros_like(shared), where=areas > 0)
    on: NDArray[np.bool_] = (share > MAX_ON_DONT_CARE).any(axis=1)
    return on
