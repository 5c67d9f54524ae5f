"""The clock that every deadline, pace and measurement of the pipeline reads."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Monotonic time in seconds, and waiting that a stop can cut short."""

    def now(self) -> float:
        """Return seconds since some fixed moment; never falls back."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until `event` is set, at most `seconds`; return whether it is set."""


class SystemClock:
    """The machine's monotonic clock, which a correction of the time of day does not move."""

    def now(self) -> float:
        """Return `time.perf_counter()`."""
        return time.perf_counter()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for `event`, at most `seconds`."""
        return event.wait(max(seconds, 0.0))


SYSTEM_CLOCK = SystemClock()
