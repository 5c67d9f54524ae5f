"""`cuda.bindings.driver` and `pycuda.driver` in Python: what they are asked, in order.

The names are checked against the real cuda-bindings where they are installed (test_devices.py), and
against PyCUDA's own sources: wrap_cudadrv.cpp and driver.py of 2026.1.
"""

from __future__ import annotations

import ctypes
import enum
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

CUresult = enum.IntEnum(
    "CUresult",
    {
        "CUDA_SUCCESS": 0,
        "CUDA_ERROR_INVALID_VALUE": 1,
        "CUDA_ERROR_OUT_OF_MEMORY": 2,
        "CUDA_ERROR_NO_DEVICE": 100,
        "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED": 901,
    },
)


class FakeBindings:
    """Stands for the module `cuda.bindings.driver`. Handles are made-up numbers.

    log   the functions that were called, with their arguments
    fail  {function: name of the error it ends in}
    """

    CUresult = CUresult
    CUdevice_attribute = SimpleNamespace(
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR=75,
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR=76,
    )
    CUstreamCaptureMode = SimpleNamespace(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL=1)

    ANSWERS: ClassVar[dict[str, Any]] = {
        "cuDeviceGetCount": 1,
        "cuDeviceGet": 0,
        "cuDeviceGetName": b"Test Card\0\0\0",
        "cuDevicePrimaryCtxRetain": 11,
        "cuCtxPopCurrent": 11,
        "cuMemAlloc": 0x5000,
        "cuStreamCreate": 21,
        "cuEventCreate": 31,
        "cuModuleLoadData": 41,
        "cuModuleGetFunction": 42,
        "cuStreamEndCapture": 51,
        "cuGraphInstantiate": 52,
    }
    QUIET = (
        "cuInit",
        "cuDevicePrimaryCtxRelease",
        "cuCtxPushCurrent",
        "cuMemFree",
        "cuMemFreeHost",
        "cuStreamSynchronize",
        "cuStreamDestroy",
        "cuEventRecord",
        "cuEventSynchronize",
        "cuEventDestroy",
        "cuModuleUnload",
        "cuLaunchKernel",
        "cuMemcpyHtoDAsync",
        "cuMemcpyDtoHAsync",
        "cuStreamBeginCapture",
        "cuGraphDestroy",
        "cuGraphLaunch",
        "cuGraphExecDestroy",
    )

    def __init__(self) -> None:
        self.log: list[tuple[Any, ...]] = []
        self.fail: dict[str, str] = {}
        self._blocks: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        if name not in self.ANSWERS and name not in (*self.QUIET, *self.SPECIAL):
            raise AttributeError(name)

        def function(*arguments: Any) -> tuple[Any, ...]:
            self.log.append((name, *arguments))
            if name in self.fail:
                return (CUresult[self.fail[name]], None)
            if name in self.SPECIAL:
                return (CUresult.CUDA_SUCCESS, getattr(self, f"_{name}")(*arguments))
            if name in self.QUIET:
                return (CUresult.CUDA_SUCCESS,)
            return (CUresult.CUDA_SUCCESS, self.ANSWERS[name])

        function.__name__ = name
        return function

    SPECIAL = ("cuDeviceGetAttribute", "cuMemHostAlloc")

    def _cuDeviceGetAttribute(self, which: int, device: int) -> int:
        return {75: 8, 76: 9}[which]

    def _cuMemHostAlloc(self, nbytes: int, flags: int) -> int:
        self._blocks.append((ctypes.c_uint8 * nbytes)())
        return ctypes.addressof(self._blocks[-1])

    def names(self) -> list[str]:
        """Return what was called, without arguments."""
        return [entry[0] for entry in self.log]


class PycudaError(Exception):
    """Stands for `pycuda.driver.Error`."""


class FakePycuda:
    """Stands for the module `pycuda.driver`; what is made and called is noted in `log`."""

    Error = PycudaError

    def __init__(self) -> None:
        self.log: list[tuple[Any, ...]] = []
        self.fail: dict[str, str] = {}
        outer = self

        class Context:
            @staticmethod
            def pop() -> None:
                outer.note("pop")

            def push(self) -> None:
                outer.note("push")

            def detach(self) -> None:
                outer.note("detach")

        class Device:
            def __init__(self, ordinal: int) -> None:
                outer.note("Device", ordinal)

            @staticmethod
            def count() -> int:
                return 1

            def name(self) -> str:
                return "Test Card"

            def compute_capability(self) -> tuple[int, int]:
                return (8, 9)

            def retain_primary_context(self) -> Context:
                outer.note("retain_primary_context")
                return Context()

        class Stream:
            def __init__(self, flags: int = 0) -> None:
                outer.note("Stream", flags)
                self.handle = 21

            def synchronize(self) -> None:
                outer.note("Stream.synchronize")

            def __del__(self) -> None:
                outer.log.append(("~Stream",))

        class Event:
            def __init__(self, flags: int = 0) -> None:
                outer.note("Event", flags)

            def record(self, stream: Stream | None = None) -> Event:
                outer.note("Event.record", stream)
                return self

            def synchronize(self) -> Event:
                outer.note("Event.synchronize")
                return self

        class Allocation:
            def __init__(self, kind: str) -> None:
                self.kind = kind

            def free(self) -> None:
                outer.note(f"free {self.kind}")

            def __int__(self) -> int:
                return 0x5000

        class Module:
            def get_function(self, name: str) -> Any:
                outer.note("get_function", name)
                return lambda *arguments, **named: outer.note("launch", *arguments, named)

        self.Context, self.Device, self.Stream, self.Event = Context, Device, Stream, Event
        self._allocation, self._module = Allocation, Module

    def note(self, what: str, *arguments: Any) -> None:
        if what in self.fail:
            raise PycudaError(f"{what} failed: {self.fail[what]}")
        self.log.append((what, *arguments))

    def init(self) -> None:
        self.note("init")

    def mem_alloc(self, nbytes: int) -> Any:
        self.note("mem_alloc", nbytes)
        return self._allocation("device")

    def pagelocked_empty(self, shape: int, dtype: str) -> Any:
        self.note("pagelocked_empty", shape, dtype)
        array = np.empty(shape, dtype).view(_Based)
        array.allocation = self._allocation("pinned")
        return array

    def module_from_buffer(self, buffer: bytes) -> Any:
        self.note("module_from_buffer", buffer)
        return self._module()

    def memcpy_htod_async(self, dest: int, src: Any, stream: Any = None) -> None:
        self.note("memcpy_htod_async", dest, src.nbytes, stream)

    def memcpy_dtoh_async(self, dest: Any, src: int, stream: Any = None) -> None:
        self.note("memcpy_dtoh_async", dest.nbytes, src, stream)

    def names(self) -> list[str]:
        """Return what was called, without arguments."""
        return [entry[0] for entry in self.log]


class _Based(np.ndarray[Any, np.dtype[np.uint8]]):
    """An array whose `base` is what PyCUDA frees."""

    allocation: Any = None

    @property
    def base(self) -> Any:  # type: ignore[override]
        return self.allocation
