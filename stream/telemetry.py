"""Timing of the stages and counting of frames, in memory that does not grow."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from dbrt.stream.clock import SYSTEM_CLOCK, Clock

STAGES = ("capture", "letterbox", "network", "decode", "draw", "write", "latency")
"""In the order of a frame's way. `capture` is decoding and converting, not waiting for the camera;
`latency` runs from the frame being there to its regions being there, queues included, and the
time before engine and kernels were ready excluded."""

_RATIO = 1.02  # neighbouring buckets: a percentile is off by at most 1 %
_LEAST_MS = 0.001
_BUCKETS = 1 + math.ceil(math.log(1e6 / _LEAST_MS) / math.log(_RATIO))  # up to 1000 s
_RATE_FRAMES = 50


class Histogram:
    """Counts of durations in buckets that grow by 2 %, from 1 us to 1000 s."""

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.count = 0
        self.sum_ms = 0.0
        self.max_ms = 0.0

    def add(self, value_ms: float) -> None:
        """Count one duration in milliseconds."""
        value_ms = max(value_ms, 0.0)
        place = 0
        if value_ms > _LEAST_MS:
            place = round(math.log(value_ms / _LEAST_MS) / math.log(_RATIO))
        self._counts[min(place, _BUCKETS - 1)] += 1
        self.count += 1
        self.sum_ms += value_ms
        self.max_ms = max(self.max_ms, value_ms)

    def percentile(self, share: float) -> float:
        """Return the duration that `share` (0..1) of all do not exceed, to 1 %; 0 without any."""
        if self.count == 0:
            return 0.0
        rank = max(1, math.ceil(share * self.count))
        seen = 0
        for place, count in enumerate(self._counts):
            seen += count
            if seen >= rank:
                return min(_LEAST_MS * _RATIO**place, self.max_ms)
        return self.max_ms

    def summary(self) -> StageSummary:
        """Return the figures of the table."""
        return StageSummary(
            count=self.count,
            mean_ms=self.sum_ms / self.count if self.count else 0.0,
            p50_ms=self.percentile(0.50),
            p95_ms=self.percentile(0.95),
            p99_ms=self.percentile(0.99),
            max_ms=self.max_ms,
        )


@dataclass(frozen=True)
class StageSummary:
    """How long one stage took, in milliseconds."""

    count: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float

    def to_dict(self) -> dict[str, float]:
        """Plain numbers, rounded to a microsecond."""
        return {name: round(value, 3) for name, value in vars(self).items()}


@dataclass(frozen=True)
class Snapshot:
    """What has been counted up to one moment.

    captured          frames that left the source
    processed         results that were passed on
    regions           regions in all results
    dropped           frames given up for newer ones
    stale             frames or results older than --max-staleness
    rate              results a second, from the first to the last
    """

    captured: int
    processed: int
    regions: int
    dropped: int
    stale: int
    rate: float
    stages: dict[str, StageSummary]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        fields = {name: value for name, value in vars(self).items() if name != "stages"}
        fields["rate"] = round(self.rate, 2)
        fields["stages"] = {name: stage.to_dict() for name, stage in self.stages.items()}
        return fields


class Telemetry:
    """Durations and counters of one run; every method may be called from any thread."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # covers every field below
        self._stages = {name: Histogram() for name in STAGES}
        self._captured = 0
        self._processed = 0
        self._regions = 0
        self._dropped = 0
        self._stale = 0
        self._first_s = 0.0
        self._recent: deque[float] = deque(maxlen=_RATE_FRAMES)

    def record(self, stage: str, value_ms: float) -> None:
        """Add one duration to a stage of STAGES."""
        with self._lock:
            self._stages[stage].add(value_ms)

    def count_captured(self) -> None:
        """Count a frame that left its source."""
        with self._lock:
            self._captured += 1

    def count_dropped(self, number: int = 1) -> None:
        """Count frames given up for newer ones."""
        with self._lock:
            self._dropped += number

    def count_stale(self) -> None:
        """Count a frame or a result that was too old."""
        with self._lock:
            self._stale += 1

    def count_result(self, regions: int) -> None:
        """Count a result with so many regions."""
        with self._lock:
            now_s = self._clock.now()
            if self._processed == 0:
                self._first_s = now_s
            self._processed += 1
            self._regions += regions
            self._recent.append(now_s)

    def recent_rate(self) -> float:
        """Return results a second over the last 50."""
        with self._lock:
            return (
                _rate(len(self._recent), self._recent[0], self._recent[-1]) if self._recent else 0
            )

    def snapshot(self) -> Snapshot:
        """Return everything counted up to now; stages without a duration are left out."""
        with self._lock:
            last_s = self._recent[-1] if self._recent else self._first_s
            return Snapshot(
                captured=self._captured,
                processed=self._processed,
                regions=self._regions,
                dropped=self._dropped,
                stale=self._stale,
                rate=_rate(self._processed, self._first_s, last_s),
                stages={n: h.summary() for n, h in self._stages.items() if h.count},
            )


def _rate(count: int, first_s: float, last_s: float) -> float:
    return (count - 1) / (last_s - first_s) if count > 1 and last_s > first_s else 0.0
