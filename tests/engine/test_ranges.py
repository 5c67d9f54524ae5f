from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from dbrt.engine import onnxruntime, openvino
from dbrt.engine.graph import prepare
from dbrt.engine.half import fold_weights, to_precision
from dbrt.engine.modelfile import read_model_file
from dbrt.engine.ranges import FLOAT16_MAX, find_islands, measure_peaks, type_graph
from dbrt.engine.twin import make_twin
from dbrt.errors import RunnerError

pytest.importorskip("onnxruntime")


@pytest.fixture
def graph(tmp_path: Path, make_pyramid: Callable[..., Any]) -> onnx.ModelProto:
    """DB's whole form with few channels, float32, at 64x96 for two frames."""
    path = tmp_path / "pyramid.onnx"
    path.write_bytes(make_pyramid().SerializeToString())
    return fold_weights(prepare(read_model_file(path), (64, 96), batch=2, rewrite=False))


def scale(proto: onnx.ModelProto, name: str, factor: float) -> None:
    """Multiply a weight."""
    tensor = next(tensor for tensor in proto.graph.initializer if tensor.name == name)
    values = numpy_helper.to_array(tensor) * np.float32(factor)
    tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), name))


def overflow(proto: onnx.ModelProto, factor: float = 2e5) -> onnx.ModelProto:
    """Let one layer put out values far beyond float16, and the next bring them back."""
    for name in ("c3/kernel", "c3/bias"):
        scale(proto, name, factor)
    for name in ("c4/kernel", "in3/kernel"):
        scale(proto, name, 1 / factor)
    return proto


def run(proto: onnx.ModelProto, frames: NDArray[np.uint8]) -> NDArray[Any]:
    return np.asarray(onnxruntime.open_graph(proto.SerializeToString())(frames)["map"])


def test_peaks_are_the_largest_magnitudes(
    graph: onnx.ModelProto, frames: NDArray[np.uint8]
) -> None:
    peaks = measure_peaks(graph, [frames])
    assert peaks["frame/float"] == frames.max()
    assert peaks["map/scaled"] <= 255
    assert set(peaks) == {
        name for node in graph.graph.node for name in node.output if name != "map"
    }


def test_peaks_are_those_of_all_batches(graph: onnx.ModelProto, frames: NDArray[np.uint8]) -> None:
    dark = frames // 4
    both = measure_peaks(graph, [frames, dark])
    assert both == measure_peaks(graph, [dark, frames])
    assert both["frame/float"] == frames.max()


def test_both_libraries_see_the_same_peaks(
    graph: onnx.ModelProto, frames: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    expected = measure_peaks(graph, [frames])

    def refuse(graph: bytes) -> None:
        raise RunnerError("not here")

    monkeypatch.setattr(onnxruntime, "open_graph", refuse)
    found = measure_peaks(graph, [frames])
    assert found.keys() == expected.keys()
    np.testing.assert_allclose(
        [found[name] for name in expected], list(expected.values()), rtol=1e-4, atol=1e-5
    )
    monkeypatch.setattr(openvino, "open_graph", refuse)
    with pytest.raises(RunnerError, match="pip install openvino"):
        measure_peaks(graph, [frames])


def test_a_graph_within_range_has_no_islands(
    graph: onnx.ModelProto, frames: NDArray[np.uint8]
) -> None:
    typed = type_graph(graph, "fp16", [frames])
    assert typed.islands == {}
    assert typed.peak is not None
    assert 200 < typed.peak[1] < 1000


def test_a_layer_that_overflows_becomes_an_island_that_holds_accuracy(
    graph: onnx.ModelProto, frames: NDArray[np.uint8]
) -> None:
    expected = run(graph, frames)
    planted = overflow(graph)
    np.testing.assert_array_equal(run(planted, frames), expected)
    broken = run(make_twin(to_precision(planted, "fp16"), "fp16"), frames)
    assert np.abs(broken.astype(int) - expected).mean() > 20  # the plant is one
    typed = type_graph(planted, "fp16", [frames])
    assert {"c3", "c3_relu", "c4", "in3"} <= set(typed.islands)
    assert len(typed.islands) < 8
    assert "reaches" in typed.islands["c3"]
    assert typed.peak is not None
    assert typed.peak[1] > FLOAT16_MAX
    held = run(make_twin(typed.proto, "fp16"), frames)
    assert np.abs(held.astype(int) - expected).max() <= 2


def test_the_report_names_islands_and_peak(
    graph: onnx.ModelProto, frames: NDArray[np.uint8]
) -> None:
    told = type_graph(overflow(graph), "fp16", [frames]).to_dict()
    assert set(told) == {"islands", "peak", "peak_tensor"}
    assert "c3" in told["islands"]


@pytest.mark.parametrize(
    ("factor", "reason"),
    [(1e6, "weight c3/kernel reaches"), (1e-8, "weight c3/kernel vanishes")],
    ids=["too large", "too small"],
)
def test_weights_that_float16_cannot_hold_stay_float32(
    factor: float, reason: str, graph: onnx.ModelProto
) -> None:
    scale(graph, "c3/kernel", factor)
    islands, reasons = find_islands(graph, {})
    assert islands.nodes == {"c3"}
    assert reason in reasons["c3"]


def test_a_tensor_that_is_not_a_number_is_hot(graph: onnx.ModelProto) -> None:
    hot = next(node for node in graph.graph.node if node.name == "head").output[0]
    islands, _ = find_islands(graph, {hot: float("nan")})
    assert islands.tensors == {hot}
    assert "head" in islands.nodes


def test_bfloat16_is_not_run_and_names_what_stays_float32(graph: onnx.ModelProto) -> None:
    typed = type_graph(graph, "bf16", [])
    assert {"frame/float", "up1", "up2", "map/rounded"} <= set(typed.islands)
    assert typed.peak is None


def test_fp32_has_nothing_to_check(graph: onnx.ModelProto) -> None:
    typed = type_graph(graph, "fp32", [])
    assert typed.proto == graph
    assert typed.to_dict() == {"islands": {}}
