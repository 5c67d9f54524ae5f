"""What text is written on: photographs of the user, or surfaces drawn at random."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from dbrt.errors import InputError
from dbrt.synth import textures
from dbrt.synth.colours import Colour
from dbrt.synth.textures import Picture

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
LONGEST_PX = 2600  # photographs are kept no larger: a crop of 1280 at half size still fits


def photograph_files(folder: Path) -> list[Path]:
    """List the pictures of a folder and those below it; InputError where there is none."""
    if not folder.is_dir():
        raise InputError(f"no such folder of backgrounds: {folder}")
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not found:
        raise InputError(f"{folder} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return found


@lru_cache(maxsize=12)
def _photograph(path: Path) -> Picture:
    """Read a photograph, at most LONGEST_PX on its longer side."""
    read = (
        cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR) if path.stat().st_size else None
    )
    if read is None:
        raise InputError(f"{path} is not a picture that can be read: take it out of the folder")
    picture = np.asarray(read, np.uint8)
    shrink = LONGEST_PX / max(picture.shape[:2])
    if shrink < 1:
        picture = _resized(picture, shrink)
    return picture


def _resized(picture: Picture, factor: float) -> Picture:
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=way)
    return np.asarray(small, np.uint8)


def crop_of(photograph: Picture, shape: tuple[int, int], rng: np.random.Generator) -> Picture:
    """Cut a random part of a photograph, scaled and perhaps mirrored and recoloured, to a shape."""
    rows, columns = photograph.shape[:2]
    least = max(shape[0] / rows, shape[1] / columns)
    scaled = _resized(photograph, least * float(rng.uniform(1.0, 1.8)) + 2 / min(rows, columns))
    top = int(rng.integers(scaled.shape[0] - shape[0] + 1))
    left = int(rng.integers(scaled.shape[1] - shape[1] + 1))
    part = scaled[top : top + shape[0], left : left + shape[1]]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    tint = 1 + 0.12 * rng.standard_normal(3)
    lit = part.astype(np.float32) * (tint * rng.uniform(0.6, 1.2)).astype(np.float32)
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def random_colour(rng: np.random.Generator) -> Colour:
    """Draw a colour: half of the time muted as walls are, else any."""
    hue, rest = int(rng.integers(180)), rng.random(2)
    strong = rng.random() < 0.5
    pixel = np.array([[[hue, (255 if strong else 90) * rest[0], 40 + 215 * rest[1]]]], np.uint8)
    blue, green, red = (int(v) for v in cv2.cvtColor(pixel, cv2.COLOR_HSV2BGR)[0, 0])
    return blue, green, red


def surface(shape: tuple[int, int], rng: np.random.Generator) -> Picture:
    """Draw one surface: gradient, plaster, brick, stripes, windows or panels, with uneven light."""
    first, second = random_colour(rng), random_colour(rng)
    kind = int(rng.integers(6))
    if kind == 0:
        drawn = textures.gradient(shape, first, second, float(rng.uniform(0, 360)))
    elif kind == 1:
        drawn = textures.plaster(shape, first, rng)
    elif kind == 2:
        drawn = textures.brick(shape, first, rng, int(rng.integers(8, 40)))
    elif kind == 3:
        pitch = float(np.exp(rng.uniform(np.log(6), np.log(160))))
        drawn = textures.stripes(shape, first, second, pitch, float(rng.uniform(0, 180)))
    elif kind == 4:
        cell = int(rng.integers(40, 200)), int(rng.integers(40, 200))
        drawn = textures.window_grid(shape, first, second, cell, rng)
    else:
        drawn = textures.panels(shape, [first, second, random_colour(rng)], rng)
    light = 1 + float(rng.uniform(0, 0.18)) * textures.noise(shape, max(shape) / 2, rng, 6)
    return textures.shade(drawn, np.asarray(light, np.float32))


def _quad_in(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray[tuple[int, int]]:
    """Draw a quad, (4, 2) float32, of a third to the whole of a picture."""
    size = rng.uniform(0.3, 0.9, 2) * (shape[1], shape[0])
    corner = rng.uniform(-0.1, 1.0, 2) * ((shape[1], shape[0]) - size)
    box = corner + np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * size
    return (box + rng.uniform(-0.12, 0.12, (4, 2)) * size).astype(np.float32)


def with_surfaces(picture: Picture, count: int, rng: np.random.Generator) -> Picture:
    """Lay so many drawn surfaces over a picture, each in perspective: walls, boards, screens."""
    shape = picture.shape[0], picture.shape[1]
    for _ in range(count):
        flat = surface((320, 420), rng)
        corners = np.array([[0, 0], [420, 0], [420, 320], [0, 320]], np.float32)
        to_picture = cv2.getPerspectiveTransform(corners, _quad_in(shape, rng))
        size = (shape[1], shape[0])
        layer = cv2.warpPerspective(flat, to_picture, size, flags=cv2.INTER_LINEAR)
        inside = cv2.warpPerspective(np.full(flat.shape[:2], 255, np.uint8), to_picture, size)
        picture = np.where(inside[..., None] > 128, layer, picture)
    return np.asarray(picture, np.uint8)


def background(
    shape: tuple[int, int], photographs: tuple[Path, ...], rng: np.random.Generator
) -> Picture:
    """Make a picture without text, (H, W, 3) uint8 BGR: nine in ten of a photograph if there is."""
    if photographs and rng.random() < 0.9:
        path = photographs[int(rng.integers(len(photographs)))]
        base = crop_of(_photograph(path), shape, rng)
        return with_surfaces(base, int(rng.integers(0, 4)), rng)
    return with_surfaces(surface(shape, rng), int(rng.integers(0, 5)), rng)
