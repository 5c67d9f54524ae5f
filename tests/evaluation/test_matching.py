"""Angles of text, recall by them, and the counts of one picture."""

import math

import numpy as np
import pytest

from dbrt.datasets import Word
from dbrt.datasets.msra import rotated_box
from dbrt.evaluation import evaluate_icdar
from dbrt.evaluation.iou import compare
from dbrt.evaluation.matching import text_angle
from dbrt.evaluation.report import ORIENTATIONS, Tally
from dbrt.evaluation.rotated import evaluate_msra


def box(degrees, width=80, height=20):
    return rotated_box(100, 100, width, height, math.radians(degrees))


@pytest.mark.parametrize(
    ("degrees", "angle"),
    [(0, 0), (7, 7), (-7, 7), (29, 29), (45, 45), (90, 90), (-90, 90), (120, 60), (180, 0)],
)
@pytest.mark.parametrize("first", range(4))
def test_the_angle_is_that_of_the_long_side_whatever_corner_comes_first(degrees, angle, first):
    polygon = np.roll(box(degrees), first, axis=0)
    assert text_angle(polygon) == pytest.approx(angle, abs=0.01)


@pytest.mark.parametrize(
    ("width", "height", "angle"), [(20, 24, 5), (20, 29, 5), (20, 31, 85), (24, 20, 5)]
)
def test_what_is_nearly_square_takes_the_side_nearer_to_the_horizontal(width, height, angle):
    assert text_angle(box(5, width, height)) == pytest.approx(angle, abs=0.1)


def test_a_polygon_without_an_area_has_an_angle():
    assert text_angle(np.float32([(5, 5)] * 4)) == 0
    assert text_angle(np.float32([(5, 5), (5, 25), (5, 25), (5, 5)])) == 90
    degenerate = Word(np.float32([(5, 5), (5, 25), (5, 25), (5, 5)]), "1")
    assert compare(([], None), [degenerate]).angles.tolist() == [0]


def test_recall_by_orientation_sorts_words_into_bands():
    words = [Word(box(angle) + 200 * i) for i, angle in enumerate((0, 9, 11, 40, 70, 90))]
    # One that does not count, and a letter that stands on a level line.
    words += [Word(box(20) - 200, care=False), Word(box(90) - 400, "1")]
    detections = ([words[2].polygon], None)
    bands = evaluate_icdar([detections], [words]).angles
    assert [band.care for band in bands] == [3, 1, 1, 2]
    assert [band.matched for band in bands] == [0, 1, 0, 0]
    assert len(ORIENTATIONS) == len(bands)


def test_rotated_boxes_have_orientations_too():
    line = Word(box(40))
    assert [band.matched for band in evaluate_msra([([line.polygon], None)], [[line]]).angles] == [
        0,
        0,
        1,
        0,
    ]


def test_matches_name_both_sides_and_change_with_the_threshold():
    words = [Word(box(0)), Word(box(0) + 200)]
    polygons = [box(0) + 200, box(0) + 1, box(0)]
    comparison = compare((polygons, np.float32([0.9, 0.5, 0.4])), words)
    assert comparison.matches().tolist() == [[0, 1], [1, 0]]
    assert comparison.matches(0.6).tolist() == [[1, 0]]
    assert comparison.matches(0.95).shape == (0, 2)
    assert comparison.tally(0.45) == Tally(regions=2, detections=2, care=2, matched=2)


def test_tallies_add_up_and_know_their_figures():
    total = Tally.total([Tally(5, 4, 3, 2), Tally(1, 1, 0, 0)])
    assert total == (6, 5, 3, 2)
    assert total.hmean == pytest.approx(2 * (2 / 5) * (2 / 3) / (2 / 5 + 2 / 3))
    assert total.errors == 3 + 1
    assert Tally.total([]) == (0, 0, 0, 0)


def test_a_picture_with_nothing_to_find_and_nothing_found_is_right():
    assert Tally(0, 0, 0, 0).hmean == 1
    assert Tally(1, 1, 0, 0).hmean == 0
