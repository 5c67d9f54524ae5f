"""Painting: what changes, how far colours stand apart, and what counts as legible."""

import numpy as np
import pytest

from dbrt.synth.colours import luminance
from dbrt.synth.ink import Style, contrasting, ink_colour, paint, random_style, stand_out

SHAPE = (60, 160)


@pytest.fixture
def coverage():
    drawn = np.zeros(SHAPE, np.uint8)
    drawn[20:40, 30:130:4] = 255
    drawn[20:40, 31:130:4] = 255
    return drawn


def grey(value):
    return np.full((*SHAPE, 3), value, np.uint8)


@pytest.mark.parametrize("under", [(0, 0, 0), (128, 128, 128), (255, 255, 255)])
def test_colours_stand_apart(under):
    rng = np.random.default_rng(1)
    colours = [contrasting(under, 100.0, rng) for _ in range(50)]
    assert min(abs(luminance(c) - luminance(under)) for c in colours) >= 100


def test_ink_is_now_and_then_taken_from_the_picture():
    rng = np.random.default_rng(1)
    picture = np.full((20, 20, 3), (10, 200, 90), np.uint8)
    colours = [ink_colour((20, 20, 20), picture, 60, rng) for _ in range(60)]
    assert 5 < colours.count((10, 200, 90)) < 40


def test_plain_ink_changes_what_it_covers_and_nothing_else(coverage):
    part = grey(200)
    before, inked = paint(part, coverage, Style((10, 20, 30)))
    assert (before == 200).all()
    np.testing.assert_array_equal(inked, coverage)
    assert (part[coverage > 0] == (10, 20, 30)).all()
    assert (part[coverage == 0] == 200).all()


STYLES = {
    "outline": Style((250, 250, 250), edge=(0, 0, 0), edge_px=2),
    "shadow": Style((250, 250, 250), shadow=(2, 3, 1.0, (0, 0, 0))),
    "see-through": Style((250, 250, 250), alpha=0.5),
    "faded": Style((250, 250, 250), second=(0, 0, 90)),
    "soaked in": Style((40, 60, 80), mode="multiply"),
}


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES.keys())
def test_each_style_marks_the_letters(coverage, style):
    plain, styled = grey(130), grey(130)
    paint(plain, coverage, Style((250, 250, 250)))
    paint(styled, coverage, style)
    assert (styled != 130).any()
    assert (styled != plain).any()
    assert (styled[:10] == 130).all()


def test_soaked_in_ink_keeps_the_surface_visible(coverage):
    part = grey(100)
    part[:, ::2] = 200
    paint(part, coverage, Style((128, 128, 128), mode="multiply"))
    assert {int(v) for v in part[20:40][coverage[20:40] > 0].ravel()} == {50, 100}


def test_hollow_letters_keep_their_inside(coverage):
    coverage[:] = 0
    coverage[10:50, 20:60] = 255
    part = grey(128)
    _, inked = paint(part, coverage, Style((0, 0, 0), hollow=True, edge_px=2))
    assert inked[30, 40] == 0
    assert part[30, 40, 0] == 128
    assert part[11, 40, 0] == 0


POLYGON = np.array([[30, 20], [130, 20], [130, 40], [30, 40]], np.float32)


@pytest.mark.parametrize(
    ("under", "ink", "spread", "is_clear"),
    [(200, 30, 0, True), (120, 128, 0, False), (120, 160, 0, True), (120, 158, 120, False)],
    ids=["strong", "faint", "weak but on plain", "weak on clutter"],
)
def test_what_counts_as_legible(coverage, under, ink, spread, is_clear):
    rng = np.random.default_rng(3)
    before = np.clip(grey(under) + spread * rng.standard_normal((*SHAPE, 1)), 0, 255)
    before = before.astype(np.uint8)
    after = before.copy()
    after[coverage > 0] = np.clip(after[coverage > 0].astype(int) + ink - under, 0, 255)
    assert stand_out(before, after, coverage, [POLYGON]) == [is_clear]


@pytest.mark.parametrize("is_busy", [False, True])
def test_random_styles_stand_out_from_plain_surfaces(coverage, is_busy):
    rng = np.random.default_rng(9)
    clear = 0
    for _ in range(40):
        part = grey(int(rng.integers(256)))
        style = random_style(part, part, 20.0, rng, is_busy=is_busy)
        before, inked = paint(part, coverage, style)
        clear += stand_out(before, part, inked, [POLYGON])[0]
    assert clear >= 32
