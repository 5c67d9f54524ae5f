"""Pictures for the eye: a batch with its targets, a frame with its three maps (BGR uint8)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.train.loader import Batch

Picture = NDArray[np.uint8]  # (H, W, 3) BGR
_ROWS = 6
_CELL = 160  # side of a crop on the sheet, pixels
_WIDE = 480  # width of a frame on the sheet
_K = 50.0  # of the approximate binary map, dbrt.train.network


def batch_sheet(batch: Batch) -> Picture:
    """Return the first crops of a batch, a row each: crop, text, mask, threshold, border."""
    rows = []
    for frame, targets in zip(batch.frames[:_ROWS], batch.targets[:_ROWS], strict=True):
        text, mask, threshold, border = targets
        maps = (text * 255, mask * 255, threshold, border * 255)
        cells = [frame, *(_grey(each) for each in maps)]
        rows.append(np.hstack([_fitted(cell, _CELL) for cell in cells]))
    return np.vstack(rows)


def maps_sheet(
    frame: Picture, probability: NDArray[np.float32], threshold: NDArray[np.float32]
) -> Picture:
    """Return a frame above its probability, threshold and approximate binary map.

    probability, threshold  (H, W) float, 0..1, of the frame
    """
    binary = 0.5 * (1.0 + np.tanh(0.5 * _K * (probability - threshold)))
    maps = [_grey(np.round(255.0 * each)) for each in (probability, threshold, binary)]
    cells = [_fitted(cell, _WIDE) for cell in (frame, *maps)]
    return np.vstack((np.hstack(cells[:2]), np.hstack(cells[2:])))


def _grey(values: NDArray[np.generic]) -> Picture:
    return np.repeat(np.asarray(values, np.uint8)[..., None], 3, axis=2)


def _fitted(picture: Picture, width: int) -> Picture:
    height = max(round(picture.shape[0] * width / picture.shape[1]), 1)
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
