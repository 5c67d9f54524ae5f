"""Real engines by TensorRT or TensorRT-RTX on a real card, against the same graph on the CPU."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from dbrt.engine.cache import EngineCache
from dbrt.engine.graph import prepare
from dbrt.engine.modelfile import ModelFile, read_model_file
from dbrt.engine.select import make_spec
from dbrt.engine.tensorrt.library import load_library
from dbrt.engine.tensorrt.runner import TensorRtRunner
from dbrt.errors import RunnerError

Frames = NDArray[np.uint8]
_TINY = runpy.run_path(str(Path(__file__).parents[1] / "engine" / "tiny_model.py"))
SHAPE = (64, 96)
TOLERANCE = 3  # levels of 255 that float16 may be off on this network


@pytest.fixture
def model(tmp_path: Path) -> ModelFile:
    write: Callable[[Path], Path] = _TINY["write_tiny_model"]
    return read_model_file(write(tmp_path / "tiny.onnx"))


@pytest.fixture
def open_one(
    driver: None, model: ModelFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], TensorRtRunner]:
    """Build the engine of the tiny model for this card, once, and open it."""
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path / "cache"))
    try:
        load_library()
        plan = TensorRtRunner.plan("fp16")
    except RunnerError as exc:
        pytest.skip(str(exc))
    spec = make_spec(model, TensorRtRunner, plan, shape=SHAPE, batch=2)
    engine = TensorRtRunner.compile(model, spec).data
    cache = EngineCache()
    with cache.lock(spec):
        cache.store(spec, engine, build_s=0.0)
    return lambda: TensorRtRunner.open(engine, spec, model, plan.reason)


@pytest.fixture
def canvases() -> Frames:
    noise = np.random.default_rng(3).integers(0, 160, (2, *SHAPE, 3), np.uint8)
    noise[0, 10:30, 20:80] = (250, 240, 255)
    noise[1, 40:60, :40] = (200, 255, 210)
    return noise


def reference(model: ModelFile, frames: Frames) -> Frames:
    proto = prepare(model, SHAPE, batch=2)
    maps: Frames = ReferenceEvaluator(proto).run(None, {"frame": frames})[0]
    return maps


def difference(a: Frames, b: Frames) -> int:
    return int(np.abs(a.astype(int) - b).max())


def test_the_map_is_the_cpus(
    open_one: Callable[[], TensorRtRunner], model: ModelFile, canvases: Frames
) -> None:
    expected = reference(model, canvases)
    with open_one() as runner:
        assert difference(runner.infer(canvases), expected) <= TOLERANCE
        runner.submit(canvases, "tag")
        runner.submit(255 - canvases)
        tag, maps = runner.collect()
        assert tag == "tag"
        assert difference(maps, expected) <= TOLERANCE
        assert difference(runner.collect()[1], reference(model, 255 - canvases)) <= TOLERANCE


def test_graphs_are_used_and_compute_the_same(
    open_one: Callable[[], TensorRtRunner], canvases: Frames
) -> None:
    with open_one() as runner:
        by_graph = runner.infer(canvases).copy()
        graphs: list[Any] = [slot._graph for slot in runner._slots]
        if load_library().is_rtx:
            assert graphs == [None, None]  # the library keeps its own
        else:
            assert None not in graphs
        for slot in runner._slots:
            slot._graph = None
        plain = runner.infer(canvases).copy()
        for slot, graph in zip(runner._slots, graphs, strict=True):
            slot._graph = graph
    np.testing.assert_array_equal(by_graph, plain)


def test_frames_as_they_come_give_what_letterboxed_ones_give(
    open_one: Callable[[], TensorRtRunner], canvases: Frames
) -> None:
    with open_one() as runner:
        expected = runner.infer(canvases).copy()
        found = runner.infer_frames([canvases[0], canvases[1]])
        np.testing.assert_array_equal(found, expected)


def test_it_opens_again_in_the_same_process(
    open_one: Callable[[], TensorRtRunner], canvases: Frames
) -> None:
    with open_one() as runner:
        expected = runner.infer(canvases).copy()
    with open_one() as again:
        np.testing.assert_array_equal(again.infer(canvases), expected)
