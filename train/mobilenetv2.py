"""MobileNetV2 (Sandler et al. 2018) up to its last 320-channel block: the light backbone.

Padding is symmetric as in torchvision, whose ImageNet weights it takes (`dbrt.train.pretrained`).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from dbrt.train.blocks import batch_norm, channel_axis, conv, depthwise
from dbrt.train.deformable import TAPS, deformable_taps

# (output channels, stride) of blocks 1 to 17; the taps are taken behind blocks 3, 6, 13 and 17
BLOCKS = (
    (16, 1),
    *((24, 2), (24, 1)),
    *((32, 2), (32, 1), (32, 1)),
    *((64, 2), (64, 1), (64, 1), (64, 1), (96, 1), (96, 1), (96, 1)),
    *((160, 2), (160, 1), (160, 1), (320, 1)),
)
_TAPS = (3, 6, 13, 17)
_EXPANSION = 6
# The last block of each of the stages 3 to 5 that keeps its size and its channels.
_DEFORMABLE = (6, 13, 16)


def taps(image: Any, *, deformable: bool = False) -> list[Any]:
    """Build the backbone on `image` and return [c2, c3, c4, c5] at 1/4, 1/8, 1/16 and 1/32.

    image       symbolic (N, H, W, 3), normalised RGB
    deformable  the depthwise convolutions of blocks 6, 13 and 16; all would cost too much
    returns     24, 32, 96 and 320 channels
    """
    x = conv(image, "stem_conv", 32, 3, stride=2)
    x = _relu6(batch_norm(x, "stem_bn"), "stem_relu")
    found = []
    for number, (channels, stride) in enumerate(BLOCKS, start=1):
        x = _inverted_residual(
            x,
            f"block{number}",
            channels,
            stride,
            expand=number > 1,
            deformable=deformable and number in _DEFORMABLE,
        )
        if number in _TAPS:
            found.append(x)
    return found


def _inverted_residual(
    x: Any, name: str, channels: int, stride: int, *, expand: bool, deformable: bool
) -> Any:
    inputs = x
    before = x.shape[channel_axis()]
    if expand:
        x = conv(x, f"{name}_expand", _EXPANSION * before, 1)
        x = _relu6(batch_norm(x, f"{name}_expand_bn"), f"{name}_expand_relu")
    if deformable:
        # Places from the block's few channels: a sixth of the products that the many would take.
        x = deformable_taps(x, inputs, f"{name}_depthwise", stride=stride)
        x = depthwise(x, f"{name}_depthwise", stride=TAPS, is_padded=True)
    else:
        x = depthwise(x, f"{name}_depthwise", stride=stride)
    x = _relu6(batch_norm(x, f"{name}_depthwise_bn"), f"{name}_depthwise_relu")
    x = batch_norm(conv(x, f"{name}_project", channels, 1), f"{name}_project_bn")
    if stride == 1 and before == channels:
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return x


def _relu6(x: Any, name: str) -> Any:
    return keras.layers.ReLU(max_value=6.0, name=name)(x)
