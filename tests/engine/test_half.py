from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from dbrt.engine.graph import prepare
from dbrt.engine.half import (
    ISLAND,
    Islands,
    bfloat16_islands,
    fold_weights,
    to_bfloat16,
    to_precision,
)
from dbrt.engine.modelfile import ModelFile, read_model_file
from dbrt.engine.twin import make_twin
from dbrt.errors import InputError

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16)


@pytest.fixture
def graph(model: ModelFile) -> onnx.ModelProto:
    """The tiny model's inference graph in float32, weights folded."""
    return fold_weights(prepare(model, (64, 96), batch=2, rewrite=False))


def types(proto: onnx.ModelProto) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True)
    return {v.name: v.type.tensor_type.elem_type for v in inferred.graph.value_info}


def run(proto: onnx.ModelProto, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    ort = pytest.importorskip("onnxruntime")
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    maps: Any = session.run(["map"], {"frame": frames})[0]
    return np.asarray(maps, np.uint8)


def test_folding_leaves_float32_weights_and_the_same_maps(
    model: ModelFile, graph: onnx.ModelProto, frames: NDArray[np.uint8]
) -> None:
    kinds = {tensor.data_type for tensor in graph.graph.initializer}
    assert TensorProto.FLOAT16 not in kinds
    assert [n.name for n in graph.graph.node if n.op_type == "Cast"] == ["frame/float", "map/bytes"]
    plain = prepare(model, (64, 96), batch=2, rewrite=False)
    np.testing.assert_array_equal(run(graph, frames), run(plain, frames))


def test_every_tensor_is_float16(graph: onnx.ModelProto) -> None:
    half = to_precision(graph, "fp16")
    floats = {name: kind for name, kind in types(half).items() if kind in FLOATS}
    assert len(floats) > 10
    assert set(floats.values()) == {TensorProto.FLOAT16}
    assert half.graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8
    assert half.graph.output[0].type.tensor_type.elem_type == TensorProto.UINT8


def test_the_scales_of_a_resize_stay_float32(graph: onnx.ModelProto) -> None:
    half = to_precision(graph, "fp16")
    scales = {n.input[2] for n in half.graph.node if n.op_type == "Resize"}
    kinds = {t.data_type for t in half.graph.initializer if t.name in scales}
    assert kinds == {TensorProto.FLOAT}


@pytest.mark.parametrize(("precision", "levels"), [("fp16", 1), ("bf16", 6)])
def test_the_maps_are_float32s_but_for_rounding(
    precision: str, levels: int, graph: onnx.ModelProto, frames: NDArray[np.uint8]
) -> None:
    islands = bfloat16_islands(graph) if precision == "bf16" else Islands()
    twin = make_twin(to_precision(graph, precision, islands), precision)
    found, expected = run(twin, frames), run(graph, frames)
    assert np.ptp(expected) > 100
    assert np.abs(found.astype(int) - expected).max() <= levels


def test_fp32_is_left_as_it_is(graph: onnx.ModelProto) -> None:
    assert to_precision(graph, "fp32") == graph


def test_an_island_is_float32_between_casts(graph: onnx.ModelProto) -> None:
    convs = [node for node in graph.graph.node if node.op_type == "Conv"]
    hot = convs[0].output[0]
    readers = {node.name for node in graph.graph.node if hot in node.input}
    islands = Islands(frozenset({convs[0].name, *readers}), frozenset({hot}))
    half = to_precision(graph, "fp16", islands)
    found = types(half)
    assert found[hot] == TensorProto.FLOAT
    inside = {name for name, kind in found.items() if kind == TensorProto.FLOAT} - {hot}
    assert inside
    assert all(name.startswith(ISLAND) for name in inside)
    weights = {t.name: t.data_type for t in half.graph.initializer}
    node = next(node for node in half.graph.node if node.name == convs[0].name)
    assert {weights[name] for name in node.input[1:]} == {TensorProto.FLOAT}


def test_a_weight_may_serve_an_island_and_others(graph: onnx.ModelProto) -> None:
    first = next(node for node in graph.graph.node if node.op_type == "Relu")
    shared = numpy_helper.from_array(np.full((1, 1, 1, 1), 2, np.float32), "shared")
    graph.graph.initializer.append(shared)
    index = list(graph.graph.node).index(first)
    for step, name in enumerate(("once", "again")):
        source = first.output[0] if step == 0 else "once"
        graph.graph.node.insert(
            index + 1 + step, helper.make_node("Mul", [source, "shared"], [name], name)
        )
    for node in graph.graph.node:
        if node.name not in ("once", "again"):
            for i, name in enumerate(node.input):
                if name == first.output[0]:
                    node.input[i] = "again"
    half = to_precision(graph, "fp16", Islands(frozenset({"again"})))
    kinds = {t.name: t.data_type for t in half.graph.initializer}
    assert kinds["shared"] == TensorProto.FLOAT16
    assert kinds[f"{ISLAND}shared"] == TensorProto.FLOAT


def test_bfloat16_keeps_ends_and_deconvolutions_in_float32(graph: onnx.ModelProto) -> None:
    half = to_precision(graph, "bf16", bfloat16_islands(graph))
    found = types(half)
    by_name = {node.name: node for node in half.graph.node}
    assert found["frame/scaled"] == TensorProto.FLOAT
    assert found["image"] == TensorProto.BFLOAT16
    for node in half.graph.node:
        if node.op_type == "Conv":
            assert found[node.output[0]] == TensorProto.BFLOAT16
        if node.op_type == "ConvTranspose":
            assert found[node.output[0]] == TensorProto.FLOAT
    assert found[by_name["map/rounded"].output[0]] == TensorProto.FLOAT


def test_a_graph_with_tensors_in_its_nodes_is_refused(graph: onnx.ModelProto) -> None:
    value = numpy_helper.from_array(np.zeros(1, np.float32))
    graph.graph.node.insert(0, helper.make_node("Constant", [], ["c"], "hidden", value=value))
    with pytest.raises(InputError, match="node hidden keeps a tensor to itself"):
        to_precision(graph, "fp16")


@pytest.mark.parametrize(
    ("value", "bits"),
    [
        (1.0, 0x3F80),
        (-1.0, 0xBF80),
        (1.00390625, 0x3F80),  # 1 + 2^-8, a tie: to the even one
        (1.01171875, 0x3F82),  # 1 + 3 * 2^-8, likewise
        (3.0e38, 0x7F62),
        (0.0, 0),
    ],
)
def test_bfloat16_is_the_nearest(value: float, bits: int) -> None:
    assert to_bfloat16(np.array([value], np.float32)).tolist() == [bits]


def test_both_heads_are_typed(model: ModelFile) -> None:
    both = fold_weights(prepare(model, (64, 64), threshold_head=True))
    half = to_precision(both, "fp16")
    assert [value.name for value in half.graph.output] == ["map", "threshold"]


def test_the_pyramid_is_typed(tmp_path: Path, make_pyramid: Callable[..., Any]) -> None:
    path = tmp_path / "pyramid.onnx"
    path.write_bytes(make_pyramid().SerializeToString())
    half = to_precision(fold_weights(prepare(read_model_file(path), (64, 64))), "fp16")
    assert {kind for kind in types(half).values() if kind in FLOATS} == {TensorProto.FLOAT16}
