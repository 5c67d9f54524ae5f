"""One labelled picture: a background, blocks of text that do not touch, and a camera's faults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.datasets.sample import Word
from dbrt.synth.backgrounds import background
from dbrt.synth.blocks import Placed, paint, random_block, random_place
from dbrt.synth.textures import Picture, noise

LEAST_CARE_PX = 8.0  # the height under which a word is marked as don't care
CELL = 4  # pixels of the picture in one cell of the map of what is taken


@dataclass(frozen=True)
class Recipe:
    """What pictures are made from.

    size         width and height, pixels
    fonts        font files, at least one
    photographs  backgrounds; without any, all backgrounds are drawn
    cap_px       the least and greatest height of capitals, pixels
    blocks       the least and greatest number of blocks that are tried
    """

    size: tuple[int, int]
    fonts: tuple[Path, ...]
    photographs: tuple[Path, ...] = ()
    cap_px: tuple[float, float] = (9.0, 60.0)
    blocks: tuple[int, int] = (4, 26)


@dataclass(frozen=True, eq=False)
class LabelledPicture:
    """A picture, (H, W, 3) uint8 BGR, its words, and the quality (1..100) to save it with."""

    picture: Picture
    words: list[Word]
    quality: int


def draw_picture(recipe: Recipe, seed: int, index: int) -> LabelledPicture:
    """Draw picture `index` of the series `seed`; the same two numbers make the same picture."""
    rng = np.random.default_rng([seed, index])
    shape = recipe.size[1], recipe.size[0]
    picture = background(shape, recipe.photographs, rng)
    taken = np.zeros((shape[0] // CELL + 1, shape[1] // CELL + 1), bool)
    labels: list[Word] = []
    for _ in range(int(rng.integers(recipe.blocks[0], recipe.blocks[1] + 1))):
        placed = _find_place(recipe, shape, taken, rng)
        if placed is not None:
            labels += _labels(placed, paint(picture, placed, rng))
    return LabelledPicture(_photographed(picture, rng), labels, int(rng.integers(55, 96)))


def _find_place(
    recipe: Recipe, shape: tuple[int, int], taken: NDArray[np.bool_], rng: np.random.Generator
) -> Placed | None:
    """Set a block and look for a free place, eight times; mark what it takes."""
    low, high = np.log(recipe.cap_px[0]), np.log(min(recipe.cap_px[1], shape[0] / 5))
    cap_px = float(np.exp(rng.uniform(low, max(low, high))))
    block = random_block(recipe.fonts, cap_px, rng)
    for _ in range(8):
        placed = random_place(block, shape, rng)
        if placed is None:
            return None
        left, top, right, bottom = (v // CELL for v in placed.box)
        spot = taken[top : bottom + 1, left : right + 1]
        if not spot.any():
            spot[:] = True
            return placed
    return None


def _labels(placed: Placed, legible: list[bool]) -> list[Word]:
    """Make the labels of a block; words that are tiny or hardly to be seen do not count."""
    found = []
    for text, quad, seen in zip(placed.lettering.words, placed.quads(), legible, strict=True):
        sides = np.linalg.norm(quad[[3, 2]] - quad[[0, 1]], axis=1)
        found.append(Word(quad, text, care=seen and float(sides.mean()) >= LEAST_CARE_PX))
    return found


def _photographed(picture: Picture, rng: np.random.Generator) -> Picture:
    """Add what a camera adds: uneven light, blur or shake, grain."""
    shape = picture.shape[0], picture.shape[1]
    if rng.random() < 0.5:
        light = 1 + float(rng.uniform(0.03, 0.15)) * noise(shape, max(shape), rng, 2)
        picture = np.asarray(np.clip(picture * light[..., None], 0, 255), np.uint8)
    kind = rng.random()
    if kind < 0.35:
        blurred = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 1.3)))
        picture = np.asarray(blurred, np.uint8)
    elif kind < 0.5:
        picture = np.asarray(cv2.filter2D(picture, -1, _shake(rng)), np.uint8)
    grain = float(rng.uniform(0, 9))
    if rng.random() < 0.6:
        noisy = picture + grain * rng.standard_normal(picture.shape, np.float32)
        picture = np.asarray(np.clip(noisy, 0, 255), np.uint8)
    return picture


def _shake(rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw the kernel of a short straight motion, 3 to 7 pixels."""
    length = int(rng.choice([3, 5, 7]))
    kernel = np.zeros((length, length), np.float32)
    way = np.deg2rad(rng.uniform(0, 180))
    reach = (length - 1) / 2
    tip = np.array([np.cos(way), np.sin(way)]) * reach
    start, end = np.round(reach - tip).astype(int), np.round(reach + tip).astype(int)
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), 1.0)
    return np.asarray(kernel / kernel.sum(), np.float32)
