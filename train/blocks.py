"""The few layers that all backbones and heads are made of, with their initial values."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def channel_axis() -> int:
    """Return -1 for channels_last, 1 for channels_first."""
    return -1 if keras.config.image_data_format() == "channels_last" else 1


def pad(x: Any, name: str, size: int) -> Any:
    """Pad height and width by `size` zeros on each side."""
    return layers.ZeroPadding2D(size, name=name)(x)


def conv(
    x: Any,
    name: str,
    channels: int,
    kernel: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    initial: str = "he_normal",
    is_padded: bool = False,
) -> Any:
    """Convolve without bias, padding symmetrically by kernel // 2 as ImageNet weights expect.

    dilation   distance between two taps; with stride 1 only
    initial    the kernel's initializer
    is_padded  `x` carries its padding already
    """
    padding = "same"
    if stride > 1 or is_padded:
        padding = "valid"
        if kernel > 1 and not is_padded:
            x = pad(x, f"{name}_pad", kernel // 2)
    return layers.Conv2D(
        channels,
        kernel,
        stride,
        padding=padding,
        dilation_rate=dilation,
        use_bias=False,
        kernel_initializer=initial,
        name=name,
    )(x)


def depthwise(x: Any, name: str, *, stride: int = 1, is_padded: bool = False) -> Any:
    """3x3 depthwise convolution without bias, symmetric padding unless `x` carries its own."""
    if stride > 1 and not is_padded:
        x = pad(x, f"{name}_pad", 1)
    return layers.DepthwiseConv2D(
        3,
        stride,
        padding="valid" if stride > 1 or is_padded else "same",
        use_bias=False,
        depthwise_initializer="he_normal",
        name=name,
    )(x)


def batch_norm(x: Any, name: str, *, beta: float = 0.0) -> Any:
    """Batch normalisation with torchvision's epsilon and momentum (0.1 there is 0.9 in Keras)."""
    return layers.BatchNormalization(
        axis=channel_axis(),
        momentum=0.9,
        epsilon=1e-5,
        beta_initializer=keras.initializers.Constant(beta),
        name=name,
    )(x)


@keras.saving.register_keras_serializable("dbrt")
class NearestUpsample(layers.Layer):
    """Repeat every pixel `factor` times in height and width.

    UpSampling2D does the same but exports as Unsqueeze, Tile and Reshape; `ops.image.resize`
    becomes one Resize. It needs static sizes, which every concrete call has.
    """

    def __init__(self, factor: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs: Any) -> Any:
        """Return `inputs` (N, H, W, C) as (N, H * factor, W * factor, C)."""
        rows = 1 if channel_axis() == -1 else 2
        height, width = inputs.shape[rows : rows + 2]
        size = (height * self.factor, width * self.factor)
        return keras.ops.image.resize(inputs, size, interpolation="nearest")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Multiply height and width; unknown ones stay unknown."""
        rows = 1 if channel_axis() == -1 else 2
        shape = list(input_shape)
        for axis in (rows, rows + 1):
            if shape[axis] is not None:
                shape[axis] = shape[axis] * self.factor  # type: ignore[operator]
        return tuple(shape)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "factor": self.factor}
