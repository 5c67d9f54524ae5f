"""The figures that others published for this network: a TensorFlow version on an RTX 2080 Ti."""

from __future__ import annotations

from dataclasses import dataclass

MACHINE = "RTX 2080 Ti"


@dataclass(frozen=True)
class Published:
    """Milliseconds a picture, as published; spread and method are not known."""

    network_ms: float
    post_ms: float


# By backbone and input size. Nothing was published for ResNet-18 or for light backbones.
FIGURES = {
    ("resnet50", 320): Published(13.3, 2.9),
    ("resnet50", 512): Published(19.2, 4.5),
    ("resnet50", 736): Published(33.2, 5.7),
}
