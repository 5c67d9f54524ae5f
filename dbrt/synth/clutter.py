"""Things that look like text to a detector and are none: drawn without labels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.synth.colours import Colour, toned
from dbrt.synth.ink import random_colour
from dbrt.synth.textures import Picture

Rng = np.random.Generator
Tile = NDArray[np.uint8]  # (h, w, 4) BGRA


def random_clutter(rng: Rng) -> Tile:
    """Draw one flat thing, some 60 to 400 pixels large, with what shows through it in alpha."""
    drawn = KINDS[int(rng.integers(len(KINDS)))](rng)
    return np.ascontiguousarray(drawn)


def _canvas(rng: Rng, low: int = 80, high: int = 360) -> Tile:
    h, w = int(rng.integers(low, high)), int(rng.integers(low, high))
    return np.zeros((h, w, 4), np.uint8)


def _solid(colour: Colour) -> tuple[int, int, int, int]:
    return (*colour, 255)


def bars(rng: Rng) -> Tile:
    """A fence, a blind, a zebra crossing, a radiator: bars of one pitch."""
    tile, colour = _canvas(rng), _solid(random_colour(rng))
    pitch = float(np.exp(rng.uniform(np.log(5), np.log(60))))
    width = max(1, round(pitch * float(rng.uniform(0.15, 0.7))))
    x = 0.0
    while x < tile.shape[1]:
        tile[:, round(x) : round(x) + width] = colour
        x += pitch
    if rng.random() < 0.4:
        for y in (tile.shape[0] // 8, tile.shape[0] * 7 // 8):
            tile[y : y + width] = colour
    return tile if rng.random() < 0.6 else tile.transpose(1, 0, 2)


def barcode(rng: Rng) -> Tile:
    """Bars of uneven width on a white label."""
    tile = _canvas(rng, 50, 220)
    tile[:] = _solid((245, 245, 245))
    x, unit = 6, int(rng.integers(1, 4))
    while x < tile.shape[1] - 8:
        width = unit * int(rng.integers(1, 4))
        tile[5:-5, x : x + width] = _solid((20, 20, 20))
        x += width + unit * int(rng.integers(1, 4))
    return tile


def matrix_code(rng: Rng) -> Tile:
    """Black and white cells at random, as of a QR code."""
    cells, px = int(rng.integers(15, 35)), int(rng.integers(2, 7))
    bits = (rng.random((cells, cells)) < 0.5).astype(np.uint8) * 235 + 10
    for y, x in ((0, 0), (0, cells - 7), (cells - 7, 0)):
        bits[y : y + 7, x : x + 7] = 245
        cv2.rectangle(bits, (x, y), (x + 6, y + 6), 10, 1)
        bits[y + 2 : y + 5, x + 2 : x + 5] = 10
    large = np.pad(bits, 2, constant_values=245).repeat(px, axis=0).repeat(px, axis=1)
    return np.dstack([large, large, large, np.full_like(large, 255)]).astype(np.uint8)


def leaves(rng: Rng) -> Tile:
    """Many small blades at all angles in tones of one colour."""
    tile = _canvas(rng, 120, 420)
    base = random_colour(rng) if rng.random() < 0.3 else (40, 110, 60)
    size = float(rng.uniform(3, 18))
    for _ in range(int(rng.integers(60, 350))):
        at = int(rng.integers(tile.shape[1])), int(rng.integers(tile.shape[0]))
        axes = (
            max(1, round(size * rng.uniform(0.6, 1.6))),
            max(1, round(size * rng.uniform(0.15, 0.5))),
        )
        tone = toned(base, float(rng.uniform(0.4, 1.8)))
        cv2.ellipse(
            tile, at, axes, float(rng.uniform(0, 180)), 0, 360, _solid(tone), -1, cv2.LINE_AA
        )
    return tile


def grid(rng: Rng) -> Tile:
    """Windows of a tower, tiles of a wall, cells of a table: rectangles in rows."""
    tile = _canvas(rng, 120, 420)
    if rng.random() < 0.6:
        tile[:] = _solid(random_colour(rng))
    pane, ph, pw = random_colour(rng), int(rng.integers(6, 60)), int(rng.integers(6, 60))
    gap = max(1, round(min(ph, pw) * float(rng.uniform(0.1, 0.7))))
    shift = rng.random() < 0.3
    for row, y in enumerate(range(gap, tile.shape[0] - ph, ph + gap)):
        start = gap + (row % 2) * (pw // 2 if shift else 0)
        for x in range(start, tile.shape[1] - pw, pw + gap):
            tone = _solid(toned(pane, float(rng.uniform(0.6, 1.3))))
            cv2.rectangle(tile, (x, y), (x + pw, y + ph), tone, -1)
    return tile


def marks(rng: Rng) -> Tile:
    """A row of icons: discs, rings, arrows, crosses, stars, triangles."""
    px, count = int(rng.integers(14, 90)), int(rng.integers(1, 6))
    tile = np.zeros((px + 4, count * (px + 8), 4), np.uint8)
    colour, line = _solid(random_colour(rng)), max(1, px // 9)
    for n in range(count):
        x, y, r = n * (px + 8) + px // 2 + 4, px // 2 + 2, px // 2 - line
        kind = int(rng.integers(7))
        if kind == 0:
            cv2.circle(tile, (x, y), r, colour, line, cv2.LINE_AA)
        elif kind == 1:
            cv2.circle(tile, (x, y), r, colour, -1, cv2.LINE_AA)
        elif kind == 2:
            cv2.arrowedLine(tile, (x - r, y), (x + r, y), colour, line, cv2.LINE_AA, 0, 0.4)
        elif kind == 3:
            cv2.line(tile, (x - r, y - r), (x + r, y + r), colour, line, cv2.LINE_AA)
            cv2.line(tile, (x - r, y + r), (x + r, y - r), colour, line, cv2.LINE_AA)
        elif kind == 4:
            turn = np.arange(10) * np.pi / 5 - np.pi / 2
            reach = np.where(np.arange(10) % 2, 0.4 * r, r)
            star = np.stack([x + reach * np.cos(turn), y + reach * np.sin(turn)], axis=1)
            cv2.fillPoly(tile, [np.round(star).astype(np.int32)], colour, cv2.LINE_AA)
        elif kind == 5:
            corners = np.array([[x, y - r], [x + r, y + r], [x - r, y + r]], np.int32)
            cv2.polylines(tile, [corners], True, colour, line, cv2.LINE_AA)
        else:
            cv2.rectangle(tile, (x - r, y - r), (x + r, y + r), colour, line)
    return tile


def scribbles(rng: Rng) -> Tile:
    """Twigs, cracks and wires: broken lines that wander."""
    tile, colour = _canvas(rng, 100, 420), _solid(random_colour(rng))
    for _ in range(int(rng.integers(2, 18))):
        steps = rng.normal(0, float(rng.uniform(6, 30)), (int(rng.integers(3, 12)), 2))
        path = np.cumsum(steps, axis=0) + rng.random(2) * (tile.shape[1], tile.shape[0])
        width = int(rng.integers(1, 5))
        cv2.polylines(tile, [np.round(path).astype(np.int32)], False, colour, width, cv2.LINE_AA)
    return tile


def bricks(rng: Rng) -> Tile:
    """Courses in running bond with mortar between."""
    tile = _canvas(rng, 120, 420)
    tile[:] = _solid(random_colour(rng))
    base, course = random_colour(rng), int(rng.integers(7, 34))
    length, joint = round(course * float(rng.uniform(1.6, 3.2))), max(1, course // 9)
    for row, y in enumerate(range(0, tile.shape[0], course)):
        for x in range(-(row % 2) * length // 2, tile.shape[1], length):
            tone = _solid(toned(base, float(rng.uniform(0.75, 1.25))))
            corner = (x + length - joint - 1, y + course - joint - 1)
            cv2.rectangle(tile, (max(x, 0), y), corner, tone, -1)
    return tile


def mesh(rng: Rng) -> Tile:
    """Crossing diagonals, as wire netting or parquet."""
    tile, colour = _canvas(rng, 120, 420), _solid(random_colour(rng))
    pitch, width = int(rng.integers(9, 50)), int(rng.integers(1, 4))
    h, w = tile.shape[:2]
    for x in range(-h, w + h, pitch):
        cv2.line(tile, (x, 0), (x + h, h), colour, width, cv2.LINE_AA)
        cv2.line(tile, (x, 0), (x - h, h), colour, width, cv2.LINE_AA)
    return tile


def dots(rng: Rng) -> Tile:
    """Rivets, lamps, holes: rows of small discs."""
    tile, colour = _canvas(rng, 60, 360), _solid(random_colour(rng))
    pitch = int(rng.integers(7, 50))
    radius = max(1, round(pitch * float(rng.uniform(0.12, 0.42))))
    rows = tile.shape[0] if rng.random() < 0.5 else min(tile.shape[0], 2 * pitch)
    for y in range(pitch, rows, pitch):
        for x in range(pitch, tile.shape[1], pitch):
            cv2.circle(tile, (x, y), radius, colour, -1, cv2.LINE_AA)
    return tile


KINDS = (
    bars, bars, barcode, matrix_code, leaves, leaves, grid, grid, marks, marks, scribbles, bricks,
    mesh, dots,
)  # fmt: skip


def put(picture: Picture, tile: Tile, corners: NDArray[np.float32]) -> None:
    """Lay a flat thing into a picture, in place, its corners (4, 2) clockwise from the top left."""
    h, w = tile.shape[:2]
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(
        np.ceil(corners.max(axis=0)).astype(int) + 1, (picture.shape[1], picture.shape[0])
    )
    if (high - low < 2).any():
        return
    flat = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    way = cv2.getPerspectiveTransform(flat, (corners - low).astype(np.float32))
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    seen = cv2.warpPerspective(tile, way, size, flags=cv2.INTER_LINEAR)
    part = picture[low[1] : high[1], low[0] : high[0]]
    share = seen[..., 3].astype(np.float32) * np.float32(1 / 255)
    colours = np.ascontiguousarray(seen[..., :3])
    part[:] = cv2.blendLinear(colours, np.ascontiguousarray(part), share, 1 - share)


def scatter(picture: Picture, count: int, rng: Rng) -> None:
    """Lay so many flat things into a picture, each scaled, turned and tilted."""
    size = np.array([picture.shape[1], picture.shape[0]])
    for _ in range(count):
        tile = random_clutter(rng)
        reach = float(rng.uniform(0.15, 0.7)) * float(size.max()) / max(tile.shape[:2])
        half = np.array([tile.shape[1], tile.shape[0]]) * min(reach, 2.0) / 2
        box = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        box = box * (1 + rng.uniform(-0.18, 0.18, (4, 2)))
        turn = np.deg2rad(rng.normal(0, 12) if rng.random() < 0.8 else rng.uniform(0, 360))
        spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        at = rng.random(2) * size
        put(picture, tile, (box @ spin + at).astype(np.float32))
