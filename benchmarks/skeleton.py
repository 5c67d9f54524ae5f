"""Skeletons: model files without weights, filled with seeded random ones to be timed.

A skeleton is a model file in which nodes of the ONNX operator RandomNormal stand where weights
would be. Each states shape, mean, spread and seed. `fill` puts an initialiser of the same name in
the place of each: `numpy.random.default_rng(seed).standard_normal(shape, float32) * scale + mean`,
rounded to the node's type. The same NumPy gives the same weights everywhere; another version may
draw other ones, which changes maps and no times: these networks are for timing, not for finding.
"""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dbrt.engine.cache import default_folder
from dbrt.engine.modelfile import ModelFile, read_model_file
from dbrt.errors import InputError, OutputError

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

OPERATOR = "RandomNormal"

# Raised when `fill` draws other weights, so that files of before are not taken.
FILL_VERSION = 1

# ResNet-50 has 26 million; a file that asks for more than this is no network of ours.
MAX_WEIGHTS = 1 << 28


def untrained_folder() -> Path:
    """Return where filled models and their engines lie: `untrained` beside the engine cache.

    Apart from the engines of trained models, so that it can be removed as a whole; about 300 MB
    after a run with both ResNets at three sizes.
    """
    return default_folder().with_name("untrained")


def is_skeleton(proto: onnx.ModelProto) -> bool:
    """Whether weights of the model are still to be drawn."""
    return any(node.op_type == OPERATOR for node in proto.graph.node)


def fill(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of `proto` with an initialiser in the place of each RandomNormal node.

    Raises InputError for a node without a seed or a shape, of a type other than float16 and
    float32, or where the weights are too many.
    """
    import onnx
    from onnx import numpy_helper

    filled = onnx.ModelProto()
    filled.CopyFrom(proto)
    nodes = [node for node in filled.graph.node if node.op_type == OPERATOR]
    requests = [_Request(node) for node in nodes]
    weights = sum(request.count for request in requests)
    if weights > MAX_WEIGHTS:
        raise InputError(f"the skeleton asks for {weights} weights: this is no dbrt model")
    for node, request in zip(nodes, requests, strict=True):
        filled.graph.node.remove(node)
        filled.graph.initializer.append(numpy_helper.from_array(request.draw(), request.name))
    return filled


def filled_model(path: Path) -> ModelFile:
    """Return the model file of a filled skeleton, written on the first call and found later.

    Raises InputError for a file that is no skeleton of ours, OutputError where the cache folder
    can't be written.
    """
    skeleton = read_model_file(path)
    key = hashlib.sha256(f"{FILL_VERSION}:{np.__version__}:{skeleton.sha256}".encode())
    target = untrained_folder() / f"{skeleton.name}-{key.hexdigest()[:16]}.onnx"
    if target.is_file():
        try:
            return read_model_file(target)
        except InputError:
            pass  # cut short by a crash or a full disk: written again below
    _write(target, fill(skeleton.load()).SerializeToString(deterministic=True))
    return read_model_file(target)


class _Request:
    """What a RandomNormal node asks for."""

    def __init__(self, node: onnx.NodeProto) -> None:
        from onnx import TensorProto, helper

        given: dict[str, Any] = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        self.name = node.output[0]
        kind = given.get("dtype", TensorProto.FLOAT)
        types: dict[int, type[np.floating[Any]]] = {
            TensorProto.FLOAT: np.float32,
            TensorProto.FLOAT16: np.float16,
        }
        if "seed" not in given or "shape" not in given or kind not in types:
            raise InputError(
                f"skeleton: {self.name} lacks a seed or a shape, or is no float: export it again"
            )
        self.dtype = types[kind]
        self.shape = tuple(given["shape"])
        self.seed = int(given["seed"])
        self.mean = float(given.get("mean", 0.0))
        self.scale = float(given.get("scale", 1.0))
        if min(self.shape, default=0) < 1 or self.seed < 0:
            raise InputError(f"skeleton: {self.name} has a bad shape or seed: export it again")

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    def draw(self) -> NDArray[np.floating[Any]]:
        values = np.random.default_rng(self.seed).standard_normal(self.shape, np.float32)
        values *= np.float32(self.scale)
        values += np.float32(self.mean)
        return values.astype(self.dtype)


def _write(target: Path, data: bytes) -> None:
    """Write a file that appears whole or not at all."""
    try:
        target.parent.parent.mkdir(parents=True, exist_ok=True)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
            os.replace(name, target)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as exc:
        raise OutputError(
            f"{target.name} can't be written to {target.parent}: {exc.strerror or exc}: "
            "make room there, or set DBRT_CACHE to another folder"
        ) from None
