"""Runner: what executes an engine, whatever library stands behind it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from dbrt.engine.modelfile import ModelFile
from dbrt.engine.spec import EngineSpec
from dbrt.errors import UsageError

Frame = NDArray[np.uint8]  # (h, w, 3) BGR, any size
Frames = NDArray[np.uint8]  # (N, H, W, 3) BGR
Maps = NDArray[np.uint8]  # (N, H, W), 255 = certain text


# Told what a build does, how many steps of it are done, and how many it has; 0 where unknown.
OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class BuildOptions:
    """What changes how an engine is built, and not what it computes; None leaves it to the library.

    workspace_bytes     device memory that a kernel may use for itself
    optimization_level  0 (builds fast) to 5 (searches longest)
    timing_cache        file that keeps what the search measured, for the next build
    """

    workspace_bytes: int | None = None
    optimization_level: int | None = None
    timing_cache: Path | None = None

    def to_dict(self) -> dict[str, int]:
        """What was asked for and changes the engine, for the sidecar."""
        values = {
            "workspace_bytes": self.workspace_bytes,
            "optimization_level": self.optimization_level,
        }
        return {key: value for key, value in values.items() if value is not None}


DEFAULT_OPTIONS = BuildOptions()


@dataclass(frozen=True)
class Compiled:
    """What a build has made.

    data    the engine
    graph   the ONNX graph that it was compiled from, types as compiled; None where it is `data`
    record  what the sidecar says of the build: library, census of precisions, islands
    """

    data: bytes
    graph: bytes | None = None
    record: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What a runner will do on this machine, decided before anything is built.

    precision  one of `spec.PRECISIONS`, never "auto"
    version    of the library
    target     what it builds for: the CPU's instruction set, "sm_89", "sm_75+sm_89"
    reason     one line: why this precision
    """

    precision: str
    version: str
    target: str
    reason: str


