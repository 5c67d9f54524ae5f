"""ImageNet weights of the backbones, from torchvision-style files, without torch.

Reads the two formats of torch.save (the zip of today and the stream of before 1.6) and .npz. Only
tensors are built: any other object in the pickle is refused, so a file can't run code.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dbrt.errors import InputError

_DTYPES = {
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "DoubleStorage": np.dtype("<f8"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
}
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C

State = dict[str, NDArray[Any]]


def read_state_dict(path: Path) -> State:
    """Read a state dict as numpy arrays by name.

    Raises InputError where the file is missing, no such file, or holds anything but tensors.
    """
    try:
        if path.suffix == ".npz":
            with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
                return {name: data[name] for name in data.files}
        if zipfile.is_zipfile(path):
            return _read_zip(path)
        with path.open("rb") as file:
            return _read_legacy(file)
    except OSError as exc:
        raise InputError(f"cannot read weights {path}: {exc.strerror or exc}") from None
    except (pickle.UnpicklingError, ValueError, EOFError, KeyError, IndexError) as exc:
        raise InputError(f"{path} is not a file of weights that can be read: {exc}") from None


def load_backbone(model: Any, state: State, backbone: str) -> None:
    """Copy the backbone's weights from `state` into a Keras network, checking every shape.

    Raises InputError where a tensor is missing or has another shape; extra ones (a classifier, the
    last 1280-channel convolution) are passed over.
    """
    prefix = "bb." if any(name.startswith("bb.") for name in state) else ""
    names = _mobilenetv2_names(prefix) if backbone == "mobilenetv2" else _resnet_names(model)
    for layer_name, source in names.items():
        copy_layer(model.get_layer(layer_name), state, source)


def copy_layer(layer: Any, state: State, source: str) -> None:
    """Copy a convolution (`source.weight` [, `source.bias`]) or a batch normalisation."""
    if type(layer).__name__ == "BatchNormalization":
        kinds = ("weight", "bias", "running_mean", "running_var")
        values = [_tensor(state, f"{source}.{kind}") for kind in kinds]
    else:
        order = (2, 3, 0, 1) if type(layer).__name__ == "DepthwiseConv2D" else (2, 3, 1, 0)
        values = [_tensor(state, f"{source}.weight").transpose(order)]
        if layer.use_bias:
            values.append(_tensor(state, f"{source}.bias"))
    shapes = [tuple(w.shape) for w in layer.weights]
    if [v.shape for v in values] != shapes:
        raise InputError(f"weights {source} have shapes {[v.shape for v in values]}, not {shapes}")
    layer.set_weights([v.astype(np.float32) for v in values])


def _mobilenetv2_names(prefix: str) -> dict[str, str]:
    names = {"stem_conv": f"{prefix}features.0.0", "stem_bn": f"{prefix}features.0.1"}
    parts = ("expand", "expand_bn", "depthwise", "depthwise_bn", "project", "project_bn")
    for block in range(1, 18):
        present = parts[2:] if block == 1 else parts
        for part, index in zip(present, (0, 1, 3, 4, 6, 7), strict=False):
            names[f"block{block}_{part}"] = f"{prefix}features.{block}.conv.{index}"
    return names


def _resnet_names(model: Any) -> dict[str, str]:
    names = {}
    for layer in model.layers:
        name = layer.name
        if not layer.weights or not name.startswith(("conv1", "bn1", "layer")):
            continue
        source = name.replace("downsample_bn", "downsample.1")
        if source.endswith("downsample"):
            source += ".0"
        parts = source.split("_")
        names[name] = ".".join(parts)
    return names


def _tensor(state: State, name: str) -> NDArray[Any]:
    if name not in state:
        raise InputError(f"the weights file has no {name}")
    return state[name]


class _Storage:
    """Stands for a torch storage type while unpickling."""

    def __init__(self, name: str) -> None:
        self.dtype = _DTYPES[name]


class _TensorUnpickler(pickle.Unpickler):
    """Builds tensors and nothing else."""

    def __init__(self, file: BinaryIO | io.BytesIO, storages: dict[str, Any]) -> None:
        super().__init__(file)
        self.storages = storages

    def find_class(self, module: str, name: str) -> Any:
        if module == "collections" and name == "OrderedDict":
            return OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
            return _PendingTensor
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda data, *_: data
        if module == "torch" and name in _DTYPES:
            return _Storage(name)
        raise pickle.UnpicklingError(f"it holds {module}.{name}, not only tensors")

    def persistent_load(self, pid: Any) -> Any:
        kind, storage, key, _device, count = pid[:5]
        if kind != "storage":
            raise pickle.UnpicklingError(f"unknown reference {kind}")
        return self.storages.setdefault(key, {"dtype": storage.dtype, "count": count})


class _PendingTensor:
    """A view of a storage, resolved once the storage's bytes are there."""

    def __init__(self, storage: dict[str, Any], offset: int, size: Any, stride: Any, *_: Any):
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def resolve(self) -> NDArray[Any]:
        data = self.storage["data"]
        if self.offset + int(np.prod(self.size)) > len(data):
            raise ValueError("a tensor reaches past its storage")
        strides = [s * data.itemsize for s in self.stride]
        view = np.lib.stride_tricks.as_strided(data[self.offset :], tuple(self.size), strides)
        return np.array(view)


def _resolve(tree: Any) -> State:
    if isinstance(tree, dict) and "state_dict" in tree:
        tree = tree["state_dict"]
    if not isinstance(tree, dict):
        raise ValueError("it holds no state dict")
    found = {str(k): v.resolve() for k, v in tree.items() if isinstance(v, _PendingTensor)}
    return {name.removeprefix("module."): value for name, value in found.items()}


def _read_zip(path: Path) -> State:
    storages: dict[str, Any] = {}
    with zipfile.ZipFile(path) as archive:
        index = next(n for n in archive.namelist() if n.endswith("data.pkl"))
        tree = _TensorUnpickler(io.BytesIO(archive.read(index)), storages).load()
        for key, storage in storages.items():
            raw = archive.read(f"{index.removesuffix('data.pkl')}data/{key}")
            storage["data"] = np.frombuffer(raw, storage["dtype"])
    return _resolve(tree)


def _read_legacy(file: BinaryIO) -> State:
    storages: dict[str, Any] = {}
    if _TensorUnpickler(file, storages).load() != _LEGACY_MAGIC:
        raise ValueError("it is no file of torch.save")
    for _ in range(2):  # protocol version, then the sizes of the writer's C types
        _TensorUnpickler(file, storages).load()
    tree = _TensorUnpickler(file, storages).load()
    for key in _TensorUnpickler(file, storages).load():
        storage = storages[key]
        count = int(np.frombuffer(file.read(8), "<i8")[0])
        raw = file.read(count * storage["dtype"].itemsize)
        storage["data"] = np.frombuffer(raw, storage["dtype"])
    return _resolve(tree)
