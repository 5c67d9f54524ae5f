"""Colour, blur, noise and JPEG on batches of crops (keras.ops), as in dbrt.train.augment."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from dbrt.train.accelerator.draws import KERNEL

_GREY = (0.114, 0.587, 0.299)  # of B, G, R
# BGR to Y, Cb - 128, Cr - 128 (JFIF), by rows.
_TO_YCC = (
    (0.114, 0.587, 0.299),
    (0.5, -0.331264, -0.168736),
    (-0.081312, -0.418688, 0.5),
)
_BLOCK = 8


def change_colours(crops: Any, inputs: dict[str, Any]) -> Any:
    """Gain, shift, grey and inversion; crops (N, S, S, 3) float32 BGR 0..255."""
    gain, shift = inputs["gain"][:, None, None, :], inputs["shift"][:, None, None, :]
    crops = ops.clip(crops * gain + shift, 0.0, 255.0)
    grey = ops.sum(crops * ops.convert_to_tensor(_GREY, "float32"), axis=-1, keepdims=True)
    is_grey = inputs["grey"][:, None, None, None]
    crops = crops * (1.0 - is_grey) + grey * is_grey
    inverted = inputs["invert"][:, None, None, None]
    return crops * (1.0 - 2.0 * inverted) + 255.0 * inverted


def blur(crops: Any, kernels: Any) -> Any:
    """Filter each crop (N, S, S, 3) by its own kernel (N, 9, 9), with reflected borders.

    One depthwise convolution: crops and their channels side by side are its channels.
    """
    count, side = crops.shape[0], crops.shape[1]
    reach = KERNEL // 2
    padded = ops.pad(crops, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="reflect")
    wide = ops.transpose(padded, (1, 2, 0, 3))
    wide = ops.reshape(wide, (1, side + 2 * reach, side + 2 * reach, count * 3))
    each = ops.repeat(ops.transpose(kernels, (1, 2, 0)), 3, axis=-1)[..., None]
    found = ops.depthwise_conv(wide, each, 1, padding="valid", data_format="channels_last")
    return ops.transpose(ops.reshape(found, (side, side, count, 3)), (2, 0, 1, 3))


def add_noise(crops: Any, tile: Any, inputs: dict[str, Any]) -> Any:
    """Add sensor noise: each crop's own cut of one tile (T, T, 3) of deviation 1."""
    side, length = crops.shape[1], tile.shape[0]
    along = ops.arange(side, dtype="int32")
    rows = ops.mod(inputs["noise_at"][:, 0, None] + along, length)
    columns = ops.mod(inputs["noise_at"][:, 1, None] + along, length)
    at = rows[:, :, None] * length + columns[:, None, :]
    found = ops.take(ops.reshape(tile, (-1, 3)), at, axis=0)
    return ops.clip(crops + found * inputs["noise"][:, None, None, None], 0.0, 255.0)


def as_jpeg(crops: Any, quality: Any) -> Any:
    """Round the cosine transform of 8 x 8 blocks as JPEG does; quality (N,), 0 leaves a crop.

    The steps follow the tables of the standard's annex K: small for the low frequencies, larger by
    the square of the frequency. Chroma keeps its resolution.
    """
    side = crops.shape[1]
    blocks = side // _BLOCK
    to_ycc = ops.convert_to_tensor(_TO_YCC, "float32")
    from_ycc = ops.convert_to_tensor(np.linalg.inv(_TO_YCC), "float32")
    basis = ops.convert_to_tensor(_cosines(), "float32")
    ycc = ops.matmul(crops - 128.0, ops.transpose(to_ycc))
    # (N, rows, 8, columns, 8, 3) -> (N, rows, columns, 3, 8, 8)
    cut = ops.reshape(ycc, (-1, blocks, _BLOCK, blocks, _BLOCK, 3))
    cut = ops.transpose(cut, (0, 1, 3, 5, 2, 4))
    waves = ops.matmul(ops.matmul(basis, cut), ops.transpose(basis))
    factor = ops.reshape(ops.maximum(quality, 1e-3), (-1, 1, 1, 1, 1, 1))
    steps = ops.maximum(ops.convert_to_tensor(_steps(), "float32") * factor, 1.0)
    waves = ops.round(waves / steps) * steps
    cut = ops.matmul(ops.matmul(ops.transpose(basis), waves), basis)
    ycc = ops.reshape(ops.transpose(cut, (0, 1, 4, 2, 5, 3)), (-1, side, side, 3))
    found = ops.clip(ops.matmul(ycc, ops.transpose(from_ycc)) + 128.0, 0.0, 255.0)
    used = ops.cast(quality > 0.0, "float32")[:, None, None, None]
    return crops * (1.0 - used) + found * used


@cache
def _cosines() -> NDArray[np.float32]:
    """Return the orthonormal cosine basis, (frequency, position)."""
    frequency, position = np.mgrid[:_BLOCK, :_BLOCK]
    basis = np.cos(math.pi * (position + 0.5) * frequency / _BLOCK) * math.sqrt(2.0 / _BLOCK)
    basis[0] = math.sqrt(1.0 / _BLOCK)
    return np.asarray(basis, np.float32)


@cache
def _steps() -> NDArray[np.float32]:
    """Return the steps of Y, Cb and Cr at quality 50, (3, 8, 8)."""
    square = np.add.outer(np.arange(_BLOCK), np.arange(_BLOCK)) ** 2.0
    luma = np.minimum(10.0 + 0.6 * square, 110.0)
    chroma = np.minimum(17.0 + 1.9 * square, 99.0)
    return np.stack((luma, chroma, chroma)).astype(np.float32)


def noise_tile(side: int) -> NDArray[np.float32]:
    """Return normal noise (side, side, 3), the same always."""
    return np.random.default_rng(0).standard_normal((side, side, 3)).astype(np.float32)
