from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dbrt.engine.cache import EngineCache
from dbrt.engine.modelfile import ModelFile
from dbrt.engine.spec import EngineSpec
from dbrt.engine.tensorrt.runner import TensorRtRunner
from dbrt.errors import EngineError, RunnerError, UsageError

Frames = NDArray[np.uint8]


@pytest.fixture
def canvases() -> Frames:
    return np.random.default_rng(5).integers(0, 256, (2, 64, 96, 3), np.uint8)


def map_of(canvas: Frames) -> Frames:
    """What the double's network makes of letterboxed frames."""
    return canvas[..., 1]


def test_a_graph_that_does_not_run_is_not_used(
    bench: Any, canvases: Frames, caplog: pytest.LogCaptureFixture
) -> None:
    bench.device.fail["launch graph"] = "CUDA_ERROR_LAUNCH_FAILED"
    with bench.open() as runner:
        np.testing.assert_array_equal(runner.infer(canvases), map_of(canvases))
    assert "no CUDA graph (CUDA failed in launch graph: CUDA_ERROR_LAUNCH_FAILED)" in caplog.text
    assert bench.device.alive == []


def test_without_a_graph_it_goes_on_and_says_so_once(
    bench: Any, canvases: Frames, caplog: pytest.LogCaptureFixture
) -> None:
    bench.device.capture_error = "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"
    with bench.open() as runner:
        np.testing.assert_array_equal(runner.infer(canvases), map_of(canvases))
    (line,) = [record.getMessage() for record in caplog.records]
    assert "no CUDA graph" in line
    assert "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED" in line
    assert bench.device.alive == []


def test_compiled_kernels_that_others_may_write_are_not_used(
    make_bench: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    bench = make_bench("rtx")
    cache = EngineCache()
    with cache.lock(bench.spec):
        cache.store(bench.spec, b"plan", build_s=1.0)
        cache.store_beside(bench.spec, "sm_89.jit", b"theirs")
    (cache.folder / f"{bench.spec.file_name}.sm_89.jit").chmod(0o666)
    with bench.open():
        pass
    assert bench.fake.jit_taken == []
    assert "can be written by others" in caplog.text


@pytest.mark.parametrize(
    ("member", "error", "message"),
    [
        ("deserialize_cuda_engine", EngineError, r"refuses the engine .* failed: run dbrt build"),
        ("create_execution_context", RunnerError, r"makes no context .* smaller --size"),
        ("set_tensor_address", RunnerError, r"refuses the address of \w+: set_tensor_address"),
        ("execute_async_v3", RunnerError, r"tensorrt 10.16.1.11 failed: execute_async_v3 failed"),
    ],
)
def test_none_and_false_are_errors_that_say_what_failed(
    bench: Any, member: str, error: type[Exception], message: str
) -> None:
    bench.fake.refuse.add(member)
    with pytest.raises(error, match=message):
        bench.open()
    assert bench.device.alive == []
    assert bench.device.is_closed


@pytest.mark.parametrize("what", ["memory", "pinned", "stream", "event", "kernel", "graph"])
def test_what_was_made_is_freed_where_opening_fails(bench: Any, what: str) -> None:
    bench.device.fail[what] = "CUDA_ERROR_OUT_OF_MEMORY"
    if what in ("kernel", "graph"):  # it runs without
        bench.open().close()
    else:
        with pytest.raises(RunnerError, match="CUDA_ERROR_OUT_OF_MEMORY"):
            bench.open()
    assert bench.device.alive == []


def test_without_the_kernel_frames_are_letterboxed_on_the_cpu(
    bench: Any, canvases: Frames, caplog: pytest.LogCaptureFixture
) -> None:
    bench.device.fail["kernel"] = "CUDA_ERROR_NO_BINARY_FOR_GPU"
    with bench.open() as runner:
        assert not runner.letterboxes
        assert "letterboxing on the CPU" in caplog.text
        np.testing.assert_array_equal(runner.infer(canvases), map_of(canvases))
        with pytest.raises(NotImplementedError):
            runner.submit_frames([canvases[0], canvases[1]])


def test_a_failure_while_running_is_an_error_and_closing_still_frees(
    bench: Any, canvases: Frames
) -> None:
    runner = bench.open()
    bench.device.fail["launch graph"] = "CUDA_ERROR_ILLEGAL_ADDRESS"
    with pytest.raises(RunnerError, match="CUDA_ERROR_ILLEGAL_ADDRESS"):
        runner.submit(canvases)
    assert runner.in_flight == 0
    bench.device.fail["synchronize"] = "CUDA_ERROR_ILLEGAL_ADDRESS"
    for stream in bench.device.streams.values():
        stream.waiting.clear()  # a card that has failed does nothing more
    runner.close()
    assert bench.device.is_closed
    assert bench.device.alive == []


@pytest.mark.parametrize(
    ("tensors", "dtype"),
    [
        ({"images": (2, 64, 96, 3), "map": (2, 64, 96)}, "UINT8"),
        ({"frame": (1, 64, 96, 3), "map": (1, 64, 96)}, "UINT8"),
        ({"frame": (2, 64, 96, 3), "map": (2, 64, 96)}, "HALF"),
    ],
    ids=["names", "shape", "type"],
)
def test_an_engine_with_other_tensors_is_refused(
    bench: Any, tensors: dict[str, Any], dtype: str
) -> None:
    bench.fake.tensors, bench.fake.dtype = tensors, dtype
    with pytest.raises(EngineError, match=r"its tensors are .*: run dbrt build"):
        bench.open()
    assert bench.device.alive == []


def test_an_engine_for_another_card_is_refused_before_it_is_read(
    make_bench: Callable[..., Any],
) -> None:
    bench = make_bench(target="sm_75+sm_86")
    with pytest.raises(EngineError, match=r"for sm_75, sm_86, here is Test Card \(sm_89\)"):
        bench.open()
    assert bench.fake.plans == []
    assert bench.device.is_closed


@pytest.mark.parametrize(
    "frames",
    [
        [np.zeros((4, 4, 3), np.uint8)],
        [np.zeros((4, 4), np.uint8)] * 2,
        [np.zeros((4, 4, 4), np.uint8)] * 2,
        [np.zeros((0, 4, 3), np.uint8)] * 2,
        [np.zeros((4, 4, 3), np.float32)] * 2,
    ],
    ids=["one of two", "grey", "alpha", "empty", "float"],
)
def test_what_are_no_frames_is_refused(runner: TensorRtRunner, frames: Any) -> None:
    with pytest.raises(ValueError, match="frame"):
        runner.submit_frames(frames)
    with pytest.raises(ValueError, match="frame"):
        runner.infer_frames(frames)


def test_more_than_depth_and_less_than_one_are_refused(
    runner: TensorRtRunner, canvases: Frames
) -> None:
    with pytest.raises(RuntimeError, match="submit first"):
        runner.collect()
    for _ in range(runner.depth):
        runner.submit(canvases)
    with pytest.raises(RuntimeError, match="collect one first"):
        runner.submit(canvases)


def test_no_stream_is_refused(bench: Any) -> None:
    with pytest.raises(UsageError, match="streams 0"):
        bench.open(streams=0)


def test_without_a_driver_it_says_so_and_what_to_do(
    model: ModelFile, make_spec: Callable[..., EngineSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "dbrt.engine.tensorrt.runner.TensorRtRunner.obstacle", lambda: "there is no NVIDIA driver"
    )
    with pytest.raises(RunnerError, match="no NVIDIA driver"):
        TensorRtRunner.open(b"plan", make_spec(), model, "why")
