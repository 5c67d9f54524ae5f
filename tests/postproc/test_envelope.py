"""Outlines moved outwards without pyclipper, against pyclipper."""

from __future__ import annotations

import numpy as np
import pyclipper
import pytest

from dbrt.postproc.envelope import NO_ROOM, NOT_GROWN, grow_outline, hull_of_outline

UNITS = 1024
CHORD_PX = 0.005


def grown(points, radius, room=20000):
    """What `grow_outline` returns, and the points it wrote."""
    n = len(points)
    top, rows = points[:, 1].min(), np.ptp(points[:, 1]) + 1
    hull = np.empty((n + 1, 2), np.int32)
    corners = hull_of_outline(points, 0, n, top, rows, np.empty((rows + 7, 4), np.int32), 7, hull)
    out = np.empty((room, 2))
    work = np.empty((n + 2, 6))
    used = grow_outline(points, 0, n, hull, corners, radius, CHORD_PX, work, out, 0)
    return used, out[: max(used, 0)]


def pieces_by_pyclipper(points, radius):
    offset = pyclipper.PyclipperOffset(2.0, CHORD_PX * UNITS)
    ends = pyclipper.ET_CLOSEDPOLYGON if len(points) > 2 else pyclipper.ET_OPENROUND
    offset.AddPath((points * UNITS + UNITS // 2).tolist(), pyclipper.JT_ROUND, ends)
    return [p for p in offset.Execute(radius * UNITS) if pyclipper.Orientation(p)]


def difference_px(outline, pieces):
    """The area that only one of them covers, for each pixel of length: how far they lie apart."""
    clipper = pyclipper.Pyclipper()
    clipper.AddPath(np.rint(outline * UNITS).astype(np.int64).tolist(), pyclipper.PT_SUBJECT, True)
    clipper.AddPaths(pieces, pyclipper.PT_CLIP, True)
    rule = pyclipper.PFT_NONZERO
    apart = clipper.Execute(pyclipper.CT_XOR, rule, rule)
    area = sum(pyclipper.Area(piece) for piece in apart) / UNITS**2
    length = np.linalg.norm(np.roll(outline, -1, axis=0) - outline, axis=1).sum()
    return abs(area) / length


def random_bar(rng):
    """A ragged bar, slanted half of the time: its pockets are deep, and some are hooked."""
    n = rng.integers(3, 16)
    x = np.sort(rng.choice(100, n, replace=False))
    top, bottom = rng.integers(0, 12, n), 15 + rng.integers(0, 12, n)
    points = np.concatenate([np.stack([x, top], 1), np.stack([x, bottom], 1)[::-1]])
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        points = np.rint((points - 50) @ turn * 3 + 200)
    return (points + 5).astype(np.int32)


@pytest.mark.parametrize("seed", range(8))
def test_ragged_bars_grow_as_by_pyclipper(seed):
    rng = np.random.default_rng(seed)
    apart = []
    while len(apart) < 100:
        points, radius = random_bar(rng), rng.uniform(0.5, 30)
        used, outline = grown(points, radius)
        if used != NOT_GROWN:
            apart.append(difference_px(outline, pieces_by_pyclipper(points, radius)))
    assert max(apart) < 0.01


SHAPES = {
    "pixel": [[5, 5]],
    "row": [[5, 5], [40, 5]],
    "slanted line": [[5, 5], [40, 17]],
    "square": [[0, 0], [20, 0], [20, 20], [0, 20]],
    "upright walls": [[0, 0], [60, 0], [60, 40], [50, 40], [50, 9], [30, 9], [30, 40], [0, 40]],
    "points in one line": [[0, 0], [60, 0], [60, 40], [45, 32], [30, 24], [15, 32], [0, 40]],
    "spur there and back": [[0, 0], [30, 0], [30, 10], [50, 20], [30, 10], [0, 10]],
}


@pytest.mark.parametrize("radius", [0.5, 3.0, 17.0])
@pytest.mark.parametrize("name", SHAPES)
def test_shapes_with_corners_in_line_grow_as_by_pyclipper(name, radius):
    points = np.array(SHAPES[name], np.int32)
    used, outline = grown(points, radius)
    assert used > 0
    if name == "pixel":
        expected = np.pi * radius**2
        x, y = outline.T
        area = (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2
        assert area == pytest.approx(expected, rel=0.02)
    else:
        assert difference_px(outline, pieces_by_pyclipper(points, radius)) < 0.01


def test_a_hook_is_told():
    hook = [[0, 0], [60, 0], [60, 60], [20, 60], [20, 30], [40, 30], [40, 40], [50, 40], [50, 10]]
    assert grown(np.array([*hook, [0, 10]], np.int32), 2.0)[0] == NOT_GROWN


def test_too_little_room_is_told():
    assert grown(np.array(SHAPES["square"], np.int32), 5.0, room=12)[0] == NO_ROOM
