"""The IoU protocol: a case by hand for every rule, and the figures of public detections."""

import numpy as np
import pytest

from dbrt.datasets import Word, open_dataset
from dbrt.evaluation import evaluate_icdar, read_results
from dbrt.evaluation.matching import text_height


def quad(x, y, width, height):
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], np.float32)


def word(*place, care=True):
    return Word(quad(*place), "text" if care else "###", care)


def found(*places, scores=None):
    quads = np.array([quad(*place) for place in places], np.float32).reshape(-1, 4, 2)
    return quads, None if scores is None else np.array(scores, np.float32)


A, B, FAR = (0, 0, 40, 20), (100, 0, 40, 20), (300, 300, 40, 20)

# detections, words, (regions, detections that count, care words, matched)
CASES = {
    "one-found": ([A], [word(*A)], (1, 1, 1, 1)),
    "one-missed": ([], [word(*A)], (0, 0, 1, 0)),
    "one-false": ([FAR], [word(*A)], (1, 1, 1, 0)),
    "no-words": ([A], [], (1, 1, 0, 0)),
    "nothing-at-all": ([], [], (0, 0, 0, 0)),
    "iou-of-a-half-is-no-match": ([(0, 0, 20, 20)], [word(*A)], (1, 1, 1, 0)),
    "iou-above-a-half-is": ([(0, 0, 21, 20)], [word(*A)], (1, 1, 1, 1)),
    "two-detections-of-one-word": ([A, (0, 0, 39, 20)], [word(*A)], (2, 2, 1, 1)),
    "one-detection-of-two-words": ([(0, 0, 140, 20)], [word(*A), word(*B)], (1, 1, 2, 0)),
    "dont-care-missed": ([], [word(*A, care=False)], (0, 0, 0, 0)),
    "dont-care-found": ([A], [word(*A, care=False)], (1, 0, 0, 0)),
    "mostly-on-dont-care": ([(0, 0, 79, 20)], [word(*A, care=False)], (1, 0, 0, 0)),
    "half-on-dont-care-counts": ([(0, 0, 80, 20)], [word(*A, care=False)], (1, 1, 0, 0)),
    "spread-over-two-dont-care-counts": (
        [(0, 0, 100, 20)],
        [word(0, 0, 40, 20, care=False), word(60, 0, 40, 20, care=False)],
        (1, 1, 0, 0),
    ),
    "on-dont-care-can-match-nothing": (
        [(0, 0, 40, 20)],
        [word(*A), word(0, 0, 60, 20, care=False)],
        (1, 0, 1, 0),
    ),
    "first-word-takes-first-detection": (
        [(0, 0, 40, 20), (0, 0, 30, 20)],
        [word(0, 0, 36, 20), word(0, 0, 44, 20)],
        (2, 2, 2, 2),
    ),
    "greedy-order-may-cost-a-match": (
        # word 1 fits both detections and takes the first, the only one that word 2 fits
        [(0, 0, 40, 20), (0, 0, 26, 20)],
        [word(0, 0, 36, 20), word(0, 0, 70, 20)],
        (2, 2, 2, 1),
    ),
}


@pytest.mark.parametrize(("places", "words", "expected"), CASES.values(), ids=CASES)
def test_each_rule_counts_as_by_hand(places, words, expected):
    report = evaluate_icdar([found(*places)], [words])
    assert (report.regions, report.detections, report.care, report.matched) == expected


def test_figures_are_taken_over_all_pictures():
    report = evaluate_icdar(
        [found(A, FAR), found(), found(A, B)],
        [[word(*A), word(*B)], [word(*A)], [word(*A), word(*B, care=False)]],
    )
    # 3 detections count (A, FAR; A), 4 care words, 2 matches
    assert report.images == 3
    assert report.precision == pytest.approx(2 / 3)
    assert report.recall == pytest.approx(2 / 4)
    assert report.hmean == pytest.approx(4 / 7)


def test_no_pictures_give_zeros():
    report = evaluate_icdar([], [])
    assert (report.precision, report.recall, report.hmean, report.images) == (0, 0, 0, 0)


def test_detections_below_the_least_score_are_left_out():
    detections = [found(FAR, A, scores=[0.4, 0.8])]
    assert evaluate_icdar(detections, [[word(*A)]]).precision == 0.5
    assert evaluate_icdar(detections, [[word(*A)]], 0.5).precision == 1
    assert evaluate_icdar(detections, [[word(*A)]], 0.8).recall == 1  # at the threshold: kept
    assert evaluate_icdar(detections, [[word(*A)]], 0.9).recall == 0


def test_polygons_of_any_number_of_corners_are_scored():
    arc = np.array([(0, 10), (20, 0), (40, 10), (40, 20), (20, 10), (0, 20)], np.float32)
    box = quad(0, 0, 40, 20)
    assert evaluate_icdar([([arc], None)], [[Word(arc)]]).matched == 1
    assert evaluate_icdar([([box], None)], [[Word(arc)]]).matched == 0  # 400 of 800: not above


def test_recall_by_height_sorts_words_into_bands():
    words = [word(0, 0, 40, 10), word(100, 0, 60, 20), word(200, 0, 60, 20, care=False)]
    bands = evaluate_icdar([found((100, 0, 60, 20))], [words]).bands
    assert [(b.low, b.care, b.matched) for b in bands if b.care] == [(0, 1, 0), (16, 1, 1)]


def test_height_of_turned_text_is_its_short_side():
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]], np.float32)
    assert text_height(quad(0, 0, 50, 12) @ turn) == pytest.approx(12, abs=1e-3)


def test_lists_of_different_length_are_refused():
    with pytest.raises(ValueError, match="zip"):
        evaluate_icdar([found(A)], [])


@pytest.mark.parametrize(
    ("folder", "regions", "figures"),
    [
        ("default", 1808, ("0.4726", "0.3399", "0.3954")),
        ("max1280", 1846, ("0.4565", "0.3332", "0.3852")),
        ("max960", 1553, ("0.4570", "0.2966", "0.3597")),
        ("ppocrv4-default", 1793, ("0.5114", "0.3659", "0.4266")),
    ],
)
def test_the_figures_of_the_public_script_are_reproduced(dbrt_data, folder, regions, figures):
    dataset = open_dataset("icdar2015", "test", root=dbrt_data)
    detections, missing = read_results(
        dbrt_data / "oracle-icdar2015" / folder, [sample.path for sample in dataset]
    )
    report = evaluate_icdar(detections, [sample.words for sample in dataset])
    assert (missing, report.regions, report.care) == (0, regions, 2077)
    found_figures = (report.precision, report.recall, report.hmean)
    assert tuple(f"{figure:.4f}" for figure in found_figures) == figures
