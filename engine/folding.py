"""What depends on nothing but the shape, computed once: places of deformable convolutions.

A model file takes any size, so its graph works out from `Shape` where each tap lies. With the shape
fixed these are constants, which spares every runner the integers and keeps them exact where the
rest is float16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

# What places are computed with; a Cast of a stored weight is not among them, its input is no place.
_FOLDED = frozenset("Add Cast Div Gather Mod Mul Range Sub Unsqueeze".split())


def fold_places(proto: onnx.ModelProto) -> None:
    """Replace what follows from `Shape` alone by constants, in place; the input's shape is fixed.

    A graph without `Shape` is left as it is.
    """
    from onnx import numpy_helper, shape_inference

    graph = proto.graph
    if all(node.op_type != "Shape" for node in graph.node):
        return
    inferred = shape_inference.infer_shapes(proto).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in [*inferred.input, *inferred.value_info]
    }
    weights = {tensor.name: tensor for tensor in graph.initializer}
    places: dict[str, NDArray[Any]] = {}
    kept = []
    for node in graph.node:
        if node.op_type == "Shape" and all(shapes.get(node.input[0], [0])):
            places[node.output[0]] = np.array(shapes[node.input[0]], np.int64)
        elif (
            node.op_type in _FOLDED
            and any(name in places for name in node.input)
            and all(name in places or name in weights for name in node.input)
        ):
            inputs = {
                name: places[name] if name in places else numpy_helper.to_array(weights[name])
                for name in node.input
            }
            places[node.output[0]] = _run(node, inputs)
        else:
            kept.append(node)
    _replace(graph, kept, places)


def _replace(
    graph: onnx.GraphProto, kept: list[onnx.NodeProto], places: dict[str, NDArray[Any]]
) -> None:
    """Leave the nodes `kept` in the graph, with what they need of `places` as constants."""
    from onnx import numpy_helper

    del graph.node[:]
    graph.node.extend(kept)
    used = {name for node in kept for name in node.input}
    for name in sorted(used & places.keys()):
        graph.initializer.append(numpy_helper.from_array(places[name], name))
    for tensor in [t for t in graph.initializer if t.name not in used]:
        graph.initializer.remove(tensor)


def _run(node: onnx.NodeProto, inputs: dict[str, NDArray[Any]]) -> NDArray[Any]:
    from onnx.reference import ReferenceEvaluator

    (found,) = ReferenceEvaluator(node).run(None, inputs)
    return np.asarray(found)
