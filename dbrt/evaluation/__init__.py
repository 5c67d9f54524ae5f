"""Protocols that score detections against ground truth, and their reports."""

from __future__ import annotations

from dbrt.evaluation.iou import evaluate_icdar
from dbrt.evaluation.report import Band, Report
from dbrt.evaluation.results import read_results, write_result
from dbrt.evaluation.threshold import ThresholdCurve, best_threshold

__all__ = [
    "Band",
    "Report",
    "ThresholdCurve",
    "best_threshold",
    "evaluate_icdar",
    "read_results",
    "write_result",
]
