from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper
from onnx.reference import ReferenceEvaluator

from dbrt.engine.graph import prepare
from dbrt.engine.modelfile import ModelFile, read_model_file
from dbrt.errors import InputError, UsageError

Frames = NDArray[np.uint8]


def run_prepared(proto: onnx.ModelProto, frames: Frames) -> list[NDArray[np.uint8]]:
    outputs: list[NDArray[np.uint8]] = ReferenceEvaluator(proto).run(None, {"frame": frames})
    return outputs


def run_plain(model: ModelFile, frames: Frames) -> list[NDArray[np.float32]]:
    """Run the model file as it is, on what its metadata asks for, made in numpy."""
    rgb = frames[..., ::-1].astype(np.float32)
    normalised = (rgb - np.array(model.mean, np.float32)) / np.array(model.std, np.float32)
    image = np.ascontiguousarray(normalised.transpose(0, 3, 1, 2))
    outputs: list[NDArray[np.float32]] = ReferenceEvaluator(model.load()).run(
        None, {"image": image}
    )
    return outputs


def test_the_map_is_the_models_probability_rounded_to_bytes(
    model: ModelFile, frames: Frames
) -> None:
    proto = prepare(model, (64, 96), batch=2)
    (found,) = run_prepared(proto, frames)
    probability = run_plain(model, frames)[0][:, 0]
    assert found.dtype == np.uint8
    assert found.shape == (2, 64, 96)
    assert probability.std() > 0.05  # a map with something in it
    # The float sums differ in their last bits only, so no value may move past its neighbour.
    assert np.abs(found - 255 * probability).max() <= 0.5 + 1e-3


def test_the_border_is_as_exact_as_the_middle(model: ModelFile) -> None:
    # A mean folded into the stem's bias shows here: padding would no longer be zero.
    frames = np.full((1, 64, 64, 3), 150, np.uint8)
    (found,) = run_prepared(prepare(model, (64, 64)), frames)
    probability = run_plain(model, frames)[0][:, 0]
    rim = np.ones((64, 64), bool)
    rim[8:-8, 8:-8] = False
    assert np.ptp(probability[0][rim]) > 0.02
    assert np.abs(found[0][rim] - 255 * probability[0][rim]).max() <= 0.5 + 1e-3


def test_colour_channels_are_told_apart(model: ModelFile, frames: Frames) -> None:
    proto = prepare(model, (64, 96), batch=2)
    (found,) = run_prepared(proto, frames)
    (swapped,) = run_prepared(proto, np.ascontiguousarray(frames[..., ::-1]))
    assert np.abs(found.astype(int) - swapped).max() > 10


def test_the_threshold_head_is_pruned(model: ModelFile) -> None:
    proto = prepare(model, (64, 96))
    names = [node.name for node in proto.graph.node] + [w.name for w in proto.graph.initializer]
    assert not [name for name in names if "threshold" in name]
    assert [value.name for value in proto.graph.output] == ["map"]


def test_both_maps_are_there_when_asked_for(model: ModelFile, frames: Frames) -> None:
    proto = prepare(model, (64, 96), batch=2, threshold_head=True)
    assert [value.name for value in proto.graph.output] == ["map", "threshold"]
    found, threshold = run_prepared(proto, frames)
    expected, expected_threshold = run_plain(model, frames)
    assert np.abs(found - 255 * expected[:, 0]).max() <= 0.5 + 1e-3
    assert np.abs(threshold - 255 * expected_threshold[:, 0]).max() <= 0.5 + 1e-3


def test_input_and_output_are_bytes_of_a_fixed_shape(model: ModelFile) -> None:
    proto = prepare(model, (96, 64), batch=3)
    (frame,), (found,) = proto.graph.input, proto.graph.output
    assert frame.name == "frame"
    assert _shape(frame) == (onnx.TensorProto.UINT8, [3, 96, 64, 3])
    assert _shape(found) == (onnx.TensorProto.UINT8, [3, 96, 64])


def test_the_stem_stays_float16_and_no_pass_over_the_colours_is_added(model: ModelFile) -> None:
    proto = prepare(model, (64, 64))
    stem = next(w for w in proto.graph.initializer if w.name == "stem/kernel_f16")
    assert stem.data_type == onnx.TensorProto.FLOAT16
    assert "Gather" not in {node.op_type for node in proto.graph.node}


@pytest.mark.parametrize("change", ["reader", "sharer"])
def test_a_stem_that_cannot_be_turned_is_left_alone(
    change: str, frames: Frames, tmp_path: Path, make_model: Callable[[], Any]
) -> None:
    proto = make_model()
    graph = proto.graph
    if change == "reader":  # a second reader of the input, whose result is thrown away
        graph.node.insert(0, helper.make_node("Identity", ["image"], ["copy"], "copy"))
        stem = next(node for node in graph.node if node.name == "stem")
        stem.input[0] = "copy"
    else:  # the stem's kernel feeds something that ends in the map
        graph.node.append(helper.make_node("ReduceSum", ["stem/kernel"], ["sum"], keepdims=0))
        last = next(node for node in graph.node if node.name == "probability")
        last.output[0] = "before"
        graph.node.append(helper.make_node("Clip", ["before", "", "sum"], ["probability"]))
    onnx.save(proto, tmp_path / "m.onnx")
    model = read_model_file(tmp_path / "m.onnx")
    prepared = prepare(model, (64, 96), batch=2)
    assert "Gather" in {node.op_type for node in prepared.graph.node}
    (found,) = run_prepared(prepared, frames)
    assert np.abs(found - 255 * run_plain(model, frames)[0][:, 0]).max() <= 0.5 + 1e-3


def test_the_same_graph_comes_out_every_time(model: ModelFile) -> None:
    first, second = (prepare(model, (64, 64)).SerializeToString(deterministic=True) for _ in "ab")
    assert first == second


@pytest.mark.parametrize(
    ("shape", "batch", "message"),
    [((64, 70), 1, "width 70"), ((64, 64), 0, "batch 0"), ((64, 64), 1000, "batch 1000")],
)
def test_what_makes_no_graph_is_refused(
    shape: tuple[int, int], batch: int, message: str, model: ModelFile
) -> None:
    with pytest.raises(UsageError, match=message):
        prepare(model, shape, batch=batch)


def test_maps_of_a_model_without_threshold_head_are_refused(
    tmp_path: Path, make_model: Callable[..., Any]
) -> None:
    onnx.save(make_model(threshold_head=False), tmp_path / "m.onnx")
    model = read_model_file(tmp_path / "m.onnx")
    assert not model.has_threshold_head
    with pytest.raises(UsageError, match="no threshold head"):
        prepare(model, (64, 64), threshold_head=True)


def test_a_network_whose_map_has_another_size_is_refused(
    tmp_path: Path, make_model: Callable[..., Any]
) -> None:
    proto = make_model()
    stem = next(node for node in proto.graph.node if node.name == "stem")
    del stem.attribute[:]
    stem.attribute.extend([helper.make_attribute("pads", [1, 1, 1, 1])])
    onnx.save(proto, tmp_path / "m.onnx")
    with pytest.raises(InputError, match=r"does not fit 64x96.*\(1, 1, 128, 192\)"):
        prepare(read_model_file(tmp_path / "m.onnx"), (64, 96))


def _shape(value: onnx.ValueInfoProto) -> tuple[int, list[int]]:
    tensor = value.type.tensor_type
    return tensor.elem_type, [dim.dim_value for dim in tensor.shape.dim]
