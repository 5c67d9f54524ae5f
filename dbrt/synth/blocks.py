"""Blocks of text: set, coloured against what is under them, put into the picture in perspective."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.synth import words
from dbrt.synth.backgrounds import random_colour
from dbrt.synth.camera import Matrix, project
from dbrt.synth.colours import Colour, luminance
from dbrt.synth.lettering import Lettering, set_line, stacked
from dbrt.synth.textures import Picture

OVERSIZE = 2  # blocks are set this many times larger than they appear, so that warping is smooth
CAP_HEIGHT = 0.72  # of the em, about
BUSY = 35.0  # standard deviation of the grey under a block, from which it wants a board
LEGIBLE = 22.0  # mean change of grey under the ink, below which a word does not count
Mask = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Placed:
    """A block and where it lies.

    lettering   the block at OVERSIZE
    to_picture  (3, 3), pixels of the block's mask to pixels of the picture
    box         left, top, right, bottom in the picture, all of the block with its margin
    """

    lettering: Lettering
    to_picture: Matrix
    box: tuple[int, int, int, int]

    def quads(self) -> NDArray[np.float32]:
        """The words' quads in the picture, (N, 4, 2) float32."""
        return project(self.lettering.quads, self.to_picture)


def random_block(fonts: tuple[Path, ...], cap_px: float, rng: np.random.Generator) -> Lettering:
    """Set one to four lines in one font, capitals `cap_px` pixels tall, at OVERSIZE."""
    font = fonts[int(rng.integers(len(fonts)))]
    size = max(8, round(cap_px / CAP_HEIGHT * OVERSIZE))
    spacing = float(rng.choice([0, 0, 0, 0.04, 0.1])) * size
    count = int(rng.choice([1, 1, 1, 2, 2, 3, 4]))
    most = 2 if cap_px > 40 else 4
    lines = [set_line(words.line(rng, most), font, size, spacing) for _ in range(count)]
    gap = round(float(rng.uniform(0.05, 0.5)) * size)
    return stacked(lines, gap, float(rng.choice([0.0, 0.5, 1.0])))


def _random_angle(rng: np.random.Generator) -> float:
    """Draw the turn of a block, degrees: mostly near level, some slanted, a few upright."""
    kind = rng.random()
    if kind < 0.55:
        return float(rng.normal(0, 3))
    if kind < 0.93:
        return float(rng.normal(0, 18))
    return float(rng.choice([-90, 90]) + rng.normal(0, 4))


def random_place(
    lettering: Lettering, shape: tuple[int, int], rng: np.random.Generator
) -> Placed | None:
    """Turn and tilt a block and drop it into a picture; None where it does not fit inside."""
    rows, columns = lettering.mask.shape
    w, h = columns / OVERSIZE, rows / OVERSIZE
    corners = np.array([[-w, -h], [w, -h], [w, h], [-w, h]]) / 2
    slant = 0.0 if rng.random() < 0.5 else float(rng.uniform(0.02, 0.22))
    # one side pulled together and the other apart, as a wall seen from aside
    corners = corners * (1 + rng.uniform(-slant, slant, (4, 1)))
    if slant:
        corners[:, 1] += corners[:, 0] * float(rng.uniform(-slant, slant))
    turn = np.deg2rad(_random_angle(rng))
    spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    corners = corners @ spin
    low, high = corners.min(axis=0) - 3, corners.max(axis=0) + 3
    room = np.array([shape[1], shape[0]]) - (high - low)
    if (room <= 0).any():
        return None
    corners = corners - low + rng.random(2) * room
    flat = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
    to_picture = cv2.getPerspectiveTransform(flat, corners.astype(np.float32))
    left, top = np.floor(corners.min(axis=0)).astype(int) - 2
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + 2
    box = int(max(left, 0)), int(max(top, 0)), int(min(right, shape[1])), int(min(bottom, shape[0]))
    return Placed(lettering, np.asarray(to_picture, np.float64), box)


def contrasting(under: Colour, least: float, rng: np.random.Generator) -> Colour:
    """Draw a colour whose luminance is at least `least` (0 to 120) away from another's."""
    for _ in range(25):
        colour = random_colour(rng)
        if abs(luminance(colour) - luminance(under)) >= least:
            return colour
    return (12, 12, 12) if luminance(under) > 127 else (245, 245, 245)


