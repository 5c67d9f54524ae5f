"""A device by cuda-bindings: the driver's functions under their own names."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dbrt.engine.cuda.device import (
    EVENT_FLAGS,
    INSTALL,
    NO_DRIVER,
    STREAM_NON_BLOCKING,
    Bytes,
    Device,
    Stream,
    check_ordinal,
)
from dbrt.errors import RunnerError


@functools.cache
def load_driver() -> Any:
    """Return `cuda.bindings.driver` with the driver initialised.

    Raises RunnerError where cuda-bindings or the NVIDIA driver is missing.
    """
    try:
        from cuda.bindings import driver
    except ImportError as exc:
        raise RunnerError(f"cuda-bindings can't be loaded ({exc}): {INSTALL}") from None
    try:
        status = driver.cuInit(0)[0]
    except RuntimeError:  # DynamicLibNotFoundError: not found, and not an error code
        raise RunnerError(NO_DRIVER.format("libcuda is missing")) from None
    if status != driver.CUresult.CUDA_SUCCESS:
        raise RunnerError(NO_DRIVER.format(_name_of(status)))
    return driver


class BindingsDevice(Device):
    """A GPU by cuda-bindings."""

    backend = "cuda-bindings"

    def __init__(self, ordinal: int) -> None:
        driver = load_driver()
        check_ordinal(ordinal, call(driver.cuDeviceGetCount))
        self._device = call(driver.cuDeviceGet, ordinal)
        self.ordinal = ordinal
        self.name = call(driver.cuDeviceGetName, 256, self._device).split(b"\0")[0].decode()
        attributes = driver.CUdevice_attribute
        major, minor = (
            call(driver.cuDeviceGetAttribute, which, self._device)
            for which in (
                attributes.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                attributes.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
            )
        )
        self.target = f"sm_{major}{minor}"
        self._driver = driver
        self._context = call(driver.cuDevicePrimaryCtxRetain, self._device)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Push the primary context, and pop it."""
        if self._context is None:
            raise RuntimeError("the device is closed")
        call(self._driver.cuCtxPushCurrent, self._context)
        try:
            yield
        finally:
            call(self._driver.cuCtxPopCurrent)

    def allocate(self, nbytes: int) -> _Memory:
        """Allocate device memory."""
        return _Memory(self._driver, nbytes)

    def allocate_pinned(self, nbytes: int) -> _Pinned:
        """Allocate page-locked host memory."""
        return _Pinned(self._driver, nbytes)

    def make_stream(self) -> _Stream:
        """Make a stream that does not wait for the default stream."""
        return _Stream(self._driver)

    def make_event(self) -> _Event:
        """Make an event that a thread sleeps on."""
        return _Event(self._driver)

    def load_kernel(self, image: bytes, name: str) -> _Kernel:
        """Load a function of a compiled module."""
        return _Kernel(self._driver, image, name)

    def copy_to_device(self, address: int, source: Bytes, stream: Stream) -> None:
        """Give a copy to the stream."""
        copy = self._driver.cuMemcpyHtoDAsync
        call(copy, address, source.ctypes.data, source.nbytes, stream.handle)

    def copy_to_host(self, target: Bytes, address: int, stream: Stream) -> None:
        """Give a copy to the stream."""
        copy = self._driver.cuMemcpyDtoHAsync
        call(copy, target.ctypes.data, address, target.nbytes, stream.handle)

    def capture(self, stream: Stream, enqueue: Callable[[], None]) -> CapturedGraph:
        """Record what `enqueue` gives to the stream."""
        return CapturedGraph(stream, enqueue)

    def close(self) -> None:
        """Let go of the primary context."""
        if self._context is not None:
            self._context = None
            call(self._driver.cuDevicePrimaryCtxRelease, self._device)


