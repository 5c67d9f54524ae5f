"""Entry: one model, or one folder of results, scored on a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from dbrt.datasets import Dataset
from dbrt.errors import InputError, UsageError
from dbrt.evaluation.coverage import Coverage, cover
from dbrt.evaluation.matching import Comparison, Detections, summarise
from dbrt.evaluation.protocols import Protocol
from dbrt.evaluation.report import Report, Tally
from dbrt.evaluation.sweep import Choice
from dbrt.evaluation.threshold import ThresholdCurve, threshold_curve

# The curve's thresholds; what a model scores lower is not worth its time.
CURVE_GRID = tuple(step / 50 for step in range(10, 50))


@dataclass(frozen=True, eq=False)
class Entry:
    """Detections of one origin, compared with the truth.

    label        what it is called in tables
    source       where the detections come from, for JSON
    dataset      the pictures and their words
    protocol     how they are compared
    detections   for each picture, of all scores that were asked for
    comparisons  for each picture
    min_score    detections below it are left out of the report
    choice       the thresholds that would serve best, where they were asked for
    """

    label: str
    source: dict[str, Any]
    dataset: Dataset
    protocol: Protocol
    detections: list[Detections]
    comparisons: list[Comparison]
    min_score: float
    choice: Choice | None = None

    @cached_property
    def report(self) -> Report:
        """The figures over all pictures."""
        return summarise(self.comparisons, self.min_score)

    @cached_property
    def tallies(self) -> list[Tally]:
        """The counts of each picture."""
        return [comparison.tally(self.min_score) for comparison in self.comparisons]

    @cached_property
    def coverage(self) -> Coverage | None:
        """How far text is covered, where the truth is lines; None where it is words."""
        if self.protocol.unit == "word":
            return None
        words = [sample.words for sample in self.dataset]
        return cover(self.detections, words, self.min_score)

    @cached_property
    def curve(self) -> ThresholdCurve:
        """Precision and recall at each score threshold.

        Raises InputError for detections without scores.
        """
        if any(scores is None for _, scores in self.detections):
            raise InputError(f"{self.label}: holds detections without scores: there is no curve")
        return threshold_curve(self.comparisons, CURVE_GRID)

    def to_dict(self) -> dict[str, Any]:
        """Plain figures for JSON."""
        parts: dict[str, Any] = {"source": self.source, **self.report.to_dict()}
        if self.coverage is not None:
            parts["coverage"] = self.coverage.to_dict()
        if self.choice is not None:
            parts["chosen"] = self.choice.to_dict()
        return parts


def distinct_labels(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries with a number behind each label that another entry has too."""
    labels = [entry.label for entry in entries]
    return [
        replace(entry, label=f"{entry.label} #{labels[: i + 1].count(entry.label)}")
        if labels.count(entry.label) > 1
        else entry
        for i, entry in enumerate(entries)
    ]


def choose_score(entry: Entry) -> Choice:
    """Return the least score that would serve best; other thresholds need the model's maps.

    Raises UsageError for detections without scores.
    """
    if any(scores is None for _, scores in entry.detections):
        raise UsageError(f"{entry.label}: holds detections without scores: none can be chosen")
    curve = threshold_curve(entry.comparisons, CURVE_GRID)
    min_score, report = curve.best
    return Choice({"min_score": min_score}, report, len(curve.thresholds))
