"""A device by PyCUDA. It has no CUDA graphs: those come from cuda-bindings, in the same context."""

from __future__ import annotations

import atexit
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray

from dbrt.engine.cuda.device import (
    EVENT_FLAGS,
    NO_DRIVER,
    STREAM_NON_BLOCKING,
    Bytes,
    Device,
    Graph,
    Stream,
    check_ordinal,
)
from dbrt.errors import RunnerError


@functools.cache
def load_driver() -> Any:
    """Return `pycuda.driver` with the driver initialised; never `autoinit`, whose context is new.

    Raises RunnerError where PyCUDA can't be loaded or there is no NVIDIA driver.
    """
    broken = why_broken()
    if broken:
        raise RunnerError(
            f"{broken}: pip install --force-reinstall pycuda, or pip uninstall pycuda to go on "
            "with cuda-bindings"
        )
    try:
        from pycuda import driver
    except ImportError:
        raise RunnerError(NO_DRIVER.format("libcuda is missing")) from None
    try:
        driver.init()
    except driver.Error as exc:
        raise RunnerError(NO_DRIVER.format(exc)) from None
    return driver


def why_broken() -> str:
    """Say why PyCUDA can't be loaded; empty where it can, or where only libcuda is missing."""
    try:
        from pycuda import driver  # noqa: F401
    except ImportError as exc:
        return "" if "libcuda" in str(exc) else f"pycuda can't be loaded ({exc})"
    return ""


@functools.cache
def _primary_context(ordinal: int) -> Any:
    """Retain the primary context once for the whole process.

    PyCUDA 2026.1 (`context` in its cuda.hpp) leaves a primary context that is detached on the
    thread's stack, does not release one that another thread has made, and one that nobody detaches
    it ends with the wrong call and a warning.
    """
    context = load_driver().Device(ordinal).retain_primary_context()
    atexit.register(context.detach)
    return context


class PycudaDevice(Device):
    """A GPU by PyCUDA."""

    backend = "pycuda"

    def __init__(self, ordinal: int) -> None:
        self._driver = driver = load_driver()
        with self._errors():
            check_ordinal(ordinal, driver.Device.count())
            device = driver.Device(ordinal)
            self.ordinal = ordinal
            self.name = device.name()
            major, minor = device.compute_capability()
            self.target = f"sm_{major}{minor}"
            self._context: Any = _primary_context(ordinal)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Push the primary context, and pop it."""
        if self._context is None:
            raise RuntimeError("the device is closed")
        with self._errors():
            self._context.push()
        try:
            yield
        finally:
            with self._errors():
                self._driver.Context.pop()

    def allocate(self, nbytes: int) -> _Memory:
        """Allocate device memory."""
        with self._errors():
            return _Memory(self._driver.mem_alloc(nbytes), nbytes)

    def allocate_pinned(self, nbytes: int) -> _Pinned:
        """Allocate page-locked host memory."""
        with self._errors():
            return _Pinned(self._driver.pagelocked_empty(nbytes, "uint8"))

    def make_stream(self) -> _Stream:
        """Make a stream that does not wait for the default stream."""
        with self._errors():
            return _Stream(self, self._driver.Stream(STREAM_NON_BLOCKING))

    def make_event(self) -> _Event:
        """Make an event that a thread sleeps on."""
        with self._errors():
            return _Event(self, self._driver.Event(EVENT_FLAGS))

    def load_kernel(self, image: bytes, name: str) -> _Kernel:
        """Load a function of a compiled module."""
        with self._errors():
            return _Kernel(self, self._driver.module_from_buffer(image), name)

    def copy_to_device(self, address: int, source: Bytes, stream: Stream) -> None:
        """Give a copy to the stream."""
        with self._errors():
            self._driver.memcpy_htod_async(address, source, _inner(stream))

    def copy_to_host(self, target: Bytes, address: int, stream: Stream) -> None:
        """Give a copy to the stream."""
        with self._errors():
            self._driver.memcpy_dtoh_async(target, address, _inner(stream))

    def capture(self, stream: Stream, enqueue: Callable[[], None]) -> Graph:
        """Record what `enqueue` gives to the stream, by cuda-bindings."""
        from dbrt.engine.cuda.bindings import CapturedGraph

        return CapturedGraph(stream, enqueue)

    def close(self) -> None:
        """Let go of the primary context, which stays with the process."""
        self._context = None

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what PyCUDA raises into RunnerError; its text names function and error."""
        try:
            yield
        except self._driver.Error as exc:
            text = " ".join(str(exc).split()) or type(exc).__name__
            raise RunnerError(f"CUDA failed in {text}") from None


def _inner(stream: Stream) -> Any:
    return stream.inner if isinstance(stream, _Stream) else None


class _Memory:
    def __init__(self, allocation: Any, nbytes: int) -> None:
        self._allocation = allocation
        self.address = int(allocation)
        self.nbytes = nbytes

    def free(self) -> None:
        if self._allocation is not None:
            allocation, self._allocation = self._allocation, None
            self.address = 0
            allocation.free()


class _Pinned:
    def __init__(self, array: Bytes) -> None:
        self.array = array
        self._allocation: Any = array.base  # PyCUDA frees by the object behind the array

    def free(self) -> None:
        if self._allocation is not None:
            allocation, self._allocation = self._allocation, None
            allocation.free()


class _Stream:
    def __init__(self, device: PycudaDevice, inner: Any) -> None:
        self._device = device
        self.inner: Any = inner
        self.handle = int(inner.handle)

    def synchronize(self) -> None:
        with self._device._errors():
            self.inner.synchronize()

    def free(self) -> None:
        self.inner = None  # the last reference destroys it


class _Event:
    def __init__(self, device: PycudaDevice, inner: Any) -> None:
        self._device = device
        self._inner: Any = inner

    def record(self, stream: Stream) -> None:
        with self._device._errors():
            self._inner.record(_inner(stream))

    def synchronize(self) -> None:
        with self._device._errors():
            self._inner.synchronize()

    def free(self) -> None:
        self._inner = None  # the last reference destroys it


class _Kernel:
    def __init__(self, device: PycudaDevice, module: Any, name: str) -> None:
        self._device = device
        self._module: Any = module
        self._function: Any = module.get_function(name)

    def launch(
        self, grid: tuple[int, int], block: tuple[int, int], record: NDArray[Any], stream: Stream
    ) -> None:
        with self._device._errors():
            # record[()] is a numpy.void, which PyCUDA passes by value.
            self._function(record[()], grid=grid, block=(*block, 1), stream=_inner(stream))

    def free(self) -> None:
        self._function = self._module = None  # the last reference unloads it
