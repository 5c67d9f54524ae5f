from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from dbrt.engine.cache import EngineCache
from dbrt.engine.graph import prepare
from dbrt.engine.modelfile import ModelFile
from dbrt.engine.onnxruntime import OnnxRuntimeRunner
from dbrt.engine.openvino import OpenVinoRunner
from dbrt.engine.runner import Runner
from dbrt.engine.select import make_spec, open_runner
from dbrt.errors import EngineError, RunnerError, UsageError

Frames = NDArray[np.uint8]
CLASSES: dict[str, type[Runner]] = {"openvino": OpenVinoRunner, "onnxruntime": OnnxRuntimeRunner}


@pytest.fixture(params=["openvino", "onnxruntime"])
def runner(request: pytest.FixtureRequest, model: ModelFile, cache_folder: Any) -> Iterator[Runner]:
    pytest.importorskip(request.param)
    with open_runner(
        model,
        shape=(64, 96),
        batch=2,
        runner=request.param,
        precision="fp32",
        threshold_head=True,
    ) as opened:
        yield opened


def reference(model: ModelFile, frames: Frames) -> list[NDArray[np.uint8]]:
    proto = prepare(model, (64, 96), batch=2, threshold_head=True)
    outputs: list[NDArray[np.uint8]] = ReferenceEvaluator(proto).run(None, {"frame": frames})
    return outputs


def difference(a: Frames, b: Frames) -> int:
    return int(np.abs(a.astype(int) - b).max())


def test_maps_agree_with_the_reference_in_fp32(
    runner: Runner, model: ModelFile, frames: Frames
) -> None:
    expected, expected_threshold = reference(model, frames)
    found = runner.infer_all(frames)
    assert list(found) == ["map", "threshold"]
    assert found["map"].dtype == np.uint8
    # 1: a sum whose last bit differs may round to the neighbour.
    assert difference(found["map"], expected) <= 1
    assert difference(found["threshold"], expected_threshold) <= 1
    assert difference(runner.infer(frames), expected) <= 1


def test_results_come_back_in_order_with_their_tags(runner: Runner, frames: Frames) -> None:
    batches = [frames, frames[::-1], 255 - frames, frames // 2]
    expected = [runner.infer(np.ascontiguousarray(batch)).copy() for batch in batches]
    collected = []
    for i, batch in enumerate(batches):
        if runner.in_flight == runner.depth:
            tag, maps = runner.collect()
            collected.append((tag, maps.copy()))
        runner.submit(batch, tag=i)
    while runner.in_flight:
        tag, maps = runner.collect()
        collected.append((tag, maps.copy()))
    assert [tag for tag, _ in collected] == [0, 1, 2, 3]
    np.testing.assert_array_equal([maps for _, maps in collected], expected)


def test_a_submitted_array_is_free_at_once(runner: Runner, frames: Frames) -> None:
    expected = runner.infer(frames).copy()
    buffer = frames.copy()
    runner.submit(buffer)
    buffer[:] = 0
    np.testing.assert_array_equal(runner.collect()[1], expected)


def test_a_collected_map_holds_while_the_next_batches_run(runner: Runner, frames: Frames) -> None:
    expected = runner.infer(frames).copy()
    runner.submit(frames)
    _, maps = runner.collect()
    for _ in range(runner.depth):
        runner.submit(255 - frames)
    runner.infer(frames // 2)
    np.testing.assert_array_equal(maps, expected)


def test_more_than_depth_is_refused(runner: Runner, frames: Frames) -> None:
    for _ in range(runner.depth):
        runner.submit(frames)
    with pytest.raises(RuntimeError, match="collect one first"):
        runner.submit(frames)
    assert runner.in_flight == runner.depth


def test_collecting_nothing_is_refused(runner: Runner) -> None:
    with pytest.raises(RuntimeError, match="submit first"):
        runner.collect()


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, 64, 96, 3), np.uint8),
        np.zeros((2, 96, 64, 3), np.uint8),
        np.zeros((2, 64, 96, 3), np.float32),
    ],
    ids=["batch", "shape", "dtype"],
)
def test_frames_of_another_form_are_refused(runner: Runner, wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"frames must be \(2, 64, 96, 3\) uint8"):
        runner.infer(wrong)
    with pytest.raises(ValueError, match="frames must be"):
        runner.submit(wrong)


def test_frames_with_gaps_are_taken(runner: Runner, frames: Frames) -> None:
    wide = np.zeros((2, 64, 128, 3), np.uint8)
    wide[:, :, :96] = frames
    expected = runner.infer(frames).copy()
    np.testing.assert_array_equal(runner.infer(wide[:, :, :96]), expected)


