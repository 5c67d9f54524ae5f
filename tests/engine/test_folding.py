"""Places that follow from the shape alone become constants."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from dbrt.engine.folding import fold_places


def make_model(height):
    """Add to each row of x its number divided by the height."""
    numbers = {"row": np.int64(2), "start": np.int64(0), "step": np.int64(1)}
    upright = np.array([0, 1, 3])
    weights = [numpy_helper.from_array(np.asarray(v), k) for k, v in numbers.items()]
    weights.append(numpy_helper.from_array(upright, "upright"))
    nodes = [
        helper.make_node("Relu", ["x"], ["positive"]),
        helper.make_node("Shape", ["positive"], ["shape"]),
        helper.make_node("Gather", ["shape", "row"], ["height"], axis=0),
        helper.make_node("Range", ["start", "height", "step"], ["numbers"]),
        helper.make_node("Unsqueeze", ["numbers", "upright"], ["rows"]),
        helper.make_node("Cast", ["rows"], ["float_rows"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["height"], ["float_height"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float_rows", "float_height"], ["share"]),
        helper.make_node("Add", ["positive", "share"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, height, 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, height, 3])
    graph = helper.make_graph(nodes, "places", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


@pytest.mark.parametrize("height", [1, 4])
def test_the_folded_graph_computes_the_same_with_nothing_but_constants(height):
    model = make_model(height)
    x = np.random.default_rng(1).normal(size=(1, 2, height, 3)).astype(np.float32)
    (expected,) = ReferenceEvaluator(model).run(None, {"x": x})
    fold_places(model)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Relu", "Add"]
    assert [tensor.name for tensor in model.graph.initializer] == ["share"]
    (found,) = ReferenceEvaluator(model).run(None, {"x": x})
    np.testing.assert_array_equal(found, expected)


def test_a_shape_that_is_not_known_is_left_alone():
    model = make_model(4)
    model.graph.input[0].type.tensor_type.shape.dim[2].ClearField("dim_value")
    model.graph.output[0].type.tensor_type.shape.dim[2].ClearField("dim_value")
    fold_places(model)
    assert len(model.graph.node) == 9


def test_a_graph_without_shapes_is_not_touched():
    model = make_model(4)
    del model.graph.node[1:]
    model.graph.node[0].output[0] = "y"
    before = model.SerializeToString()
    fold_places(model)
    assert model.SerializeToString() == before
