"""Surfaces drawn from random numbers: noise, brick, plaster, stripes, panels, gradients.

Every function returns a new picture, (H, W, 3) uint8 BGR, and takes its randomness from the
generator it is given, so that one seed means one picture.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.synth.colours import Colour

Picture = NDArray[np.uint8]  # (H, W, 3) BGR
Plane = NDArray[np.float32]  # (H, W)


def noise(shape: tuple[int, int], cell: float, rng: np.random.Generator, octaves: int = 3) -> Plane:
    """Make smooth random noise, (H, W) float32 about 0, standard deviation 1.

    cell  size of the coarsest blobs in pixels; each further octave is half as large and weak
    """
    height, width = shape
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        step = max(cell / 2**octave, 1.0)
        grid = rng.standard_normal((int(height / step) + 3, int(width / step) + 3))
        fine = cv2.resize(grid.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        total += fine * np.float32(0.5**octave)
    spread = float(total.std())
    return np.asarray((total - total.mean()) / np.float32(max(spread, 1e-6)))


def shade(picture: Picture, light: Plane | float) -> Picture:
    """Multiply a picture by light: (H, W) float32 or one number, 1 leaves it as it is."""
    factor = light if isinstance(light, float) else light[..., None]
    return np.asarray(np.clip(picture.astype(np.float32) * factor, 0, 255), np.uint8)


def plain(shape: tuple[int, int], colour: Colour) -> Picture:
    """Fill with one colour."""
    return np.full((*shape, 3), colour, np.uint8)


def gradient(shape: tuple[int, int], top: Colour, bottom: Colour, angle: float = 0.0) -> Picture:
    """Blend linearly from one colour to another; angle in degrees, 0 runs downwards."""
    height, width = shape
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :]
    turn = np.deg2rad(angle)
    way = y * np.float32(np.cos(turn)) + x * np.float32(np.sin(turn))
    way = (way - way.min()) / (way.max() - way.min() + np.float32(1e-6))
    start, end = np.array(top, np.float32), np.array(bottom, np.float32)
    return np.asarray(start + (end - start) * way[..., None], np.uint8)


def plaster(shape: tuple[int, int], colour: Colour, rng: np.random.Generator) -> Picture:
    """Paint a wall: stains the size of a door, and a fine grain."""
    light = 1 + 0.035 * noise(shape, min(shape) / 3, rng, 5) + 0.012 * noise(shape, 2, rng, 1)
    return shade(plain(shape, colour), light)


def brick(
    shape: tuple[int, int], colour: Colour, rng: np.random.Generator, course: int = 12
) -> Picture:
    """Lay courses of `course` pixels in running bond, each brick with a shade of its own."""
    height, width = shape
    length, joint = course * 3, max(1, course // 8)
    rows, columns = height // course + 2, width // length + 3
    shades = 1 + 0.09 * rng.standard_normal((rows, columns)).astype(np.float32)
    y, x = np.mgrid[0:height, 0:width]
    row = y // course
    shifted = x + (row % 2) * (length // 2)
    wall = shade(plain(shape, colour), shades[row, shifted // length])
    is_joint = (y % course < joint) | (shifted % length < joint)
    mortar = tuple(int(0.45 * c + 0.55 * 168) for c in colour)
    wall[is_joint] = mortar
    grain = 1 + 0.04 * noise(shape, 3, rng, 2) + 0.05 * noise(shape, min(shape) / 3, rng)
    return shade(wall, grain)


def stripes(
    shape: tuple[int, int], first: Colour, second: Colour, pitch: float, angle: float = 0.0
) -> Picture:
    """Lay two colours in turn; pitch of a pair in pixels, angle in degrees, 0 is upright."""
    height, width = shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    turn = np.deg2rad(angle)
    phase = (x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))) / np.float32(pitch)
    is_second = (phase - np.floor(phase)) >= 0.5
    return np.where(is_second[..., None], np.array(second, np.uint8), np.array(first, np.uint8))


def window_grid(
    shape: tuple[int, int],
    wall: Colour,
    glass: Colour,
    cell: tuple[int, int],
    rng: np.random.Generator,
) -> Picture:
    """Put rows of window panes in a wall.

    cell  (height, width) in pixels of a window and the wall about it
    """
    picture = plaster(shape, wall, rng)
    height, width = cell
    for top in range(height // 4, shape[0], height):
        for left in range(width // 5, shape[1], width):
            bottom, right = top + height // 2, left + width * 3 // 5
            tone = tuple(int(np.clip(c * rng.uniform(0.6, 1.3), 0, 255)) for c in glass)
            frame = tuple(int(c * 0.7) for c in wall)
            cv2.rectangle(picture, (left, top), (right, bottom), tone, cv2.FILLED)
            cv2.rectangle(picture, (left, top), (right, bottom), frame, max(1, width // 30))
            middle = (left + right) // 2
            cv2.line(picture, (middle, top), (middle, bottom), frame, max(1, width // 40))
    return picture


def panels(shape: tuple[int, int], colours: list[Colour], rng: np.random.Generator) -> Picture:
    """Lay rectangles of many sizes over one another, as of posters, doors and furniture."""
    height, width = shape
    picture = plain(shape, colours[0])
    for _ in range(int(rng.integers(6, 25))):
        x, y = int(rng.integers(-20, width)), int(rng.integers(-20, height))
        w, h = int(rng.integers(20, width // 2 + 21)), int(rng.integers(20, height // 2 + 21))
        colour = colours[int(rng.integers(len(colours)))]
        tone = tuple(int(np.clip(c * rng.uniform(0.7, 1.25), 0, 255)) for c in colour)
        cv2.rectangle(picture, (x, y), (x + w, y + h), tone, cv2.FILLED)
        if rng.random() < 0.5:
            edge = tuple(int(c * 0.6) for c in tone)
            cv2.rectangle(picture, (x, y), (x + w, y + h), edge, int(rng.integers(1, 5)))
    return picture
