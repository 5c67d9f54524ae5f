"""The inference graph in float16 or bfloat16: every tensor typed, nothing left to the library.

TensorRT 11 and TensorRT-RTX have no switch for float16: they compute each layer in the type that
the graph gives it, and 8.6 and 10 can be told to. So the graph itself says float16.

A layer whose values leave float16's range (`dbrt.engine.ranges`) is kept in float32 between casts,
an island::

    float16 -> Cast -> [layer in float32] -> Cast -> float16

Tensors that are out of range are "hot": they stay float32 up to the layer that brings them back.
bfloat16 has float32's range and 8 bits. Its islands are the two ends, where bytes turn into numbers
around 0 and numbers into bytes, because TensorRT casts uint8 from and to float16 and float32 only,
and the deconvolutions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dbrt.errors import InputError

if TYPE_CHECKING:
    import onnx

# Inputs that ONNX wants in float32 whatever the type of the rest: roi and scales.
_ALWAYS_FLOAT = {"Resize": (1, 2)}

# The first in which convolutions take bfloat16. Of the operators in our graphs it changes no other
# meaning since 17.
BF16_OPSET = 22

ISLAND = "float32/"  # names of what an island adds to the graph begin so


@dataclass(frozen=True)
class Islands:
    """What stays in float32.

    nodes    names of nodes
    tensors  the hot ones; each node that makes or reads one is among `nodes`
    """

    nodes: frozenset[str] = frozenset()
    tensors: frozenset[str] = frozenset()


def fold_weights(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Put float32 weights in the place of stored float16 ones and their casts; return `proto`."""
    from onnx import TensorProto, numpy_helper

    graph = proto.graph
    stored = {t.name: t for t in graph.initializer if t.data_type == TensorProto.FLOAT16}
    casts = [node for node in graph.node if node.op_type == "Cast" and node.input[0] in stored]
    for node in casts:
        values = numpy_helper.to_array(stored[node.input[0]]).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    weights = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(weights)
    return proto


def to_precision(
    proto: onnx.ModelProto, precision: str, islands: Islands = Islands()
) -> onnx.ModelProto:
    """Return a copy of a float32 inference graph in which every tensor's type is fixed.

    proto      of `dbrt.engine.graph.prepare`, after `fold_weights`
    precision  "fp32", "fp16" or "bf16"
    islands    what stays in float32

    Raises InputError for a graph that keeps tensors within its nodes.
    """
    import onnx

    typed = onnx.ModelProto()
    typed.CopyFrom(proto)
    if precision != "fp32":
        _Typist(typed, precision, islands).run()
        if precision == "bf16":
            typed.opset_import[0].version = max(BF16_OPSET, typed.opset_import[0].version)
        onnx.checker.check_model(typed)
        onnx.shape_inference.infer_shapes(typed, check_type=True, strict_mode=True)
    return typed


def bfloat16_islands(proto: onnx.ModelProto) -> Islands:
    """Return what bfloat16 leaves in float32: both ends, and the deconvolutions.

    The ends are the nodes between bytes and the network. TensorRT-RTX 1.7 refuses deconvolutions of
    bfloat16 ("Could not infer output types").
    """
    own = ("frame/", "map/", "threshold/")
    nodes = [
        node
        for node in proto.graph.node
        if node.name.startswith(own) or node.op_type == "ConvTranspose"
    ]
    names = {node.name for node in nodes}
    read = {x for node in proto.graph.node if node.name not in names for x in node.input}
    public = {value.name for value in proto.graph.output}
    made = {x for node in nodes for x in node.output}
    return Islands(frozenset(names), frozenset(made - read - public))


def float_tensors(proto: onnx.ModelProto) -> set[str]:
    """Return the names of the float32 tensors that the nodes of a graph make."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(proto)
    return {
        value.name
        for value in inferred.graph.value_info
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    }


class _Typist:
    """Rewrites one graph from float32 to float16 or bfloat16."""

    def __init__(self, proto: onnx.ModelProto, precision: str, islands: Islands) -> None:
        from onnx import TensorProto

        self._graph = proto.graph
        self._type = TensorProto.FLOAT16 if precision == "fp16" else TensorProto.BFLOAT16
        self._float = TensorProto.FLOAT
        self._islands = islands
        self._made = float_tensors(proto)
        self._weights = {t.name: t for t in proto.graph.initializer if t.data_type == self._float}
        self._kept: dict[str, onnx.TensorProto] = {}  # float32 copies of weights, by new name
        self._lowered: set[str] = set()
        self._nodes: list[onnx.NodeProto] = []
        self._casts: set[str] = set()

    def run(self) -> None:
        for node in list(self._graph.node):
            if any(attribute.HasField("t") for attribute in node.attribute):
                raise InputError(
                    f"node {node.name} keeps a tensor to itself: write the model with dbrt export"
                )
            self._type_node(node)
        rest = [t for t in self._graph.initializer if t.data_type != self._float]
        lowered = [self._lower(self._weights[name]) for name in sorted(self._lowered)]
        del self._graph.node[:], self._graph.initializer[:], self._graph.value_info[:]
        self._graph.node.extend(self._nodes)
        self._graph.initializer.extend([*rest, *lowered, *self._kept.values()])

    def _type_node(self, node: onnx.NodeProto) -> None:
        island = node.name in self._islands.nodes
        if node.op_type == "Cast" and not island:
            for attribute in node.attribute:
                if attribute.name == "to" and attribute.i == self._float:
                    attribute.i = self._type
        for i, name in enumerate(node.input):
            if name in self._weights:
                keep = island or i in _ALWAYS_FLOAT.get(node.op_type, ())
                node.input[i] = self._keep(name) if keep else self._lower_later(name)
            elif island and name in self._made - self._islands.tensors:
                node.input[i] = self._raised(name)
        self._nodes.append(node)
        if island:
            for i, name in enumerate(node.output):
                if name in self._made - self._islands.tensors:
                    node.output[i] = f"{ISLAND}{name}/out"
                    self._add_cast(node.output[i], name, self._type)

    def _keep(self, name: str) -> str:
        import onnx

        copy = onnx.TensorProto()
        copy.CopyFrom(self._weights[name])
        copy.name = f"{ISLAND}{name}"
        self._kept[copy.name] = copy
        return copy.name

    def _lower_later(self, name: str) -> str:
        self._lowered.add(name)
        return name

    def _raised(self, name: str) -> str:
        """Return the name of `name` cast to float32."""
        raised = f"{ISLAND}{name}/in"
        if raised not in self._casts:
            self._casts.add(raised)
            self._add_cast(name, raised, self._float)
        return raised

    def _add_cast(self, source: str, target: str, to: int) -> None:
        from onnx import helper

        name = f"{ISLAND}cast/{source}"
        self._nodes.append(helper.make_node("Cast", [source], [target], name, to=to))

    def _lower(self, tensor: onnx.TensorProto) -> onnx.TensorProto:
        from onnx import TensorProto, helper, numpy_helper

        values = numpy_helper.to_array(tensor)
        if self._type == TensorProto.FLOAT16:
            with np.errstate(over="ignore"):
                lowered = values.astype(np.float16)
            return numpy_helper.from_array(lowered, tensor.name)
        data = to_bfloat16(values).tobytes()
        return helper.make_tensor(tensor.name, self._type, list(tensor.dims), data, raw=True)


def to_bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return the bits of the nearest bfloat16, ties to even: NumPy has no such type.

    values   float32, finite
    returns  uint16, the upper half of float32's bits
    """
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded >> np.uint32(16)).astype(np.uint16)
