"""Lane: one network at one size, timed whenever its turn comes."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from dbrt.benchmarks.maps import Frame, MapSet
from dbrt.benchmarks.spread import Spread
from dbrt.engine.letterbox import letterbox
from dbrt.engine.runner import Runner

# Passes of one turn that count. One more goes before them and does not: the network that had its
# turn before has filled the caches with its own weights.
PASSES = 3


class Lane:
    """A runner with its input, its real maps, and the times it took; one thread only.

    All lanes of a run take the same frames in the same order. What is decoded are the maps of
    `maps`, not the runner's own: a random network's map has no text in it.
    """

    def __init__(self, runner: Runner, frames: Sequence[Frame], maps: MapSet) -> None:
        self._runner = runner
        self._frames = frames
        self._maps = maps
        self._canvas = np.empty((1, *runner.spec.shape, 3), np.uint8)
        self._letterbox_ms: list[float] = []
        self._network_ms: list[float] = []
        self._post_ms: list[float] = []
        self._next = 0

    def warm_up(self) -> None:
        """Take a pass that does not count: the first call allocates and chooses kernels."""
        self._pass(self._next)

    def turn(self) -> None:
        """Take one pass that does not count and `PASSES` that do."""
        self._pass(self._next)
        for _ in range(PASSES):
            letterbox_ms, network_ms, post_ms = self._pass(self._next)
            self._letterbox_ms.append(letterbox_ms)
            self._network_ms.append(network_ms)
            self._post_ms.append(post_ms)
            self._next = (self._next + 1) % len(self._frames)

    def spreads(self) -> tuple[Spread, Spread, Spread]:
        """Return letterbox, network and post-processing of all turns so far.

        Raises ValueError where there was none.
        """
        return Spread.of(self._letterbox_ms), Spread.of(self._network_ms), Spread.of(self._post_ms)

    def _pass(self, index: int) -> tuple[float, float, float]:
        runner, frame = self._runner, self._frames[index]
        started = time.perf_counter()
        if not runner.letterboxes:  # else it is a part of the network's time
            letterbox(frame, runner.spec.shape, runner.model.fill, self._canvas[0])
        boxed = time.perf_counter()
        if runner.letterboxes:
            runner.infer_frames([frame])
        else:
            runner.infer(self._canvas)
        inferred = time.perf_counter()
        self._maps.decode(index)
        decoded = time.perf_counter()
        return (boxed - started) * 1e3, (inferred - boxed) * 1e3, (decoded - inferred) * 1e3
