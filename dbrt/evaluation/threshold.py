"""The score threshold that serves a validation set best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dbrt.datasets import Word
from dbrt.evaluation.iou import compare
from dbrt.evaluation.matching import Compare, Comparison, Detections, summarise
from dbrt.evaluation.report import Report

GRID: tuple[float, ...] = tuple(round(float(t), 2) for t in np.arange(0.3, 0.91, 0.02))


@dataclass(frozen=True)
class ThresholdCurve:
    """The reports at each score threshold of a grid, ascending, and the best of them."""

    thresholds: tuple[float, ...]
    reports: tuple[Report, ...]

    @property
    def best(self) -> tuple[float, Report]:
        """The threshold with the highest H-mean, the lowest of several, and its report."""
        at = max(range(len(self.reports)), key=lambda i: (self.reports[i].hmean, -i))
        return self.thresholds[at], self.reports[at]


def best_threshold(
    detections: Sequence[Detections],
    words: Sequence[Sequence[Word]],
    grid: Sequence[float] = GRID,
    compare: Compare = compare,
) -> ThresholdCurve:
    """Score the detections at every threshold of a grid; polygons are intersected only once.

    Run the detector with a `min_score` at or below the grid's lowest value. Choose thresholds on
    validation pictures, never on those that are reported.

    detections, words  as for `evaluate_icdar`; scores must be there
    grid               score thresholds, 0..1
    compare            the protocol's comparison of one picture; ICDAR 2015's by default

    Raises ValueError for an empty grid or detections without scores.
    """
    if any(scores is None for _, scores in detections):
        raise ValueError("detections have no scores to put a threshold on")
    pairs = zip(detections, words, strict=True)
    return threshold_curve([compare(found, truth) for found, truth in pairs], grid)


def threshold_curve(
    comparisons: Sequence[Comparison], grid: Sequence[float] = GRID
) -> ThresholdCurve:
    """Score pictures that are already compared at every threshold of a grid.

    Raises ValueError for an empty grid.
    """
    if not grid:
        raise ValueError("the grid of thresholds is empty")
    thresholds = tuple(sorted(grid))
    return ThresholdCurve(thresholds, tuple(summarise(comparisons, t) for t in thresholds))
