"""The mean inside an outline, against one that looks at every pixel with exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from dbrt.postproc.fill import lowest_bit, outline_mean, parities
from dbrt.postproc.scores import row_sums

HEIGHT, WIDTH = 24, 150  # more than two words of marks


def exact_mean(pixels, points):
    """Even-odd, just above or just below each row's centre line; what lies on an edge counts."""
    inside = np.zeros(pixels.shape, bool)
    edges = list(zip(points, np.roll(points, -1, axis=0), strict=True))
    for y, x in np.ndindex(pixels.shape):
        above = below = 0
        for (ax, ay), (bx, by) in edges:
            low, high = min(ay, by), max(ay, by)
            if low == high or not low <= y <= high:
                continue
            crossing = int(ax) + Fraction(int(y - ay) * int(bx - ax), int(by - ay))
            inside[y, x] |= crossing == x
            above += low < y and crossing < x
            below += y < high and crossing < x
        inside[y, x] |= above % 2 == 1 or below % 2 == 1
    return pixels[inside].mean() / 255


def mean(pixels, points, sums=None):
    room = len(points)
    return outline_mean(
        pixels,
        np.empty((0, 0), np.uint32) if sums is None else sums,
        np.asarray(points, np.int32),
        0,
        room,
        np.full(pixels.shape[0], -1, np.int32),
        np.empty((room, 2), np.int32),
        np.zeros((3, pixels.shape[1] // 64 + 1), np.uint64),
    )


@pytest.fixture
def pixels():
    return np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH), np.uint8)


OUTLINES = {
    "triangle": [[10, 2], [140, 12], [30, 20]],
    "bow that crosses itself": [[5, 1], [120, 22], [120, 3], [5, 20]],
    "whole map": [[0, 0], [WIDTH - 1, 0], [WIDTH - 1, HEIGHT - 1], [0, HEIGHT - 1]],
    "upright line": [[63, 2], [63, 20]],
    "slanted line": [[2, 3], [130, 19]],
    "borders of words": [[63, 1], [64, 1], [128, 9], [127, 20], [64, 15]],
    "step": [[10, 4], [40, 4], [40, 10], [90, 10], [90, 18], [10, 18]],
}


@pytest.mark.parametrize("with_sums", [False, True], ids=["pixels", "sums"])
@pytest.mark.parametrize("name", OUTLINES)
def test_the_mean_is_that_of_the_pixels_inside(name, with_sums, pixels):
    points = np.array(OUTLINES[name])
    sums = row_sums(pixels, HEIGHT, WIDTH) if with_sums else None
    assert mean(pixels, points, sums) == pytest.approx(exact_mean(pixels, points), abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_outlines_that_cross_themselves_anywhere_are_filled_by_parity(seed, pixels):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, (WIDTH, HEIGHT), (rng.integers(3, 14), 2))
    assert mean(pixels, points) == pytest.approx(exact_mean(pixels, points), abs=1e-12)


def test_a_level_line_is_its_own_pixels(pixels):
    assert mean(pixels, [[5, 7], [90, 7]]) == pytest.approx(pixels[7, 5:91].mean() / 255)


def test_scratch_is_left_as_it_was_found(pixels):
    heads, marks = np.full(HEIGHT, -1, np.int32), np.zeros((3, WIDTH // 64 + 1), np.uint64)
    points = np.array(OUTLINES["whole map"], np.int32)
    none = np.empty((0, 0), np.uint32)
    outline_mean(pixels, none, points, 0, 4, heads, np.empty((4, 2), np.int32), marks)
    assert (heads == -1).all()
    assert not marks.any()


@pytest.mark.parametrize("bit", [0, 1, 31, 32, 62, 63])
def test_the_lowest_bit_is_found(bit):
    assert lowest_bit(np.uint64(1 << bit)) == bit
    assert lowest_bit(np.uint64((1 << 63) | (1 << bit))) == bit


@pytest.mark.parametrize("word", [0, 1, 0b1010, 1 << 63, 2**64 - 1, 0x123456789ABCDEF0])
def test_a_bit_of_the_parity_counts_those_up_to_it(word):
    expected = sum(((word & (2 ** (k + 1) - 1)).bit_count() % 2) << k for k in range(64))
    assert int(parities(np.uint64(word), np.uint64(0))) == expected
    assert int(parities(np.uint64(word), np.uint64(2**64 - 1))) == expected ^ (2**64 - 1)
