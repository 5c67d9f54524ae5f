"""ResNet-18 and ResNet-50 with the standard ImageNet layout (He et al. 2016, "v1.5" strides).

Layer names follow torchvision with underscores (`layer1_0_conv1`): a dot in a name is refused by
Keras' torch backend. Stride-2 convolutions pad symmetrically (ZeroPadding2D + "valid"), because
Keras' "same" pads 0/1 on even sizes and would shift ImageNet weights by a pixel.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from dbrt.train.blocks import batch_norm, conv, pad
from dbrt.train.deformable import deformable_conv

# blocks in each of the four stages, and whether they are bottlenecks
_STAGES = {"resnet18": ((2, 2, 2, 2), False), "resnet50": ((3, 4, 6, 3), True)}


def taps(image: Any, name: str, *, deformable: bool = False) -> list[Any]:
    """Build the backbone on `image` and return [c2, c3, c4, c5] at 1/4, 1/8, 1/16 and 1/32.

    image       symbolic (N, H, W, 3), normalised RGB
    deformable  every 3x3 convolution of the last three stages, as the paper's
    returns     64, 128, 256, 512 channels (ResNet-18), four times that (ResNet-50)
    """
    blocks, is_bottleneck = _STAGES[name]
    x = conv(image, "conv1", 64, 7, stride=2)
    x = layers.ReLU(name="relu1")(batch_norm(x, "bn1"))
    # Zero padding is right for the maximum since it follows a ReLU.
    x = layers.MaxPooling2D(3, 2, padding="valid", name="maxpool")(pad(x, "maxpool_pad", 1))
    found = []
    for stage, count in enumerate(blocks, start=1):
        width = 64 * 2 ** (stage - 1)
        for block in range(count):
            stride = 2 if stage > 1 and block == 0 else 1
            make = _bottleneck if is_bottleneck else _basic
            kind = deformable_conv if deformable and stage > 1 else _conv3
            x = make(x, f"layer{stage}_{block}", width, stride, kind)
        found.append(x)
    return found


def _conv3(x: Any, name: str, channels: int, *, stride: int = 1) -> Any:
    return conv(x, name, channels, 3, stride=stride)


def _basic(x: Any, name: str, width: int, stride: int, conv3: Any) -> Any:
    y = conv3(x, f"{name}_conv1", width, stride=stride)
    y = layers.ReLU(name=f"{name}_relu1")(batch_norm(y, f"{name}_bn1"))
    y = batch_norm(conv3(y, f"{name}_conv2", width), f"{name}_bn2")
    return _join(x, y, name, width, stride)


def _bottleneck(x: Any, name: str, width: int, stride: int, conv3: Any) -> Any:
    y = conv(x, f"{name}_conv1", width, 1)
    y = layers.ReLU(name=f"{name}_relu1")(batch_norm(y, f"{name}_bn1"))
    y = conv3(y, f"{name}_conv2", width, stride=stride)
    y = layers.ReLU(name=f"{name}_relu2")(batch_norm(y, f"{name}_bn2"))
    y = batch_norm(conv(y, f"{name}_conv3", 4 * width, 1), f"{name}_bn3")
    return _join(x, y, name, 4 * width, stride)


def _join(x: Any, y: Any, name: str, channels: int, stride: int) -> Any:
    axis = -1 if keras.config.image_data_format() == "channels_last" else 1
    if stride != 1 or x.shape[axis] != channels:
        x = conv(x, f"{name}_downsample", channels, 1, stride=stride)
        x = batch_norm(x, f"{name}_downsample_bn")
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))
