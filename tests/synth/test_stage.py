"""Blocks in a picture: free places, and labels that lie on the ink."""

import cv2
import numpy as np
import pytest

from dbrt.synth import layouts
from dbrt.synth.ink import Style
from dbrt.synth.layouts import Press
from dbrt.synth.stage import (
    Stage,
    board,
    height_of,
    level,
    place,
    put_block,
    random_bend,
)

SHAPE = (420, 640)
BLACK = Style((0, 0, 0))


@pytest.fixture
def stage_of(book):
    def build(seed, unit="word"):
        rng = np.random.default_rng(seed)
        press = Press(book, (("latin", 1.0),), rng)
        stage = Stage(SHAPE, press, (), (7.0, 80.0), unit, 0, rng)
        stage.picture = np.full((*SHAPE, 3), 255, np.uint8)
        return stage

    return build


def put_one(stage, *, bent, cap=22.0, count=2):
    """Put black lines somewhere on white; returns the block and its warp."""
    while True:
        block = layouts.lines(stage.press, cap, 400, count=1 if bent else count, most=3)
        bend = random_bend(block, stage.rng) if bent else None
        warp = place(stage, block, angle=float(stage.rng.normal(0, 40)), bend=bend)
        if warp is not None:
            put_block(stage, block, warp, BLACK)
            return block, warp


def filled(polygons, grow):
    """A mask of polygons, each grown by so many pixels (less than 0 shrinks)."""
    mask = np.zeros(SHAPE, np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [np.round((polygon - 0.5) * 16).astype(np.int32)], 255, cv2.LINE_8, 4)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(grow) + 1,) * 2)
    return (cv2.dilate if grow > 0 else cv2.erode)(mask, disc) > 0


@pytest.mark.parametrize("bent", [False, True], ids=["straight", "bent"])
@pytest.mark.parametrize("seed", range(8))
def test_all_ink_lies_in_the_polygons_and_each_is_tight(stage_of, seed, bent):
    stage = stage_of(seed)
    put_one(stage, bent=bent)
    polygons = [label.polygon for label in stage.labels]
    ink = stage.picture[..., 0] < 128
    assert ink.any()
    assert not (ink & ~filled(polygons, 1)).any()
    for polygon in polygons:
        # no polygon can lose three pixels all around without cutting ink
        own = filled([polygon], 1) & ink
        rim = own & ~filled([polygon], -2)
        assert rim.any()


@pytest.mark.parametrize("seed", range(4))
def test_bent_labels_have_more_than_four_points(stage_of, seed):
    stage = stage_of(seed)
    put_one(stage, bent=True)
    assert all(len(label.polygon) > 4 for label in stage.labels)
    assert all(len(label.polygon) % 2 == 0 for label in stage.labels)


def test_lines_are_labelled_where_lines_are_asked_for(stage_of):
    words, lines = stage_of(3), stage_of(3, "line")
    block, _ = put_one(words, bent=False)
    put_one(lines, bent=False)
    assert len(lines.labels) == len(block.lines) < len(words.labels)
    np.testing.assert_array_equal(words.picture, lines.picture)
    each = " ".join(label.text for label in words.labels)
    assert " ".join(label.text for label in lines.labels) == each
    inside = filled([label.polygon for label in lines.labels], 1)
    assert not (filled([label.polygon for label in words.labels], 0) & ~inside).any()


def test_blocks_do_not_overlap(stage_of):
    stage = stage_of(5)
    ink = np.zeros(SHAPE, int)
    for n in range(8):
        stage.picture[:] = 255
        put_one(stage, bent=n % 2 == 0, cap=14, count=1)
        ink += stage.picture[..., 0] < 128
    assert ink.max() == 1


def test_a_block_larger_than_the_picture_has_no_place(stage_of):
    stage = stage_of(0)
    block = layouts.lines(stage.press, 80.0, 3000, most=4)
    big = type(block)(block.mask, block.lines, 3 * SHAPE[1] / block.mask.shape[1], block.em)
    assert place(stage, big, angle=0.0) is None
    assert level(stage, big) is None


def test_a_level_block_keeps_to_its_band(stage_of):
    stage = stage_of(1)
    block = layouts.lines(stage.press, 20.0, 300, most=1)
    warp = level(stage, block, (0.9, 1.0))
    put_block(stage, block, warp, BLACK)
    assert stage.labels[0].polygon[:, 1].min() > 0.7 * SHAPE[0]
    assert np.ptp(stage.labels[0].polygon[:2, 1]) < 1e-3


def test_a_board_lies_under_its_block(stage_of):
    stage = stage_of(2)
    block = layouts.lines(stage.press, 24.0, 300, most=2)
    warp = place(stage, block, angle=10.0, pad=10.0)
    board(stage, block, warp, 10.0)
    changed = (stage.picture != 255).any(axis=2)
    put_block(stage, block, warp, BLACK)
    inside = filled([label.polygon for label in stage.labels], 0)
    assert changed[inside].mean() > 0.97


def test_faint_words_are_told_apart(stage_of):
    stage = stage_of(4)
    stage.picture[:] = 128
    block = layouts.lines(stage.press, 24.0, 300, most=2)
    put_block(stage, block, place(stage, block, angle=0.0), Style((133, 133, 133)))
    assert not any(label.is_clear for label in stage.labels)


@pytest.mark.parametrize(
    ("polygon", "height"),
    [
        ([[0, 0], [40, 0], [40, 10], [0, 10]], 10),
        ([[0, 0], [10, 0], [10, 70], [0, 70]], 10),
        ([[0, 0], [20, 0], [40, 0], [40, 12], [20, 12], [0, 12]], 12),
    ],
    ids=["line", "column", "bent"],
)
def test_heights_are_taken_across_the_text(polygon, height):
    assert height_of(np.array(polygon, np.float32)) == pytest.approx(height)


@pytest.mark.parametrize(("low", "high"), [(0, 1e4), (60, 1e4), (9, 20), (300, 1e4)])
def test_heights_of_capitals_keep_to_the_recipe(stage_of, low, high):
    stage = stage_of(0)
    drawn = [stage.cap(low, high) for _ in range(100)]
    assert min(drawn) >= 7.0 - 1e-6
    assert max(drawn) <= 80.0 + 1e-6
    assert max(drawn) <= max(high, 7.0) + 1e-6
