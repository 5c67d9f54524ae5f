"""Modulated deformable convolutions from standard operators.

Zhu et al., "Deformable ConvNets v2", CVPR 2019. A 3x3 convolution says where each of its nine taps
reads (bilinear, zeros outside) and how much it counts; a second one does the sum::

    field = conv3x3(x)                 (N, h, w, 27): dx, dy, modulation for each tap
    taps  = DeformableSample(x, field) (N, 3h, 3w, C): tap (i, j) of pixel (y, x) at (3y+i, 3x+j)
    y     = conv3x3, stride 3 (taps)

So the sum is a plain convolution with the kernel, and the name, of the one it stands for: weights
of either load into the other. `field` starts at zero and the modulation is twice the sigmoid:
a network that gets it begins as the one it was without. The export writes the sampling as ONNX
GridSample (`dbrt.train.onnx_sampling`).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from dbrt.train.blocks import channel_axis, conv, pad

TAPS = 3  # along each side of the kernel
FIELDS = 3  # dx, dy, modulation


def deformable_conv(x: Any, name: str, channels: int, *, stride: int = 1) -> Any:
    """A deformable 3x3 convolution without bias; its offsets come from `x`."""
    taps = deformable_taps(x, x, name, stride=stride)
    return conv(taps, name, channels, TAPS, stride=TAPS, is_padded=True)


def deformable_taps(x: Any, source: Any, name: str, *, stride: int = 1) -> Any:
    """Read nine taps of `x` for each pixel, at places found from `source` of the same size."""
    padding = "same"
    if stride > 1:
        source, padding = pad(source, f"{name}_offset_pad", 1), "valid"
    field = layers.Conv2D(
        FIELDS * TAPS * TAPS,
        3,
        stride,
        padding=padding,
        kernel_initializer="zeros",
        name=f"{name}_offset",
    )(source)
    # float32 whatever the policy: bfloat16 knows no positions beyond 256 to the pixel.
    return DeformableSample(stride, name=f"{name}_taps", dtype="float32")([x, field])


@keras.saving.register_keras_serializable("dbrt")
class DeformableSample(layers.Layer):
    """Bilinear reads of nine taps a pixel, zeros outside, each times its modulation."""

    def __init__(self, stride: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stride = stride

    def call(self, inputs: Any) -> Any:
        """Return taps of `inputs`: x (N, H, W, C) and field (N, h, w, 27) -> (N, 3h, 3w, C)."""
        x, field = inputs
        first = channel_axis() == 1
        if first:
            x, field = (ops.transpose(t, (0, 2, 3, 1)) for t in (x, field))
        taps = sample_taps(x, field, self.stride)
        return ops.transpose(taps, (0, 3, 1, 2)) if first else taps

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Three times the field's height and width, the channels of x."""
        x, field = (list(shape) for shape in input_shape)
        axis = channel_axis() % 4
        found = [3 * side if side is not None else None for side in field]
        found[0], found[axis] = x[0], x[axis]
        return tuple(found)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "stride": self.stride}


def sample_taps(x: Any, field: Any, stride: int) -> Any:
    """Read `x` where `field` says.

    x        (N, H, W, C) float32
    field    (N, h, w, 27) float32: dx, dy in pixels and the modulation's logit, by tap
    returns  (N, 3h, 3w, C) float32
    """
    height, width, channels = x.shape[1:]
    rows, columns = field.shape[1] * TAPS, field.shape[2] * TAPS
    spread = ops.reshape(field, (-1, rows // TAPS, columns // TAPS, TAPS, TAPS, FIELDS))
    spread = ops.reshape(ops.transpose(spread, (0, 1, 3, 2, 4, 5)), (-1, rows, columns, FIELDS))
    # A ring of zeros: what lies outside is read from it, and nothing is read beyond it.
    padded = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    across = ops.clip(_places(columns, stride)[None, :] + spread[..., 0] + 1.0, 0.0, width + 1.0)
    down = ops.clip(_places(rows, stride)[:, None] + spread[..., 1] + 1.0, 0.0, height + 1.0)
    left = ops.minimum(ops.floor(ops.stop_gradient(across)), float(width))
    top = ops.minimum(ops.floor(ops.stop_gradient(down)), float(height))
    right_part, lower_part = (across - left)[..., None], (down - top)[..., None]
    flat = ops.reshape(padded, (-1, channels))
    first = ops.arange(ops.shape(x)[0], dtype="int32")[:, None, None]
    line = width + 2
    corner = first * ((height + 2) * line) + ops.cast(top, "int32") * line
    corner = corner + ops.cast(left, "int32")
    upper = ops.take(flat, corner, axis=0) * (1.0 - right_part)
    upper = upper + ops.take(flat, corner + 1, axis=0) * right_part
    lower = ops.take(flat, corner + line, axis=0) * (1.0 - right_part)
    lower = lower + ops.take(flat, corner + (line + 1), axis=0) * right_part
    taps = upper * (1.0 - lower_part) + lower * lower_part
    return taps * (2.0 * ops.sigmoid(spread[..., 2:]))


def _places(count: int, stride: int) -> Any:
    """Pixel that tap number 0, 1, ... reads along one side where nothing is deformed."""
    number = ops.arange(count, dtype="int32")
    return ops.cast(number // TAPS * stride + number % TAPS - 1, "float32")
