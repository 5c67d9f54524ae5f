"""The inference graph: a model file made ready to compile, the same for every runner.

::

    frame  uint8 (N, H, W, 3) BGR, letterboxed
      Cast, Sub mean, Div std, Transpose to NCHW      colour order: folded into the stem's kernel
      the network without its threshold head, pyramid and head rewritten
      Mul 255, Round, Reshape, Cast                   TensorRT knows uint8 only at its two ends
    map    uint8 (N, H, W) = round(255 p)

The mean is subtracted before the stem and not folded into its bias: the stem pads with zeros
*after* normalisation, and a folded mean would change the border of every map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dbrt.engine.folding import fold_places
from dbrt.engine.modelfile import INPUT, PROBABILITY, THRESHOLD, ModelFile
from dbrt.engine.rewrite import rewrite_head
from dbrt.engine.spec import check_shape
from dbrt.engine.stem import turn_stem
from dbrt.errors import InputError, UsageError

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

# Raised with every change of the nodes below, so that engines of the old graph are not taken.
GRAPH_VERSION = 3

FRAME = "frame"
MAP = "map"
PUBLIC = {PROBABILITY: MAP, THRESHOLD: THRESHOLD}
MAX_BATCH = 64


def prepare(
    model: ModelFile,
    shape: tuple[int, int],
    *,
    batch: int = 1,
    threshold_head: bool = False,
    rewrite: bool = True,
) -> onnx.ModelProto:
    """Make the inference graph of `model` for one shape and batch.

    shape           (H, W), multiples of 32
    batch           N, 1 to 64
    threshold_head  keep it: a second output `threshold`, uint8 (N, H, W) = round(255 t)
    rewrite         save multiply-adds (`dbrt.engine.rewrite`); not done beside a threshold head,
                    which needs what it replaces
    returns         ONNX, float32 inside, kernels float16 behind casts as in the model file

    Raises UsageError for a bad shape or batch, InputError for a model that cannot be prepared.
    """
    check_shape(shape)
    if not 1 <= batch <= MAX_BATCH:
        raise UsageError(f"batch {batch} is not from 1 to {MAX_BATCH}")
    if threshold_head and not model.has_threshold_head:
        raise UsageError(f"model {model.name} has no threshold head: leave out --maps")
    proto = model.load()
    graph = proto.graph
    outputs = [PROBABILITY, THRESHOLD] if threshold_head else [PROBABILITY]
    _prune(graph, outputs)
    if rewrite and not threshold_head and rewrite_head(graph, PROBABILITY):
        _prune(graph, outputs)
    head = _normalised_frame(graph, model)
    tail = [node for name in outputs for node in _to_bytes(graph, name, (batch, *shape))]
    body = list(graph.node)
    del graph.node[:]
    graph.node.extend([*head, *body, *tail])
    _set_interface(graph, (batch, *shape), threshold_head)
    fold_places(proto)
    proto.producer_name, proto.producer_version = "dbrt", str(GRAPH_VERSION)
    _check(proto, model, (batch, 1, *shape))
    return proto


def _prune(graph: onnx.GraphProto, outputs: list[str]) -> None:
    """Keep what `outputs` need; initialisers too."""
    needed = set(outputs)
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(weights)


def _normalised_frame(graph: onnx.GraphProto, model: ModelFile) -> list[onnx.NodeProto]:
    """Nodes from `frame` to the network's input; the stem's kernel is turned to BGR."""
    from onnx import TensorProto, helper

    turned = turn_stem(graph, INPUT)
    # With all four dimensions: for fewer, TensorRT's parser adds layers that no node stands for.
    _add_weight(graph, "frame/mean", np.array(model.mean[::-1], np.float32).reshape(1, 1, 1, 3))
    _add_weight(graph, "frame/std", np.array(model.std[::-1], np.float32).reshape(1, 1, 1, 3))
    last = INPUT if turned else "frame/bgr"
    nodes = [
        helper.make_node("Cast", [FRAME], ["frame/float"], "frame/float", to=TensorProto.FLOAT),
        helper.make_node("Sub", ["frame/float", "frame/mean"], ["frame/centred"], "frame/centred"),
        helper.make_node("Div", ["frame/centred", "frame/std"], ["frame/scaled"], "frame/scaled"),
        helper.make_node("Transpose", ["frame/scaled"], [last], "frame/nchw", perm=[0, 3, 1, 2]),
    ]
    if not turned:
        _add_weight(graph, "frame/order", np.array([2, 1, 0], np.int64))
        nodes.append(
            helper.make_node("Gather", [last, "frame/order"], [INPUT], "frame/rgb", axis=1)
        )
    return nodes


def _to_bytes(
    graph: onnx.GraphProto, name: str, shape: tuple[int, int, int]
) -> list[onnx.NodeProto]:
    """Nodes from a float map 0..1 (N, 1, H, W) to the uint8 map (N, H, W) that stands for it."""
    from onnx import TensorProto, helper

    public = PUBLIC[name]
    _rename(graph, name, f"{public}/float")
    if public == MAP:
        _add_weight(graph, "bytes/255", np.full((1, 1, 1, 1), 255, np.float32))
        _add_weight(graph, "bytes/shape", np.array(shape, np.int64))
    scaled, rounded, flat = (f"{public}/{step}" for step in ("scaled", "rounded", "flat"))
    return [
        helper.make_node("Mul", [f"{public}/float", "bytes/255"], [scaled], scaled),
        helper.make_node("Round", [scaled], [rounded], rounded),
        helper.make_node("Reshape", [rounded, "bytes/shape"], [flat], flat),
        helper.make_node("Cast", [flat], [public], f"{public}/bytes", to=TensorProto.UINT8),
    ]


def _check(proto: onnx.ModelProto, model: ModelFile, expected: tuple[int, ...]) -> None:
    """Find a network that does not end at the frame's own size here, and not in a runner."""
    import onnx

    unfit = f"model {model.name} does not fit {expected[2]}x{expected[3]}"
    try:
        onnx.checker.check_model(proto)
        inferred = onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as exc:
        raise InputError(f"{unfit}: {str(exc).strip().splitlines()[0]}") from None
    names = {f"{value.name}/float" for value in proto.graph.output}
    for value in inferred.graph.value_info:
        found = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        if value.name in names and found != expected:
            raise InputError(f"{unfit}: its map comes out as {found}, not {expected}")


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name == old:
                    names[i] = new


def _set_interface(
    graph: onnx.GraphProto, shape: tuple[int, int, int], threshold_head: bool
) -> None:
    from onnx import TensorProto, helper

    del graph.input[:], graph.output[:]
    graph.input.append(helper.make_tensor_value_info(FRAME, TensorProto.UINT8, (*shape, 3)))
    for name in (MAP, THRESHOLD) if threshold_head else (MAP,):
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.UINT8, shape))


def _add_weight(graph: onnx.GraphProto, name: str, values: NDArray[Any]) -> None:
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(values, name))
