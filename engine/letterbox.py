"""Letterbox: a frame of any size, scaled by one factor into the network's shape."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.engine.spec import shape_for_frame

__all__ = ["content_size", "letterbox", "shape_for_frame"]

Frame = NDArray[np.uint8]  # (H, W, 3) BGR

# Below this factor bilinear samples skip source pixels and thin strokes vanish: average the area.
AREA_BELOW = 0.5


def letterbox(
    frame: Frame,
    shape: tuple[int, int],
    fill: tuple[int, int, int],
    out: Frame | None = None,
) -> tuple[Frame, float]:
    """Scale `frame` by one factor so that it fits `shape`; content top left, the rest `fill`.

    frame    (h, w, 3) uint8 BGR, at least 1x1
    shape    (H, W) of the canvas
    fill     BGR, 0..255: the model's mean colour (`ModelFile.fill`)
    out      (H, W, 3) uint8, C-contiguous, written and returned; without it a canvas is allocated
    returns  the canvas (H, W, 3) uint8 BGR, and canvas pixels per frame pixel

    The factor is exact in both directions: the content's edges lie at h * scale and w * scale even
    where these are no whole pixels, so that x_frame = x_canvas / scale holds everywhere. Shrinking
    below one half averages areas, anything else is bilinear; a frame that fits already is copied.
    With `out` nothing of the canvas' size is allocated.
    """
    height, width = frame.shape[:2]
    canvas = np.empty((*shape, 3), np.uint8) if out is None else out
    if canvas.shape != (*shape, 3):
        raise ValueError(f"out must be {(*shape, 3)}, got {canvas.shape}")
    rows, columns, scale = content_size((height, width), shape)
    content = canvas[:rows, :columns]
    if scale == 1.0:
        np.copyto(content, frame)
    else:
        method = cv2.INTER_AREA if scale < AREA_BELOW else cv2.INTER_LINEAR
        # With a size OpenCV would use columns / width and rows / height, two factors; given factors
        # it rounds the size as content_size does and samples with exactly these.
        if (round(width * scale), round(height * scale)) == (columns, rows):
            cv2.resize(frame, None, content, scale, scale, method)
        else:  # a side shorter than half a pixel of the canvas
            cv2.resize(frame, (columns, rows), content, 0, 0, method)
    canvas[rows:] = fill
    canvas[:rows, columns:] = fill
    return canvas, scale


def content_size(frame_size: tuple[int, int], shape: tuple[int, int]) -> tuple[int, int, float]:
    """Return the rows and columns of the canvas that hold content, and the factor.

    frame_size  (height, width) of the frame, pixels
    shape       (H, W) of the canvas
    """
    height, width = frame_size
    scale = min(shape[0] / height, shape[1] / width)
    rows = min(max(round(height * scale), 1), shape[0])
    columns = min(max(round(width * scale), 1), shape[1])
    return rows, columns, scale
