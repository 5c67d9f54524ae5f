"""TextDetector: letterbox, engine and decode for single frames."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, overload

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.engine.letterbox import content_size, letterbox
from dbrt.engine.modelfile import ModelFile, find_model, read_model_file
from dbrt.engine.runner import Runner
from dbrt.engine.select import choose, open_runner
from dbrt.engine.spec import check_shape, check_size, shape_for_frame
from dbrt.errors import InputError, UsageError
from dbrt.postproc import decode
from dbrt.regions import TextRegions

Frame = NDArray[np.uint8]  # (H, W, 3) BGR
Map = NDArray[np.uint8]  # (H, W)
Shape = tuple[int, int]

# Each holds the network's buffers for its shape. Photographs come in two shapes, upright and lying,
# and maps need a runner of their own.
OPEN_RUNNERS = 4

APPROXIMATION_K = 50.0  # the paper's k, with which the networks are trained

STAGES = ("letterbox_ms", "network_ms", "decode_ms")


class TextMaps(NamedTuple):
    """What the network says of each pixel of a frame.

    probability         (H, W) uint8, 255 = certain text
    threshold           (H, W) uint8, 255 = 1: high along the borders of text, 0.3 far from it
    approximate_binary  (H, W) uint8, 255 / (1 + exp(-k (probability - threshold))), k = 50
    """

    probability: Map
    threshold: Map
    approximate_binary: Map


class _Lane(NamedTuple):
    """One open runner, and the canvas (1, H, W, 3) that every frame for it is letterboxed into."""

    runner: Runner
    canvas: Frame

    def letterbox(self, frame: Frame) -> float:
        """Fill the canvas, unless the runner letterboxes by itself; return the frame's scale."""
        if self.runner.letterboxes:
            return content_size((frame.shape[0], frame.shape[1]), self.runner.shape)[2]
        fill = self.runner.model.fill
        return letterbox(frame, self.runner.shape, fill, out=self.canvas[0])[1]

    def infer(self, frame: Frame) -> Map:
        """Return the map of the frame that was letterboxed last, the runner's own."""
        runner = self.runner
        maps = runner.infer_frames([frame]) if runner.letterboxes else runner.infer(self.canvas)
        map: Map = maps[0]
        return map


