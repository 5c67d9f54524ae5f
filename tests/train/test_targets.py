"""Label maps against geometry done by shapely."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from dbrt.train.targets import make_targets, offset, offset_distance, outline_distance, short_side

WORD = np.array([[20, 30], [120, 40], [118, 70], [18, 60]], np.float32)
SHAPE = (100, 140)


def targets(polygons, care=None, min_side=0.0):
    return make_targets(polygons, care or [True] * len(polygons), SHAPE, min_side=min_side)


def test_shrink_distance_is_the_papers():
    polygon = shapely.Polygon(WORD)
    expected = polygon.area * (1 - 0.4**2) / polygon.length
    assert offset_distance(WORD) == pytest.approx(expected, rel=1e-5)


def test_text_map_is_the_shrunk_word():
    shrunk = shapely.Polygon(WORD).buffer(-offset_distance(WORD))
    # A filled polygon covers half of the pixels along its outline.
    assert targets([WORD])[0].sum() == pytest.approx(shrunk.area, abs=shrunk.length)
    ys, xs = np.nonzero(targets([WORD])[0])
    outside = shapely.distance(shapely.points(xs + 0.5, ys + 0.5), shrunk)
    assert outside.max() < 1.0


def test_threshold_map_falls_from_the_outline_by_distance():
    _, _, threshold, border = targets([WORD])
    distance = offset_distance(WORD)
    ys, xs = np.nonzero(border)
    away = shapely.distance(shapely.points(xs + 0.5, ys + 0.5), shapely.Polygon(WORD).exterior)
    expected = 0.3 + 0.4 * (1.0 - np.minimum(away / distance, 1.0))
    np.testing.assert_allclose(threshold[ys, xs] / 255.0, expected, atol=0.004)


def test_border_reaches_as_far_out_as_the_word_is_shrunk():
    grown = shapely.Polygon(WORD).buffer(offset_distance(WORD))
    assert targets([WORD])[3].sum() == pytest.approx(grown.area, abs=grown.length)


def test_far_from_words_the_threshold_is_low_and_unlearnt():
    _, mask, threshold, border = targets([WORD])
    assert threshold[95, 135] == round(0.3 * 255)
    assert border[95, 135] == 0
    assert mask.all()


def test_dont_care_text_is_masked_and_not_learnt():
    text, mask, _, border = targets([WORD], [False])
    assert not text.any()
    assert not border.any()
    assert (mask == 0).sum() == pytest.approx(shapely.Polygon(WORD).area, rel=0.05)


def test_the_band_of_a_word_is_not_learnt_where_dont_care_text_lies():
    neighbour = np.array([[122, 35], [138, 35], [138, 75], [122, 75]], np.float32)
    alone = targets([WORD])[3]
    _, mask, _, border = targets([WORD, neighbour], [True, False])
    assert alone[mask == 0].any()
    assert not border[mask == 0].any()


def test_words_below_the_least_side_are_masked():
    assert short_side(WORD) == pytest.approx(30, abs=1)
    text, mask, _, _ = targets([WORD], min_side=35.0)
    assert not text.any()
    assert not mask.all()


@pytest.mark.parametrize(
    "turned", [WORD[::-1], np.roll(WORD, 1, axis=0)], ids=["reversed", "rolled"]
)
def test_orientation_and_first_corner_do_not_matter(turned):
    found, expected = targets([np.ascontiguousarray(turned)]), targets([WORD])
    # The threshold map may round the other way: distances are summed in another order.
    np.testing.assert_allclose(found.astype(int), expected.astype(int), atol=1)
    np.testing.assert_array_equal(found[[0, 1, 3]], expected[[0, 1, 3]])


def test_words_half_outside_are_cut_at_the_edge():
    text, _, _, border = targets([WORD - [60, 20]])
    assert text[:, 0].any()
    assert border[:, 0].sum() > text[:, 0].sum()


@pytest.mark.parametrize(
    "polygon",
    [
        np.array([[10, 10], [10, 10], [10, 10], [10, 10]], np.float32),
        np.array([[10, 10], [50, 10], [50, 10.2], [10, 10.2]], np.float32),
        np.array([[10, 10], [50, 50], [50, 10], [10, 50]], np.float32),
    ],
    ids=["point", "hairline", "bow tie"],
)
def test_degenerate_words_break_nothing(polygon):
    maps = targets([polygon])
    assert maps.shape == (4, *SHAPE)
    assert maps.dtype == np.uint8


def test_outline_distance_is_exact():
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]] + 0.5
    expected = shapely.distance(shapely.points(x, y), shapely.Polygon(WORD).exterior)
    np.testing.assert_allclose(outline_distance(WORD, SHAPE), expected, atol=1e-3)


def test_offsetting_there_and_back_keeps_the_area():
    (grown,) = offset(WORD, 5.0)
    (back,) = offset(grown, -5.0)
    assert shapely.Polygon(back).area == pytest.approx(shapely.Polygon(WORD).area, rel=0.01)
