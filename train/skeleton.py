"""A model file without weights: the graph alone, for timing networks that are not trained.

Each kernel and bias is the output of a RandomNormal node that states its shape, spread and seed, so
the file is a few kilobytes, valid ONNX, and the same network for all. `dbrt.benchmarks` fills it.
"""

from __future__ import annotations

import math
from pathlib import Path

import keras
import onnx
from onnx import TensorProto, helper

from dbrt.train.checkpoint import network_weights
from dbrt.train.export import Settings, export_model
from dbrt.train.network import build_network


def write_skeleton(backbone: str, path: Path) -> None:
    """Write the skeleton of a network to `path`; errors as `export_model`."""
    keras.utils.set_random_seed(1)
    network = build_network(backbone, (64, 64))
    card = {"data": "none", "steps": 0, "note": "graph only, for timing; weights are random"}
    export_model(network_weights(network), Settings(backbone, backbone, card=card), path)
    model = onnx.load(path)
    nodes = []
    for seed, tensor in enumerate(list(model.graph.initializer)):
        if "/" not in tensor.name:  # the factors of the Resizes
            continue
        model.graph.initializer.remove(tensor)
        nodes.append(_random(tensor, seed))
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes + rest)
    kept = [p for p in model.metadata_props if p.key != "dbrt.batch_norm"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def _random(tensor: onnx.TensorProto, seed: int) -> onnx.NodeProto:
    """He's spread for kernels, so that activations neither vanish nor overflow; small biases."""
    dims = list(tensor.dims)
    fan_in = math.prod(dims[1:])
    return helper.make_node(
        "RandomNormal",
        [],
        [tensor.name],
        name=f"{tensor.name}_random",
        dtype=tensor.data_type,
        shape=dims,
        mean=0.0,
        scale=math.sqrt(2.0 / fan_in) if tensor.data_type == TensorProto.FLOAT16 else 0.01,
        seed=float(seed),
    )