def coverage_in(mask: Mask, placed: Placed) -> NDArray[np.float32]:
    """Carry coverage at OVERSIZE (uint8) into the block's box of the picture, (h, w) 0..1."""
    left, top, right, bottom = placed.box
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    shift = np.array([[1, 0, -left - 0.5], [0, 1, -top - 0.5], [0, 0, 1]])
    size = (right - left, bottom - top)
    warped = cv2.warpPerspective(mask, shift @ placed.to_picture @ half, size)
    return warped.astype(np.float32) / np.float32(255)


def _blend(part: Picture, coverage: NDArray[np.float32], colour: NDArray[np.float32]) -> None:
    """Lay a colour (or a picture of colours) over a part of the picture, in place."""
    mixed = part + (colour - part) * coverage[..., None]
    part[:] = np.clip(mixed, 0, 255).astype(np.uint8)


def _mean_colour(part: Picture) -> Colour:
    blue, green, red = (int(v) for v in part.reshape(-1, 3).mean(axis=0))
    return blue, green, red


def paint(picture: Picture, placed: Placed, rng: np.random.Generator) -> list[bool]:
    """Paint a block: a board under it or not, shadow or outline, the letters.

    Returns for each word whether it stands out from what is under it.
    """
    left, top, right, bottom = placed.box
    part = picture[top:bottom, left:right]
    is_busy = float(_gray(part).std()) > BUSY
    if rng.random() < (0.75 if is_busy else 0.3):
        board = np.full_like(placed.lettering.mask, 255)
        paper = np.array(random_colour(rng), np.float32)
        _blend(part, coverage_in(board, placed) * np.float32(rng.uniform(0.85, 1.0)), paper)
        is_busy = False
    under = _mean_colour(part)
    colour = contrasting(under, 90 if is_busy else float(rng.uniform(40, 120)), rng)
    _decorate(part, placed, colour, rng, is_busy=is_busy)
    ink = np.array(colour, np.float32)
    if rng.random() < 0.25:
        fade = np.linspace(0, 0.5, part.shape[0], dtype=np.float32)[:, None, None]
        ink = ink + (np.array(contrasting(under, 60, rng), np.float32) - ink) * fade
    before = _gray(part).astype(np.float32)
    coverage = coverage_in(placed.lettering.mask, placed)
    _blend(part, coverage * np.float32(rng.uniform(0.82, 1.0)), ink)
    change = np.abs(_gray(part) - before)
    return [_stands_out(change, coverage, q - (left, top)) for q in placed.quads()]


def _gray(part: Picture) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(part, cv2.COLOR_BGR2GRAY), np.uint8)


def _stands_out(
    change: NDArray[np.float32], coverage: NDArray[np.float32], quad: NDArray[np.float32]
) -> bool:
    """Whether the ink inside a quad changed the grey of the picture enough to be read."""
    left, top = np.maximum(np.floor(quad.min(axis=0)), 0).astype(int)
    right, bottom = np.ceil(quad.max(axis=0)).astype(int)
    weight = coverage[top:bottom, left:right]
    total = float(weight.sum())
    return total > 0 and float((change[top:bottom, left:right] * weight).sum()) / total > LEGIBLE


def _decorate(
    part: Picture, placed: Placed, colour: Colour, rng: np.random.Generator, *, is_busy: bool
) -> None:
    """Lay a shadow or an outline under the letters; on a busy background nearly always."""
    mask = placed.lettering.mask
    reach = max(1, round(mask.shape[0] / max(1, len(placed.lettering.words)) / 40))
    kind = rng.random() * (0.45 if is_busy else 1.0)
    if kind < 0.15:
        shift = reach * OVERSIZE
        moved = np.zeros_like(mask)
        moved[shift:, shift:] = mask[:-shift, :-shift]
        soft = cv2.GaussianBlur(moved, (0, 0), max(1.0, float(rng.uniform(0.3, 1.2)) * reach))
        _blend(
            part,
            coverage_in(np.asarray(soft, np.uint8), placed) * np.float32(0.7),
            np.zeros(3, np.float32),
        )
    elif kind < 0.4:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        edge = np.asarray(cv2.dilate(mask, disc), np.uint8)
        _blend(part, coverage_in(edge, placed), np.array(contrasting(colour, 80, rng), np.float32))