def test_closing_drops_what_is_in_flight_and_may_be_repeated(
    runner: Runner, frames: Frames
) -> None:
    runner.submit(frames)
    runner.close()
    runner.close()
    assert runner.in_flight == 0
    with pytest.raises(RuntimeError, match="closed"):
        runner.infer(frames)
    with pytest.raises(RuntimeError, match="closed"):
        runner.submit(frames)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_several_streams_have_room_for_more_batches(
    name: str, model: ModelFile, frames: Frames, cache_folder: Any
) -> None:
    pytest.importorskip(name)
    expected = reference(model, frames)[0]
    with open_runner(
        model, shape=(64, 96), batch=2, runner=name, precision="fp32", streams=2
    ) as opened:
        assert opened.depth == 3
        for _ in range(3):
            opened.submit(frames)
        assert difference(opened.collect()[1], expected) <= 1


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_no_stream_is_refused(name: str, model: ModelFile, cache_folder: Any) -> None:
    pytest.importorskip(name)
    with pytest.raises(UsageError, match="streams 0"):
        open_runner(model, shape=(64, 64), runner=name, streams=0)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_a_library_that_is_missing_is_named_with_its_installation(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(RunnerError, match=rf"{name} can't be loaded .*: pip install"):
        CLASSES[name].plan("auto")


@pytest.mark.parametrize(
    ("name", "precision"), [("openvino", "int8"), ("onnxruntime", "bf16"), ("onnxruntime", "int8")]
)
def test_a_precision_that_cannot_be_had_is_answered_with_those_that_can(
    name: str, precision: str
) -> None:
    pytest.importorskip(name)
    with pytest.raises(RunnerError, match=rf"{name} can't run {precision}.*take --precision"):
        CLASSES[name].plan(precision)


@pytest.mark.usefixtures("cache_folder")
def test_onnx_runtime_computes_what_tensorrt_would_in_float16(
    model: ModelFile, frames: Frames
) -> None:
    pytest.importorskip("onnxruntime")
    options: dict[str, Any] = {"shape": (64, 96), "batch": 2, "threshold_head": True}
    with open_runner(model, runner="onnxruntime", precision="fp16", **options) as opened:
        found = {name: maps.copy() for name, maps in opened.infer_all(frames).items()}
        assert "rounded after each layer" in opened.reason
    with open_runner(model, runner="onnxruntime", precision="fp32", **options) as opened:
        expected = opened.infer_all(frames)
        assert all(difference(found[name], expected[name]) <= 1 for name in ("map", "threshold"))
        assert any((found[name] != expected[name]).any() for name in ("map", "threshold"))


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("engine", [b"", b"garbage", b"\x08\x08\x12\x04dbrt"])
def test_bytes_that_are_no_engine_are_refused_with_the_build_command(
    name: str, engine: bytes, model: ModelFile
) -> None:
    pytest.importorskip(name)
    plan = CLASSES[name].plan("fp32")
    spec = make_spec(model, CLASSES[name], plan, shape=(64, 64))
    with pytest.raises(EngineError, match=r"refuses the engine .* run dbrt build --size 64"):
        CLASSES[name].open(engine, spec, model, plan.reason)


class _Core:
    """Stands in for openvino.Core on a CPU with other capabilities."""

    capabilities: tuple[str, ...] = ()

    def get_property(self, device: str, name: str) -> Any:
        return {"OPTIMIZATION_CAPABILITIES": self.capabilities, "FULL_DEVICE_NAME": "Chip"}[name]


@pytest.mark.parametrize(
    ("capabilities", "precision", "why"),
    [
        (("FP32", "INT8"), "fp32", "Chip has no bf16 units"),
        (("BF16", "FP32", "INT8"), "bf16", "Chip computes bf16"),
    ],
)
def test_openvino_takes_bf16_where_the_cpu_has_it(
    capabilities: tuple[str, ...], precision: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr(_Core, "capabilities", capabilities)
    monkeypatch.setattr("dbrt.engine.openvino._core", _Core)
    plan = OpenVinoRunner.plan("auto")
    assert plan.precision == precision
    assert plan.reason.endswith(why)
    assert plan.target.endswith("-".join(c.lower() for c in capabilities))


def test_bf16_on_a_cpu_without_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr(_Core, "capabilities", ("FP32",))
    monkeypatch.setattr("dbrt.engine.openvino._core", _Core)
    with pytest.raises(RunnerError, match=r"bf16 on this CPU \(Chip\).*auto or fp32$"):
        OpenVinoRunner.plan("bf16")


def test_fp32_is_computed_in_fp32_even_where_bf16_would_be_faster(
    model: ModelFile, cache_folder: Any
) -> None:
    openvino = pytest.importorskip("openvino")
    with open_runner(model, shape=(64, 64), runner="openvino", precision="fp32") as opened:
        assert isinstance(opened, OpenVinoRunner)
        used = opened._compiled.get_property("INFERENCE_PRECISION_HINT")
        assert used == openvino.Type.f32


def test_an_engine_runs_again_from_the_cache(
    model: ModelFile, frames: Frames, cache_folder: Any
) -> None:
    pytest.importorskip("openvino")
    with open_runner(model, shape=(64, 96), batch=2, precision="fp32") as first:
        expected = first.infer(frames).copy()
        stored = EngineCache().load(first.spec)
    assert stored is not None
    with open_runner(model, shape=(64, 96), batch=2, precision="fp32") as second:
        np.testing.assert_array_equal(second.infer(frames), expected)
