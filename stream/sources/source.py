"""Source: where frames come from; what every kind of source has in common."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dbrt.stream.clock import SYSTEM_CLOCK, Clock
from dbrt.stream.sources.state import SourceStatus

Frame = NDArray[np.uint8]
Report = Callable[[str], None]


def no_report(_line: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class SourceFrame:
    """One frame as it left its source.

    frame        (H, W, 3) uint8 BGR, C-contiguous, upright; its own memory
    index        0, 1, ... in the order of capture, dropped frames counted
    time_s       seconds on the source's own time line; grows from frame to frame. Files: the
                 time stamp in the file. Live sources: since the first frame, by the clock.
    captured_s   when the frame was there, on the pipeline's clock
    capture_ms   time spent on decoding and converting it
    is_live      whether newer frames may take its place
    """

    frame: Frame
    index: int
    time_s: float
    captured_s: float
    capture_ms: float
    is_live: bool


class Source(ABC):
    """A sequence of frames with a name and a state.

    Making one checks what can be checked without reading frames and raises UsageError or
    SourceError. `frames` is called once, by the one thread that from then on owns whatever the
    source has open: closing a PyAV container from another thread kills the process.

    can_wait  whether the first frame may be held without loss: files, not cameras
    """

    can_wait: ClassVar[bool] = False

    def __init__(self, name: str, *, clock: Clock = SYSTEM_CLOCK, report: Report = no_report):
        self.name = name
        self.clock = clock
        self.report = report
        self.status = SourceStatus()

    @abstractmethod
    def frames(self, stop: threading.Event) -> Iterator[SourceFrame]:
        """Yield frames until the source ends or `stop` is set.

        The state of the source follows. Raises SourceError or InputError when it fails for good.
        Release what is open by closing the generator.
        """
