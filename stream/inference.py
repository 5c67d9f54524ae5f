"""Inference: letterbox and network for frames of any size, one thread's work."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dbrt.engine.letterbox import content_size, letterbox
from dbrt.stream.clock import SYSTEM_CLOCK, Clock
from dbrt.stream.sources.source import SourceFrame

Shape = tuple[int, int]

OPEN_RUNNERS = 3
"""A source changes its size rarely; a folder of pictures goes to and fro between a few."""


class StreamRunner(Protocol):
    """What the pipeline needs of `dbrt.engine.runner.Runner`."""

    @property
    def depth(self) -> int:
        """How many requests may be in flight."""

    @property
    def reason(self) -> str:
        """Why this runner and precision, in one line."""

    @property
    def shape(self) -> Shape:
        """(H, W) of its canvas and its maps."""

    @property
    def letterboxes(self) -> bool:
        """Whether frames go to `submit_frames` as they are."""

    def submit(self, frames: NDArray[np.uint8], tag: Any) -> None:
        """Start on (N, H, W, 3) uint8, letterboxed, which is copied."""

    def submit_frames(self, frames: Sequence[NDArray[np.uint8]], tag: Any) -> None:
        """Start on frames (h, w, 3) uint8 of any size, which are copied."""

    def collect(self) -> tuple[Any, NDArray[np.uint8]]:
        """Return the tag and maps (N, H, W) uint8 of the oldest request, the runner's own."""

    def close(self) -> None:
        """Release everything."""


@dataclass(frozen=True)
class MappedFrame:
    """A frame and what the network made of it.

    map           (H, W) uint8 probability map, 255 = certain text; its own memory
    scale         map pixels per frame pixel
    since_s       from when its latency counts: its capture, or when the engine became ready
    letterbox_ms  next to nothing where the runner letterboxes: it is in `network_ms` then
    """

    source_frame: SourceFrame
    map: NDArray[np.uint8]
    scale: float
    since_s: float
    letterbox_ms: float
    network_ms: float


@dataclass
class _Pending:
    source_frame: SourceFrame
    scale: float
    letterbox_ms: float
    submitted_s: float


class _Lane:
    """One open runner, and the canvas that every frame for it is letterboxed into.

    shape  that was asked for; the runner's own may be another where engines are built beforehand
    """

    def __init__(self, shape: Shape, runner: StreamRunner) -> None:
        self.shape = shape
        self.runner = runner
        self.canvas = np.empty((0 if runner.letterboxes else 1, *runner.shape, 3), np.uint8)

    def prepare(self, frame: NDArray[np.uint8], fill: tuple[int, int, int]) -> float:
        """Letterbox the frame unless the runner does; return its scale."""
        if self.runner.letterboxes:
            return content_size((frame.shape[0], frame.shape[1]), self.runner.shape)[2]
        return letterbox(frame, self.runner.shape, fill, out=self.canvas[0])[1]

    def submit(self, frame: NDArray[np.uint8], tag: int) -> None:
        """Start on what was prepared last."""
        if self.runner.letterboxes:
            self.runner.submit_frames([frame], tag)
        else:
            self.runner.submit(self.canvas, tag)


class Inference:
    """Runs frames through the network, in order; not thread-safe, one owner thread.

    open_runner   makes a runner for a shape; called when a frame of a new shape comes
    shape_for     the network's shape for a frame's (height, width)
    fill          BGR, 0..255, for the part of the canvas without content
    """

    def __init__(
        self,
        open_runner: Callable[[Shape], StreamRunner],
        shape_for: Callable[[int, int], Shape],
        fill: tuple[int, int, int],
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._open_runner = open_runner
        self._shape_for = shape_for
        self._fill = fill
        self._clock = clock
        self._lanes: OrderedDict[Shape, _Lane] = OrderedDict()
        self._lane: _Lane | None = None
        self._pending: deque[_Pending] = deque()
        self._ready_s = float("-inf")
        self._collected_s = float("-inf")

    @property
    def pending(self) -> int:
        """How many frames are in the network."""
        return len(self._pending)

    def is_ready_for(self, item: SourceFrame) -> bool:
        """Whether the runner for this frame's size is the one in use."""
        return self._lane is not None and self._lane.shape == self._shape_of(item)

    def get_ready_for(self, item: SourceFrame) -> None:
        """Open the runner for this frame's size, which can take seconds. Nothing may be pending."""
        if self._pending:
            raise ValueError("collect what is pending before the shape changes")
        shape = self._shape_of(item)
        lane = self._lanes.pop(shape, None)
        if lane is None:
            while len(self._lanes) >= OPEN_RUNNERS:
                self._lanes.popitem(last=False)[1].runner.close()
            lane = _Lane(shape, self._open_runner(shape))
            self._ready_s = self._clock.now()
        self._lanes[shape] = self._lane = lane

    def submit(self, item: SourceFrame) -> list[MappedFrame]:
        """Letterbox the frame and start the network on it; return what had to finish for it.

        The frames before are in the network meanwhile: only when as many are in flight as the
        runner takes is the oldest waited for, after the letterboxing.
        """
        lane = self._lane
        if lane is None or not self.is_ready_for(item):
            raise ValueError("get ready for the frame's size first")
        started_s = self._clock.now()
        scale = lane.prepare(item.frame, self._fill)
        letterbox_ms = (self._clock.now() - started_s) * 1000
        finished = [self.collect()] if self.pending >= lane.runner.depth else []
        self._pending.append(_Pending(item, scale, letterbox_ms, self._clock.now()))
        lane.submit(item.frame, item.index)
        return finished

    def collect(self) -> MappedFrame:
        """Wait for the oldest frame in the network and return its map."""
        if self._lane is None:
            raise ValueError("nothing has been submitted")
        tag, maps = self._lane.runner.collect()
        pending = self._pending.popleft()
        if tag != pending.source_frame.index:
            raise ValueError(f"the runner returned frame {tag} before {pending.source_frame.index}")
        now_s = self._clock.now()
        # Requests in flight queue behind one another: only the time since the one before counts.
        network_ms = (now_s - max(pending.submitted_s, self._collected_s)) * 1000
        self._collected_s = now_s
        return MappedFrame(
            pending.source_frame,
            maps[0].copy(),
            pending.scale,
            max(pending.source_frame.captured_s, self._ready_s),
            pending.letterbox_ms,
            network_ms,
        )

    def close(self) -> None:
        """Close every runner; what is pending is lost."""
        self._pending.clear()
        self._lane = None
        while self._lanes:
            self._lanes.popitem()[1].runner.close()

    def _shape_of(self, item: SourceFrame) -> Shape:
        height, width = item.frame.shape[:2]
        return self._shape_for(height, width)
