"""Blocks of text in a picture: labels lie on the ink, and the ink in the labels."""

import cv2
import numpy as np
import pytest

from dbrt.synth.blocks import contrasting, coverage_in, paint, random_block, random_place
from dbrt.synth.colours import luminance

SHAPE = (400, 600)


def placed_block(font, seed):
    rng = np.random.default_rng(seed)
    while True:
        placed = random_place(random_block((font,), 20.0, rng), SHAPE, rng)
        if placed is not None:
            return placed, rng


def filled(quads, grow):
    """A mask of quads, each grown by so many pixels (less than 0 shrinks)."""
    mask = np.zeros(SHAPE, np.uint8)
    for quad in np.round(quads).astype(np.int32):
        cv2.fillConvexPoly(mask, quad, 255)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(grow) + 1,) * 2)
    return (cv2.dilate if grow > 0 else cv2.erode)(mask, disc) > 0


@pytest.mark.parametrize("seed", range(8))
def test_all_ink_lies_in_the_quads(font, seed):
    placed, _ = placed_block(font, seed)
    left, top, right, bottom = placed.box
    ink = np.zeros(SHAPE, bool)
    ink[top:bottom, left:right] = coverage_in(placed.lettering.mask, placed) > 0.5
    assert ink.any()
    assert not (ink & ~filled(placed.quads(), 2)).any()


@pytest.mark.parametrize("seed", range(8))
def test_every_quad_is_tight_about_ink(font, seed):
    placed, _ = placed_block(font, seed)
    left, top, right, bottom = placed.box
    coverage = np.zeros(SHAPE, np.float32)
    coverage[top:bottom, left:right] = coverage_in(placed.lettering.mask, placed)
    for quad in placed.quads():
        size = round(np.linalg.norm(quad[1] - quad[0])), round(np.linalg.norm(quad[3] - quad[0]))
        size = max(size[0], 4), max(size[1], 4)
        flat = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
        upright = cv2.getPerspectiveTransform(quad - 0.5, flat - 0.5)
        word = cv2.warpPerspective(coverage, upright, size)
        # ink within two pixels of each side
        edges = [word[:2].max(), word[-2:].max(), word[:, :2].max(), word[:, -2:].max()]
        assert min(edges) > 0.3


@pytest.mark.parametrize("seed", range(4))
def test_painting_changes_the_picture_in_every_word_and_not_outside_the_block(font, seed):
    placed, rng = placed_block(font, seed)
    picture = np.full((*SHAPE, 3), 128, np.uint8)
    legible = paint(picture, placed, rng)
    changed = (picture != 128).any(axis=2)
    left, top, right, bottom = placed.box
    assert changed[top:bottom, left:right].any()
    changed[top:bottom, left:right] = False
    assert not changed.any()
    assert len(legible) == len(placed.lettering.words)


def test_a_block_larger_than_the_picture_has_no_place(font):
    rng = np.random.default_rng(0)
    assert random_place(random_block((font,), 60.0, rng), (30, 40), rng) is None


@pytest.mark.parametrize("under", [(0, 0, 0), (128, 128, 128), (255, 255, 255)])
def test_colours_stand_apart(under):
    rng = np.random.default_rng(1)
    colours = [contrasting(under, 100.0, rng) for _ in range(50)]
    assert min(abs(luminance(c) - luminance(under)) for c in colours) >= 100
