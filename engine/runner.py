"""Runner: what executes an engine, whatever library stands behind it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from dbrt.engine.modelfile import ModelFile
from dbrt.engine.spec import EngineSpec

Frames = NDArray[np.uint8]  # (N, H, W, 3) BGR
Maps = NDArray[np.uint8]  # (N, H, W), 255 = certain text


@dataclass(frozen=True)
class Plan:
    """What a runner will do on this machine, decided before anything is built.

    precision  one of `spec.PRECISIONS`, never "auto"
    version    of the library
    target     what it builds for: the CPU's instruction set, "sm_89"
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
    @abstractmethod
    def plan(cls, precision: str) -> Plan:
        """Say what would be built here for `precision` ("auto" or one of `spec.PRECISIONS`).

        Raises RunnerError where the library or the hardware is missing, with what to do.
        """

    @classmethod
    @abstractmethod
    def build(cls, model: ModelFile, spec: EngineSpec) -> bytes:
        """Build the engine of `spec`: the bytes that `open` takes.

        Raises EngineError where the library refuses.
        """

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

    def _room(self) -> None:
        if self.in_flight >= self.depth:
            raise RuntimeError(f"{self.depth} batches are in flight already: collect one first")

    def _waiting(self) -> None:
        if not self.in_flight:
            raise RuntimeError("nothing is in flight: submit first")
