"""A model file read back into a Keras network, to train on from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from dbrt.engine.modelfile import ModelFile, read_model_file
from dbrt.errors import InputError, UsageError
from dbrt.train.checkpoint import network_weights
from dbrt.train.export import unpack_vectors
from dbrt.train.folding import BN_VARIABLES, convolutions, normalisations, unfold
from dbrt.train.network import build_network
from dbrt.train.network_options import NetworkOptions
from dbrt.train.onnx_graph import keras_kernel
from dbrt.train.start import set_shared_weights


def read_network(path: Path) -> Any:
    """Rebuild the Keras network that a model file was exported from: its backbone and options.

    Raises InputError where the file is none, or of a network that this version can't build.
    """
    file = read_model_file(path)
    proto = file.load()
    try:
        network = build_network(file.backbone, options=_options(proto))
    except UsageError as exc:
        raise InputError(f"{path}: {exc}") from None
    _set_weights(network, file, proto)
    return network


def load_model_file(network: Any, path: Path) -> None:
    """Set a network's weights from a model file that dbrt exported.

    The batch normalisations are restored, so training starts from the very network that was
    exported, but for the float16 rounding of its kernels. Layers of options that the file's
    network lacks keep their initial values.
    Raises InputError where the file is none, or of another network.
    """
    file = read_model_file(path)
    proto = file.load()
    options = _options(proto)
    if options == network.db_options:
        _set_weights(network, file, proto)
        return
    set_shared_weights(network, network_weights(read_network(path)), source=str(path))


def _options(proto: onnx.ModelProto) -> NetworkOptions:
    metadata = {prop.key: prop.value for prop in proto.metadata_props}
    return NetworkOptions.from_json(metadata.get("dbrt.network"))


def _set_weights(network: Any, file: ModelFile, proto: onnx.ModelProto) -> None:
    path = file.path
    tensors = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    metadata = {prop.key: prop.value for prop in proto.metadata_props}
    if "dbrt.batch_norm" not in metadata:
        raise InputError(f"{path} has no dbrt.batch_norm: it can be run, not trained on")
    vectors = unpack_vectors(metadata["dbrt.batch_norm"], network)
    norms = normalisations(network)
    for layer in convolutions(network):
        kind = type(layer).__name__
        kernel = keras_kernel(kind, _tensor(tensors, f"{layer.name}/kernel_f16", path))
        if kernel.shape != tuple(layer.weights[0].shape):
            raise InputError(
                f"{path} is a {file.backbone} network: {layer.name} is {kernel.shape}, "
                f"not {tuple(layer.weights[0].shape)}"
            )
        kernel = kernel.astype(np.float32)
        bias = None
        if layer.name in norms:
            norm = norms[layer.name]
            folded_bias = _tensor(tensors, f"{layer.name}/bias", path)
            kernel, bias = unfold(kernel, folded_bias, kind, vectors[layer.name], norm.epsilon)
            norm.set_weights([vectors[layer.name][name] for name in BN_VARIABLES])
        elif layer.use_bias:
            bias = _tensor(tensors, f"{layer.name}/bias", path)
        layer.set_weights([kernel, bias] if layer.use_bias else [kernel])


def _tensor(tensors: dict[str, NDArray[Any]], name: str, path: Path) -> NDArray[Any]:
    if name not in tensors:
        raise InputError(f"{path} has no {name}: it is of another network")
    return tensors[name]
