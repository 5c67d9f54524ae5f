"""Cutting crops out of pictures with keras.ops, through any homography; shapes are static.

keras.ops.image's own transforms keep the size of their input, want one input shape for all channels
and ignore the lower row of a homography on some backends. Here four pixels are gathered for each
pixel of the crop. PyTorch gathers slowly (0.9 s where TensorFlow takes 0.02 s on a CPU) and has
`grid_sample`, which computes the same.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

# Each pixel of a crop is the mean of so many samples: a bilinear sample alone aliases below half
# scale.
_SUBSAMPLES = ((-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25))


def crop_positions(inverse: Any, side: int, shift: tuple[float, float] = (0.0, 0.0)) -> Any:
    """Return where the pixel centres of a crop lie in the frame.

    inverse  (N, 3, 3) float32, crop pixels to frame pixels
    shift    of the centres, crop pixels
    returns  x and y, each (N, side, side) float32, frame pixels
    """
    along = ops.arange(side, dtype="float32") + 0.5
    x, y = along[None, None, :] + shift[0], along[None, :, None] + shift[1]
    m = inverse[:, :, :, None, None]
    w = m[:, 2, 0] * x + m[:, 2, 1] * y + m[:, 2, 2]
    return (
        (m[:, 0, 0] * x + m[:, 0, 1] * y + m[:, 0, 2]) / w,
        (m[:, 1, 0] * x + m[:, 1, 1] * y + m[:, 1, 2]) / w,
    )


def inside(x: Any, y: Any, size: Any) -> Any:
    """Return 1.0 where positions lie in the picture, (N, S, S); size (N, 2) is width, height."""
    width, height = size[:, 0, None, None], size[:, 1, None, None]
    found = ops.logical_and(
        ops.logical_and(x >= 0.0, x <= width), ops.logical_and(y >= 0.0, y <= height)
    )
    return ops.cast(found, "float32")


def sample(pictures: Any, x: Any, y: Any, size: Any, *, nearest: bool = False) -> Any:
    """Sample pictures (N, H, W, C) uint8 at positions (N, S, S); beyond the edge, the edge.

    size     (N, 2) float32, width and height of what is in the canvas
    returns  (N, S, S, C) float32 0..255, bilinear or the nearest pixel
    """
    # A position's pixels: their centres lie at whole numbers of `left`, `top`.
    left = ops.clip(x - 0.5, 0.0, size[:, 0, None, None] - 1.0)
    top = ops.clip(y - 0.5, 0.0, size[:, 1, None, None] - 1.0)
    if keras.backend.backend() == "torch":
        return _grid_sample(pictures, left, top, nearest)
    if nearest:
        return _gather(pictures, ops.round(left), ops.round(top))
    x0, y0 = ops.floor(left), ops.floor(top)
    fx, fy = (left - x0)[..., None], (top - y0)[..., None]
    # At the last pixel the fraction is 0: its neighbour counts for nothing.
    x1 = ops.minimum(x0 + 1.0, pictures.shape[2] - 1.0)
    y1 = ops.minimum(y0 + 1.0, pictures.shape[1] - 1.0)
    upper = _gather(pictures, x0, y0) * (1.0 - fx) + _gather(pictures, x1, y0) * fx
    lower = _gather(pictures, x0, y1) * (1.0 - fx) + _gather(pictures, x1, y1) * fx
    return upper * (1.0 - fy) + lower * fy


def sample_mean(pictures: Any, inverse: Any, size: Any, side: int) -> Any:
    """Sample as `sample`, but as the mean of four positions in each pixel of the crop."""
    total = 0.0
    for shift in _SUBSAMPLES:
        x, y = crop_positions(inverse, side, shift)
        total = total + sample(pictures, x, y, size)
    return total / len(_SUBSAMPLES)


def _gather(pictures: Any, column: Any, row: Any) -> Any:
    _, height, width, channels = pictures.shape
    first = ops.arange(column.shape[0], dtype="int32")[:, None, None] * (height * width)
    at = first + ops.cast(row, "int32") * width + ops.cast(column, "int32")
    return ops.cast(ops.take(ops.reshape(pictures, (-1, channels)), at, axis=0), "float32")


def _grid_sample(pictures: Any, left: Any, top: Any, nearest: bool) -> Any:
    import torch

    height, width = pictures.shape[1:3]
    # -1 and 1 are the centres of the first and the last pixel.
    grid = torch.stack(
        (left * (2.0 / max(width - 1, 1)) - 1.0, top * (2.0 / max(height - 1, 1)) - 1.0), dim=-1
    )
    found = torch.nn.functional.grid_sample(
        pictures.permute(0, 3, 1, 2).to(grid.dtype),
        grid,
        mode="nearest" if nearest else "bilinear",
        padding_mode="border",
        align_corners=True,
    )
    return found.permute(0, 2, 3, 1)