class CapturedGraph:
    """What was given to a stream during a capture; of streams of either library."""

    def __init__(self, stream: Stream, enqueue: Callable[[], None]) -> None:
        self._driver = load_driver()
        # Thread-local: an allocation on another thread would break a global capture.
        mode = self._driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        call(self._driver.cuStreamBeginCapture, stream.handle, mode)
        try:
            enqueue()
        except BaseException:
            self._abandon(stream)
            raise
        graph = call(self._driver.cuStreamEndCapture, stream.handle)
        try:
            self._graph: Any = call(self._driver.cuGraphInstantiate, graph, 0)
        finally:
            call(self._driver.cuGraphDestroy, graph)

    def launch(self, stream: Stream) -> None:
        """Give all of it to the stream."""
        call(self._driver.cuGraphLaunch, self._graph, stream.handle)

    def free(self) -> None:
        """Destroy it."""
        if self._graph is not None:
            graph, self._graph = self._graph, None
            call(self._driver.cuGraphExecDestroy, graph)

    def _abandon(self, stream: Stream) -> None:
        """End a capture whose work failed; the driver says so again, which nobody needs to hear."""
        status, graph = self._driver.cuStreamEndCapture(stream.handle)
        if status == self._driver.CUresult.CUDA_SUCCESS:
            call(self._driver.cuGraphDestroy, graph)


class _Memory:
    def __init__(self, driver: Any, nbytes: int) -> None:
        self._driver = driver
        self.nbytes = nbytes
        self.address = int(call(driver.cuMemAlloc, nbytes))

    def free(self) -> None:
        if self.address:
            address, self.address = self.address, 0
            call(self._driver.cuMemFree, address)


class _Pinned:
    def __init__(self, driver: Any, nbytes: int) -> None:
        self._driver = driver
        self._address = int(call(driver.cuMemHostAlloc, nbytes, 0))
        block = (ctypes.c_uint8 * nbytes).from_address(self._address)
        self.array: Bytes = np.ctypeslib.as_array(block)

    def free(self) -> None:
        if self._address:
            address, self._address = self._address, 0
            call(self._driver.cuMemFreeHost, address)


class _Stream:
    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._stream = call(driver.cuStreamCreate, STREAM_NON_BLOCKING)
        self.handle = int(self._stream)

    def synchronize(self) -> None:
        call(self._driver.cuStreamSynchronize, self._stream)

    def free(self) -> None:
        if self._stream is not None:
            stream, self._stream = self._stream, None
            call(self._driver.cuStreamDestroy, stream)


class _Event:
    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._event = call(driver.cuEventCreate, EVENT_FLAGS)

    def record(self, stream: Stream) -> None:
        call(self._driver.cuEventRecord, self._event, stream.handle)

    def synchronize(self) -> None:
        call(self._driver.cuEventSynchronize, self._event)

    def free(self) -> None:
        if self._event is not None:
            event, self._event = self._event, None
            call(self._driver.cuEventDestroy, event)


class _Kernel:
    def __init__(self, driver: Any, image: bytes, name: str) -> None:
        self._driver = driver
        self._module = call(driver.cuModuleLoadData, image)
        self._function = call(driver.cuModuleGetFunction, self._module, name.encode())

    def launch(
        self, grid: tuple[int, int], block: tuple[int, int], record: NDArray[Any], stream: Stream
    ) -> None:
        # void **kernelParams: one parameter, the address of the struct.
        parameters = np.array([record.ctypes.data], np.uint64)
        call(
            self._driver.cuLaunchKernel,
            self._function,
            *(*grid, 1),
            *(*block, 1),
            0,
            stream.handle,
            parameters.ctypes.data,
            0,
        )

    def free(self) -> None:
        if self._module is not None:
            module, self._module = self._module, None
            call(self._driver.cuModuleUnload, module)


def call(function: Callable[..., tuple[Any, ...]], *arguments: Any) -> Any:
    """Call a function of cuda-bindings and return what stands behind the status.

    Raises RunnerError with the function's and the CUDA error's name where the status is not 0.
    """
    status, *values = function(*arguments)
    if int(status):
        raise RunnerError(f"CUDA failed in {function.__name__}: {_name_of(status)}")
    return values[0] if values else None


def _name_of(status: Any) -> str:
    """Return "CUDA_ERROR_OUT_OF_MEMORY", or the bare number of one that cuda-bindings knows not."""
    return str(getattr(status, "name", f"error {status}"))
