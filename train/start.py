"""Where a network's first weights come from: a model file, a checkpoint, or ImageNet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dbrt.errors import InputError
from dbrt.train.checkpoint import Weights, network_weights, read_checkpoint, set_network_weights
from dbrt.train.config import ModelConfig
from dbrt.train.network_options import is_optional


def set_start_weights(network: Any, model: ModelConfig) -> None:
    """Set a new network's weights as `model.start` or `model.init` say; leave it where none does.

    A start may lack the layers of options that are on now (`dbrt.train.network_options`): they keep
    their initial values, with which they change nothing. Raises InputError where the file is none,
    or of another network.
    """
    if model.start.endswith(".onnx"):
        from dbrt.train.modelfile import load_model_file

        load_model_file(network, Path(model.start).expanduser())
    elif model.start:
        path = Path(model.start).expanduser()
        set_shared_weights(network, read_checkpoint(path).ema, source=str(path))
    elif model.init:
        from dbrt.train.pretrained import load_backbone, read_state_dict

        load_backbone(network, read_state_dict(Path(model.init).expanduser()), model.backbone)


def set_shared_weights(network: Any, weights: Weights, *, source: str) -> None:
    """Set the weights of a network from one that may lack its optional layers.

    Raises InputError, naming `source`, where `weights` hold an optional layer that the network
    lacks, or another layer is missing or has another shape.
    """
    own = network_weights(network)
    surplus = sorted({name.split("/")[0] for name in weights.keys() - own.keys()})
    if surplus and all(is_optional(layer) for layer in surplus):
        raise InputError(
            f"{source} has the layer {surplus[0]}, this network has not: set model.neck, "
            f"model.fusion and model.deformable as in the run that made it"
        )
    fresh = {
        name: value
        for name, value in own.items()
        if name not in weights and is_optional(name.split("/")[0])
    }
    set_network_weights(network, {**weights, **fresh}, source=source)
