"""What a camera, a lens and a file format do to a picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.synth.textures import Picture

Rng = np.random.Generator


@dataclass(frozen=True)
class Faults:
    """What was done to a picture.

    blur_px  how far a point is spread, about, pixels: text less than twice as tall is gone
    quality  1..100, for the JPEG file
    """

    blur_px: float
    quality: int


def degrade(picture: Picture, rng: Rng) -> tuple[Picture, Faults]:
    """Add uneven light, blur or shake, a coarser sensor, another tone, and grain."""
    if rng.random() < 0.3:
        picture = _lit(picture, rng)
    blur_px, kind = 0.5, rng.random()
    if kind < 0.35:
        sigma = float(rng.uniform(0.35, 1.5) if rng.random() < 0.85 else rng.uniform(1.5, 2.6))
        blur_px = 2 * sigma
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)
    elif kind < 0.45:
        length = int(rng.choice([3, 5, 5, 7, 9]))
        blur_px = length * 0.7
        picture = np.asarray(cv2.filter2D(picture, -1, shake(length, rng)), np.uint8)
    elif kind < 0.58:
        factor = float(rng.uniform(0.4, 0.8))
        blur_px = 1.2 / factor
        picture = _coarse(picture, factor, rng)
    if rng.random() < 0.6:
        picture = np.asarray(cv2.LUT(picture, _tone(rng)), np.uint8)
    if rng.random() < 0.6:
        picture = _grainy(picture, float(rng.uniform(1, 14)) * float(rng.random()), rng)
    quality = int(rng.integers(35, 75) if rng.random() < 0.3 else rng.integers(75, 97))
    return picture, Faults(blur_px, quality)


def shake(length: int, rng: Rng) -> NDArray[np.float32]:
    """Draw the kernel of a short straight motion, (length, length), of sum 1."""
    kernel = np.zeros((length, length), np.float32)
    way = np.deg2rad(rng.uniform(0, 180))
    reach = (length - 1) / 2
    tip = np.array([np.cos(way), np.sin(way)]) * reach
    start, end = np.round(reach - tip).astype(int), np.round(reach + tip).astype(int)
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), 1.0)
    return np.asarray(kernel / kernel.sum(), np.float32)


def _lit(picture: Picture, rng: Rng) -> Picture:
    """Multiply by a light that changes smoothly over the picture."""
    rows, columns = picture.shape[:2]
    few = (1 + float(rng.uniform(0.05, 0.3)) * rng.standard_normal((3, 4))).clip(0.35, 1.6)
    light = cv2.resize(few.astype(np.float32), (columns, rows), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.multiply(picture, cv2.merge([light] * 3), dtype=cv2.CV_8U), np.uint8)


def _coarse(picture: Picture, factor: float, rng: Rng) -> Picture:
    rows, columns = picture.shape[:2]
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    way = cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(small, (columns, rows), interpolation=way), np.uint8)


def _tone(rng: Rng) -> NDArray[np.uint8]:
    """A table for each channel, (1, 256, 3): gamma, contrast, brightness and a cast."""
    levels = np.linspace(0, 1, 256)[:, None]
    gamma, gain = float(np.exp(rng.normal(0, 0.22))), float(rng.uniform(0.7, 1.15))
    cast = 1 + 0.05 * rng.standard_normal(3)
    lift = float(rng.uniform(-0.05, 0.12))
    table = (levels**gamma * gain + lift) * cast
    return np.clip(table * 255, 0, 255).astype(np.uint8)[None]


@lru_cache(maxsize=4)
def _grain(least: int) -> NDArray[np.int8]:
    """Normal noise of spread 32 on a square of 1024 pixels more than `least`, drawn once.

    Cut anywhere and scaled, it serves all pictures: no two have the same.
    """
    side = 1024 + least
    drawn = np.random.default_rng(0).standard_normal((side, side, 3), np.float32)
    return np.clip(drawn * 32, -127, 127).astype(np.int8)


def _grainy(picture: Picture, spread: float, rng: Rng) -> Picture:
    rows, columns = picture.shape[:2]
    top, left = (int(v) for v in rng.integers(0, 1024, 2))
    # a multiple of 1024: pictures of about one size share one square
    noise = _grain(-(-max(rows, columns) // 1024) * 1024)[top : top + rows, left : left + columns]
    added = cv2.addWeighted(picture, 1.0, noise, spread / 32, 0.0, dtype=cv2.CV_8U)
    return np.asarray(added, np.uint8)
