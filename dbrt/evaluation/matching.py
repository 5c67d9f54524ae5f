"""What every protocol comes down to: which words and detections may match, matched and counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.datasets import Word
from dbrt.evaluation.overlap import Polygons
from dbrt.evaluation.report import Band, Report, Tally

# Edges in pixels: the care words of ICDAR 2015 have short sides of 14, 25 and 56 px at their
# 10th, 50th and 90th percentile.
HEIGHT_BANDS = (0.0, 12.0, 16.0, 24.0, 32.0, 48.0, float("inf"))

# Edges in degrees from the horizontal, the last one included. A hand-held camera turns level text
# by up to 10 degrees.
ORIENTATION_BANDS = (0.0, 10.0, 30.0, 60.0, 90.0)

# A rectangle this near to a square has no long side to speak of: which one it is, is noise.
MIN_ASPECT = 1.5

Detections = tuple[Polygons, NDArray[np.float32] | None]  # polygons of one picture, their scores
Pairs = NDArray[np.intp]  # (P, 2) word, detection


@dataclass(frozen=True, eq=False)
class Comparison:
    """One picture's words and detections, compared once; matching is then cheap at any threshold.

    pairs    (P, 2) intp, word and detection of each pair that agrees and where both may count, in
             the order in which the protocol looks at them
    counts   (D,) bool, detections that do not lie on don't-care text
    scores   (D,) float32
    heights  (W,) float32, text heights of the words, pixels
    angles   (W,) float32, degrees from the horizontal, 0..90
    care     (W,) bool
    """

    pairs: Pairs
    counts: NDArray[np.bool_]
    scores: NDArray[np.float32]
    heights: NDArray[np.float32]
    angles: NDArray[np.float32]
    care: NDArray[np.bool_]

    @classmethod
    def build(
        cls,
        agree: NDArray[np.bool_],
        counts: NDArray[np.bool_],
        words: Sequence[Word],
        scores: NDArray[np.float32] | None,
    ) -> Comparison:
        """Make one from which words and detections agree, (W, D) bool, and which detections count.

        Detections without scores get 1.
        """
        care = np.array([word.care for word in words], bool)
        sizes = [(text_height(word.polygon), _word_angle(word)) for word in words]
        heights, angles = np.array(sizes, np.float32).reshape(-1, 2).T
        return cls(
            pairs=np.argwhere(agree & care[:, None] & counts[None]),
            counts=counts,
            scores=np.ones(len(counts), np.float32) if scores is None else np.asarray(scores),
            heights=heights,
            angles=angles,
            care=care,
        )

    def matches(self, min_score: float = -np.inf) -> Pairs:
        """Match one to one, the first that fits, among the detections of at least this score.

        returns  (K, 2) intp: word and detection of each match, words ascending
        """
        kept = self.pairs[self.scores[self.pairs[:, 1]] >= min_score]
        matched: dict[int, int] = {}
        taken: set[int] = set()
        for word, detection in kept.tolist():
            if word not in matched and detection not in taken:
                matched[word] = detection
                taken.add(detection)
        return np.array(list(matched.items()), np.intp).reshape(-1, 2)

    def tally(self, min_score: float = -np.inf) -> Tally:
        """Count this picture's words, detections and matches at one score threshold."""
        return self._tally(min_score, len(self.matches(min_score)))

    def _tally(self, min_score: float, matched: int) -> Tally:
        kept = self.scores >= min_score
        detections = kept & self.counts
        return Tally(int(kept.sum()), int(detections.sum()), int(self.care.sum()), matched)


Compare = Callable[[Detections, Sequence[Word]], Comparison]


def summarise(comparisons: Sequence[Comparison], min_score: float = -np.inf) -> Report:
    """Match every picture at one score threshold and add up."""
    hits = [comparison.matches(min_score)[:, 0] for comparison in comparisons]
    pairs = zip(comparisons, hits, strict=True)
    total = Tally.total(c._tally(min_score, len(hit)) for c, hit in pairs)
    heights = _bands(HEIGHT_BANDS, [c.heights for c in comparisons], comparisons, hits)
    angles = _bands(ORIENTATION_BANDS, [c.angles for c in comparisons], comparisons, hits)
    return Report(len(comparisons), *total, heights, angles)


def text_height(polygon: NDArray[np.float32]) -> float:
    """Return the short side, in pixels, of the smallest rectangle about a polygon (M, 2)."""
    return float(np.hypot(*_sides(polygon).T).min())


def text_angle(polygon: NDArray[np.float32], min_aspect: float = MIN_ASPECT) -> float:
    """Return the angle in degrees, 0..90, between a text (M, 2) and the horizontal.

    It is that of the long side of the smallest rectangle about it. Where that side is not
    `min_aspect` times the short one the side nearer to the horizontal is taken: a short level word
    is level. A column of letters and a line turned by a right angle look the same to it: vertical.
    """
    sides = _sides(polygon)
    lengths = np.hypot(*sides.T)
    angles = np.degrees(np.arctan2(sides[:, 1], sides[:, 0]))
    is_long = float(lengths.max()) >= min_aspect * float(lengths.min())
    return float(angles[lengths.argmax()] if is_long else angles.min())


def _word_angle(word: Word) -> float:
    # A single letter, a 1 for one, is higher than wide and yet stands on a level line.
    return text_angle(word.polygon, np.inf if len(word.text.strip()) == 1 else MIN_ASPECT)


def _sides(polygon: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return two neighbouring sides (2, 2) of the smallest rectangle, without their signs."""
    # From the corners: the angle that minAreaRect returns changed between OpenCV versions.
    corners = cv2.boxPoints(cv2.minAreaRect(np.ascontiguousarray(polygon, np.float32)))
    return np.abs(np.diff(corners[:3], axis=0))


def _bands(
    edges: tuple[float, ...],
    values: list[NDArray[np.float32]],
    comparisons: Sequence[Comparison],
    hits: list[NDArray[np.intp]],
) -> tuple[Band, ...]:
    """Count care words and matched words by a value that each word has."""
    of_care = [value[c.care] for value, c in zip(values, comparisons, strict=True)]
    of_hits = [value[hit] for value, hit in zip(values, hits, strict=True)]
    care, _ = np.histogram(np.concatenate([*of_care, []]), edges)
    matched, _ = np.histogram(np.concatenate([*of_hits, []]), edges)
    counts = zip(edges, edges[1:], care, matched, strict=False)
    return tuple(Band(low, high, int(c), int(m)) for low, high, c, m in counts)
