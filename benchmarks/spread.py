"""Spread: the median of a sample of times and how far the rest lies from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    """What is kept of a sample of durations, in milliseconds.

    The mean is left out on purpose: one pause of the machine moves it and not the median.
    """

    median_ms: float
    p10_ms: float
    p90_ms: float
    samples: int

    @classmethod
    def of(cls, samples_ms: Sequence[float]) -> Spread:
        """Summarise durations; percentiles between two samples are interpolated linearly.

        Raises ValueError where there is no sample.
        """
        if not samples_ms:
            raise ValueError("a spread needs at least one sample")
        p10, median, p90 = np.percentile(np.asarray(samples_ms, np.float64), (10, 50, 90))
        return cls(float(median), float(p10), float(p90), len(samples_ms))


def frames_a_second(*stages: Spread) -> float:
    """Return 1000 / the sum of the stages' medians: one frame at a time, nothing overlapped.

    Raises ValueError where the stages took no time.
    """
    total_ms = sum(stage.median_ms for stage in stages)
    if total_ms <= 0:
        raise ValueError("stages that take no time have no rate")
    return 1000 / total_ms
