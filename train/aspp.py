"""Atrous spatial pyramid pooling: context from several distances at the coarsest level.

Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation", 2017 (DeepLabV3).
One 1x1 and three dilated 3x3 convolutions and the mean of the whole picture, side by side, joined
by a 1x1 convolution. Theirs has batch normalisation and ReLU behind the joint; here the joint is
linear, starts at zero and is added to the pyramid's lateral: a network that gets it begins as the
one it was without.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from dbrt.train.blocks import batch_norm, channel_axis, conv

# Theirs are 6, 12, 18 on maps of 1/16; c5 is at 1/32.
RATES = (3, 6, 9)


def add_aspp(lateral: Any, x: Any, channels: int) -> Any:
    """Return `lateral` (N, H, W, channels) plus what is pooled from `x` (N, H, W, C)."""
    branches = [_normalised(conv(x, "aspp_point", channels, 1), "aspp_point")]
    for rate in RATES:
        name = f"aspp_rate{rate}"
        branches.append(_normalised(conv(x, name, channels, 3, dilation=rate), name))
    joined = layers.Concatenate(axis=channel_axis(), name="aspp_concat")(branches)
    joined = conv(joined, "aspp_join", channels, 1, initial="zeros")
    joined = layers.Add(name="aspp_add")([lateral, joined])
    # The joint of the concatenation with the picture's mean is the sum of two joints; so the mean
    # needs no enlarging. No normalisation: a batch has one value of it for each picture.
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="aspp_mean")(x)
    mean = layers.ReLU(name="aspp_picture_relu")(
        layers.Conv2D(channels, 1, kernel_initializer="he_normal", name="aspp_picture")(mean)
    )
    mean = conv(mean, "aspp_join_picture", channels, 1, initial="zeros")
    return AddPicture(name="aspp_add_picture")([joined, mean])


@keras.saving.register_keras_serializable("dbrt")
class AddPicture(layers.Layer):
    """Add one value a channel to every pixel."""

    def call(self, inputs: Any) -> Any:
        """Return `inputs`, a map (N, H, W, C) and values (N, 1, 1, C), as their sum."""
        x, values = inputs
        return x + values


def _normalised(x: Any, name: str) -> Any:
    return layers.ReLU(name=f"{name}_relu")(batch_norm(x, f"{name}_bn"))
