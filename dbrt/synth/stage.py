"""A picture in the making: what is taken, where a block goes, how it is painted and labelled."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.synth import layouts
from dbrt.synth.backgrounds import crop_of, photograph, some_surface
from dbrt.synth.colours import Colour
from dbrt.synth.ink import (
    Style,
    contrasting,
    lay,
    mean_colour,
    paint,
    random_colour,
    random_style,
    stand_out,
)
from dbrt.synth.layouts import Press
from dbrt.synth.textures import Picture
from dbrt.synth.typeset import Block
from dbrt.synth.warp import Bend, Points, Warp, outline

CELL = 4  # pixels of the picture in one cell of the map of what is taken
BUSY = 35.0  # standard deviation of the grey under a block, from which it wants a board
TRIES = 6
SHIFT = 4  # binary digits of sub-pixel precision in OpenCV's drawing
Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class Labelled:
    """A word or line in the picture.

    polygon    (M, 2) float32, clockwise from the top left of the text
    is_clear   it can be told from what is under it
    height_px  the height of its ink across the reading direction
    """

    polygon: NDArray[np.float32]
    text: str
    is_clear: bool
    height_px: float


@dataclass
class Stage:
    """A picture in the making; see `picture.Recipe` for what it is made from."""

    shape: tuple[int, int]
    press: Press
    photographs: tuple[Path, ...]
    cap_px: tuple[float, float]
    unit: str
    series: int
    rng: Rng
    picture: Picture = field(init=False)
    labels: list[Labelled] = field(default_factory=list)
    taken: NDArray[np.uint8] = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing taken."""
        self.taken = np.zeros((self.shape[0] // CELL + 1, self.shape[1] // CELL + 1), np.uint8)

    def cap(self, low: float = 0.0, high: float = np.inf) -> float:
        """Draw a height of capitals, small ones as likely as large ones by ratio.

        low, high  narrow the recipe's range; nothing is taller than a third of the picture
        """
        low = max(self.cap_px[0], min(low, self.cap_px[1]))
        high = min(self.cap_px[1], self.shape[0] / 3, high)
        return float(np.exp(self.rng.uniform(np.log(low), np.log(max(low, high)))))


def flat_warp(block: Block, corners: Points, bend: Bend | None = None) -> Warp:
    """The warp that takes a block's rectangle, once bent, to four corners in the picture."""
    h, w = block.mask.shape
    bend = bend or Bend(w, h)
    if bend.is_bent:
        bent = bend.forward(outline(w, h, count=24))
        (left, top), (right, bottom) = bent.min(axis=0), bent.max(axis=0)
    else:
        left, top, right, bottom = 0.0, 0.0, float(w), float(h)
    flat = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    matrix = cv2.getPerspectiveTransform(flat, corners.astype(np.float32))
    return Warp(bend, np.asarray(matrix, np.float64))


def random_bend(block: Block, rng: Rng) -> Bend:
    """Draw an arc or a wave for a block of one line."""
    h, w = block.mask.shape
    if rng.random() < 0.75:
        turn = np.deg2rad(float(rng.uniform(25, 200)))
        radius = max(w / turn, 1.1 * h)
        return Bend(w, h, radius=radius * (1 if rng.random() < 0.65 else -1))
    length = w * float(rng.uniform(0.7, 2.0))
    amplitude = min(float(rng.uniform(0.2, 0.8)) * h, 0.09 * length)
    return Bend(w, h, amplitude=amplitude, length=length, phase=float(rng.uniform(0, 6.3)))


def random_angle(rng: Rng, any_angle: float = 0.08) -> float:
    """Draw the turn of a block, degrees: mostly near level, some slanted, a few anyhow."""
    kind = rng.random()
    if kind < 0.52:
        return float(rng.normal(0, 3))
    if kind < 0.86 - any_angle / 2:
        return float(rng.normal(0, 17))
    if kind < 1 - any_angle:
        return float(rng.choice([-90, 90]) + rng.normal(0, 5))
    return float(rng.uniform(-180, 180))


def random_corners(width: float, height: float, angle: float, rng: Rng) -> Points:
    """Draw the corners of a turned and tilted rectangle about (0, 0), (4, 2)."""
    corners = np.array([[-width, -height], [width, -height], [width, height], [-width, height]]) / 2
    slant = 0.0 if rng.random() < 0.4 else float(rng.uniform(0.02, 0.22))
    if slant:
        # one side pulled together and the other apart, as a wall seen from aside
        corners = corners * (1 + rng.uniform(-slant, slant, (4, 1)))
        corners[:, 1] += corners[:, 0] * float(rng.uniform(-slant, slant))
        corners[:, 0] += corners[:, 1] * float(rng.uniform(-slant, slant))
    turn = np.deg2rad(angle)
    spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.asarray(corners @ spin)


def place(
    stage: Stage, block: Block, *, angle: float, bend: Bend | None = None, pad: float = 0.0
) -> Warp | None:
    """Look for a free place for a block and mark it as taken; None where there is none."""
    rng = stage.rng
    h, w = block.mask.shape
    if bend is not None:
        bent = bend.forward(outline(w, h, count=24))
        width, height = (float(v) * block.scale for v in np.ptp(bent, axis=0))
    else:
        width, height = w * block.scale, h * block.scale
    corners = random_corners(width, height, angle, rng)
    warp = flat_warp(block, corners, bend)
    edge = warp.points(outline(w, h, pad, 12 if bend else 2))
    low, high = edge.min(axis=0), edge.max(axis=0)
    room = np.array([stage.shape[1], stage.shape[0]]) - (high - low) - 2
    if (room <= 0).any():
        return None
    for _ in range(TRIES):
        shift = rng.random(2) * room + 1 - low
        spot = np.zeros_like(stage.taken)
        cv2.fillPoly(spot, [np.round((edge + shift) / CELL).astype(np.int32)], 1)
        if not (spot & stage.taken).any():
            stage.taken |= spot
            return flat_warp(block, corners + shift, bend)
    return None


def box_of(points: Points, shape: tuple[int, int], pad: int = 3) -> tuple[int, int, int, int]:
    """The whole pixels about points, kept inside a picture: left, top, right, bottom."""
    low = np.maximum(np.floor(points.min(axis=0)).astype(int) - pad, 0)
    high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + pad, (shape[1], shape[0]))
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def put_block(stage: Stage, block: Block, warp: Warp, style: Style | None = None) -> None:
    """Paint a block where its warp puts it, and label its words."""
    h, w = block.mask.shape
    text_px = block.em * block.scale * layouts.CAP_HEIGHT
    box = box_of(warp.points(outline(w, h, count=24)), stage.shape, 3 + round(text_px / 5))
    left, top, right, bottom = box
    part = stage.picture[top:bottom, left:right]
    if style is None:
        grey = cv2.cvtColor(part, cv2.COLOR_BGR2GRAY)
        is_busy = float(cv2.meanStdDev(grey)[1][0, 0]) > BUSY
        style = random_style(part, stage.picture, text_px, stage.rng, is_busy=is_busy)
    before, inked = paint(part, warp.coverage(block.mask, box), style)
    found = []
    for line in block.lines:
        unit = line.joined() if stage.unit == "line" else line
        found += list(zip(unit.texts, (warp.polygon(b) for b in unit.boxes), strict=True))
    shift = np.array([left, top], np.float32)
    clear = stand_out(before, part, inked, [polygon - shift for _, polygon in found])
    for (text, polygon), is_clear in zip(found, clear, strict=True):
        stage.labels.append(Labelled(polygon, text, is_clear, height_of(polygon)))


def height_of(polygon: NDArray[np.float32]) -> float:
    """The mean distance between a polygon's upper and lower edge, or its lesser side."""
    half = len(polygon) // 2
    upper, lower = polygon[:half], polygon[half:][::-1]
    across = float(np.linalg.norm(upper - lower, axis=1).mean())
    along = float(np.linalg.norm(np.diff((upper + lower) / 2, axis=0), axis=1).sum())
    return min(across, along) if len(polygon) == 4 and along < across / 2 else across


def board(stage: Stage, block: Block, warp: Warp, pad: float) -> Colour:
    """Paint a board under a block: plain or faded, opaque or not, with a rim or without."""
    rng = stage.rng
    h, w = block.mask.shape
    edge = warp.points(outline(w, h, pad, 24 if warp.bend.is_bent else 2))
    left, top, right, bottom = box_of(edge, stage.shape)
    part = stage.picture[top:bottom, left:right]
    shape = np.zeros(part.shape[:2], np.uint8)
    fixed = np.round((edge - (left + 0.5, top + 0.5)) * 2**SHIFT).astype(np.int32)
    cv2.fillPoly(shape, [fixed], 255, cv2.LINE_AA, SHIFT)
    paper = random_colour(rng)
    colours: Picture | Colour = paper
    kind = rng.random()
    if kind < 0.25:
        colours = some_surface(stage.series, part.shape[:2], rng)
        colours = np.asarray(
            cv2.addWeighted(colours, 0.3, np.full_like(colours, paper), 0.7, 0), np.uint8
        )
    elif kind < 0.4 and stage.photographs:
        path = stage.photographs[int(rng.integers(len(stage.photographs)))]
        colours = crop_of(photograph(path), part.shape[:2], rng)
        colours = np.asarray(cv2.GaussianBlur(colours, (0, 0), 3), np.uint8)
    lay(part, shape, colours, float(rng.uniform(0.6, 0.95)) if rng.random() < 0.25 else 1.0)
    if rng.random() < 0.35:
        rim = contrasting(paper, 40, rng)
        width = max(1, round(block.em * block.scale * float(rng.uniform(0.03, 0.12))))
        cv2.polylines(part, [fixed], True, rim, width, cv2.LINE_AA, SHIFT)
    return mean_colour(part)


def level(stage: Stage, block: Block, y_range: tuple[float, float] = (0, 1)) -> Warp | None:
    """Look for a free place for a block that stays level; None where there is none."""
    rng = stage.rng
    w, h = block.size_px
    room = np.array([stage.shape[1] - w, stage.shape[0] - h])
    if (room <= 2).any():
        return None
    for _ in range(TRIES):
        x = float(rng.random()) * room[0]
        y = float(rng.uniform(*y_range)) * room[1]
        box = [round(v / CELL) for v in (x, y, x + w, y + h)]
        spot = stage.taken[box[1] : box[3] + 1, box[0] : box[2] + 1]
        if not spot.any():
            spot[:] = 1
            corners = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])
            return flat_warp(block, corners)
    return None
