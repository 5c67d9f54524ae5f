"""Adaptive scale fusion: each level of the pyramid weighted at each pixel.

Liao et al., "Real-Time Scene Text Detection with Differentiable Binarization and Adaptive Scale
Fusion", TPAMI 2022 (DB++)::

    S = conv3x3(concat)                              inner -> inner / 4
    S = S + sigmoid(conv1x1(relu(conv3x3(mean of S's channels))))
    weights = sigmoid(conv1x1(S))                    one for each level
    fused = concat(weight_i * level_i)

Here the weights are twice the sigmoid, and the last convolution starts at zero: every weight
starts at 1, and a network that gets the fusion begins as the one it was without. The factor is
nothing new: the next convolution could absorb it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from dbrt.train.blocks import channel_axis, conv


def adaptive_fusion(levels: Sequence[Any], inner: int) -> Any:
    """Weight and concatenate maps of one size, (N, H, W, inner / 4) each."""
    axis = channel_axis()
    stacked = layers.Concatenate(axis=axis, name="scale_concat")(list(levels))
    summary = layers.Conv2D(
        inner // 4, 3, padding="same", kernel_initializer="he_normal", name="scale_conv"
    )(stacked)
    mean = ChannelMean(name="scale_mean")(summary)
    mean = layers.ReLU(name="scale_spatial_relu")(conv(mean, "scale_spatial1", 1, 3))
    mean = layers.Activation("sigmoid", name="scale_spatial_sigmoid")(
        conv(mean, "scale_spatial2", 1, 1)
    )
    summary = layers.Add(name="scale_add")([summary, mean])
    logits = conv(summary, "scale_weight", len(levels), 1, initial="zeros")
    return WeightedConcat(name="fuse")([*levels, logits])


@keras.saving.register_keras_serializable("dbrt")
class ChannelMean(layers.Layer):
    """The mean of all channels, as one channel."""

    def call(self, inputs: Any) -> Any:
        """Return `inputs` (N, H, W, C) as (N, H, W, 1)."""
        return ops.mean(inputs, axis=channel_axis(), keepdims=True)


@keras.saving.register_keras_serializable("dbrt")
class WeightedConcat(layers.Layer):
    """Concatenate maps, each times twice the sigmoid of its channel of the last input."""

    def call(self, inputs: Any) -> Any:
        """Return `inputs`, K maps (N, H, W, C) and (N, H, W, K) logits, as (N, H, W, K C)."""
        *levels, logits = inputs
        axis = channel_axis()
        weights = ops.split(ops.sigmoid(logits) * 2.0, len(levels), axis=axis)
        weighted = [level * weight for level, weight in zip(levels, weights, strict=True)]
        return ops.concatenate(weighted, axis=axis)
