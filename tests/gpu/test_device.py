"""Memory, streams, events, graphs and contexts on the card, by either library; no TensorRT."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dbrt.engine.cuda.device import Device, open_device
from dbrt.errors import RunnerError

SIZE = 1 << 20


def test_bytes_come_back_as_they_went(device: Device) -> None:
    memory, stream = device.allocate(SIZE), device.make_stream()
    there, back = device.allocate_pinned(SIZE), device.allocate_pinned(SIZE)
    there.array[:] = np.random.default_rng(1).integers(0, 256, SIZE, np.uint8)
    back.array[:] = 0
    device.copy_to_device(memory.address, there.array, stream)
    device.copy_to_host(back.array, memory.address, stream)
    event = device.make_event()
    event.record(stream)
    event.synchronize()
    np.testing.assert_array_equal(back.array, there.array)
    for each in (event, there, back, memory, stream):
        each.free()


def test_parts_are_copied_to_parts(device: Device) -> None:
    memory, stream = device.allocate(64), device.make_stream()
    host = device.allocate_pinned(64)
    host.array[:] = np.arange(64)
    device.copy_to_device(memory.address, host.array, stream)
    device.copy_to_device(memory.address + 10, host.array[20:25], stream)
    stream.synchronize()
    host.array[:] = 0
    device.copy_to_host(host.array[:8], memory.address + 8, stream)
    stream.synchronize()
    assert host.array[:9].tolist() == [8, 9, 20, 21, 22, 23, 24, 15, 0]
    for each in (host, memory, stream):
        each.free()


def test_a_graph_does_what_was_captured_each_time_it_is_launched(device: Device) -> None:
    pytest.importorskip("cuda.bindings", reason="no cuda-bindings is here")
    memory, stream = device.allocate(SIZE), device.make_stream()
    there, back = device.allocate_pinned(SIZE), device.allocate_pinned(SIZE)

    def enqueue() -> None:
        device.copy_to_device(memory.address, there.array, stream)
        device.copy_to_host(back.array, memory.address, stream)

    there.array[:], back.array[:] = 1, 0
    graph = device.capture(stream, enqueue)
    stream.synchronize()
    assert not back.array.any()  # captured, not run
    for value in (3, 4):
        there.array[:] = value
        graph.launch(stream)
        stream.synchronize()
        assert (back.array == value).all()
    for each in (graph, there, back, memory, stream):
        each.free()


def test_a_capture_goes_on_while_another_thread_allocates(device: Device) -> None:
    pytest.importorskip("cuda.bindings", reason="no cuda-bindings is here")
    memory, stream = device.allocate(SIZE), device.make_stream()
    host = device.allocate_pinned(SIZE)

    def allocate() -> None:
        with device.current():
            device.allocate(SIZE).free()

    def enqueue() -> None:
        device.copy_to_device(memory.address, host.array, stream)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(allocate).result()

    graph = device.capture(stream, enqueue)
    graph.launch(stream)
    stream.synchronize()
    for each in (graph, host, memory, stream):
        each.free()


def test_what_cannot_be_captured_is_an_error_and_the_stream_goes_on(device: Device) -> None:
    pytest.importorskip("cuda.bindings", reason="no cuda-bindings is here")
    memory, stream = device.allocate(64), device.make_stream()
    host = device.allocate_pinned(64)
    with pytest.raises(RunnerError, match="CUDA failed in"):
        device.capture(stream, stream.synchronize)
    host.array[:] = 9
    device.copy_to_device(memory.address, host.array, stream)
    stream.synchronize()
    host.array[:] = 0
    device.copy_to_host(host.array, memory.address, stream)
    stream.synchronize()
    assert (host.array == 9).all()
    for each in (host, memory, stream):
        each.free()


def test_what_one_thread_made_another_uses_and_frees(device: Device) -> None:
    def make() -> tuple[object, ...]:
        with device.current():
            return device.allocate(64), device.make_stream(), device.allocate_pinned(64)

    def use_and_free(memory, stream, host) -> None:  # type: ignore[no-untyped-def]
        with device.current():
            device.copy_to_device(memory.address, host.array, stream)
            stream.synchronize()
            for each in (host, memory, stream):
                each.free()

    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        made = first.submit(make).result()
        second.submit(use_and_free, *made).result()


def test_without_the_context_nothing_is_done_but_an_error(device: Device) -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(RunnerError, match="CUDA failed in"):
        pool.submit(device.allocate, 64).result()


def test_more_than_there_is_is_an_error_by_name(device: Device) -> None:
    with pytest.raises(RunnerError, match=r"CUDA_ERROR_OUT_OF_MEMORY|out of memory"):
        device.allocate(1 << 50)


def test_both_libraries_and_the_cuda_runtime_share_the_primary_context(driver: None) -> None:
    pytest.importorskip("pycuda", reason="no pycuda is here")
    runtime = pytest.importorskip("cuda.bindings.runtime", reason="no cuda-bindings is here")
    with open_device(0, "pycuda") as one, open_device(0, "cuda-bindings") as other:
        with one.current():
            memory, host = one.allocate(64), one.allocate_pinned(64)
            stream = one.make_stream()
            host.array[:] = 5
            one.copy_to_device(memory.address, host.array, stream)
            stream.synchronize()
            # The runtime, which TensorRT works with, sees both as its own.
            status, attributes = runtime.cudaPointerGetAttributes(memory.address)
            assert int(status) == 0
            assert int(attributes.device) == 0
        with other.current():
            back, mine = other.allocate_pinned(64), other.make_stream()
            other.copy_to_host(back.array, memory.address, mine)
            mine.synchronize()
            assert (back.array == 5).all()
            for each in (back, mine):
                each.free()
        with one.current():
            for each in (memory, host, stream):
                each.free()
