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
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.datasets import Word
from dbrt.evaluation.overlap import Polygons, Shape, intersection_matrix, iou_matrix
from dbrt.evaluation.report import Band, Report

MIN_IOU = 0.5  # a match is above it, never at it
MAX_ON_DONT_CARE = 0.5  # a detection's share on don't-care text, above which it does not count

# Edges in pixels: the care words of ICDAR 2015 have short sides of 14, 25 and 56 px at their
# 10th, 50th and 90th percentile.
HEIGHT_BANDS = (0.0, 12.0, 16.0, 24.0, 32.0, 48.0, float("inf"))

Detections = tuple[Polygons, NDArray[np.float32] | None]  # polygons of one picture, their scores


@dataclass(frozen=True, eq=False)
class Comparison:
    """One picture's words and detections, compared once; matching is then cheap at any threshold.

    pairs    (P, 2) intp, word and detection of each pair above the least IoU where both may
             count, in the order in which the protocol looks at them
    counts   (D,) bool, detections that do not lie on don't-care text
    scores   (D,) float32
    heights  (W,) float32, text heights of the words, pixels
    care     (W,) bool
    """

    pairs: NDArray[np.intp]
    counts: NDArray[np.bool_]
    scores: NDArray[np.float32]
    heights: NDArray[np.float32]
    care: NDArray[np.bool_]

    def matched_words(self, min_score: float = -np.inf) -> NDArray[np.intp]:
        """Return the indices of the words that are matched by detections of at least this score."""
        words: set[int] = set()
        taken: set[int] = set()
        for word, detection in self.pairs:
            if word in words or detection in taken or self.scores[detection] < min_score:
                continue
            words.add(int(word))
            taken.add(int(detection))
        return np.array(sorted(words), np.intp)


def compare(detections: Detections, words: Sequence[Word]) -> Comparison:
    """Compare one picture's detections with its words by the rules above."""
    polygons, scores = detections
    found = [Shape(polygon) for polygon in polygons]
    truth = [Shape(word.polygon) for word in words]
    care = np.array([word.care for word in words], bool)
    counts = ~_on_dont_care(found, [s for s, c in zip(truth, care, strict=True) if not c])
    above = iou_matrix(truth, found) > MIN_IOU
    return Comparison(
        pairs=np.argwhere(above & care[:, None] & counts[None]),
        counts=counts,
        scores=np.ones(len(found), np.float32) if scores is None else np.asarray(scores),
        heights=np.array([text_height(word.polygon) for word in words], np.float32),
        care=care,
    )


def evaluate_icdar(
    detections: Sequence[Detections], words: Sequence[Sequence[Word]], min_score: float = -np.inf
) -> Report:
    """Score the detections of many pictures by the IoU protocol of ICDAR 2015.

    detections  for each picture: quads (N, 4, 2) float32 or N polygons (M, 2) float32, in pixels,
                and their scores (N,) float32 or None
    words       for each picture, in the same order: its words
    min_score   detections below it are left out
    """
    return summarise(compare_all(detections, words), min_score)


def compare_all(
    detections: Sequence[Detections], words: Sequence[Sequence[Word]]
) -> list[Comparison]:
    """Compare picture by picture; the lists must be of one length."""
    return [compare(found, truth) for found, truth in zip(detections, words, strict=True)]


def summarise(comparisons: Sequence[Comparison], min_score: float = -np.inf) -> Report:
    """Match every picture at one score threshold and add up."""
    regions = detections = matched = 0
    care_heights: list[NDArray[np.float32]] = []
    matched_heights: list[NDArray[np.float32]] = []
    for comparison in comparisons:
        kept = comparison.scores >= min_score
        hits = comparison.matched_words(min_score)
        regions += int(kept.sum())
        detections += int((kept & comparison.counts).sum())
        matched += len(hits)
        care_heights.append(comparison.heights[comparison.care])
        matched_heights.append(comparison.heights[hits])
    care, _ = np.histogram(np.concatenate([*care_heights, []]), HEIGHT_BANDS)
    hit, _ = np.histogram(np.concatenate([*matched_heights, []]), HEIGHT_BANDS)
    bands = tuple(
        Band(low, high, int(c), int(h))
        for low, high, c, h in zip(HEIGHT_BANDS, HEIGHT_BANDS[1:], care, hit, strict=False)
    )
    return Report(len(comparisons), regions, detections, int(care.sum()), matched, bands)


def text_height(polygon: NDArray[np.float32]) -> float:
    """Return the short side, in pixels, of the smallest rectangle about a polygon (M, 2)."""
    _, sides, _ = cv2.minAreaRect(np.ascontiguousarray(polygon, np.float32))
    return float(min(sides))


def _on_dont_care(found: list[Shape], dont_care: list[Shape]) -> NDArray[np.bool_]:
    """Which detections (D,) lie by more than half on a single don't-care word."""
    shared = intersection_matrix(found, dont_care)
    areas = np.array([shape.area for shape in found]).reshape(-1, 1)
    share = np.divide(shared, areas, out=np.zeros_like(shared), where=areas > 0)
    on: NDArray[np.bool_] = (share > MAX_ON_DONT_CARE).any(axis=1)
    return on
