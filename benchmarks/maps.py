"""Real probability maps to time the post-processing on: frames of the sample clip."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dbrt.engine.letterbox import letterbox
from dbrt.engine.modelfile import ModelFile
from dbrt.engine.runner import Runner
from dbrt.postproc import decode
from dbrt.regions import TextRegions
from dbrt.stream.sources import open_source

Frame = NDArray[np.uint8]  # (H, W, 3) BGR
Map = NDArray[np.uint8]  # (H, W), 255 = certain text

FRAMES = 8

# The clip has 6 s: eight frames spread over it, without reading it to the end.
STEP_S = 0.75


@dataclass(frozen=True)
class MapSet:
    """The maps of one shape, one for each frame, and how to decode them.

    model    the trained model that made them; its thresholds decode them
    maps     (H, W) uint8 each
    scales   map pixels per frame pixel
    sizes    (height, width) of the frames
    """

    model: ModelFile
    maps: tuple[Map, ...]
    scales: tuple[float, ...]
    sizes: tuple[tuple[int, int], ...]

    def decode(self, index: int) -> TextRegions:
        """Decode one map with the model's thresholds, as the detector does."""
        factor = 1 / self.scales[index]
        return decode(
            self.maps[index],
            scale=(factor, factor),
            frame_size=self.sizes[index],
            **self.model.decode_options,
        )

    @property
    def regions(self) -> tuple[int, ...]:
        """Regions in each map."""
        return tuple(len(self.decode(index)) for index in range(len(self.maps)))


def sample_frames(count: int = FRAMES) -> list[Frame]:
    """Return up to `count` frames of the sample clip, `STEP_S` apart.

    Raises SourceError where the clip is missing or can't be read.
    """
    found: list[Frame] = []
    source = open_source("sample")
    with closing(source.frames(threading.Event())) as frames:  # type: ignore[type-var]
        for frame in frames:
            if frame.time_s >= len(found) * STEP_S:
                found.append(frame.frame)
            if len(found) == count:
                break
    return found


def make_maps(runner: Runner, frames: Sequence[Frame]) -> MapSet:
    """Run `frames` through a trained network; the maps are copies."""
    maps, scales = [], []
    for frame in frames:
        canvas, scale = letterbox(frame, runner.spec.shape, runner.model.fill)
        maps.append(runner.infer(canvas[None])[0].copy())
        scales.append(scale)
    sizes = tuple((frame.shape[0], frame.shape[1]) for frame in frames)
    return MapSet(runner.model, tuple(maps), tuple(scales), sizes)
