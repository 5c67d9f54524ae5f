"""What happens to each crop of a batch, drawn on the host as a few numbers a crop (numpy only)."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dbrt.train.accelerator.pictures import PicturePool
from dbrt.train.augment import (
    draw_colour,
    jacobian,
    motion_kernel,
    random_matrix,
    scale_of,
    tilted,
)
from dbrt.train.config import AugmentConfig, TrainConfig
from dbrt.train.loader import set_shares

KERNEL = 9  # side of the blur kernels: a Gaussian of 1.5 px reaches 4 px
NOISE_SIDE = 1024  # side of the tile of noise that crops cut theirs from
# Under a stretch or a tilt the edge of a shrunk word is off by at most its share of the distance by
# which words are shrunk, 0.42 of a long word's height. So many pixels on both sides of it are left
# out; taller words, of which more would have to be, are left out whole.
RIM = 4
_SHRINK_OF_HEIGHT = 0.42


@dataclass(frozen=True)
class Draw:
    """The inputs of one step: name -> array, the first axis counts the crops.

    index      (N,) int32: which picture
    inverse    (N, 3, 3) float32: crop pixels to frame pixels
    size       (N, 2) float32: width and height of the picture
    scale      (N,) float32: crop pixels per frame pixel
    tilted     (N,) float32: 1 where the map is no similarity
    tallest    (N,) float32: words whose short side in the crop is more are left out
    gain, shift  (N, 3) float32: colour
    grey, invert (N,) float32: 0 or 1
    kernel     (N, 9, 9) float32: blur, sums to 1
    noise      (N,) float32: deviation; noise_at (N, 2) int32: where in the tile
    quality    (N,) float32: factor of the JPEG table, 0 for none
    """

    inputs: dict[str, NDArray[Any]]


def draws(
    config: TrainConfig,
    pool: PicturePool,
    *,
    start: int,
    stop: int,
    rows: range | None = None,
    host: bool = False,
) -> Generator[Draw]:
    """Yield what the steps start..stop-1 do.

    rows  which crops of each batch are wanted; None: all
    host  the pictures themselves go along, in place of `index`
    """
    rows = range(config.run.batch) if rows is None else rows
    shares = set_shares(config.data.weights)
    for step in range(start, stop):
        first = step * config.run.batch
        crops = [_draw_crop(config, pool, shares, first + i) for i in rows]
        inputs = {name: np.stack([crop[name] for crop in crops]) for name in crops[0]}
        if host:
            chosen = inputs.pop("index")
            inputs |= {"frames": pool.frames[chosen], "labels": pool.labels[chosen]}
        yield Draw(inputs)


def _draw_crop(
    config: TrainConfig, pool: PicturePool, shares: NDArray[np.float64], number: int
) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng((config.data.seed, number))
    chosen = int(rng.choice(len(shares), p=shares))
    index = int(rng.integers(pool.starts[chosen], pool.starts[chosen + 1]))
    height, width = pool.sizes[index].tolist()
    polygons, care = pool.words[index]
    place = draw_place((height, width), polygons, care, config.augment, rng)
    found = {"index": index, "size": (width, height), **place, **draw_colours(config.augment, rng)}
    return {
        name: np.asarray(v, np.int32 if name in ("index", "noise_at") else np.float32)
        for name, v in found.items()
    }


def draw_place(
    shape: tuple[int, int], polygons: Any, care: Any, config: AugmentConfig, rng: Any
) -> dict[str, Any]:
    """Draw where a crop lies: `inverse`, `scale`, `tilted` and `tallest` of Draw."""
    matrix = random_matrix(shape, polygons, care, replace(config, stretch=1.0), rng)
    is_tilted = config.perspective > 0.0 and rng.random() < config.perspective
    tallest = np.inf
    full = np.vstack((matrix, (0.0, 0.0, 1.0)))
    if is_tilted:
        stretch = math.sqrt(config.stretch) ** rng.uniform(-1.0, 1.0)
        middle = config.crop / 2.0
        about = np.array(
            [
                [stretch, 0.0, middle - stretch * middle],
                [0.0, 1.0 / stretch, middle - middle / stretch],
            ]
        )
        full = tilted(about @ full, config, rng)
        tallest = RIM / (_SHRINK_OF_HEIGHT * max(_unevenness(full, config.crop) - 1.0, 1e-3))
    return {
        "inverse": np.linalg.inv(full),
        "scale": scale_of(full, config.crop),
        "tilted": float(is_tilted),
        "tallest": tallest,
    }


def draw_colours(config: AugmentConfig, rng: Any) -> dict[str, Any]:
    """Draw what happens to a crop's colours: from `gain` to `quality` of Draw."""
    found: dict[str, Any] = {
        **{"gain": np.ones(3), "shift": np.zeros(3), "grey": 0.0, "invert": 0.0},
        **{"kernel": _gaussian(0.0), "noise": 0.0, "noise_at": (0, 0)},
        "quality": 0.0,
    }
    if rng.random() < config.colour:
        found["gain"], found["shift"], kind = draw_colour(rng)
        found["grey"], found["invert"] = float(kind == "grey"), float(kind == "invert")
    if rng.random() < config.blur:
        if rng.random() < 0.5:
            found["kernel"] = _gaussian(rng.uniform(0.4, 1.5))
        else:
            small = motion_kernel(int(rng.integers(3, 8)), rng.uniform(0, math.pi))
            found["kernel"] = _centred(small)
    if rng.random() < config.noise:
        found["noise"] = rng.uniform(2.0, 10.0)
        found["noise_at"] = rng.integers(0, NOISE_SIDE, 2)
    if config.jpeg and rng.random() < config.jpeg:
        low, high = config.jpeg_quality
        quality = float(rng.integers(low, high + 1))
        # The IJG library's rule: 50 takes the tables as they are.
        found["quality"] = max((50.0 / quality) if quality < 50 else 2.0 - quality / 50.0, 0.01)
    return found


def _gaussian(sigma: float) -> NDArray[np.float32]:
    """Return a (KERNEL, KERNEL) Gaussian that sums to 1; of deviation 0, the copy."""
    away = np.arange(KERNEL, dtype=np.float32) - KERNEL // 2
    line = np.exp(-0.5 * (away / max(sigma, 1e-3)) ** 2)
    kernel = np.outer(line, line)
    return np.asarray(kernel / kernel.sum(), np.float32)


def _centred(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put a kernel into the middle of one of KERNEL; of an even side, as OpenCV anchors it."""
    large = np.zeros((KERNEL, KERNEL), np.float32)
    first = KERNEL // 2 - kernel.shape[0] // 2
    large[first : first + kernel.shape[0], first : first + kernel.shape[1]] = kernel
    return large


def _unevenness(matrix: NDArray[np.float64], size: int) -> float:
    """Largest scale over smallest scale, in any direction, at the crop's corners."""
    corners = ((0.0, 0.0), (size, 0.0), (size, size), (0.0, size))
    scales = [np.linalg.svd(jacobian(matrix, corner), compute_uv=False) for corner in corners]
    return float(np.max(scales) / np.min(scales))