class Runner(ABC):
    """Executes one engine. A context manager; not thread-safe: one thread owns it.

    spec    the engine's
    model   the model file it was built from
    reason  one line: why this runner and this precision
    depth   requests that may be in flight between `submit` and `collect`

    `infer` is the plain call. `submit` and `collect` overlap: hand in up to `depth` batches, take
    the results in the same order. Arrays that come back belong to the runner: they hold until the
    next `infer`, or the next `collect`; copy what must live longer.
    """

    name: ClassVar[str]
    # A runner that builds in seconds does so on the spot; one that takes minutes has `dbrt build`.
    builds_on_demand: ClassVar[bool] = True

    def __init__(self, spec: EngineSpec, model: ModelFile, reason: str, depth: int) -> None:
        self.spec = spec
        self.model = model
        self.reason = reason
        self.depth = depth

    @classmethod
    def obstacle(cls) -> str:
        """Say why no engine of this runner can run here, even where one can be built.

        One line with what to do; empty where nothing is known to be in the way.
        """
        return ""

    @classmethod
    def passed_over(cls, reason: Exception) -> str:
        """Return what to add to the reason of the runner that `auto` takes instead; often nothing.

        reason  why this one was not taken
        """
        return ""

    @classmethod
    @abstractmethod
    def plan(cls, precision: str, targets: tuple[str, ...] = ()) -> Plan:
        """Say what would be built here for `precision` ("auto" or one of `spec.PRECISIONS`).

        targets  cards to build for, ("sm_75", "sm_89"), for runners that can; none for what is here

        Raises RunnerError where the library or the hardware is missing, with what to do.
        """

    @classmethod
    @abstractmethod
    def build(cls, model: ModelFile, spec: EngineSpec) -> bytes:
        """Build the engine of `spec`: the bytes that `open` takes.

        Raises EngineError where the library refuses.
        """

    @classmethod
    def compile(
        cls,
        model: ModelFile,
        spec: EngineSpec,
        options: BuildOptions = DEFAULT_OPTIONS,
        on_progress: OnProgress = lambda phase, done, total: None,
    ) -> Compiled:
        """Build the engine of `spec`, as `build` does, and tell what it is made of.

        Raises EngineError where the library refuses, UsageError for an option that it lacks.
        """
        if options != DEFAULT_OPTIONS:
            raise UsageError(
                f"{cls.name} has no workspace, optimization level or timing cache: "
                "leave the options out, or take --runner tensorrt"
            )
        return Compiled(cls.build(model, spec))

    @classmethod
    @abstractmethod
    def open(
        cls, engine: bytes, spec: EngineSpec, model: ModelFile, reason: str, *, streams: int = 1
    ) -> Self:
        """Load an engine.

        streams  batches that run side by side, each on its share of the cores: 1 for the lowest
                 latency, more for several cameras

        Raises EngineError where `engine` cannot be loaded.
        """

    @abstractmethod
    def infer_all(self, frames: Frames) -> dict[str, Maps]:
        """Run one batch and return all maps: `map`, and `threshold` where the engine has it.

        frames   (N, H, W, 3) uint8 BGR, letterboxed to the engine's shape
        returns  (N, H, W) uint8 each, 255 = probability 1
        """

    def infer(self, frames: Frames) -> Maps:
        """Run one batch and return its probability maps.

        frames   (N, H, W, 3) uint8 BGR, letterboxed to the engine's shape
        returns  (N, H, W) uint8, 255 = certain text; the runner's own until the next call
        """
        return self.infer_all(frames)["map"]

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of its canvas and its maps, which may be another than was asked for."""
        return self.spec.shape

    @property
    def letterboxes(self) -> bool:
        """Whether it letterboxes by itself: then frames go to `infer_frames`, `submit_frames`."""
        return False

    def infer_frames(self, frames: Sequence[Frame]) -> Maps:
        """Letterbox one batch of frames of any size, and run it as `infer` does.

        frames   one for each of the batch, (h, w, 3) uint8 BGR; sizes may differ, rows may have
                 gaps. `dbrt.engine.letterbox.content_size` tells each one's scale.
        returns  (N, H, W) uint8, 255 = certain text; the runner's own until the next call

        Only where `letterboxes` is true.
        """
        raise NotImplementedError(f"the {self.name} runner takes letterboxed frames")

    def submit_frames(self, frames: Sequence[Frame], tag: Any = None) -> None:
        """Start one batch of frames of any size, as `infer_frames` takes them and `submit` does.

        Only where `letterboxes` is true.
        """
        raise NotImplementedError(f"the {self.name} runner takes letterboxed frames")

    @property
    @abstractmethod
    def in_flight(self) -> int:
        """Batches submitted and not yet collected."""

    @abstractmethod
    def submit(self, frames: Frames, tag: Any = None) -> None:
        """Start one batch and return at once; `frames` is copied and free again.

        Raises RuntimeError where `depth` batches are in flight: collect first.
        """

    @abstractmethod
    def collect(self) -> tuple[Any, Maps]:
        """Wait for the oldest batch; return its tag and its maps, as `infer` does.

        Raises RuntimeError where nothing is in flight, RunnerError where the batch failed.
        """

    @abstractmethod
    def close(self) -> None:
        """Wait for what is in flight, drop it, and free the engine; harmless when repeated."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _checked(self, frames: Frames) -> Frames:
        """Return `frames` C-contiguous; ValueError where shape or dtype are not the engine's."""
        expected = (self.spec.batch, *self.spec.shape, 3)
        if frames.shape != expected or frames.dtype != np.uint8:
            raise ValueError(f"frames must be {expected} uint8, got {frames.shape} {frames.dtype}")
        return np.ascontiguousarray(frames)

    def _checked_each(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Return `frames`; ValueError where they are not `spec.batch` frames."""
        if len(frames) != self.spec.batch:
            raise ValueError(f"{self.spec.batch} frames are a batch, got {len(frames)}")
        for frame in frames:
            if frame.ndim != 3 or frame.shape[2] != 3 or not frame.size or frame.dtype != np.uint8:
                raise ValueError(f"a frame is (h, w, 3) uint8, got {frame.shape} {frame.dtype}")
        return frames

    def _room(self) -> None:
        if self.in_flight >= self.depth:
            raise RuntimeError(f"{self.depth} batches are in flight already: collect one first")

    def _waiting(self) -> None:
        if not self.in_flight:
            raise RuntimeError("nothing is in flight: submit first")
