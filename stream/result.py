"""FrameResult: one frame with the text found in it, as it goes to every sink."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dbrt.regions import TextRegions
from dbrt.stream.overlay import Frame, draw

SCHEMA = "dbrt.stream.frame/1"


@dataclass
class FrameResult:
    """The regions of one frame.

    source      the source's name, without credentials
    index       number of the frame in its source, dropped frames counted
    time_s      seconds on the source's time line
    frame       (H, W, 3) uint8 BGR; shared by all sinks, none may write into it
    times_ms    duration of each stage
    status      the line for the overlay's corner
    on_drawn    told the milliseconds that drawing took, once
    """

    source: str
    index: int
    time_s: float
    frame: Frame
    regions: TextRegions
    times_ms: dict[str, float]
    is_live: bool
    status: str = ""
    on_drawn: Callable[[float], None] = field(default=lambda _ms: None, repr=False)
    _picture: Frame | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def picture(self) -> Frame:
        """Return the frame with its regions drawn in: made by the first sink that asks."""
        with self._lock:
            if self._picture is None:
                started_s = time.perf_counter()
                self._picture = draw(self.frame, self.regions, status=self.status)
                self.on_drawn((time.perf_counter() - started_s) * 1000)
            return self._picture

    def to_dict(self) -> dict[str, Any]:
        """Plain values for one line of JSON; coordinates are pixels of the frame."""
        height, width = self.frame.shape[:2]
        return {
            "schema": SCHEMA,
            "source": self.source,
            "frame": self.index,
            "time_s": round(self.time_s, 6),
            "width": width,
            "height": height,
            **self.regions.to_dict(),
            "times_ms": {name: round(value, 3) for name, value in self.times_ms.items()},
        }
