"""Checkpoints: arrays and a line of JSON in one .npz, nothing that could run code.

weights/<layer>/<variable>   the network as trained
ema/<layer>/<variable>       its moving average: what is validated and exported
optimizer/<number>           the optimizer's variables, in its own order
meta                         JSON: step, backbone, configuration, curve
"""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dbrt.errors import InputError, unwritable

Weights = dict[str, NDArray[Any]]
FORMAT = "dbrt-checkpoint-1"


@dataclass
class Checkpoint:
    """The state of a run after `meta["step"]` steps."""

    weights: Weights
    ema: Weights
    optimizer: list[NDArray[Any]] = field(default_factory=list)
    meta: dict[str, Any] = field(default_factory=dict)


def network_weights(network: Any) -> Weights:
    """Return every variable of a Keras network as numpy, by `<layer>/<variable>`."""
    from keras import ops

    found = {}
    for layer in network.layers:
        for variable in layer.weights:
            name = f"{layer.name}/{variable.name}"
            found[name] = np.array(ops.convert_to_numpy(variable.value), np.float32)
    return found


def set_network_weights(network: Any, weights: Weights, *, source: str) -> None:
    """Set every variable of a network by name.

    Raises InputError, naming `source`, where one is missing or has another shape.
    """
    for layer in network.layers:
        for variable in layer.weights:
            name = f"{layer.name}/{variable.name}"
            if name not in weights:
                raise InputError(f"{source} has no {name}: it belongs to another network")
            if weights[name].shape != tuple(variable.shape):
                raise InputError(
                    f"{source}: {name} is {weights[name].shape}, this network wants "
                    f"{tuple(variable.shape)}"
                )
            variable.assign(weights[name])


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write atomically: a reader sees the old file or the new one, whole.

    Raises OutputError where it can't be written; the old file then stays.
    """
    arrays: dict[str, NDArray[Any]] = {}
    arrays.update({f"weights/{name}": value for name, value in checkpoint.weights.items()})
    arrays.update({f"ema/{name}": value for name, value in checkpoint.ema.items()})
    arrays.update({f"optimizer/{i}": value for i, value in enumerate(checkpoint.optimizer)})
    arrays["meta"] = np.array(json.dumps({"format": FORMAT, **checkpoint.meta}))
    partial = path.with_name(path.name + ".part")
    try:
        with partial.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as exc:
        raise unwritable(path, exc) from None
    finally:  # Ctrl-C may come here too
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; raises InputError for anything else, a foreign .keras file included."""
    if path.suffix in (".keras", ".h5", ".hdf5", ".pkl", ".pt", ".pth"):
        raise InputError(
            f"{path} is not a dbrt checkpoint: only its own .npz files (weights, nothing that runs "
            f"code) are read"
        )
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            meta = json.loads(str(data["meta"]))
            if meta.get("format") != FORMAT:
                raise InputError(f"{path} has checkpoint format {meta.get('format')}, not {FORMAT}")
            arrays = {name: data[name] for name in data.files}
    except OSError as exc:
        raise InputError(f"cannot read checkpoint {path}: {exc.strerror or exc}") from None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
        # numpy's own words propose to load what may hold code.
        raise InputError(
            f"{path} is cut short or not a dbrt checkpoint: give an .npz file of dbrt train"
        ) from None
    count = sum(name.startswith("optimizer/") for name in arrays)
    return Checkpoint(
        _below(arrays, "weights/"),
        _below(arrays, "ema/"),
        [arrays[f"optimizer/{i}"] for i in range(count)],
        meta,
    )


def _below(arrays: Weights, prefix: str) -> Weights:
    return {n.removeprefix(prefix): v for n, v in arrays.items() if n.startswith(prefix)}
