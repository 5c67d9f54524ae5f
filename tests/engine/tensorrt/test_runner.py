from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dbrt.engine.cache import EngineCache
from dbrt.engine.letterbox import letterbox
from dbrt.engine.modelfile import ModelFile
from dbrt.engine.tensorrt.runner import TensorRtRunner

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
    bench: Any, runner: TensorRtRunner, canvases: Frames
) -> None:
    runner.submit(canvases)
    _, maps = runner.collect()
    for _ in range(runner.depth):
        runner.submit(255 - canvases)
    other = runner.infer(canvases // 2)
    bench.finish()
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


def test_two_in_flight_on_one_stream_do_not_disturb_one_another(
    runner: TensorRtRunner, model: ModelFile, canvases: Frames
) -> None:
    seed = np.random.default_rng(6)
    small, large = (
        [seed.integers(0, 256, (*size, 3), np.uint8) for _ in range(2)]
        for size in ((20, 30), (64, 96))
    )
    runner.submit_frames(small)
    runner.infer(canvases)  # takes the other stream's turn
    runner.submit_frames(large)
    for frames in (small, large):
        expected = map_of(letterboxed(frames, model))
        np.testing.assert_array_equal(runner.collect()[1], expected)


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


def test_tensorrt_rtx_keeps_its_own_graph_and_what_it_compiled(
    make_bench: Callable[..., Any], canvases: Frames
) -> None:
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
    again.fake.jit_data = b"the same and more"
    with again.open() as second:
        np.testing.assert_array_equal(second.infer(canvases), map_of(canvases))
    assert again.fake.jit_taken == [b"compiled kernels"]
    assert cache.load_beside(bench.spec, "sm_89.jit") == b"compiled kernels"  # not written again


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
        "free engine",
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


def test_more_streams_are_more_contexts(bench: Any, canvases: Frames) -> None:
    with bench.open(streams=3) as runner:
        assert runner.depth == 4
        assert len(bench.device.streams) == 4
        for _ in range(4):
            runner.submit(canvases)
