"""Report: the figures of one evaluation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

ORIENTATIONS = ("horizontal", "slanted", "steep", "vertical")  # names of a report's orientations


def harmonic_mean(precision: float, recall: float) -> float:
    """Return the H-mean (F-score) of two figures from 0 to 1; 0 where both are 0."""
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


class Tally(NamedTuple):
    """Counts of one picture, or of several: see Report."""

    regions: int
    detections: int
    care: int
    matched: int

    @classmethod
    def total(cls, tallies: Iterable[Tally]) -> Self:
        """Add up; zeros where there are none."""
        return cls(*map(sum, zip((0, 0, 0, 0), *tallies, strict=True)))

    @property
    def hmean(self) -> float:
        """Harmonic mean of precision and recall, 0..1.

        1 where there is nothing to find and nothing was found: such a picture has no error.
        """
        things = self.detections + self.care
        return 2 * self.matched / things if things else 1.0

    @property
    def errors(self) -> int:
        """Missed words and false detections."""
        return self.detections + self.care - 2 * self.matched


@dataclass(frozen=True)
class Band:
    """Recall among the care words of one range of text heights, or of orientations.

    low, high  pixels or degrees, low <= value < high
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
    bands       recall by text height, pixels
    angles      recall by orientation, degrees from the horizontal; the names of the bands are
                ORIENTATIONS
    """

    images: int
    regions: int
    detections: int
    care: int
    matched: int
    bands: tuple[Band, ...] = ()
    angles: tuple[Band, ...] = ()

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
            "recall_by_orientation": [
                {
                    "orientation": name,
                    "from_degrees": band.low,
                    "to_degrees": band.high,
                    "care_words": band.care,
                    "recall": round(band.recall, 6),
                }
                for name, band in zip(ORIENTATIONS, self.angles, strict=False)
            ],
        }
