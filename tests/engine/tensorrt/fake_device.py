"""A GPU in Python, at the level of `dbrt.engine.cuda.device`: work is done when it is waited for.

Device memory is arrays under made-up addresses. What is given to a stream is kept until an event or
the stream is waited for, as on a GPU that is slow: who touches a buffer too early sees it.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dbrt.engine.letterbox import letterbox
from dbrt.errors import RunnerError

Bytes = NDArray[np.uint8]
Work = tuple[str, Callable[[], None]]


class FakeDevice:
    """One card. `log` holds what was asked, in order; `alive` what was made and not freed."""

    ordinal = 0
    name = "Test Card"
    backend = "double"

    def __init__(self, target: str = "sm_89") -> None:
        self.target = target
        self.log: list[str] = []
        self.alive: list[str] = []
        self.streams: dict[int, FakeStream] = {}
        self.memory: dict[int, Bytes] = {}
        self.is_closed = False
        self.fail: dict[str, str] = {}  # what is asked: the CUDA error it ends in
        self.capture_error = ""
        self._local = threading.local()
        self._addresses = itertools.count(0x10_0000, 0x100_0000)
        self._numbers = itertools.count(1)

    @contextmanager
    def current(self) -> Iterator[None]:
        if self.is_closed:
            raise RuntimeError("the device is closed")
        self._local.depth = getattr(self._local, "depth", 0) + 1
        try:
            yield
        finally:
            self._local.depth -= 1

    def check(self, what: str) -> None:
        """Fail where the context is not current on this thread, or the test says so."""
        if not getattr(self._local, "depth", 0):
            raise RunnerError(f"CUDA failed in {what}: CUDA_ERROR_INVALID_CONTEXT")
        if what in self.fail:
            raise RunnerError(f"CUDA failed in {what}: {self.fail[what]}")

    def make(self, kind: str) -> str:
        self.check(kind)
        name = f"{kind}{next(self._numbers)}"
        self.alive.append(name)
        return name

    def unmake(self, name: str) -> None:
        self.check("free")
        self.alive.remove(name)
        self.log.append(f"free {name.rstrip('0123456789')}")

    def at(self, address: int, nbytes: int) -> Bytes:
        """Return the device bytes from an address on."""
        for start, block in self.memory.items():
            if start <= address < start + block.nbytes:
                part = block[address - start : address - start + nbytes]
                assert part.nbytes == nbytes, "read or written beyond an allocation"
                return part
        raise AssertionError(f"no memory at {address:#x}")

    def allocate(self, nbytes: int) -> FakeMemory:
        return FakeMemory(self, nbytes, next(self._addresses))

    def allocate_pinned(self, nbytes: int) -> FakePinned:
        return FakePinned(self, nbytes)

    def make_stream(self) -> FakeStream:
        return FakeStream(self)

    def make_event(self) -> FakeEvent:
        return FakeEvent(self)

    def load_kernel(self, image: bytes, name: str) -> FakeKernel:
        return FakeKernel(self)

    def copy_to_device(self, address: int, source: Bytes, stream: FakeStream) -> None:
        self.check("copy to device")
        assert source.flags.c_contiguous

        def work() -> None:
            self.at(address, source.nbytes)[:] = source.reshape(-1)

        stream.take("copy to device", work)

    def copy_to_host(self, target: Bytes, address: int, stream: FakeStream) -> None:
        self.check("copy to host")
        assert target.flags.c_contiguous

        def work() -> None:
            target.reshape(-1)[:] = self.at(address, target.nbytes)

        stream.take("copy to host", work)

    def capture(self, stream: FakeStream, enqueue: Callable[[], None]) -> FakeGraph:
        self.check("capture")
        assert not stream.waiting, "captured while the stream had work"
        self.log.append(f"capture on {stream.label}")
        stream.captured = []
        try:
            enqueue()
            if self.capture_error:
                raise RunnerError(f"CUDA failed in cuStreamEndCapture: {self.capture_error}")
            return FakeGraph(self, stream.captured)
        finally:
            stream.captured = None

    def close(self) -> None:
        self.is_closed = True
        self.log.append("close device")


class FakeMemory:
    def __init__(self, device: FakeDevice, nbytes: int, address: int) -> None:
        self._device, self._name = device, device.make("memory")
        self.address, self.nbytes = address, nbytes
        device.memory[address] = np.full(nbytes, 0xAA, np.uint8)

    def free(self) -> None:
        del self._device.memory[self.address]
        self._device.unmake(self._name)


class FakePinned:
    def __init__(self, device: FakeDevice, nbytes: int) -> None:
        self._device, self._name = device, device.make("pinned")
        self.array = np.full(nbytes, 0x55, np.uint8)

    def free(self) -> None:
        self._device.unmake(self._name)


class FakeStream:
    def __init__(self, device: FakeDevice) -> None:
        self._device, self._name = device, device.make("stream")
        self.handle = 7000 + len(device.streams)
        self.label = f"s{len(device.streams)}"
        self.waiting: list[Work] = []
        self.captured: list[Work] | None = None
        device.streams[self.handle] = self

    def take(self, what: str, work: Callable[[], None]) -> None:
        if self.captured is not None:
            self.captured.append((what, work))
            return
        self._device.log.append(f"{what} on {self.label}")
        self.waiting.append((what, work))

    def synchronize(self) -> None:
        self._device.check("synchronize")
        self.run(len(self.waiting))

    def run(self, count: int) -> None:
        done, self.waiting = self.waiting[:count], self.waiting[count:]
        for _, work in done:
            work()

    def free(self) -> None:
        assert not self.waiting, "destroyed while it had work"
        self._device.unmake(self._name)


class FakeEvent:
    def __init__(self, device: FakeDevice) -> None:
        self._device, self._name = device, device.make("event")
        self._stream: FakeStream | None = None
        self._is_done = True

    def record(self, stream: FakeStream) -> None:
        self._device.check("record")
        self._stream, self._is_done = stream, False
        stream.take("event", self._reached)

    def synchronize(self) -> None:
        self._device.check("wait for event")
        while not self._is_done:
            assert self._stream is not None
            self._stream.run(1)

    def _reached(self) -> None:
        self._is_done = True

    def free(self) -> None:
        self._device.unmake(self._name)


class FakeKernel:
    def __init__(self, device: FakeDevice) -> None:
        self._device, self._name = device, device.make("kernel")

    def launch(
        self, grid: tuple[int, int], block: tuple[int, int], record: Any, stream: FakeStream
    ) -> None:
        self._device.check("launch")
        values = record.copy()  # the caller's is free again

        def work() -> None:
            pitch, canvas = int(values["pitch"]), int(values["canvas"])
            rows, columns = int(values["rows"]), int(values["columns"])
            assert values["halvings"] == 0, "the double takes frames that are not halved"
            frame = self._device.at(int(values["frame"]), rows * pitch)
            frame = frame.reshape(rows, pitch)[:, : columns * 3].reshape(rows, columns, 3)
            shape = int(values["canvas_rows"]), int(values["canvas_columns"])
            fill = tuple(int(value) for value in values["fill"][:3])
            made, _ = letterbox(np.ascontiguousarray(frame), shape, fill)  # type: ignore[arg-type]
            self._device.at(canvas, made.nbytes)[:] = made.reshape(-1)

        stream.take("letterbox", work)

    def free(self) -> None:
        self._device.unmake(self._name)


class FakeGraph:
    def __init__(self, device: FakeDevice, work: list[Work]) -> None:
        self._device, self._name = device, device.make("graph")
        self._work = work

    def launch(self, stream: FakeStream) -> None:
        self._device.check("launch graph")

        def all_of_it() -> None:
            for _, work in self._work:
                work()

        stream.take("graph", all_of_it)

    def free(self) -> None:
        self._device.unmake(self._name)
