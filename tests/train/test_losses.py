"""Each loss against a plain numpy version that sorts where ours bisects."""

from __future__ import annotations

import numpy as np
import pytest

from dbrt.train.config import LossConfig
from dbrt.train.losses import (
    accuracy,
    balanced_cross_entropy,
    border_distance,
    class_balanced_cross_entropy,
    cross_entropy,
    db_losses,
    dice,
)


@pytest.fixture
def maps():
    rng = np.random.default_rng(11)
    logit = rng.normal(0, 2, (2, 32, 48)).astype(np.float32)
    text = (rng.random((2, 32, 48)) < 0.1).astype(np.float32)
    mask = (rng.random((2, 32, 48)) < 0.9).astype(np.float32)
    return logit, text, mask


def numpy_entropy(logit, target):
    p = 1 / (1 + np.exp(-logit.astype(np.float64)))
    return -(target * np.log(p) + (1 - target) * np.log(1 - p))


def numpy_ohem(logit, text, mask, ratio, least):
    entropy = numpy_entropy(logit, text)
    positive = entropy[(text * mask) > 0]
    negative = np.sort(entropy[((1 - text) * mask) > 0])[::-1]
    wanted = int(min(max(len(positive) * ratio, least * len(text)), len(negative)))
    return (positive.sum() + negative[:wanted].sum()) / (len(positive) + wanted)


def test_cross_entropy_from_the_logit_is_exact(maps):
    logit, text, _ = maps
    np.testing.assert_allclose(cross_entropy(logit, text), numpy_entropy(logit, text), rtol=1e-5)


@pytest.mark.parametrize("logit", [-200.0, 200.0])
def test_cross_entropy_stays_finite_where_the_sigmoid_saturates(logit):
    value = np.asarray(cross_entropy(np.full((1, 2, 2), logit, np.float32), np.zeros((1, 2, 2))))
    assert np.isfinite(value).all()


@pytest.mark.parametrize(("ratio", "least"), [(3.0, 0), (1.0, 10), (3.0, 700), (3.0, 10**6)])
def test_hard_negatives_are_those_that_a_sort_finds(maps, ratio, least):
    logit, text, mask = maps
    found = float(balanced_cross_entropy(logit, text, mask, ratio, least))
    assert found == pytest.approx(numpy_ohem(logit, text, mask, ratio, least), rel=2e-3)


def test_a_uniform_map_still_has_negatives(maps):
    _, text, mask = maps
    flat = np.zeros_like(text)
    found = float(balanced_cross_entropy(flat, text, mask, 3.0, 100))
    assert found == pytest.approx(np.log(2), rel=1e-4)


def test_pictures_without_text_teach_by_their_hardest_pixels(maps):
    logit, _, mask = maps
    none = np.zeros_like(logit)
    found = float(balanced_cross_entropy(logit, none, mask, 3.0, 50))
    # Bisection leaves a loss level of 1/4096 of the largest undecided.
    assert found == pytest.approx(numpy_ohem(logit, none, mask, 3.0, 50), rel=1e-2)


def test_classes_are_balanced_whatever_their_share(maps):
    logit, text, mask = maps
    entropy = numpy_entropy(logit, text)
    expected = (
        0.25 * entropy[(text * mask) > 0].mean() + 0.75 * entropy[((1 - text) * mask) > 0].mean()
    )
    assert float(class_balanced_cross_entropy(logit, text, mask)) == pytest.approx(
        expected, rel=1e-4
    )


def test_the_configuration_chooses_the_negatives(batch):
    logits, targets = batch
    config = LossConfig(negatives="all", balance=2.0)
    text, mask = (np.asarray(targets)[:, i].astype(np.float32) for i in (0, 1))
    expected = 2.0 * float(class_balanced_cross_entropy(np.asarray(logits)[..., 0], text, mask))
    assert float(db_losses(logits, targets, config)["binarize_loss"]) == pytest.approx(expected)


def test_dice_is_zero_for_the_truth_and_one_for_its_opposite(maps):
    _, text, mask = maps
    assert float(dice(text, text, mask)) == pytest.approx(0.0, abs=1e-5)
    assert float(dice(1 - text, text, mask)) == pytest.approx(1.0, abs=1e-5)


def test_l1_is_the_mean_over_the_border(maps):
    logit, text, mask = maps
    expected = (np.abs(logit - text) * mask).sum() / mask.sum()
    assert float(border_distance(logit, text, mask, "l1")) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("distance", [0.01, 1 / 9, 0.3])
def test_smooth_l1_is_quadratic_near_zero_and_linear_beyond(distance):
    ones = np.ones((1, 2, 2), np.float32)
    bend = 1 / 9
    expected = distance**2 / (2 * bend) if distance < bend else distance - bend / 2
    found = float(border_distance(ones * distance, ones * 0, ones, "smooth_l1"))
    assert found == pytest.approx(expected, rel=1e-5)


def test_accuracy_counts_unmasked_pixels_only():
    probability = np.array([[[0.9, 0.1, 0.9, 0.9]]], np.float32)
    text = np.array([[[1, 0, 0, 0]]], np.float32)
    mask = np.array([[[1, 1, 1, 0]]], np.float32)
    assert float(accuracy(probability, text, mask)) == pytest.approx(2 / 3)


@pytest.fixture
def batch():
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 2, (2, 32, 32, 2)).astype(np.float32)
    targets = rng.integers(0, 2, (2, 4, 32, 32)).astype(np.uint8)
    targets[:, 2] = rng.integers(76, 179, (2, 32, 32))
    return logits, targets


def test_the_loss_is_the_sum_of_its_weighted_terms(batch):
    losses = {k: float(v) for k, v in db_losses(*batch, LossConfig()).items()}
    terms = ("binarize_loss", "dice_loss", "thresh_binary_loss", "threshold_loss")
    assert losses["loss"] == pytest.approx(sum(losses[name] for name in terms), rel=1e-5)


def test_what_is_masked_changes_nothing(batch):
    logits, targets = batch
    targets[:, 1] = 1
    targets[:, 1, :, 16:] = 0
    targets[:, 3, :, 16:] = 0
    other = logits.copy()
    other[:, :, 16:] = 7.0
    before, after = (db_losses(x, targets, LossConfig()) for x in (logits, other))
    assert {k: float(v) for k, v in before.items()} == pytest.approx(
        {k: float(v) for k, v in after.items()}, rel=1e-4
    )


@pytest.mark.parametrize("mask", [0, 1])
def test_an_empty_crop_has_a_finite_loss(mask):
    targets = np.zeros((1, 4, 32, 32), np.uint8)
    targets[:, 1] = mask
    losses = db_losses(np.zeros((1, 32, 32, 2), np.float32), targets, LossConfig())
    assert all(np.isfinite(float(value)) for value in losses.values())
