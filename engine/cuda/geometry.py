"""Where each pixel of a canvas comes from: the letterbox's numbers, for the kernel to follow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dbrt.engine.letterbox import HALVE_BELOW, content_size

# struct Letterbox of letterbox.cu, with the padding of a C compiler.
LETTERBOX = np.dtype(
    [
        ("frame", np.uint64),
        ("canvas", np.uint64),
        ("pitch", np.int64),
        ("step", np.float64),
        ("halvings", np.int32),
        ("rows", np.int32),
        ("columns", np.int32),
        ("sampled_rows", np.int32),
        ("sampled_columns", np.int32),
        ("content_rows", np.int32),
        ("content_columns", np.int32),
        ("canvas_rows", np.int32),
        ("canvas_columns", np.int32),
        ("is_line", np.int32),
        ("fill", np.uint8, (4,)),
    ],
    align=True,
)


def letterbox_record(
    frame_size: tuple[int, int], shape: tuple[int, int], fill: tuple[int, int, int]
) -> NDArray[Any]:
    """Return what the kernel needs to know of one frame, addresses and pitch left at zero.

    frame_size  (height, width) of the frame, pixels, at least 1x1
    shape       (H, W) of the canvas
    fill        BGR, 0..255
    returns     () of `LETTERBOX`

    The steps are those of `dbrt.engine.letterbox.letterbox`, and rounded as there.
    """
    rows, columns = frame_size
    content_rows, content_columns, scale = content_size(frame_size, shape)
    halvings = 0
    while scale < HALVE_BELOW and min(rows, columns) >= 2:
        rows, columns, scale, halvings = rows // 2, columns // 2, scale * 2, halvings + 1
    sampled_rows, sampled_columns = round(rows * scale), round(columns * scale)
    record = np.zeros((), LETTERBOX)
    record["step"] = 1 / scale
    record["halvings"] = halvings
    record["rows"], record["columns"] = rows, columns
    record["sampled_rows"], record["sampled_columns"] = sampled_rows, sampled_columns
    record["content_rows"], record["content_columns"] = content_rows, content_columns
    record["canvas_rows"], record["canvas_columns"] = shape
    record["is_line"] = not (sampled_rows and sampled_columns)
    record["fill"][:3] = fill
    return record
