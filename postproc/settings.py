"""What a decode is asked for: checked once, and handed to the kernels as one array."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dbrt.errors import UsageError

# What stands where in the array. Rows and columns: of the map, where it shows the frame.
ROWS, COLUMNS, THRESHOLD, MIN_SCORE, UNCLIP_RATIO, MIN_SIDE, BY_REGION = 0, 1, 2, 3, 4, 5, 6
SCALE_X, SCALE_Y, FRAME_WIDTH, FRAME_HEIGHT = 7, 8, 9, 10

Settings = NDArray[np.float64]


@lru_cache(maxsize=256)
def settings(
    shape: tuple[int, int],
    scale: tuple[float, float],
    frame_size: tuple[int, int] | None,
    binarize: float,
    min_score: float,
    unclip_ratio: float,
    min_side: float,
    max_regions: int,
    output: str,
    score: str,
) -> Settings:
    """The arguments of `decode`, for a map of this shape.

    The array belongs to all who asked for the same: it is not to be written to.

    Raises UsageError for an argument out of range.
    """
    _check(binarize, min_score, unclip_ratio, min_side, max_regions, output, score)
    if not (0 < scale[0] < math.inf and 0 < scale[1] < math.inf):
        raise UsageError(f"scale is {scale}: give two positive numbers, (x, y)")
    height, width = rows, columns = shape
    frame_height, frame_width = height * scale[1], width * scale[0]
    if frame_size is not None:
        frame_height, frame_width = frame_size
        # A column that lies in the frame partly counts; the slack keeps rounding in 1 / scale from
        # adding one of filling.
        rows = max(min(math.ceil(frame_height / scale[1] - 1e-6), height), 0)
        columns = max(min(math.ceil(frame_width / scale[0] - 1e-6), width), 0)
    # Byte v is text where v / 255 > binarize.
    threshold = math.floor(binarize * 255) + 1
    numbers = (rows, columns, threshold, min_score, unclip_ratio, min_side, score == "region")
    return np.array([*numbers, *scale, frame_width, frame_height], np.float64)


def _check(
    binarize: float,
    min_score: float,
    unclip_ratio: float,
    min_side: float,
    max_regions: int,
    output: str,
    score: str,
) -> None:
    if not 0 <= binarize < 1:
        raise UsageError(f"binarize is {binarize}: give a number from 0 to below 1")
    if not 0 <= min_score <= 1:
        raise UsageError(f"min_score is {min_score}: give a number from 0 to 1")
    if not 0 <= unclip_ratio < math.inf:
        raise UsageError(f"unclip_ratio is {unclip_ratio}: give 0 or more")
    if not 0 <= min_side < math.inf:
        raise UsageError(f"min_side is {min_side}: give 0 or more pixels of the map")
    if max_regions < 1:
        raise UsageError(f"max_regions is {max_regions}: give 1 or more")
    if output not in ("quad", "polygon"):
        raise UsageError(f'output is {output!r}: give "quad" or "polygon"')
    if score not in ("box", "region"):
        raise UsageError(f'score is {score!r}: give "box" or "region"')
