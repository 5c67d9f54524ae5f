"""What text is written on: photographs without text, or surfaces drawn at random."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from dbrt.datasets.annotations import PICTURE_SUFFIXES
from dbrt.datasets.pictures import read_picture
from dbrt.datasets.wallpapers import FOR_DRAWING, install_line, installed
from dbrt.errors import InputError
from dbrt.synth import clutter, textures
from dbrt.synth.ink import random_colour
from dbrt.synth.textures import Picture

LONGEST_PX = 1600  # photographs are kept no larger: 7 MB each
SURFACES = 32  # drawn surfaces of one series; each is cut, turned and recoloured for each use
SURFACE_SHAPE = (400, 520)
Rng = np.random.Generator


def photograph_files(folder: Path | None = None) -> list[Path]:
    """List the photographs to write on: those of a folder and below it, or installed wallpapers.

    The wallpapers that a test for false alarms uses are never among those installed.

    raises  InputError for a folder that is not there or holds none; without a folder an empty list
            says that none is installed
    """
    if folder is None:
        return [wallpaper.path() for wallpaper in installed(FOR_DRAWING)]
    if not folder.is_dir():
        raise InputError(f"no such folder of photographs: {folder}")
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    if not found:
        kinds = ", ".join(sorted(PICTURE_SUFFIXES))
        raise InputError(
            f"{folder} holds no pictures ({kinds}): name a folder of photographs without text, or "
            f"leave the option out and install some ({install_line(FOR_DRAWING)})"
        )
    return found


@lru_cache(maxsize=48)
def photograph(path: Path) -> Picture:
    """Read a photograph, at most LONGEST_PX on its longer side; InputError where it can't be."""
    picture = read_picture(path)
    shrink = LONGEST_PX / max(picture.shape[:2])
    if shrink < 1:
        picture = np.asarray(
            cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8
        )
    return picture


def crop_of(picture: Picture, shape: tuple[int, int], rng: Rng, least: float = 0.35) -> Picture:
    """Cut a random part, from `least` of the largest that fits up to that, and scale it to shape.

    It is mirrored half of the time, and in a tenth of the crops the colours change places.
    """
    rows, columns = picture.shape[:2]
    factor = min(rows / shape[0], columns / shape[1]) * float(rng.uniform(least, 1.0))
    h = min(rows, max(2, round(shape[0] * factor)))
    w = min(columns, max(2, round(shape[1] * factor)))
    top, left = int(rng.integers(rows - h + 1)), int(rng.integers(columns - w + 1))
    part = picture[top : top + h, left : left + w]
    way = cv2.INTER_AREA if factor > 2 else cv2.INTER_LINEAR  # the better one is ten times slower
    cut = np.asarray(cv2.resize(part, (shape[1], shape[0]), interpolation=way), np.uint8)
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    if rng.random() < 0.1:
        cut = cut[..., rng.permutation(3)]
    return np.ascontiguousarray(cut)


@lru_cache(maxsize=SURFACES + 8)
def surface(series: int, index: int) -> Picture:
    """Draw surface `index` of a series: gradient, plaster, brick, stripes, windows or panels."""
    rng = np.random.default_rng([series, index, 77])
    shape = SURFACE_SHAPE
    first, second = random_colour(rng), random_colour(rng)
    kind = index % 7
    if kind == 0:
        drawn = textures.gradient(shape, first, second, float(rng.uniform(0, 360)))
    elif kind in (1, 2):
        drawn = textures.plaster(shape, first, rng)
    elif kind == 3:
        drawn = textures.brick(shape, first, rng, int(rng.integers(8, 40)))
    elif kind == 4:
        pitch = float(np.exp(rng.uniform(np.log(6), np.log(160))))
        drawn = textures.stripes(shape, first, second, pitch, float(rng.uniform(0, 180)))
    elif kind == 5:
        cell = int(rng.integers(40, 200)), int(rng.integers(40, 200))
        drawn = textures.window_grid(shape, first, second, cell, rng)
    else:
        drawn = textures.panels(shape, [first, second, random_colour(rng)], rng)
    light = 1 + float(rng.uniform(0, 0.18)) * textures.noise(shape, max(shape) / 2, rng, 6)
    return textures.shade(drawn, np.asarray(light, np.float32))


def some_surface(series: int, shape: tuple[int, int], rng: Rng) -> Picture:
    """Cut a part of one of the series' surfaces, recoloured."""
    drawn = crop_of(surface(series, int(rng.integers(SURFACES))), shape, rng)
    if rng.random() < 0.6:
        colour = np.array(random_colour(rng), np.float32) / 128
        levels = np.arange(256, dtype=np.float32)[:, None] * colour
        drawn = np.asarray(cv2.LUT(drawn, np.clip(levels, 0, 255).astype(np.uint8)[None]), np.uint8)
    return drawn


def _quad_in(shape: tuple[int, int], rng: Rng) -> np.ndarray[tuple[int, int]]:
    """Draw a quad, (4, 2) float32, of a third to the whole of a picture."""
    size = rng.uniform(0.25, 0.9, 2) * (shape[1], shape[0])
    corner = rng.uniform(-0.1, 1.0, 2) * ((shape[1], shape[0]) - size)
    box = corner + np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * size
    return (box + rng.uniform(-0.12, 0.12, (4, 2)) * size).astype(np.float32)


def with_surfaces(picture: Picture, series: int, count: int, rng: Rng) -> None:
    """Lay so many drawn surfaces over a picture, in place, each in perspective: walls, boards."""
    for _ in range(count):
        drawn = crop_of(surface(series, int(rng.integers(SURFACES))), (300, 400), rng)
        tile = cv2.cvtColor(drawn, cv2.COLOR_BGR2BGRA)
        clutter.put(picture, np.asarray(tile, np.uint8), _quad_in(picture.shape[:2], rng))


def background(
    shape: tuple[int, int], photographs: tuple[Path, ...], series: int, rng: Rng
) -> Picture:
    """Make a picture without text, (H, W, 3) uint8 BGR: three in four of a photograph if any."""
    if photographs and rng.random() < 0.75:
        path = photographs[int(rng.integers(len(photographs)))]
        picture = crop_of(photograph(path), shape, rng, least=0.3)
        with_surfaces(picture, series, int(rng.choice([0, 0, 1, 2])), rng)
    else:
        picture = some_surface(series, shape, rng)
        with_surfaces(picture, series, int(rng.integers(0, 4)), rng)
    clutter.scatter(picture, int(rng.choice([0, 0, 0, 1, 1, 2, 4])), rng)
    return picture
