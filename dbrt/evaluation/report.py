"""Report: the figures of one evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


def harmonic_mean(precision: float, recall: float) -> float:
    """Return the H-mean (F-score) of two figures from 0 to 1; 0 where both are 0."""
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


@dataclass(frozen=True)
class Band:
    """Recall among the care words of one range of text heights.

    low, high  pixels, low <= height < high
    """

    low: float
    high: float
    care: int
    matched: int

    @property
    def recall(self) -> float:
        """Share of this band's care words that were found, 0..1; 0 for an empty band."""
        return self.matched / self.care if self.care else 0.0


@dataclass(frozen=True)
class Report:
    """Counts over all pictures, and the three figures that follow from them.

    images      pictures
    regions     all detections
    detections  those that count: not on don't-care text
    care        words that count
    matched     one-to-one matches of words and detections that count
    bands       recall by text height
    """

    images: int
    regions: int
    detections: int
    care: int
    matched: int
    bands: tuple[Band, ...] = ()

    @property
    def precision(self) -> float:
        """Share of the counting detections that match, 0..1."""
        return self.matched / self.detections if self.detections else 0.0

    @property
    def recall(self) -> float:
        """Share of the care words that are matched, 0..1."""
        return self.matched / self.care if self.care else 0.0

    @property
    def hmean(self) -> float:
        """Harmonic mean of precision and recall, 0..1."""
        return harmonic_mean(self.precision, self.recall)

    def to_dict(self) -> dict[str, Any]:
        """Plain figures for JSON, those from 0 to 1 rounded to 0.000001."""
        return {
            "images": self.images,
            "regions": self.regions,
            "detections": self.detections,
            "care_words": self.care,
            "matched": self.matched,
            "precision": round(self.precision, 6),
            "recall": round(self.recall, 6),
            "hmean": round(self.hmean, 6),
            "recall_by_height": [
                {
                    "from_px": band.low,
                    "to_px": band.high if band.high != float("inf") else None,
                    "care_words": band.care,
                    "recall": round(band.recall, 6),
                }
                for band in self.bands
            ],
        }