class TextDetector:
    """Finds text in frames of any size. A context manager; not thread-safe: one thread owns it.

    model         "auto", the name of a shipped model, the path of a model file, or a ModelFile
    size          longest side of the network's input, a multiple of 32 from 64 to 4096; the other
                  side follows the frame
    shape         (H, W) of the network's input, multiples of 32; takes the place of `size`
    runner        "auto", "openvino" or "onnxruntime"
    precision     "auto", "fp32", "fp16", "bf16" or "int8"
    min_score     0..1, regions below it are dropped; None: the model file's
    unclip_ratio  how far regions are grown back; None: the model file's
    binarize      0..1, pixels above it are text; None: the model file's
    max_regions   the largest of this many are kept
    output        "quad", or "polygon" for outlines beside the quads; slower

    The model file is read and the decode's kernels are loaded here; the engine for a shape is
    opened, and built where the cache has none, with the first frame that needs it. The last
    OPEN_RUNNERS of them stay open.

    Raises UsageError for options, InputError for the model file, RunnerError where nothing can run
    it here.
    """

    def __init__(
        self,
        model: str | Path | ModelFile = "auto",
        size: int = 736,
        shape: Shape | None = None,
        runner: str = "auto",
        precision: str = "auto",
        *,
        min_score: float | None = None,
        unclip_ratio: float | None = None,
        binarize: float | None = None,
        max_regions: int = 1000,
        output: Literal["quad", "polygon"] = "quad",
    ) -> None:
        self.size = check_size(size)
        self.shape = None if shape is None else check_shape(shape)
        self.model = model if isinstance(model, ModelFile) else read_model_file(find_model(model))
        self.reason = choose(runner, precision)[1].reason
        self._runner, self._precision = runner, precision
        wishes = {"min_score": min_score, "unclip_ratio": unclip_ratio, "binarize": binarize}
        given = {name: value for name, value in wishes.items() if value is not None}
        options = self.model.decode_options | given
        self._options: dict[str, Any] = {**options, "max_regions": max_regions, "output": output}
        # Refuses what is out of range now, and makes the kernels ready for the first frame.
        decode(np.zeros((32, 32), np.uint8), **self._options)
        self._lanes: OrderedDict[tuple[Shape, bool], _Lane] = OrderedDict()  # last used at the end
        self._timings = dict.fromkeys(STAGES, 0.0)
        self._is_closed = False

    @overload
    def __call__(self, frames: Frame) -> TextRegions: ...

    @overload
    def __call__(self, frames: Sequence[Frame]) -> list[TextRegions]: ...

    def __call__(self, frames: Frame | Sequence[Frame]) -> TextRegions | list[TextRegions]:
        """Find the text of one frame, or of each frame of a list.

        frames   (H, W, 3) uint8 BGR, any size; or a list of such, sizes may differ
        returns  regions in pixels of the frame; for a list a list, in its order

        A list is the same as a loop: frames go through the network one by one.

        Raises InputError, which says what was found, for anything that is no such frame.
        """
        if isinstance(frames, list | tuple):
            checked = [_checked(frame, f"frame {i}") for i, frame in enumerate(frames)]
            self._timings = dict.fromkeys(STAGES, 0.0)
            return [self._detect(frame) for frame in checked]
        frame = _checked(frames, "the frame")
        self._timings = dict.fromkeys(STAGES, 0.0)
        return self._detect(frame)

    @property
    def timings(self) -> dict[str, float]:
        """Milliseconds of the last call: `letterbox_ms`, `network_ms`, `decode_ms`.

        Where the runner letterboxes on the GPU, that is in `network_ms`.
        Of a list the sums over its frames. Opening an engine is not counted.
        """
        return dict(self._timings)

    def maps(self, frame: Frame) -> TextMaps:
        """Return the network's maps of a frame, scaled to its size, for people to look at.

        frame  (H, W, 3) uint8 BGR, any size

        Raises UsageError for a model without a threshold head, InputError as a call does.
        """
        frame = _checked(frame, "the frame")
        if not self.model.has_threshold_head:
            raise UsageError(f"model {self.model.name} has no threshold head: it can't show maps")
        lane = self._lane(frame, threshold_head=True)
        _, scale = letterbox(frame, lane.runner.spec.shape, self.model.fill, out=lane.canvas[0])
        found = lane.runner.infer_all(lane.canvas)
        probability, threshold = found["map"][0], found["threshold"][0]
        difference = (probability.astype(np.float32) - threshold) / np.float32(255)
        binary = 255 / (1 + np.exp(-APPROXIMATION_K * difference))
        return TextMaps(
            *(
                _to_frame(map, frame.shape[:2], scale)
                for map in (probability, threshold, np.round(binary).astype(np.uint8))
            )
        )

    def probability_map(self, frame: Frame) -> tuple[Map, float]:
        """Return the network's probability map of a frame, for who decodes it several ways.

        frame    (H, W, 3) uint8 BGR, any size
        returns  (H, W) uint8 in the network's shape, 255 = certain text, a copy; and the pixels of
                 the map per pixel of the frame. `decode(map, scale=(1 / s, 1 / s),
                 frame_size=frame.shape[:2], **detector.decode_options)` gives what a call gives.

        Raises InputError as a call does.
        """
        frame = _checked(frame, "the frame")
        lane = self._lane(frame)
        scale = lane.letterbox(frame)
        return lane.infer(frame).copy(), scale

    @property
    def decode_options(self) -> dict[str, Any]:
        """Every option that a call gives to `decode`: the model's own and those asked for."""
        return dict(self._options)

    def close(self) -> None:
        """Close all runners; harmless when repeated."""
        self._is_closed = True
        while self._lanes:
            self._lanes.popitem()[1].runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _detect(self, frame: Frame) -> TextRegions:
        lane = self._lane(frame)
        times = [time.perf_counter()]
        scale = lane.letterbox(frame)
        times.append(time.perf_counter())
        map = lane.infer(frame)
        times.append(time.perf_counter())
        factor = 1 / scale
        size = frame.shape[:2]
        regions = decode(map, scale=(factor, factor), frame_size=size, **self._options)
        times.append(time.perf_counter())
        for stage, start, end in zip(STAGES, times[:-1], times[1:], strict=True):
            self._timings[stage] += (end - start) * 1000
        return regions

    def _lane(self, frame: Frame, *, threshold_head: bool = False) -> _Lane:
        """Return the open runner for this frame, after closing the one unused for longest."""
        if self._is_closed:
            raise RuntimeError("the detector is closed")
        shape = self.shape or shape_for_frame(self.size, *frame.shape[:2])
        key = (shape, threshold_head)
        lane = self._lanes.pop(key, None)
        if lane is None:
            while len(self._lanes) >= OPEN_RUNNERS:
                self._lanes.popitem(last=False)[1].runner.close()
            runner = open_runner(
                self.model,
                shape=shape,
                runner=self._runner,
                precision=self._precision,
                threshold_head=threshold_head,
            )
            lane = _Lane(runner, np.empty((1, *runner.spec.shape, 3), np.uint8))
        self._lanes[key] = lane
        return lane


def _checked(frame: Any, what: str) -> Frame:
    """Return the frame C-contiguous; InputError says what `frame` is if it is none."""
    if frame is None:
        raise InputError(f"{what} is None: cv2.imread returns that for a file it can't read")
    if not isinstance(frame, np.ndarray):
        raise InputError(
            f"{what} is a {type(frame).__name__}: give a BGR uint8 array (height, width, 3), "
            "for example from cv2.imread"
        )
    found = f"{what} is {frame.dtype} {'x'.join(map(str, frame.shape))}"
    if frame.dtype != np.uint8:
        raise InputError(f"{found}: give uint8, 0 to 255")
    if frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 1):
        raise InputError(f"{found}, grey: turn it to BGR with cv2.COLOR_GRAY2BGR")
    if frame.ndim == 3 and frame.shape[2] == 4:
        raise InputError(f"{found}, with alpha: turn it to BGR with cv2.COLOR_BGRA2BGR")
    if frame.ndim == 4:
        raise InputError(f"{found}: give several frames as a list")
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.size == 0:
        raise InputError(f"{found}: give BGR, (height, width, 3), at least one pixel")
    return np.ascontiguousarray(frame)


def _to_frame(map: Map, frame_size: tuple[int, int], scale: float) -> Map:
    """Scale the part of a map (H, W) that shows the frame to the frame's (height, width)."""
    height, width = frame_size
    # A row that the frame fills in part counts, as in decode; the slack is for rounding.
    rows = min(max(math.ceil(height * scale - 1e-6), 1), map.shape[0])
    columns = min(max(math.ceil(width * scale - 1e-6), 1), map.shape[1])
    content = np.ascontiguousarray(map[:rows, :columns])
    # By the factor and not to a size: the content's edge may lie inside a pixel of the map.
    scaled = cv2.resize(content, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_LINEAR)
    if scaled.shape[0] < height or scaled.shape[1] < width:  # a side below half a pixel of the map
        scaled = cv2.resize(content, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(scaled[:height, :width], np.uint8)
