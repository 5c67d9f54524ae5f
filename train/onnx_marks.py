"""Layers that tf2onnx has no good operators for: marked while it converts, written afterwards.

While TensorFlow traces, a stand-in takes the place of `AddPicture`, `DeformableSample` and
`WeightedConcat`. It calls an operator that tf2onnx does not know, which becomes a mark of two
inputs; behind tf2onnx each mark is replaced by standard ONNX operators, in the order of channels
that ONNX wants.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from keras import ops
from onnx import helper, numpy_helper

from dbrt.errors import EngineError
from dbrt.train.aspp import AddPicture
from dbrt.train.deformable import TAPS, DeformableSample
from dbrt.train.onnx_sampling import SamplingWriter
from dbrt.train.scale_fusion import WeightedConcat

TRACED = "ScaleAndTranslate"  # TensorFlow's operator that is traced
MARK = "DbrtMark"  # what it is called behind tf2onnx


class TracedSample(DeformableSample):
    """Stands for a DeformableSample; it can't be run."""

    def call(self, inputs: Any) -> Any:
        """Return a tensor of the right shape."""
        x, field = inputs
        return _traced(x, [TAPS * side for side in field.shape[1:3]], field)


class TracedConcat(WeightedConcat):
    """Stands for a WeightedConcat; it can't be run."""

    def call(self, inputs: Any) -> Any:
        """Return a tensor of the right shape."""
        *levels, logits = inputs
        return _traced(ops.concatenate(levels, axis=-1), logits.shape[1:3], logits)


class TracedAdd(AddPicture):
    """Stands for an AddPicture, which tf2onnx would merge into a convolution it should not."""

    def call(self, inputs: Any) -> Any:
        """Return a tensor of the right shape."""
        x, values = inputs
        return _traced(x, x.shape[1:3], values)


STAND_INS = {
    "AddPicture": TracedAdd,
    "DeformableSample": TracedSample,
    "WeightedConcat": TracedConcat,
}


def _traced(x: Any, size: Any, second: Any) -> Any:
    import tensorflow as tf

    # Knows the shape of its output from `size`; that `scale` is no pair of numbers would be noticed
    # by its kernel only.
    return tf.raw_ops.ScaleAndTranslate(images=x, size=size, scale=second, translation=[0.0, 0.0])


def mark(context: Any, node: Any, name: str, args: Any) -> None:
    """Turn the traced operator into a mark; a `custom_op_handlers` of tf2onnx."""
    x, _, second, _ = node.input
    shape, dtype = context.get_shape(node.output[0]), context.get_dtype(node.output[0])
    outputs = list(node.output)
    context.remove_node(node.name)
    context.make_node(MARK, [x, second], name=name, outputs=outputs, shapes=[shape], dtypes=[dtype])


def write_marked(graph: onnx.GraphProto) -> None:
    """Replace every mark of `graph`, whose convolutions have their layers' names, in place.

    Raises EngineError where a mark does not stand between the transpositions that tf2onnx puts
    round an operator it does not know.
    """
    nodes = list(graph.node)
    makers = {name: node for node in nodes for name in node.output}
    del graph.node[:]
    for node in nodes:
        if node.op_type != MARK:
            graph.node.append(node)
            continue
        x, second = (_unturned(makers.get(name), (0, 2, 3, 1)) for name in node.input)
        maker = makers[second]
        if maker.name.endswith("_offset"):
            writer = SamplingWriter(graph, maker.name.removesuffix("_offset"))
            found = writer.taps(x, second, _stride(maker))
        elif maker.name == "scale_weight" and makers[x].op_type == "Concat":
            found = _weighted(graph, list(makers[x].input), second)
        elif maker.name == "aspp_join_picture":
            found = "aspp_add_picture"
            graph.node.append(helper.make_node("Add", [x, second], [found], found))
        else:
            raise EngineError(f"export: an unknown layer stands behind {maker.name}")
        for reader in [user for user in nodes if node.output[0] in user.input]:
            _unturned(reader, (0, 3, 1, 2))
            _replace(nodes, reader.output[0], found)


def write_means(graph: onnx.GraphProto) -> None:
    """Turn the mean over channels into a convolution, in place.

    ReduceMean takes its axes as an attribute up to opset 17 and as an input from 18 on; so the
    graph could not be lifted to the opset that bfloat16 needs.
    """
    for node in [node for node in graph.node if node.op_type == "ReduceMean"]:
        if not _is_made_by(graph, node.input[0], "scale_conv"):
            raise EngineError(f"export: {node.name} is no mean over the channels of scale_conv")
        kernel = next(t for t in graph.initializer if t.name == "scale_conv/kernel")
        channels = int(kernel.dims[0])
        share = np.full((1, channels, 1, 1), 1.0 / channels, np.float32)
        graph.initializer.append(numpy_helper.from_array(share, "scale_mean_share"))
        mean = helper.make_node(
            "Conv", [node.input[0], "scale_mean_share"], node.output, "scale_mean"
        )
        node.CopyFrom(mean)


def _is_made_by(graph: onnx.GraphProto, tensor: str, name: str) -> bool:
    return any(node.name == name and tensor in node.output for node in graph.node)


def _weighted(graph: onnx.GraphProto, levels: list[str], logits: str) -> str:
    """Write concat(level_i * 2 sigmoid(logits)_i)."""
    graph.initializer.append(
        numpy_helper.from_array(np.full((1, 1, 1, 1), 2, np.float32), "fuse_two")
    )
    # Where to split is said outright: from opset 18 on equal parts are none without saying.
    ones = np.ones(len(levels), np.int64)
    graph.initializer.append(numpy_helper.from_array(ones, "fuse_ones"))
    weights = [f"fuse/weight_{i}" for i in range(len(levels))]
    products = [f"fuse/level_{i}" for i in range(len(levels))]
    graph.node.extend(
        [
            helper.make_node("Sigmoid", [logits], ["fuse/sigmoid"], "fuse/sigmoid"),
            helper.make_node("Mul", ["fuse/sigmoid", "fuse_two"], ["fuse/weights"], "fuse/weights"),
            helper.make_node("Split", ["fuse/weights", "fuse_ones"], weights, "fuse/split", axis=1),
            *(
                helper.make_node("Mul", [level, weight], [product], product)
                for level, weight, product in zip(levels, weights, products, strict=True)
            ),
            helper.make_node("Concat", products, ["fuse"], "fuse", axis=1),
        ]
    )
    return "fuse"


def _unturned(node: onnx.NodeProto | None, order: tuple[int, ...]) -> str:
    """Return what a transposition of this order reads."""
    found = () if node is None else next((tuple(a.ints) for a in node.attribute), ())
    # Of a single pixel it has become a Reshape.
    turned = node is not None and (
        (node.op_type == "Transpose" and found == order) or node.op_type == "Reshape"
    )
    if node is None or not turned:
        raise EngineError("export: a marked layer does not stand between transpositions")
    name: str = node.input[0]
    return name


def _stride(field: onnx.NodeProto) -> int:
    """Return the stride of the convolution that makes the field, which is that of the taps."""
    strides = [tuple(a.ints) for a in field.attribute if a.name == "strides"]
    return int(strides[0][0]) if strides else 1


def _replace(nodes: list[onnx.NodeProto], old: str, new: str) -> None:
    for node in nodes:
        for index, name in enumerate(node.input):
            if name == old:
                node.input[index] = new
