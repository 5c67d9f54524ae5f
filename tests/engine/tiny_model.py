"""A model file of 30 weights in the layout of the real ones, that marks bright places as text.

The stem has different weights for each colour and border-sensitive padding, so that a swapped
channel order or a mean folded into the padding changes the map.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)
METADATA = {
    "dbrt.format": "1",
    "dbrt.name": "tiny",
    "dbrt.backbone": "tiny",
    "dbrt.mean": "[123.675, 116.28, 103.53]",
    "dbrt.std": "[58.395, 57.12, 57.375]",
    "dbrt.unit": "word",
    "dbrt.binarize": "0.3",
    "dbrt.min_score": "0.5",
    "dbrt.unclip_ratio": "1.5",
    "dbrt.card": '{"data": "none"}',
}


class _Graph:
    """Nodes and initialisers under construction, with the export's names."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, name: str, values: NDArray[np.float32]) -> str:
        half = numpy_helper.from_array(values.astype(np.float16), f"{name}_f16")
        self.weights.append(half)
        self.nodes.append(
            helper.make_node("Cast", [f"{name}_f16"], [name], f"{name}_cast", to=TensorProto.FLOAT)
        )
        return name

    def vector(self, name: str, values: NDArray[np.float32]) -> str:
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def add(self, op: str, inputs: list[str], name: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name


def tiny_model(*, threshold_head: bool = True, gain: float = 1.0) -> onnx.ModelProto:
    """Build the model; `gain` scales the head, to make another network of the same interface."""
    graph = _Graph()
    seed = np.random.default_rng(7)
    stem = seed.normal(0.15, 0.1, (4, 3, 3, 3)) * np.array([0.5, 0.9, 0.2])[None, :, None, None]
    x = graph.add(
        "Conv",
        ["image", graph.weight("stem/kernel", stem), graph.vector("stem/bias", np.zeros(4))],
        "stem",
        strides=[2, 2],
        pads=[1, 1, 1, 1],
    )
    x = graph.add("Relu", [x], "stem_relu")
    deep = seed.normal(0.05, 0.05, (4, 4, 3, 3))
    y = graph.add(
        "Conv", [x, graph.weight("deep/kernel", deep)], "deep", strides=[2, 2], pads=[1, 1, 1, 1]
    )
    scales = graph.vector("scale2", np.array([1, 1, 2, 2]))
    y = graph.add(
        "Resize",
        [y, "", scales],
        "up",
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    x = graph.add("Concat", [x, y], "fuse", axis=1)
    _head(graph, x, "probability", seed.normal(0.4, 0.1, (8, 1, 2, 2)) * gain, -2.0)
    outputs = ["probability"]
    if threshold_head:
        _head(graph, x, "threshold", seed.normal(0.1, 0.05, (8, 1, 2, 2)), -0.5)
        outputs.append("threshold")
    return _model(graph, outputs)


def tiny_pyramid(inner: int = 8) -> onnx.ModelProto:
    """Build DB's whole form with few channels: backbone, laterals, pyramid, probability head."""
    graph = _Graph()
    seed = np.random.default_rng(11)
    quarter = inner // 4

    def conv(x: str, name: str, shape: tuple[int, ...], bias: bool = False, stride: int = 1) -> str:
        kernel = seed.normal(0, (shape[1] * shape[2] * shape[3]) ** -0.5, shape)
        inputs = [x, graph.weight(f"{name}/kernel", kernel.astype(np.float32))]
        if bias:
            inputs.append(graph.vector(f"{name}/bias", seed.normal(0, 0.3, shape[0])))
        pads = [shape[2] // 2] * 4
        return graph.add("Conv", inputs, name, strides=[stride, stride], pads=pads)

    def enlarge(x: str, name: str, by: int) -> str:
        scales = graph.vector(f"{name}/scales", np.array([1, 1, by, by]))
        nearest = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return graph.add("Resize", [x, "", scales], name, mode="nearest", **nearest)

    x = graph.add("Relu", [conv("image", "stem", (4, 3, 3, 3), True, 2)], "stem_relu")
    sums: dict[int, str] = {}
    for level, channels in ((2, 4), (3, 5), (4, 6), (5, 7)):
        before = channels - 1 if level > 2 else 4
        made = conv(x, f"c{level}", (channels, before, 3, 3), True, 2)
        x = graph.add("Relu", [made], f"c{level}_relu")
        sums[level] = conv(x, f"in{level}", (inner, channels, 1, 1))
    for level in (4, 3, 2):
        larger = enlarge(sums[level + 1], f"sum{level}_up", 2)
        sums[level] = graph.add("Add", [larger, sums[level]], f"sum{level}")
    outs = [conv(sums[level], f"out{level}", (quarter, inner, 3, 3)) for level in (5, 4, 3, 2)]
    taps = [enlarge(out, f"{out}_up", by) for out, by in zip(outs, (8, 4, 2), strict=False)]
    x = graph.add("Concat", [*taps, outs[3]], "fuse", axis=1)
    x = graph.add("Relu", [conv(x, "head", (quarter, inner, 3, 3), True)], "head_relu")
    for name, shape in (("up1", (quarter, quarter, 2, 2)), ("up2", (quarter, 1, 2, 2))):
        kernel = graph.weight(f"{name}/kernel", seed.normal(0, 1, shape).astype(np.float32))
        bias = graph.vector(f"{name}/bias", seed.normal(0, 0.3, shape[1]))
        x = graph.add("ConvTranspose", [x, kernel, bias], name, strides=[2, 2])
        last = name == "up2"
        x = graph.add("Sigmoid" if last else "Relu", [x], "probability" if last else "up1_relu")
    return _model(graph, ["probability"])


def write_tiny_model(path: Path, *, drop: tuple[str, ...] = (), **metadata: str) -> Path:
    """Write the model; `metadata` replaces values of `dbrt.<key>`, `drop` leaves keys out."""
    model = tiny_model()
    changed = {f"dbrt.{key}": value for key, value in metadata.items()}
    settings = {**METADATA, **changed}
    helper.set_model_props(model, {k: v for k, v in settings.items() if k not in drop})
    path.write_bytes(model.SerializeToString())
    return path


def _head(graph: _Graph, x: str, name: str, kernel: NDArray[np.float64], bias: float) -> None:
    inputs = [
        x,
        graph.weight(f"{name}_up/kernel", kernel.astype(np.float32)),
        graph.vector(f"{name}_up/bias", np.array([bias], np.float32)),
    ]
    logits = graph.add("ConvTranspose", inputs, f"{name}_up", strides=[2, 2])
    graph.add("Sigmoid", [logits], name)


def _model(graph: _Graph, outputs: list[str]) -> onnx.ModelProto:
    def tensor(name: str, channels: int) -> onnx.ValueInfoProto:
        shape = ["batch", channels, "height", "width"]
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    body = helper.make_graph(
        graph.nodes,
        "tiny",
        [tensor("image", 3)],
        [tensor(name, 1) for name in outputs],
        graph.weights,
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(body, opset_imports=[opset], ir_version=8, producer_name="dbrt")
    helper.set_model_props(model, METADATA)
    onnx.checker.check_model(model, full_check=True)
    return model
