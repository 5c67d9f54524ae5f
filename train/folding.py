"""Batch normalisation folded into the convolution before it, and out of it again.

::

    s = gamma / sqrt(variance + epsilon)
    kernel' = kernel * s
    bias' = (bias - mean) * s + beta

A model file carries kernel' and bias'; the four vectors of each normalisation travel beside them,
so that training can go on from exactly the network that was exported.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dbrt.train.checkpoint import Weights

_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D", "Conv2DTranspose")
BN_VARIABLES = ("gamma", "beta", "moving_mean", "moving_variance")
# Below this a scale is a dead channel: its kernel can't be told from zero, and is read as zero.
_DEAD_SCALE = 1e-20


def convolutions(network: Any) -> list[Any]:
    """Return every convolution of a Keras network, in its order."""
    return [layer for layer in network.layers if type(layer).__name__ in _CONVOLUTIONS]


def normalisations(network: Any) -> dict[str, Any]:
    """Map the name of each convolution that a batch normalisation follows to that layer."""
    found = {}
    for layer in network.layers:
        if type(layer).__name__ == "BatchNormalization":
            before = layer._inbound_nodes[0].parent_nodes[0].operation
            found[before.name] = layer
    return found


def fold(network: Any, stand_ins: dict[str, Any] | None = None) -> Any:
    """Return a copy of a Keras network whose convolutions have absorbed their normalisation.

    stand_ins  class of a layer by name -> the class to put in its place, made from its settings
    """
    import keras

    followed = normalisations(network)

    def rebuild(layer: Any) -> Any:
        if type(layer).__name__ == "BatchNormalization":
            return keras.layers.Identity(name=layer.name)
        config = layer.get_config()
        stand_in = (stand_ins or {}).get(type(layer).__name__)
        if stand_in is not None:
            return stand_in.from_config(config)
        if layer.name in followed:
            config["use_bias"] = True
        return type(layer).from_config(config)

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("mask", None)  # recorded for the normalisation, unknown to Identity
        return layer(*args, **kwargs)

    folded = keras.models.clone_model(network, clone_function=rebuild, call_function=call)
    for layer in convolutions(network):
        kernel, bias = folded_weights(layer, followed.get(layer.name))
        copy = folded.get_layer(layer.name)
        copy.set_weights([kernel, bias] if copy.use_bias else [kernel])
    return folded


def folded_weights(layer: Any, norm: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return kernel (Keras' order) and bias (C,) of a convolution after folding."""
    values = [np.asarray(value, np.float64) for value in layer.get_weights()]
    kernel = values[0]
    axis = channel_of(type(layer).__name__)
    bias = values[1] if layer.use_bias else np.zeros(_channels(kernel, axis))
    if norm is not None:
        named = dict(zip(BN_VARIABLES, norm.get_weights(), strict=True))
        scale = _scale(named, norm.epsilon)
        kernel = kernel * _along(scale, axis)
        bias = (bias - named["moving_mean"].astype(np.float64)) * scale + named["beta"]
    return kernel.astype(np.float32), bias.astype(np.float32)


def unfold(
    kernel: NDArray[Any], bias: NDArray[Any], kind: str, vectors: Weights, epsilon: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Undo `folded_weights`: return kernel and bias as they were before the normalisation.

    kind     class name of the layer
    vectors  gamma, beta, moving_mean, moving_variance, each (C,)
    """
    scale = _scale(vectors, epsilon)
    alive = np.abs(scale) > _DEAD_SCALE
    inverse = np.where(alive, 1.0 / np.where(alive, scale, 1.0), 0.0)
    mean = np.asarray(vectors["moving_mean"], np.float64)
    before = (bias.astype(np.float64) - vectors["beta"]) * inverse + mean
    plain = kernel.astype(np.float64) * _along(inverse, channel_of(kind))
    return plain.astype(np.float32), before.astype(np.float32)


def channel_of(kind: str) -> int:
    """Return the axis of a Keras kernel that holds the channels a normalisation scales."""
    return {"Conv2D": 3, "DepthwiseConv2D": 2, "Conv2DTranspose": 2}[kind]


def _scale(vectors: Weights, epsilon: float) -> NDArray[np.float64]:
    variance = np.asarray(vectors["moving_variance"], np.float64)
    return np.asarray(vectors["gamma"], np.float64) / np.sqrt(variance + epsilon)


def _along(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    shape = [1, 1, 1, 1]
    shape[axis] = len(values)
    return values.reshape(shape)


def _channels(kernel: NDArray[Any], axis: int) -> int:
    return int(kernel.shape[axis])
