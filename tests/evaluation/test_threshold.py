"""The best score threshold: the same figures as separate evaluations, and sound choices."""

import numpy as np
import pytest

from dbrt.datasets import Word
from dbrt.evaluation import best_threshold, evaluate_icdar

GRID = (0.3, 0.5, 0.7, 0.8)


def quads(count, x):
    left = np.arange(count, dtype=np.float32)[:, None] * 50 + x
    corners = np.array([(0, 0), (40, 0), (40, 20), (0, 20)], np.float32)
    return corners[None] + np.stack([left, np.zeros_like(left)], axis=2)


@pytest.fixture
def scene():
    rng = np.random.default_rng(3)
    words = [[Word(q, care=i % 4 != 0) for i, q in enumerate(quads(12, 0))] for _ in range(3)]
    shifts = rng.uniform(-6, 6, (3, 12, 1, 2)).astype(np.float32)
    detections = [
        (quads(12, 0) + shifts[i], rng.uniform(0.2, 1, 12).astype(np.float32)) for i in range(3)
    ]
    return detections, words


@pytest.mark.parametrize("at", range(len(GRID)))
def test_each_threshold_gives_what_a_separate_evaluation_gives(scene, at):
    curve = best_threshold(*scene, grid=GRID)
    assert curve.thresholds == GRID
    assert curve.reports[at] == evaluate_icdar(*scene, min_score=GRID[at])
    assert curve.reports[at].matched > 0


def test_the_threshold_between_true_and_false_is_chosen():
    truth = quads(3, 0)
    detections = [(np.concatenate([truth, quads(3, 1000)]), np.float32([0.8] * 3 + [0.4] * 3))]
    threshold, report = best_threshold(detections, [[Word(q) for q in truth]], GRID).best
    assert (threshold, report.hmean) == (0.5, 1.0)  # 0.7 does as well: the lowest is taken


def test_an_unsorted_grid_is_sorted(scene):
    assert best_threshold(*scene, grid=GRID[::-1]).thresholds == GRID


def test_an_empty_grid_is_refused(scene):
    with pytest.raises(ValueError, match="grid"):
        best_threshold(*scene, grid=())


def test_detections_without_scores_are_refused():
    with pytest.raises(ValueError, match="scores"):
        best_threshold([(quads(1, 0), None)], [[]])
