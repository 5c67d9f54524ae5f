"""From what tf2onnx writes to the graph of a model file.

tf2onnx leaves names of its own, pads as nodes, the traced size in places, and Resize attributes
that TensorRT refuses. This pass settles all of that; what it can't account for is an error, so a
change of tf2onnx is noticed at export and not in somebody's results.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from dbrt.errors import EngineError
from dbrt.train.onnx_marks import write_marked, write_means

# What a DB network consists of once it is clean. Anything else: a conversion went another way.
_ALLOWED = set("Conv ConvTranspose Relu Clip Add MaxPool Resize Concat Sigmoid".split())
_KERNEL_ORDER = {
    "Conv2D": (3, 2, 0, 1),
    "DepthwiseConv2D": (2, 3, 0, 1),
    "Conv2DTranspose": (3, 2, 0, 1),
}
_NODE_OF = {"Conv2D": "Conv", "DepthwiseConv2D": "Conv", "Conv2DTranspose": "ConvTranspose"}
_IO = ("batch", "height", "width")


def clean(
    model: onnx.ModelProto,
    layers: list[Any],
    outputs: dict[str, str],
    extra: Collection[str] = (),
) -> onnx.ModelProto:
    """Turn tf2onnx's model into a model file's graph, in place, and return it.

    layers   the folded network's convolutions: names and weights are taken from them
    outputs  the model's output names -> the names the file shall have
    extra    operators of the network's options, beside those that every network has

    Raises EngineError where the graph holds what it should not.
    """
    graph = model.graph
    _cut_tails(graph, outputs)
    _merge_pads(graph)
    _name_convolutions(graph, layers)
    write_marked(graph)
    write_means(graph)
    _drop_idle_reshapes(model)
    _plain_resizes(graph)
    _drop_unused(graph)
    found = {node.op_type for node in graph.node} - _ALLOWED - set(extra)
    if found:
        raise EngineError(f"export left {', '.join(sorted(found))} in the graph: report this")
    _set_interface(graph, list(outputs.values()))
    _store_half(graph)
    del graph.value_info[:]
    kept = [entry for entry in model.opset_import if entry.domain == ""]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    return model


def keras_kernel(kind: str, weight: NDArray[Any]) -> NDArray[Any]:
    """Return an ONNX kernel in Keras' order; the inverse of what `clean` writes."""
    return weight.transpose(np.argsort(_KERNEL_ORDER[kind]))


def onnx_kernel(kind: str, kernel: NDArray[Any]) -> NDArray[Any]:
    """Return a Keras kernel in ONNX's order (O, I, h, w); (I, O, h, w) for deconvolutions."""
    return np.ascontiguousarray(kernel.transpose(_KERNEL_ORDER[kind]))


def _cut_tails(graph: onnx.GraphProto, outputs: dict[str, str]) -> None:
    """Rename each output's Sigmoid to the wanted name and drop what tf2onnx put behind it."""
    producers = {name: node for node in graph.node for name in node.output}
    for traced, wanted in outputs.items():
        node = producers[traced]
        while node.op_type in ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Identity"):
            graph.node.remove(node)
            node = producers[node.input[0]]
        if node.op_type != "Sigmoid":
            raise EngineError(f"export: output {wanted} ends in {node.op_type}, not in Sigmoid")
        node.output[0] = wanted
        node.name = wanted
    del graph.output[:]
    graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs.values()
    )
    _drop_unused(graph)


def _drop_idle_reshapes(model: onnx.ModelProto) -> None:
    """Drop each Reshape to the shape that its input has: once a transposition of one channel."""
    graph = model.graph
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in [*inferred.value_info, *inferred.input]
    }
    for node in [node for node in graph.node if node.op_type == "Reshape"]:
        before, after = shapes.get(node.input[0], ()), shapes.get(node.output[0], ())
        if before and before == after and all(before):
            for user in graph.node:
                for index, name in enumerate(user.input):
                    if name == node.output[0]:
                        user.input[index] = node.input[0]
            graph.node.remove(node)


def _merge_pads(graph: onnx.GraphProto) -> None:
    """Move zero padding into the convolution, or the pooling of non-negative values, behind it."""
    constants = _constants(graph)
    for pad in [node for node in graph.node if node.op_type == "Pad"]:
        pads = constants[pad.input[1]].astype(int).tolist()
        users = [node for node in graph.node if pad.output[0] in node.input]
        if any(user.op_type not in ("Conv", "MaxPool") for user in users):
            raise EngineError("export: a Pad stands before something else than Conv or MaxPool")
        top, left, bottom, right = pads[2], pads[3], pads[6], pads[7]
        for user in users:
            user.input[0] = pad.input[0]
            _set_attribute(user, "pads", [top, left, bottom, right])
            _remove_attribute(user, "auto_pad")
        graph.node.remove(pad)


