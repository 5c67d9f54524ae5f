from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dbrt.engine.letterbox import letterbox
from dbrt.engine.modelfile import ModelFile
from dbrt.engine.spec import EngineSpec
from dbrt.engine.tensorrt.runner import TensorRtRunner
from dbrt.errors import EngineError, RunnerError, UsageError

Frames = NDArray[np.uint8]
VERSIONS = ["8.6.1", "10.0.1", "10.16.1.11", "11.0.0.114", "11.4.0.106", "rtx"]


@pytest.fixture
def canvases() -> Frames:
    return np.random.default_rng(5).integers(0, 256, (2, 64, 96, 3), np.uint8)


def map_of(canvas: Frames) -> Frames:
    """What the double's network makes of letterboxed frames."""
    return canvas[..., 1]


def letterboxed(frames: list[Frames], model: ModelFile) -> Frames:
    return np.stack([letterbox(frame, (64, 96), model.fill)[0] for frame in frames])


@pytest.mark.parametrize("version", VERSIONS)
def test_the_map_comes_back_with_every_version(
    make_bench: Callable[..., Any], canvases: Frames, version: str
) -> None:
    bench = make_bench(version)
    with bench.open() as runner:
        np.testing.assert_array_equal(runner.infer(canvases), map_of(canvases))
        runner.submit(canvases, "tag")
        tag, maps = runner.collect()
        assert tag == "tag"
        np.testing.assert_array_equal(maps, map_of(canvases))
    assert bench.device.alive == []
    assert bench.fake.plans == [b"plan"]


def test_each_context_runs_once_before_its_graph_is_captured(bench: Any) -> None:
    with bench.open():
        starts = ("network", "capture", "graph")
        log = [entry for entry in bench.device.log if entry.startswith(starts)]
    assert log == [
        "network 0 on s0",
        "capture on s0",
        "graph on s0",
        "network 1 on s1",
        "capture on s1",
        "graph on s1",
    ]


def test_a_batch_of_frames_is_copied_letterboxed_run_and_copied_back(
    bench: Any, runner: TensorRtRunner, model: ModelFile
) -> None:
    # Two cameras, two sizes, one of them with gaps between its rows.
    wide = np.random.default_rng(1).integers(0, 256, (40, 90, 3), np.uint8)[:, :80]
    tall = np.random.default_rng(2).integers(0, 256, (64, 30, 3), np.uint8)
    assert runner.letterboxes
    maps = runner.infer_frames([wide, tall])
    np.testing.assert_array_equal(maps, map_of(letterboxed([wide, tall], model)))
    assert bench.device.log == [
        "copy to device on s0",
        "letterbox on s0",
        "copy to device on s0",
        "letterbox on s0",
        "graph on s0",
        "copy to host on s0",
        "event on s0",
    ]


def test_requests_take_turns_on_two_streams_and_come_back_in_order(
    bench: Any, runner: TensorRtRunner
) -> None:
    batches = [np.full((2, 64, 96, 3), value, np.uint8) for value in range(1, 6)]
    found = []
    for i, batch in enumerate(batches):
        if runner.in_flight == runner.depth:
            found.append([int(value) for value in (runner.collect()[1].max(),)])
        runner.submit(batch, i)
    assert runner.depth == runner.in_flight == 2
    # Nothing that is in flight was waited for: the second is given before the first is done.
    graphs = [entry for entry in bench.device.log if entry.startswith("graph")]
    assert graphs == [f"graph on s{i % 2}" for i in range(5)]
    while runner.in_flight:
        found.append([int(runner.collect()[1].max())])
    assert found == [[1], [2], [3], [4], [5]]


def test_a_submitted_array_is_free_at_once(runner: TensorRtRunner, canvases: Frames) -> None:
    mine = canvases.copy()
    runner.submit(mine)
    mine[:] = 0
    frames = [canvases[0].copy(), canvases[1].copy()]
    runner.submit_frames(frames)
    for frame in frames:
        frame[:] = 0
    for _ in range(2):
        np.testing.assert_array_equal(runner.collect()[1], map_of(canvases))


