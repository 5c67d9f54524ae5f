"""The twin: a float16 graph computed on a CPU as a GPU would, rounded after every layer.

CPUs have no float16 arithmetic to speak of. ONNX Runtime 1.32 and OpenVINO 2026.4 both run a
float16 graph in float32 from end to end, and take the casts between out: a layer that overflows on
a GPU gives the right map there (tests/engine/test_twin.py). So the twin is a float32 graph in which
each tensor that is float16 in the typed graph goes through arithmetic that rounds it, and that no
optimiser takes out::

    y = x * 8193;  x = y - (y - x)         to 11 bits, ties to even (T. J. Dekker, 1971)
    x = (x * 2^112) * 2^-112               infinite from 65536 on, exact below

Sums within a layer are float32, as in the tensor cores of a GPU. Below 2^-14, where float16 loses
bits one by one, the twin keeps them all; weights are rounded there too, being stored as float16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

# Operators that put out values of their input, or 0 or a constant: there is nothing to round.
_EXACT = frozenset(
    "Clip Concat DepthToSpace Flatten Gather Identity Max MaxPool Min Pad Relu Reshape Resize "
    "Round Slice Split Squeeze Transpose Unsqueeze".split()
)
# Rounding before these or after them is the same, and after them the layer stays in one piece.
_COMMUTING = frozenset(("Relu", "Clip"))

# Splits float32's 24 bits: 11 stay for float16, 8 for bfloat16.
_SPLIT = {"fp16": 2.0**13 + 1, "bf16": 2.0**16 + 1}
_OVERFLOW = 2.0**112  # float32 ends at 2^128, float16 at 2^16


def make_twin(typed: onnx.ModelProto, precision: str) -> onnx.ModelProto:
    """Return a float32 graph whose maps are those of a typed graph on a GPU, up to order of sums.

    typed      of `dbrt.engine.half.to_precision`
    precision  "fp16" or "bf16"; any other type in the graph stays what it is
    """
    import onnx

    twin = onnx.ModelProto()
    twin.CopyFrom(typed)
    if precision in _SPLIT:
        _Twin(twin, precision).run()
        onnx.checker.check_model(twin)
    return twin


class _Twin:
    """Rewrites one typed graph to float32."""

    def __init__(self, proto: onnx.ModelProto, precision: str) -> None:
        import onnx
        from onnx import TensorProto

        self._graph = proto.graph
        self._type = TensorProto.FLOAT16 if precision == "fp16" else TensorProto.BFLOAT16
        self._float = TensorProto.FLOAT
        inferred = onnx.shape_inference.infer_shapes(proto)
        self._small = {
            value.name
            for value in inferred.graph.value_info
            if value.type.tensor_type.elem_type == self._type
        }
        self._bytes = {
            value.name
            for value in proto.graph.input
            if value.type.tensor_type.elem_type == TensorProto.UINT8
        }
        self._split = _SPLIT[precision]
        self._overflows = precision == "fp16"
        self._readers: dict[str, list[str]] = {}
        for node in proto.graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node.op_type)
        self._nodes: list[onnx.NodeProto] = []

    def run(self) -> None:
        self._constant("twin/split", self._split)
        if self._overflows:
            self._constant("twin/up", _OVERFLOW)
            self._constant("twin/down", 1 / _OVERFLOW)
        rounded: set[str] = set()
        for node in list(self._graph.node):
            self._nodes.append(node)
            exact = node.op_type in _EXACT and all(
                name in rounded or name not in self._small for name in node.input
            )
            for i, name in enumerate(node.output):
                if name not in self._small:
                    continue
                readers = self._readers.get(name, [])
                later = len(readers) == 1 and readers[0] in _COMMUTING
                if exact or self._is_exact_cast(node):
                    rounded.add(name)
                elif not later:
                    rounded.add(name)
                    node.output[i] = f"{name}/wide"
                    self._round(node.output[i], name)
            self._widen_cast(node)
        del self._graph.node[:], self._graph.value_info[:]
        self._graph.node.extend(self._nodes)
        self._widen_weights()

    def _is_exact_cast(self, node: onnx.NodeProto) -> bool:
        """Whether a node casts bytes, which all of these types hold exactly."""
        return node.op_type == "Cast" and node.input[0] in self._bytes

    def _widen_cast(self, node: onnx.NodeProto) -> None:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == self._type:
                attribute.i = self._float

    def _round(self, wide: str, name: str) -> None:
        """Add the nodes that round `wide` to the small type and call the result `name`."""
        self._node("Mul", [wide, "twin/split"], f"{name}/split")
        self._node("Sub", [f"{name}/split", wide], f"{name}/rest")
        last = f"{name}/narrow" if self._overflows else name
        self._node("Sub", [f"{name}/split", f"{name}/rest"], last)
        if self._overflows:
            self._node("Mul", [last, "twin/up"], f"{name}/up")
            self._node("Mul", [f"{name}/up", "twin/down"], name)

    def _node(self, op: str, inputs: list[str], output: str) -> None:
        from onnx import helper

        self._nodes.append(helper.make_node(op, inputs, [output], f"twin/{output}"))

    def _constant(self, name: str, value: float) -> None:
        from onnx import numpy_helper

        tensor = numpy_helper.from_array(np.array(value, np.float32), name)
        self._graph.initializer.append(tensor)

    def _widen_weights(self) -> None:
        from onnx import numpy_helper

        for tensor in self._graph.initializer:
            if tensor.data_type == self._type:
                values = _to_float32(tensor)
                tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _to_float32(tensor: onnx.TensorProto) -> NDArray[np.float32]:
    """Read a tensor of float16 or bfloat16, exactly."""
    from onnx import TensorProto, numpy_helper

    if tensor.data_type == TensorProto.FLOAT16:
        return numpy_helper.to_array(tensor).astype(np.float32)
    bits = np.frombuffer(tensor.raw_data, np.uint16).astype(np.uint32) << np.uint32(16)
    return bits.view(np.float32).reshape(tuple(tensor.dims))
