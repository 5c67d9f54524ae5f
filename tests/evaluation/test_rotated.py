"""The protocol of MSRA-TD500: overlap of boxes turned level, and the angle between them."""

import math

import numpy as np
import pytest

from dbrt.datasets import Word
from dbrt.datasets.msra import rotated_box
from dbrt.evaluation.rotated import evaluate_msra

LINE = (100, 100, 80, 20)


def line(angle=0.0, care=True, place=LINE):
    return Word(rotated_box(*place, angle), care=care)


def score(boxes, words):
    return evaluate_msra([([box.polygon for box in boxes], None)], [words])


@pytest.mark.parametrize("angle", [0, 0.3, math.pi / 4, 1.5, math.pi / 2, -0.7, 3.0])
def test_a_box_matches_itself_at_any_angle(angle):
    assert score([line(angle)], [line(angle)]).matched == 1


@pytest.mark.parametrize(
    ("turn", "matched"),
    [(0.38, 1), (0.41, 0), (-0.38, 1), (-0.41, 0), (math.pi, 1), (math.pi / 2, 0)],
)
@pytest.mark.parametrize("angle", [0.0, 1.5, -1.4])
def test_the_angle_may_differ_by_less_than_an_eighth_of_pi(angle, turn, matched):
    assert score([line(angle + turn)], [line(angle)]).matched == matched


@pytest.mark.parametrize(("width", "matched"), [(42, 1), (38, 0)])
def test_the_level_overlap_must_be_more_than_half(width, matched):
    narrow = line(0.5, place=(140 - width / 2, 100, width, 20))  # the same centre
    assert score([narrow], [line(0.5)]).matched == matched


def test_a_second_detection_of_a_line_is_false():
    report = score([line(), line()], [line()])
    assert (report.detections, report.matched) == (2, 1)


def test_a_difficult_line_counts_neither_way():
    missed, hit = score([], [line(care=False)]), score([line()], [line(care=False)])
    assert (missed.care, hit.care, hit.detections, hit.regions) == (0, 0, 0, 1)


def test_no_boxes_and_no_lines_are_zeros():
    report = evaluate_msra([(np.empty((0, 4, 2), np.float32), None)], [[]])
    assert (report.images, report.detections, report.care) == (1, 0, 0)