def test_a_collected_map_holds_while_the_next_batches_run(
    runner: TensorRtRunner, canvases: Frames
) -> None:
    runner.submit(canvases)
    _, maps = runner.collect()
    for _ in range(runner.depth):
        runner.submit(255 - canvases)
    other = runner.infer(canvases // 2)
    np.testing.assert_array_equal(maps, map_of(canvases))
    np.testing.assert_array_equal(other, map_of(canvases // 2))
    np.testing.assert_array_equal(runner.collect()[1], map_of(255 - canvases))
    np.testing.assert_array_equal(other, map_of(canvases // 2))


def test_frames_of_growing_and_shrinking_size_do_not_disturb_one_another(
    runner: TensorRtRunner, model: ModelFile
) -> None:
    sizes = [(32, 48), (64, 96), (20, 30), (120, 64), (64, 190)]  # none of them is halved
    seed = np.random.default_rng(8)
    batches = [[seed.integers(0, 256, (*size, 3), np.uint8) for _ in range(2)] for size in sizes]
    found = []
    for batch in batches:
        if runner.in_flight == runner.depth:
            found.append(runner.collect()[1].copy())
        runner.submit_frames(batch)
    while runner.in_flight:
        found.append(runner.collect()[1].copy())
    expected = [map_of(letterboxed(batch, model)) for batch in batches]
    np.testing.assert_array_equal(found, expected)


def test_nothing_is_allocated_after_the_first_frames_of_a_size(
    bench: Any, runner: TensorRtRunner
) -> None:
    frames = [np.zeros((48, 64, 3), np.uint8)] * 2
    for _ in range(4):
        runner.submit_frames(frames)
        runner.collect()
    alive = list(bench.device.alive)
    for _ in range(8):
        runner.submit_frames(frames)
        runner.collect()
    assert bench.device.alive == alive


def test_both_maps_come_where_the_engine_has_them(
    make_bench: Callable[..., Any], canvases: Frames
) -> None:
    with make_bench(threshold_head=True).open() as runner:
        found = runner.infer_all(canvases)
        assert list(found) == ["map", "threshold"]
        np.testing.assert_array_equal(found["map"], canvases[..., 1])
        np.testing.assert_array_equal(found["threshold"], canvases[..., 2])


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


def test_tensorrt_rtx_keeps_its_own_graph_and_what_it_compiled(
    make_bench: Callable[..., Any], canvases: Frames
) -> None:
    from dbrt.engine.cache import EngineCache

    bench = make_bench("rtx", target="sm_75+sm_89")
    cache = EngineCache()
    with cache.lock(bench.spec):
        cache.store(bench.spec, b"plan", build_s=1.0)
    with bench.open() as first:
        strategy = first._slots[0]._context._context.config.set_cuda_graph_strategy
        assert strategy.name == "WHOLE_GRAPH_CAPTURE"
        assert not [entry for entry in bench.device.log if entry.startswith("capture")]
    assert bench.fake.jit_taken == []
    assert cache.load_beside(bench.spec, "sm_89.jit") == b"compiled kernels"
    again = make_bench("rtx", target="sm_75+sm_89")  # as another process would
    with again.open() as second:
        np.testing.assert_array_equal(second.infer(canvases), map_of(canvases))
    assert again.fake.jit_taken == [b"compiled kernels"]


def test_compiled_kernels_that_others_may_write_are_not_used(
    make_bench: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    from dbrt.engine.cache import EngineCache

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


def test_things_are_freed_before_what_they_stand_on(bench: Any) -> None:
    runner = bench.open()
    runner.submit(np.zeros((2, 64, 96, 3), np.uint8))
    bench.device.log.clear()
    runner.close()
    freed = [entry for entry in bench.device.log if entry.startswith(("free", "close"))]
    one_slot = ["free graph", "free context", "free memory", "free memory", "free stream"]
    host = ["free pinned", "free event"]
    assert [entry for entry in freed if entry not in host] == [
        *one_slot,
        *one_slot,
        "free kernel",
        "close device",
    ]
    assert bench.device.alive == []
    runner.close()  # harmless
    with pytest.raises(RuntimeError, match="closed"):
        runner.infer(np.zeros((2, 64, 96, 3), np.uint8))
    with pytest.raises(RuntimeError, match="closed"):
        runner.submit(np.zeros((2, 64, 96, 3), np.uint8))
    assert runner.in_flight == 0


def test_it_may_be_opened_used_and_closed_on_different_threads(
    bench: Any, canvases: Frames
) -> None:
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        runner = first.submit(bench.open).result()
        maps = second.submit(runner.infer, canvases).result()
        np.testing.assert_array_equal(maps, map_of(canvases))
        first.submit(runner.close).result()
    assert bench.device.alive == []


def test_runners_work_side_by_side_on_threads_of_their_own(
    make_bench: Callable[..., Any], canvases: Frames
) -> None:
    start = threading.Barrier(4)
    runners = [make_bench().open() for _ in range(4)]

    def work(runner: TensorRtRunner, value: int) -> list[int]:
        start.wait(30)
        frames = np.full_like(canvases, value)
        found = []
        for _ in range(20):
            runner.submit(frames)
            found.append(int(runner.collect()[1].max()))
        runner.close()
        return found

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, runners, range(4)))
    assert results == [[value] * 20 for value in range(4)]


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


def test_more_streams_are_more_contexts(bench: Any, canvases: Frames) -> None:
    with bench.open(streams=3) as runner:
        assert runner.depth == 4
        assert len(bench.device.streams) == 4
        for _ in range(4):
            runner.submit(canvases)


def test_without_a_driver_it_says_so_and_what_to_do(
    model: ModelFile, make_spec: Callable[..., EngineSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "dbrt.engine.tensorrt.runner.TensorRtRunner.obstacle", lambda: "there is no NVIDIA driver"
    )
    with pytest.raises(RunnerError, match="no NVIDIA driver"):
        TensorRtRunner.open(b"plan", make_spec(), model, "why")
