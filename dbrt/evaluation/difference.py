"""Two evaluations of the same pictures: by how much the second is better, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dbrt.evaluation.report import Tally

RESAMPLES = 4000  # the ends of the interval then move by less than 0.001 from seed to seed
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Change:
    """One picture's H-mean by the first and by the second."""

    picture: str
    first: Tally
    second: Tally

    @property
    def hmean(self) -> float:
        """The second's H-mean less the first's, -1..1."""
        return self.second.hmean - self.first.hmean


@dataclass(frozen=True)
class Difference:
    """What the second has more than the first, over all pictures and picture by picture.

    precision, recall, hmean  differences, -1..1
    low, high                 interval of the H-mean's difference at CONFIDENCE
    seed, resamples           of the bootstrap
    changes                   each picture, greatest loss first, greatest gain last
    """

    precision: float
    recall: float
    hmean: float
    low: float
    high: float
    seed: int
    resamples: int
    changes: tuple[Change, ...]

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0

    @property
    def gains(self) -> tuple[Change, ...]:
        """The pictures on which the second is better, greatest gain first."""
        return tuple(change for change in self.changes[::-1] if change.hmean > 0)

    @property
    def losses(self) -> tuple[Change, ...]:
        """The pictures on which the second is worse, greatest loss first."""
        return tuple(change for change in self.changes if change.hmean < 0)

    def to_dict(self) -> dict[str, Any]:
        """Plain figures for JSON, rounded to 0.000001; pictures that changed only."""
        return {
            "precision": round(self.precision, 6),
            "recall": round(self.recall, 6),
            "hmean": round(self.hmean, 6),
            "hmean_interval": [round(self.low, 6), round(self.high, 6)],
            "confidence": CONFIDENCE,
            "resamples": self.resamples,
            "seed": self.seed,
            "pictures_better": len(self.gains),
            "pictures_worse": len(self.losses),
            "pictures": [
                {
                    "picture": change.picture,
                    "hmean": [round(change.first.hmean, 6), round(change.second.hmean, 6)],
                    "difference": round(change.hmean, 6),
                }
                for change in self.changes
                if change.hmean
            ],
        }


def compare_tallies(
    pictures: Sequence[str],
    first: Sequence[Tally],
    second: Sequence[Tally],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Difference:
    """Compare two evaluations of the same pictures.

    The interval is a paired bootstrap: pictures are drawn with replacement, the same ones for both,
    and the percentiles of the difference are taken (B. Efron and R. Tibshirani, "An Introduction to
    the Bootstrap", 1993). It says how far another set of such pictures might move the difference;
    it knows nothing of another training run.

    Raises ValueError where the lists differ in length.
    """
    changes = [Change(*parts) for parts in zip(pictures, first, second, strict=True)]
    plain = _differences(first, second)[0] if changes else np.zeros(3)
    if changes:
        rng = np.random.default_rng(seed)
        # How often each picture is drawn: (resamples, pictures)
        times = rng.multinomial(len(changes), np.full(len(changes), 1 / len(changes)), resamples)
        drawn = _differences(first, second, times)[:, 2]
    else:
        drawn = np.zeros(1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    changes.sort(key=lambda change: (change.hmean, change.first.errors - change.second.errors))
    return Difference(
        precision=float(plain[0]),
        recall=float(plain[1]),
        hmean=float(plain[2]),
        low=float(low),
        high=float(high),
        seed=seed,
        resamples=resamples,
        changes=tuple(changes),
    )


def _differences(
    first: Sequence[Tally], second: Sequence[Tally], times: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Return the second's precision, recall and H-mean less the first's (R, 3) float64."""
    return _figures(np.array(second), times) - _figures(np.array(first), times)


def _figures(
    tallies: NDArray[np.int64], times: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Return precision, recall and H-mean (R, 3) float64 of tallies (P, 4), each taken `times`."""
    weights = np.ones((1, len(tallies)), np.int64) if times is None else times
    _, detections, care, matched = (weights @ tallies).T
    return np.stack(
        [
            matched / np.maximum(detections, 1),
            matched / np.maximum(care, 1),
            2 * matched / np.maximum(detections + care, 1),
        ],
        axis=1,
    )
