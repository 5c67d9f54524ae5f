"""Random crops of labelled pictures: one affine map for picture and polygons, then colour.

numpy and OpenCV only: worker processes load it. Labels are drawn from the mapped polygons, so they
are exact at every scale and angle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.train.config import AugmentConfig
from dbrt.train.targets import Polygon, make_targets, short_side

Frame = NDArray[np.uint8]  # (H, W, 3) BGR
Matrix = NDArray[np.float64]  # (2, 3), frame pixels to crop pixels
# Below this scale a bilinear warp aliases: the picture is blurred first.
_ALIAS_SCALE = 0.7


def augmented_crop(
    frame: Frame,
    polygons: Sequence[Polygon],
    care: Sequence[bool],
    config: AugmentConfig,
    rng: np.random.Generator,
    *,
    min_side: float,
) -> tuple[Frame, NDArray[np.uint8]]:
    """Cut one random training crop.

    returns  crop (S, S, 3) uint8 BGR and its label maps (4, S, S) uint8, see dbrt.train.targets
    """
    matrix = random_matrix(frame.shape[:2], polygons, care, config, rng)
    crop = warp(frame, matrix, config.crop)
    size = float(config.crop)
    moved, still_care = [], []
    for polygon, is_care in zip(polygons, care, strict=True):
        points = polygon @ matrix[:, :2].T.astype(np.float32) + matrix[:, 2].astype(np.float32)
        low, high = points.min(axis=0), points.max(axis=0)
        if (high > 0).all() and (low < size).all():
            moved.append(points.astype(np.float32))
            still_care.append(is_care)
    labels = make_targets(moved, still_care, (config.crop, config.crop), min_side=min_side)
    labels[1] &= _covered(frame.shape[:2], matrix, config.crop)
    return change_colours(crop, config, rng), labels


def random_matrix(
    shape: tuple[int, int],
    polygons: Sequence[Polygon],
    care: Sequence[bool],
    config: AugmentConfig,
    rng: np.random.Generator,
) -> Matrix:
    """Draw the affine map of one crop: scale, stretch, rotation, flip, and where it is centred."""
    height, width = shape
    readable = [p for p, is_care in zip(polygons, care, strict=True) if is_care]
    scale = _log_uniform(rng, *config.scale)
    centre = rng.uniform((0.0, 0.0), (width, height))
    if readable and rng.random() < config.text_share:
        word = readable[rng.integers(len(readable))]
        if rng.random() < config.word_height_share:
            side = max(short_side(word), 1.0)
            low, high = config.word_height
            scale = float(np.clip(_log_uniform(rng, low, high) / side, 0.25, 4.0))
        reach = 0.4 * config.crop / scale
        centre = word.mean(axis=0) + rng.uniform(-reach, reach, 2)
    angle = math.radians(rng.uniform(-config.rotate, config.rotate))
    stretch = math.sqrt(_log_uniform(rng, 1.0 / config.stretch, config.stretch))
    mirror = -1.0 if rng.random() < config.flip else 1.0
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = rotation @ np.diag((mirror * scale * stretch, scale / stretch))
    centre = _keep_inside(centre, (height, width), config.crop / scale)
    shift = np.full(2, config.crop / 2.0) - linear @ centre
    return np.column_stack((linear, shift))


def warp(frame: Frame, matrix: Matrix, size: int) -> Frame:
    """Map the frame into a (size, size, 3) crop; grey (the ImageNet mean) lies outside."""
    scale = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
    if scale < _ALIAS_SCALE:
        frame = cv2.GaussianBlur(frame, (0, 0), 0.4 / scale)  # type: ignore[assignment]
    # warpAffine counts from pixel centres, the matrix from the corner of the first pixel.
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return cv2.warpAffine(  # type: ignore[return-value]
        frame,
        centred,
        (size, size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(104, 116, 124),
    )


def change_colours(crop: Frame, config: AugmentConfig, rng: np.random.Generator) -> Frame:
    """Brightness, contrast, colour cast, grey, inversion, blur and sensor noise, each by chance."""
    if rng.random() < config.colour:
        gain = rng.uniform(0.6, 1.4) * rng.uniform(0.9, 1.1, 3)
        shift = rng.uniform(-30, 30) + rng.uniform(-10, 10, 3)
        tables = np.clip(np.arange(256)[:, None] * gain + shift, 0, 255).astype(np.uint8)
        crop = cv2.LUT(crop, tables.reshape(1, 256, 3))  # type: ignore[assignment]
        kind = rng.random()
        if kind < 0.08:
            grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
            crop = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)  # type: ignore[assignment]
        elif kind < 0.14:
            crop = 255 - crop
    if rng.random() < config.blur:
        if rng.random() < 0.5:
            crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 1.5))  # type: ignore[assignment]
        else:
            crop = _motion_blur(crop, int(rng.integers(3, 8)), rng.uniform(0, math.pi))
    if rng.random() < config.noise:
        noise = rng.normal(0.0, rng.uniform(2.0, 10.0), crop.shape).astype(np.float32)
        crop = np.clip(crop + noise, 0, 255).astype(np.uint8)
    return crop


def _motion_blur(crop: Frame, length: int, angle: float) -> Frame:
    kernel = np.zeros((length, length), np.float32)
    middle = (length - 1) / 2.0
    reach = np.array([math.cos(angle), math.sin(angle)]) * middle
    start, end = np.round(middle - reach).astype(int), np.round(middle + reach).astype(int)
    cv2.line(kernel, start.tolist(), end.tolist(), 1.0)
    return cv2.filter2D(crop, -1, kernel / kernel.sum())  # type: ignore[return-value]


def _covered(shape: tuple[int, int], matrix: Matrix, size: int) -> NDArray[np.uint8]:
    """1 where the crop shows the frame; the fill outside teaches nothing."""
    height, width = shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    points = corners @ matrix[:, :2].T + matrix[:, 2]
    canvas = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(canvas, np.round(points * 64).astype(np.int32), [1], shift=6)
    return canvas


def _keep_inside(
    centre: NDArray[np.float64], shape: tuple[int, int], extent: float
) -> NDArray[np.float64]:
    """Move the crop's centre so that the crop shows as much of the frame as it can."""
    limits = np.array([shape[1], shape[0]], np.float64)
    reach = np.minimum(extent / 2.0, limits / 2.0)
    return np.clip(centre, reach, limits - reach)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))
