"""The DB network: backbone, feature pyramid, probability and threshold heads.

Differentiable Binarization: Liao et al., "Real-time Scene Text Detection with Differentiable
Binarization", AAAI 2020 (arXiv 1911.08947). Layout and parameter counts are those of the authors'
published code without its unused layers: no convolution has a bias, only the deconvolutions do.

::

    image (N, H, W, 3) --backbone--> c2 c3 c4 c5 --1x1, nearest x2, add--> `inner` channels each
        --3x3--> inner/4 each --nearest to 1/4, concat p5 p4 p3 p2--> fused (N, H/4, W/4, inner)
        --head--> 3x3, BN, ReLU; deconv x2, BN, ReLU; deconv x2 --> one logit a pixel
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from dbrt.errors import UsageError
from dbrt.train import mobilenetv2, resnet
from dbrt.train.aspp import add_aspp
from dbrt.train.blocks import NearestUpsample, batch_norm, channel_axis, conv
from dbrt.train.network_options import NetworkOptions
from dbrt.train.scale_fusion import adaptive_fusion

IMAGENET_MEAN = (123.675, 116.28, 103.53)  # RGB, of 0..255
IMAGENET_STD = (58.395, 57.12, 57.375)
BINARIZATION_K = 50.0  # the paper's amplifying factor


@dataclass(frozen=True)
class Backbone:
    """What the pyramid needs to know of a backbone: its name and the pyramid's width."""

    name: str
    inner: int


BACKBONES = {
    "resnet18": Backbone("resnet18", 256),
    "resnet50": Backbone("resnet50", 256),
    "mobilenetv2": Backbone("mobilenetv2", 96),
}


PLAIN = NetworkOptions()


def build_network(
    backbone: str,
    shape: tuple[int | None, int | None] = (None, None),
    options: NetworkOptions = PLAIN,
) -> Any:
    """Build the training graph.

    backbone  a key of BACKBONES
    shape     (H, W) of the input, multiples of 32; None for any
    options   neck, fusion and deformable convolutions
    returns   keras.Model, input `image` (N, H, W, 3) float RGB normalised, output (N, H, W, 2)
              float32: the logits of the probability map and of the threshold map
              (channels_first: (N, 3, H, W) and (N, 2, H, W))

    Raises UsageError for an unknown backbone.
    """
    if backbone not in BACKBONES:
        raise UsageError(f"no backbone {backbone!r}; there are {', '.join(BACKBONES)}")
    size = (*shape, 3) if channel_axis() == -1 else (3, *shape)
    image = keras.Input(size, name="image")
    features = _features(image, backbone, options.deformable)
    fused = _pyramid(features, BACKBONES[backbone].inner, options)
    width = BACKBONES[backbone].inner // 4
    # -2: an untrained probability of 0.12, near the share of text pixels, so that the first steps
    # are not spent on unlearning 0.5 everywhere.
    probability = _head(fused, "binarize", width, bias=-2.0)
    threshold = _head(fused, "threshold", width, bias=0.0)
    logits = layers.Concatenate(axis=channel_axis(), dtype="float32", name="logits")
    network = keras.Model(image, logits([probability, threshold]), name=f"db_{backbone}")
    network.db_options = options  # what model files are compared with
    return network


def approximate_binary(probability: Any, threshold: Any) -> Any:
    """Return 1 / (1 + exp(-k (P - T))) of two maps in 0..1, k = 50 (equation 2 of the paper)."""
    return ops.sigmoid(BINARIZATION_K * (probability - threshold))


def _features(image: Any, backbone: str, deformable: bool) -> list[Any]:
    if backbone == "mobilenetv2":
        return mobilenetv2.taps(image, deformable=deformable)
    return resnet.taps(image, backbone, deformable=deformable)


def _pyramid(features: list[Any], inner: int, options: NetworkOptions) -> Any:
    c2, c3, c4, c5 = features
    in5 = conv(c5, "in5", inner, 1)
    if options.neck == "aspp":
        in5 = add_aspp(in5, c5, inner)
    in4 = _top_down(in5, conv(c4, "in4", inner, 1), "4")
    in3 = _top_down(in4, conv(c3, "in3", inner, 1), "3")
    in2 = _top_down(in3, conv(c2, "in2", inner, 1), "2")
    quarter = inner // 4
    outs = [
        NearestUpsample(factor, name=f"p{level}_up")(conv(x, f"out{level}", quarter, 3))
        for level, x, factor in ((5, in5, 8), (4, in4, 4), (3, in3, 2))
    ]
    outs.append(conv(in2, "out2", quarter, 3))
    if options.fusion == "adaptive":
        return adaptive_fusion(outs, inner)
    return layers.Concatenate(axis=channel_axis(), name="fuse")(outs)


def _top_down(above: Any, lateral: Any, level: str) -> Any:
    up = NearestUpsample(2, name=f"up{level}")(above)
    return layers.Add(name=f"add{level}")([up, lateral])


def _head(x: Any, name: str, width: int, *, bias: float) -> Any:
    # The published head starts its batch normalisations at gamma 1, beta 1e-4.
    x = batch_norm(conv(x, f"{name}_conv", width, 3), f"{name}_bn", beta=1e-4)
    x = layers.ReLU(name=f"{name}_relu")(x)
    x = _deconv(x, f"{name}_up1", width)
    x = batch_norm(x, f"{name}_up1_bn", beta=1e-4)
    x = layers.ReLU(name=f"{name}_up1_relu")(x)
    return _deconv(x, f"{name}_up2", 1, bias=bias)


def _deconv(x: Any, name: str, channels: int, *, bias: float = 0.0) -> Any:
    return layers.Conv2DTranspose(
        channels,
        2,
        2,
        padding="valid",
        kernel_initializer="he_normal",
        bias_initializer=keras.initializers.Constant(bias),
        name=name,
    )(x)
