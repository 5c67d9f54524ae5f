"""Random crops of labelled pictures: one map for picture and polygons, then colour.

numpy and OpenCV only: worker processes load it. Labels are drawn from the mapped polygons, so they
are exact at every scale, angle and tilt. `dbrt.train.accelerator` makes the same changes inside the
training step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.train.config import AugmentConfig
from dbrt.train.targets import Polygon, make_targets, short_side

Frame = NDArray[np.uint8]  # (H, W, 3) BGR
Matrix = NDArray[np.float64]  # (2, 3), or (3, 3) where tilted; frame pixels to crop pixels
FILL = (104, 116, 124)  # BGR, the mean of ImageNet
# Below this scale a bilinear warp aliases: the picture is blurred first.
_ALIAS_SCALE = 0.7
# A tilted plane has a horizon, of which points nearer than this are left out.
_HORIZON = 0.1


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
    if config.perspective and rng.random() < config.perspective:
        matrix = tilted(matrix, config, rng)
    crop = warp(frame, matrix, config.crop)
    size = float(config.crop)
    moved, still_care = [], []
    for polygon, is_care in zip(polygons, care, strict=True):
        points = move(polygon, matrix)
        if points is None:
            continue
        low, high = points.min(axis=0), points.max(axis=0)
        if (high > 0).all() and (low < size).all():
            moved.append(points)
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


def tilted(matrix: Matrix, config: AugmentConfig, rng: np.random.Generator) -> Matrix:
    """Shift the corners of the crop that an affine matrix makes; returns (3, 3)."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * config.crop
    reach = config.tilt * config.crop
    moved = (corners + rng.uniform(-reach, reach, (4, 2))).astype(np.float32)
    tilt = cv2.getPerspectiveTransform(corners, moved)
    return np.asarray(tilt @ np.vstack((matrix, (0.0, 0.0, 1.0))), np.float64)


def move(points: Polygon, matrix: Matrix) -> Polygon | None:
    """Map points (M, 2) of the frame into the crop; None where one lies at or past the horizon."""
    if matrix.shape[0] == 2:
        return np.asarray(
            points @ matrix[:, :2].T.astype(np.float32) + matrix[:, 2].astype(np.float32),
            np.float32,
        )
    found = points @ matrix[:, :2].T + matrix[:, 2]
    if (found[:, 2] < _HORIZON).any():
        return None
    return (found[:, :2] / found[:, 2:]).astype(np.float32)


def scale_of(matrix: Matrix, size: int) -> float:
    """Crop pixels per frame pixel, in the middle of a crop of `size`."""
    return math.sqrt(abs(float(np.linalg.det(jacobian(matrix, (size / 2.0, size / 2.0))))))


def jacobian(matrix: Matrix, point: tuple[float, float]) -> NDArray[np.float64]:
    """(2, 2): how a crop's point moves with the frame's point that is mapped there."""
    if matrix.shape[0] == 2:
        return matrix[:, :2]
    x, y, w = np.linalg.solve(matrix, (*point, 1.0))
    bottom = matrix[2] @ (x / w, y / w, 1.0)
    return (matrix[:2, :2] - np.outer(point, matrix[2, :2])) / bottom  # type: ignore[no-any-return]


def warp(frame: Frame, matrix: Matrix, size: int) -> Frame:
    """Map the frame into a (size, size, 3) crop; grey (the ImageNet mean) lies outside."""
    scale = scale_of(matrix, size)
    if scale < _ALIAS_SCALE:
        frame = cv2.GaussianBlur(frame, (0, 0), 0.4 / scale)  # type: ignore[assignment]
    if matrix.shape[0] == 3:
        half = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
        return cv2.warpPerspective(  # type: ignore[return-value]
            frame,
            np.linalg.inv(half) @ matrix @ half,
            (size, size),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=FILL,
        )
    # warpAffine counts from pixel centres, the matrix from the corner of the first pixel.
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return cv2.warpAffine(  # type: ignore[return-value]
        frame,
        centred,
        (size, size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=FILL,
    )


def change_colours(crop: Frame, config: AugmentConfig, rng: np.random.Generator) -> Frame:
    """Brightness, contrast, colour cast, grey, inversion, blur, noise and JPEG, each by chance."""
    if rng.random() < config.colour:
        gain, shift, kind = draw_colour(rng)
        tables = np.clip(np.arange(256)[:, None] * gain + shift, 0, 255).astype(np.uint8)
        crop = cv2.LUT(crop, tables.reshape(1, 256, 3))  # type: ignore[assignment]
        if kind == "grey":
            grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
            crop = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)  # type: ignore[assignment]
        elif kind == "invert":
            crop = 255 - crop
    if rng.random() < config.blur:
        if rng.random() < 0.5:
            crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 1.5))  # type: ignore[assignment]
        else:
            kernel = motion_kernel(int(rng.integers(3, 8)), rng.uniform(0, math.pi))
            crop = cv2.filter2D(crop, -1, kernel)  # type: ignore[assignment]
    if rng.random() < config.noise:
        noise = rng.normal(0.0, rng.uniform(2.0, 10.0), crop.shape).astype(np.float32)
        crop = np.clip(crop + noise, 0, 255).astype(np.uint8)
    if config.jpeg and rng.random() < config.jpeg:
        low, high = config.jpeg_quality
        crop = _as_jpeg(crop, int(rng.integers(low, high + 1)))
    return crop


def _as_jpeg(crop: Frame, quality: int) -> Frame:
    _, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)  # type: ignore[return-value]


def draw_colour(rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any], str]:
    """Draw gain and shift (3,) of a crop's channels, and "grey", "invert" or nothing besides."""
    gain = rng.uniform(0.6, 1.4) * rng.uniform(0.9, 1.1, 3)
    shift = rng.uniform(-30, 30) + rng.uniform(-10, 10, 3)
    kind = rng.random()
    return gain, shift, "grey" if kind < 0.08 else "invert" if kind < 0.14 else ""


def motion_kernel(length: int, angle: float) -> NDArray[np.float32]:
    """Return the blur of a straight movement, (length, length), summing to 1."""
    kernel = np.zeros((length, length), np.float32)
    middle = (length - 1) / 2.0
    reach = np.array([math.cos(angle), math.sin(angle)]) * middle
    start, end = np.round(middle - reach).astype(int), np.round(middle + reach).astype(int)
    cv2.line(kernel, start.tolist(), end.tolist(), 1.0)
    return kernel / kernel.sum()  # type: ignore[no-any-return]


def _covered(shape: tuple[int, int], matrix: Matrix, size: int) -> NDArray[np.uint8]:
    """1 where the crop shows the frame; the fill outside teaches nothing."""
    height, width = shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    points = move(corners, matrix)
    if points is None:
        shown = np.ones(shape, np.uint8)
        flags = cv2.INTER_NEAREST
        return cv2.warpPerspective(shown, matrix, (size, size), flags=flags)  # type: ignore[return-value]
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
