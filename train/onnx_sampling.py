"""Deformable sampling in a model file: ONNX GridSample and standard arithmetic, for any size.

::

    field --DepthToSpace 3--> dx, dy, modulation at each tap
    Shape, Range, Div, Mod    the tap's own place
    GridSample(x, places) * 2 Sigmoid(modulation)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from dbrt.train.deformable import TAPS

# What it is written in, beside the operators that every network has.
OPERATORS = frozenset(
    "Cast Div DepthToSpace Gather GridSample Mod Mul Range Shape Split Sub Transpose "
    "Unsqueeze".split()
)


class SamplingWriter:
    """Appends nodes to a graph, their names below one layer's."""

    def __init__(self, graph: onnx.GraphProto, layer: str) -> None:
        self._graph = graph
        self._layer = layer

    def taps(self, x: str, field: str, stride: int) -> str:
        """Write one sampling; x (N, C, H, W), field (N, 27, h, w) -> (N, C, 3h, 3w)."""
        spread = self._node("DepthToSpace", [field], "spread", blocksize=TAPS)
        parts = [f"{self._layer}_taps/{part}" for part in ("across", "down", "modulation")]
        ones = self._initializer("ones", np.ones(len(parts), np.int64))
        name = f"{self._layer}_taps/split"
        self._graph.node.append(helper.make_node("Split", [spread, ones], parts, name, axis=1))
        shapes = [
            self._node("Shape", [tensor], f"shape_{i}") for i, tensor in enumerate((x, field))
        ]
        across = self._normalised(parts[0], shapes, 3, stride)
        down = self._normalised(parts[1], shapes, 2, stride)
        places = self._node("Concat", [across, down], "places", axis=1)
        places = self._node("Transpose", [places], "grid", perm=[0, 2, 3, 1])
        # align_corners=0: -1 and 1 are the borders of the map, not the centres of its pixels.
        options = {"mode": "bilinear", "padding_mode": "zeros", "align_corners": 0}
        read = self._node("GridSample", [x, places], "read", **options)
        weight = self._node("Sigmoid", [parts[2]], "sigmoid")
        weight = self._node("Mul", [weight, self._constant("two", np.float32(2))], "weight")
        return self._node("Mul", [read, weight], "weighted")

    def _normalised(self, offset: str, shapes: list[str], axis: int, stride: int) -> str:
        """Return (2 place + 1) / side - 1 + offset 2 / side along one axis of the map.

        Tap k's place is k // 3 * stride + k % 3 - 1. All but the offset is constant once the size
        is fixed (`dbrt.engine.folding`), and the sum stays within what float16 can tell apart.
        """
        at = {2: "rows", 3: "columns"}[axis]
        count = self._node("Gather", [shapes[1], self._scalar(f"axis{axis}", axis)], f"{at}_pixels")
        count = self._node("Mul", [count, self._scalar("count3", TAPS)], f"{at}_count")
        number = self._node(
            "Range", [self._scalar("start", 0), count, self._scalar("step", 1)], f"{at}_range"
        )
        others = self._initializer(f"not{axis}", np.array([i for i in range(4) if i != axis]))
        number = self._node("Unsqueeze", [number, others], f"{at}_number")
        # From here on everything has four dimensions, as the maps: runners add nothing then.
        three = self._constant("three", np.int64(TAPS))
        pixel = self._node("Div", [number, three], f"{at}_pixel")
        twice = self._constant(f"twice{stride}", np.int64(2 * stride))
        pixel = self._node("Mul", [pixel, twice], f"{at}_pixel2")
        tap = self._node("Mod", [number, three], f"{at}_tap")
        tap = self._node("Mul", [tap, self._constant("int_two", np.int64(2))], f"{at}_tap2")
        place = self._node("Add", [pixel, tap], f"{at}_place2")
        place = self._node("Cast", [place], f"{at}_float", to=TensorProto.FLOAT)
        one, two = self._constant("one", np.float32(1)), self._constant("two", np.float32(2))
        place = self._node("Sub", [place, one], f"{at}_odd")
        index = self._constant(f"side{axis}", np.int64(axis))
        side = self._node("Gather", [shapes[0], index], f"{at}_length")
        side = self._node("Cast", [side], f"{at}_side", to=TensorProto.FLOAT)
        place = self._node("Div", [place, side], f"{at}_share")
        place = self._node("Sub", [place, one], f"{at}_place")
        step = self._node("Div", [two, side], f"{at}_step")
        offset = self._node("Mul", [offset, step], f"{at}_offset")
        return self._node("Add", [place, offset], f"{at}_moved")

    def _node(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        name = f"{self._layer}_taps/{name}"
        self._graph.node.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def _constant(self, name: str, value: Any) -> str:
        return self._initializer(name, np.full((1, 1, 1, 1), value))

    def _scalar(self, name: str, value: int) -> str:
        return self._initializer(name, np.array(value, np.int64))

    def _initializer(self, name: str, values: NDArray[Any]) -> str:
        """Return the name of a constant that all samplings share."""
        name = f"taps_{name}"
        if all(tensor.name != name for tensor in self._graph.initializer):
            self._graph.initializer.append(numpy_helper.from_array(values, name))
        return name
