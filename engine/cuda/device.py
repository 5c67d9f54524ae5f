"""Device: memory, streams, events, kernels and graphs of one GPU, whatever library answers."""

from __future__ import annotations

import importlib.util
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dbrt.errors import RunnerError

LOG = logging.getLogger("dbrt.engine")

Bytes = NDArray[np.uint8]  # (N,), or any C-contiguous uint8

INSTALL = "pip install cuda-bindings"
NO_DRIVER = (
    "no NVIDIA driver can be used here ({}): install the driver, or take --runner auto, which runs "
    "on the CPU"
)

# Streams that do not wait for the default stream, which other libraries of the process may use.
STREAM_NON_BLOCKING = 1
# A thread that waits for an event sleeps: spinning, it would hold a core that decodes frames. And
# events without timing are cheaper to record.
EVENT_BLOCKING_SYNC, EVENT_DISABLE_TIMING = 1, 2
EVENT_FLAGS = EVENT_BLOCKING_SYNC | EVENT_DISABLE_TIMING


class Memory(Protocol):
    """Device memory."""

    @property
    def address(self) -> int:
        """On the device."""

    @property
    def nbytes(self) -> int:
        """How much there is."""

    def free(self) -> None:
        """Give it back; harmless when repeated."""


class PinnedMemory(Protocol):
    """Host memory that the GPU copies from and to by itself."""

    @property
    def array(self) -> Bytes:
        """(N,) uint8; not to be touched once it is freed."""

    def free(self) -> None:
        """Give it back; harmless when repeated."""


class Stream(Protocol):
    """Work that the GPU does in the order it is given."""

    @property
    def handle(self) -> int:
        """The CUstream, as other libraries take it."""

    def synchronize(self) -> None:
        """Wait until all is done; the GIL is free meanwhile."""

    def free(self) -> None:
        """Destroy it; harmless when repeated."""


class Event(Protocol):
    """A mark in a stream."""

    def record(self, stream: Stream) -> None:
        """Put the mark behind all that the stream has been given."""

    def synchronize(self) -> None:
        """Wait until the mark is reached; the GIL is free meanwhile."""

    def free(self) -> None:
        """Destroy it; harmless when repeated."""


class Kernel(Protocol):
    """A function of the GPU that takes one struct."""

    def launch(
        self, grid: tuple[int, int], block: tuple[int, int], record: NDArray[Any], stream: Stream
    ) -> None:
        """Give it to the stream; `record` () of the struct's dtype is copied."""

    def free(self) -> None:
        """Unload it; harmless when repeated."""


class Graph(Protocol):
    """Work that was captured, to be given to a stream at once."""

    def launch(self, stream: Stream) -> None:
        """Give all of it to the stream."""

    def free(self) -> None:
        """Destroy it; harmless when repeated."""


class Device(ABC):
    """One GPU in its primary context. A context manager that closes.

    ordinal  0 for the first card that the driver shows
    name     "NVIDIA GeForce RTX 2080 Ti"
    target   its compute capability, "sm_75"
    backend  the library that answers: "pycuda" or "cuda-bindings"

    Everything but `current` and `close` wants the context current::

        with device.current():
            memory = device.allocate(1 << 20)

    Any thread may do so, also several at once. What was allocated is freed by its owner, before
    `close`. All methods raise RunnerError with the name of the CUDA error.
    """

    ordinal: int
    name: str
    target: str
    backend: str

    @abstractmethod
    def current(self) -> AbstractContextManager[None]:
        """Make the primary context current on this thread while the `with` lasts; may nest."""

    @abstractmethod
    def allocate(self, nbytes: int) -> Memory:
        """Allocate device memory."""

    @abstractmethod
    def allocate_pinned(self, nbytes: int) -> PinnedMemory:
        """Allocate page-locked host memory. Slow, and holds the GIL: once, not for each frame."""

    @abstractmethod
    def make_stream(self) -> Stream:
        """Make a stream that does not wait for the default stream."""

    @abstractmethod
    def make_event(self) -> Event:
        """Make an event that a thread sleeps on."""

    @abstractmethod
    def load_kernel(self, image: bytes, name: str) -> Kernel:
        """Load a function of a compiled module (cubin)."""

    @abstractmethod
    def copy_to_device(self, address: int, source: Bytes, stream: Stream) -> None:
        """Give a copy of all of `source`, pinned and C-contiguous, to the stream."""

    @abstractmethod
    def copy_to_host(self, target: Bytes, address: int, stream: Stream) -> None:
        """Give a copy into all of `target`, pinned and C-contiguous, to the stream."""

    @abstractmethod
    def capture(self, stream: Stream, enqueue: Callable[[], None]) -> Graph:
        """Record what `enqueue` gives to the stream, without running it.

        Other threads may go on using CUDA meanwhile. Raises RunnerError where something in it can't
        be captured, and whatever `enqueue` raises; the stream is as before then.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the primary context; harmless when repeated."""

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def open_device(ordinal: int = 0, backend: str = "auto") -> Device:
    """Retain the primary context of a GPU; it is not current yet.

    ordinal  among the cards that the driver shows (`CUDA_VISIBLE_DEVICES`)
    backend  "pycuda", "cuda-bindings", or "auto": PyCUDA where it is installed, else cuda-bindings

    Raises RunnerError, one line, where there is no driver, no such card, or neither library.
    """
    if backend == "auto":
        backend = _choose()
    if backend == "pycuda":
        from dbrt.engine.cuda.pycuda import PycudaDevice

        return PycudaDevice(ordinal)
    if not is_installed("cuda"):
        raise RunnerError(f"neither pycuda nor cuda-bindings is installed: {INSTALL}")
    from dbrt.engine.cuda.bindings import BindingsDevice

    return BindingsDevice(ordinal)


def _choose() -> str:
    """Return the backend that `auto` takes; a PyCUDA that is broken gives way, and says so."""
    if not is_installed("pycuda"):
        return "cuda-bindings"
    from dbrt.engine.cuda.pycuda import why_broken

    broken = why_broken()
    if not broken or not is_installed("cuda"):
        return "pycuda"
    LOG.warning("%s (going on with cuda-bindings)", broken)
    return "cuda-bindings"


def is_installed(module: str) -> bool:
    """Whether a top-level module can be found; it is not imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # a double in sys.modules
        return True


def check_ordinal(ordinal: int, count: int) -> None:
    """Raise RunnerError where the driver shows fewer cards."""
    if not 0 <= ordinal < count:
        raise RunnerError(
            f"the NVIDIA driver shows {count} GPUs, not number {ordinal}: "
            "look at nvidia-smi and CUDA_VISIBLE_DEVICES"
        )