def _name_convolutions(graph: onnx.GraphProto, layers: list[Any]) -> None:
    """Find each layer's node by its kernel's values; give it the layer's name and exact weights."""
    constants = _constants(graph)
    nodes = [node for node in graph.node if node.op_type in ("Conv", "ConvTranspose")]
    if len(nodes) != len(layers):
        raise EngineError(f"export: {len(layers)} convolutions became {len(nodes)} nodes")
    for layer in layers:
        kind = type(layer).__name__
        values = layer.get_weights()
        kernel = onnx_kernel(kind, values[0])
        node = _find_node(nodes, constants, _NODE_OF[kind], kernel)
        if node is None:
            raise EngineError(f"export: the kernel of {layer.name} is not in the graph")
        nodes.remove(node)
        node.name = layer.name
        _check_bias(node, values[1] if layer.use_bias else None, constants)
        inputs = [node.input[0], f"{layer.name}/kernel"]
        graph.initializer.append(numpy_helper.from_array(kernel, inputs[1]))
        if layer.use_bias:
            inputs.append(f"{layer.name}/bias")
            graph.initializer.append(numpy_helper.from_array(values[1], inputs[2]))
            _absorb_bias(graph, node, values[1], constants)
        del node.input[:]
        node.input.extend(inputs)


def _find_node(
    nodes: list[onnx.NodeProto],
    constants: dict[str, NDArray[Any]],
    kind: str,
    kernel: NDArray[Any],
) -> onnx.NodeProto | None:
    for node in nodes:
        weight = constants.get(node.input[1])
        if node.op_type == kind and weight is not None and weight.size == kernel.size:
            if np.array_equal(weight.reshape(kernel.shape), kernel):
                return node
    return None


def _check_bias(
    node: onnx.NodeProto, bias: NDArray[Any] | None, constants: dict[str, NDArray[Any]]
) -> None:
    """Refuse what tf2onnx may have merged into a convolution beside its own bias."""
    if len(node.input) < 3:
        return
    merged = constants.get(node.input[2])
    if bias is None or merged is None or not np.array_equal(merged.ravel(), bias.ravel()):
        raise EngineError(f"export: {node.name} has got a bias that is not the layer's")


def _absorb_bias(
    graph: onnx.GraphProto,
    node: onnx.NodeProto,
    bias: NDArray[Any],
    constants: dict[str, NDArray[Any]],
) -> None:
    """Drop the Add that carries the bias where tf2onnx did not merge it."""
    if len(node.input) > 2 or not bias.any():  # tf2onnx drops a bias of zeros
        return
    users = [user for user in graph.node if node.output[0] in user.input]
    if len(users) == 1 and users[0].op_type == "Add":
        other = next(name for name in users[0].input if name != node.output[0])
        if other in constants and np.array_equal(constants[other].ravel(), bias.ravel()):
            node.output[0] = users[0].output[0]
            graph.node.remove(users[0])
            return
    raise EngineError(f"export: the bias of {node.name} is not in the graph")


def _plain_resizes(graph: onnx.GraphProto) -> None:
    """Nearest with whole factors as `asymmetric`, `floor`: same values, legal everywhere."""
    constants = _constants(graph)
    for node in graph.node:
        if node.op_type != "Resize":
            continue
        scales = constants[node.input[2]]
        factor = round(float(scales[2]))
        if not np.allclose(scales, (1, 1, factor, factor)):
            raise EngineError(f"export: a Resize scales by {scales.tolist()}")
        name = f"scale{factor}"
        if all(tensor.name != name for tensor in graph.initializer):
            values = np.array([1, 1, factor, factor], np.float32)
            graph.initializer.append(numpy_helper.from_array(values, name))
        inputs = [node.input[0], "", name]
        del node.input[:]
        node.input.extend(inputs)
        del node.attribute[:]
        node.attribute.extend(
            [
                helper.make_attribute("mode", "nearest"),
                helper.make_attribute("coordinate_transformation_mode", "asymmetric"),
                helper.make_attribute("nearest_mode", "floor"),
            ]
        )


def _set_interface(graph: onnx.GraphProto, outputs: list[str]) -> None:
    """Any batch and any size: the traced one leaves nothing behind."""
    name = graph.input[0].name
    del graph.input[:]
    batch, height, width = _IO
    graph.input.append(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, 3, height, width])
    )
    del graph.output[:]
    graph.output.extend(
        helper.make_tensor_value_info(output, TensorProto.FLOAT, [batch, 1, height, width])
        for output in outputs
    )


def _store_half(graph: onnx.GraphProto) -> None:
    """Store kernels as float16 with a Cast in front; vectors stay float32 (small, sensitive)."""
    casts = []
    for tensor in list(graph.initializer):
        if not tensor.name.endswith("/kernel"):
            continue
        half = f"{tensor.name}_f16"
        values = numpy_helper.to_array(tensor).astype(np.float16)
        if not np.isfinite(values).all():
            raise EngineError(f"export: {tensor.name} does not fit float16")
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(values, half))
        casts.append(
            helper.make_node(
                "Cast", [half], [tensor.name], f"{tensor.name}_cast", to=TensorProto.FLOAT
            )
        )
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend(casts + nodes)


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Remove nodes and initialisers that no output depends on."""
    needed = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed.update(node.input)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    used = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(used)


def _constants(graph: onnx.GraphProto) -> dict[str, NDArray[Any]]:
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return found


def _set_attribute(node: onnx.NodeProto, name: str, value: Any) -> None:
    _remove_attribute(node, name)
    node.attribute.append(helper.make_attribute(name, value))


def _remove_attribute(node: onnx.NodeProto, name: str) -> None:
    for attribute in [a for a in node.attribute if a.name == name]:
        node.attribute.remove(attribute)
