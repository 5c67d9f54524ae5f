"""CRAFT: a teacher that finds characters and what joins them to words.

Baek et al., "Character Region Awareness for Text Detection", CVPR 2019. VGG-16 with batch
normalisation up to its fifth stage, a dilated stage in place of its classifier, and a U-shaped way
back up to half the picture's size::

    image (N, H, W, 3) --> region, affinity (N, H/2, W/2, 2)

Layers carry the names of the published weights with "_" for ".", so that a file of
`craft_mlt_25k.pth` fills them by name. dbrt ships no such file.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from dbrt.errors import UsageError
from dbrt.train.blocks import batch_norm, channel_axis
from dbrt.train.pretrained import State, copy_layer

WIDTH = 64  # channels of the first stage
# (number of the convolution in the published file, channels in widths, pooled before, slice)
_STAGES = (
    ((0, 1, False), (3, 1, False), (7, 2, True), (10, 2, False)),
    ((14, 4, True), (17, 4, False)),
    ((20, 4, False), (24, 8, True), (27, 8, False)),
    ((30, 8, False), (34, 8, True), (37, 8, False)),
)


def load_craft(state: State) -> Any:
    """Build CRAFT with the tensors of a published file.

    Raises InputError where one is missing or has another shape.
    """
    if channel_axis() != -1:
        raise UsageError("the CRAFT teacher needs channels_last: see keras.json")
    network = build_craft()
    set_craft_weights(network, state)
    return network


def set_craft_weights(network: Any, state: State) -> None:
    """Copy the published file's tensors into `network` by name."""
    for layer in network.layers:
        if layer.weights:
            source = layer.name.replace("_", ".").replace("conv.cls", "conv_cls")
            copy_layer(layer, state, source)


def build_craft(width: int = WIDTH) -> Any:
    """Build the network with random weights; `width` channels in the first stage.

    returns  keras.Model: RGB (N, H, W, 3) float, ImageNet-normalised, H and W multiples of 32, to
             (N, H/2, W/2, 2) float32, the region and the affinity score, about 0..1
    """
    image = keras.Input((None, None, 3), name="image")
    x, levels = image, []
    for number, stage in enumerate(_STAGES, start=1):
        for index, times, is_pooled in stage:
            if x is not image:
                x = layers.ReLU(name=f"before{index}_relu")(x)
            if is_pooled:
                x = layers.MaxPooling2D(2, name=f"before{index}_pool")(x)
            x = _conv(x, f"basenet_slice{number}_{index}", times * width, 3)
            x = batch_norm(x, f"basenet_slice{number}_{index + 1}")
        levels.append(x)
    # The published code's activations work in place: three of the four levels are what follows
    # the next slice's ReLU, the last is not.
    levels[:3] = [layers.ReLU(name=f"level{i}")(level) for i, level in enumerate(levels[:3])]
    x = layers.MaxPooling2D(3, 1, padding="same", name="dilated_pool")(levels[3])
    x = _conv(x, "basenet_slice5_1", 16 * width, 3, dilation=6)
    x = _conv(x, "basenet_slice5_2", 16 * width, 1)
    for number, level in enumerate(reversed(levels), start=1):
        if number > 1:
            x = layers.UpSampling2D(2, interpolation="bilinear", name=f"up{number}")(x)
        x = layers.Concatenate(name=f"concat{number}")([x, level])
        x = _up(x, f"upconv{number}_conv", 16 * width >> number)
    for index, divisor in ((0, 2), (2, 2), (4, 4)):
        x = layers.ReLU(name=f"cls{index}_relu")(_conv(x, f"conv_cls_{index}", width // divisor, 3))
    x = layers.ReLU(name="cls6_relu")(_conv(x, "conv_cls_6", width // 4, 1))
    x = _conv(x, "conv_cls_8", 2, 1)
    return keras.Model(image, layers.Activation("linear", dtype="float32", name="scores")(x))


def _up(x: Any, name: str, channels: int) -> Any:
    x = batch_norm(_conv(x, f"{name}_0", channels, 1), f"{name}_1")
    x = _conv(layers.ReLU(name=f"{name}_2")(x), f"{name}_3", channels // 2, 3)
    return layers.ReLU(name=f"{name}_5")(batch_norm(x, f"{name}_4"))


def _conv(x: Any, name: str, channels: int, kernel: int, *, dilation: int = 1) -> Any:
    return layers.Conv2D(channels, kernel, padding="same", dilation_rate=dilation, name=name)(x)
