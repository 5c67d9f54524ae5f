"""What float16 can't hold: weights and activations out of its range become float32 islands.

The float32 graph looks at the parity pictures on the CPU, and the largest magnitude of each of its
tensors is noted. float16 ends at 65504. What comes within a quarter of that on these few pictures
may pass it on others: a layer that makes or reads such a tensor stays in float32. So does a layer
whose weights float16 would lose: too large, or so small that they vanish.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dbrt.engine.half import Islands, bfloat16_islands, float_tensors, to_precision
from dbrt.errors import RunnerError

if TYPE_CHECKING:
    import onnx

    from dbrt.engine.runner import Frames

FLOAT16_MAX = 65504.0
SAFETY = 4.0

# A kernel rounded to float16 is off by 0.0002 of its length; at a hundredth it has lost weights.
MAX_WEIGHT_ERROR = 0.01

_PEAK = "/peak"


@dataclass(frozen=True)
class TypedGraph:
    """A graph in which every tensor's type is fixed, and why it is as it is.

    proto    ONNX
    islands  the nodes that stay in float32, each with the reason
    peak     the largest magnitude that was seen and its tensor; None where none was looked for
    """

    proto: onnx.ModelProto
    islands: Mapping[str, str] = field(default_factory=dict)
    peak: tuple[str, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        found: dict[str, Any] = {"islands": dict(self.islands)}
        if self.peak is not None:
            found |= {"peak": float(self.peak[1]), "peak_tensor": self.peak[0]}
        return found


def type_graph(proto: onnx.ModelProto, precision: str, batches: Iterable[Frames]) -> TypedGraph:
    """Fix the type of every tensor of a float32 inference graph, with the islands that it needs.

    proto      after `dbrt.engine.half.fold_weights`
    precision  "fp32", "fp16" or "bf16"
    batches    frames that show the range of the activations; looked at for fp16 only

    Raises RunnerError where no library can run the graph on the CPU, InputError as `to_precision`.
    """
    if precision == "bf16":
        islands = bfloat16_islands(proto)
        reasons = dict.fromkeys(sorted(islands.nodes), "TensorRT has no bfloat16 for it")
        return TypedGraph(to_precision(proto, precision, islands), reasons)
    if precision != "fp16":
        return TypedGraph(to_precision(proto, precision))
    peaks = measure_peaks(proto, batches)
    islands, reasons = find_islands(proto, peaks)
    largest = max(peaks, key=lambda name: peaks[name])
    return TypedGraph(to_precision(proto, precision, islands), reasons, (largest, peaks[largest]))


def find_islands(
    proto: onnx.ModelProto, peaks: Mapping[str, float]
) -> tuple[Islands, dict[str, str]]:
    """Return what has to stay in float32, and for each node why.

    peaks  the largest magnitude of each tensor
    """
    hot = {name for name, peak in peaks.items() if not peak <= FLOAT16_MAX / SAFETY}
    lost = _lost_weights(proto)
    reasons: dict[str, str] = {}
    for node in proto.graph.node:
        for name in (*node.output, *node.input):
            if name in hot:
                reasons.setdefault(node.name, f"{name} reaches {peaks[name]:.3g}")
            elif name in lost and node.op_type != "Resize":
                reasons.setdefault(node.name, lost[name])
    return Islands(frozenset(reasons), frozenset(hot)), reasons


def measure_peaks(proto: onnx.ModelProto, batches: Iterable[Frames]) -> dict[str, float]:
    """Run a float32 graph and return the largest magnitude of each tensor that its nodes make.

    batches  (N, H, W, 3) uint8 BGR, letterboxed
    """
    run = _open(_probe(proto).SerializeToString())
    peaks: dict[str, float] = {}
    for frames in batches:
        for name, value in run(frames).items():
            if name.endswith(_PEAK):
                tensor, seen = name.removesuffix(_PEAK), float(value)
                # NaN is larger than anything: it must not vanish in a max.
                known = peaks.get(tensor, 0.0)
                peaks[tensor] = known if seen <= known else seen
    return peaks


def _probe(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Add the largest magnitude of each float tensor as an output, a scalar named <tensor>/peak."""
    import onnx
    from onnx import TensorProto, helper

    probe = onnx.ModelProto()
    probe.CopyFrom(proto)
    for name in sorted(float_tensors(proto)):
        size, peak = f"{name}/size", f"{name}{_PEAK}"
        probe.graph.node.append(helper.make_node("Abs", [name], [size], size))
        probe.graph.node.append(helper.make_node("ReduceMax", [size], [peak], peak, keepdims=0))
        probe.graph.output.append(helper.make_tensor_value_info(peak, TensorProto.FLOAT, []))
    return probe


def _lost_weights(proto: onnx.ModelProto) -> dict[str, str]:
    """Return the weights that float16 can't hold, each with what would happen to it."""
    from onnx import TensorProto, numpy_helper

    lost = {}
    for tensor in proto.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor).astype(np.float64)
        largest = float(np.abs(values).max(initial=0))
        if not largest <= FLOAT16_MAX:
            lost[tensor.name] = f"weight {tensor.name} reaches {largest:.3g}"
            continue
        rounded = values.astype(np.float16).astype(np.float64)
        if np.linalg.norm(rounded - values) > MAX_WEIGHT_ERROR * np.linalg.norm(values):
            lost[tensor.name] = f"weight {tensor.name} vanishes, it is at most {largest:.3g}"
    return lost


def _open(graph: bytes) -> Callable[[Frames], dict[str, NDArray[Any]]]:
    """Open a float32 graph in a library that is here."""
    for module in ("dbrt.engine.onnxruntime", "dbrt.engine.openvino"):
        try:
            opened: Callable[[Frames], dict[str, NDArray[Any]]]
            opened = importlib.import_module(module).open_graph(graph)
            return opened
        except RunnerError:
            continue
    raise RunnerError("nothing here runs the graph on the CPU: pip install openvino")
