"""Crops and their labels move together."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dbrt.train.augment import (
    augmented_crop,
    change_colours,
    move,
    random_matrix,
    scale_of,
    tilted,
    warp,
)
from dbrt.train.config import AugmentConfig

QUAD = np.array([[200, 120], [320, 140], [315, 175], [195, 155]], np.float32)


@pytest.fixture
def plain() -> AugmentConfig:
    """Geometry only."""
    return AugmentConfig(crop=128, colour=0.0, blur=0.0, noise=0.0, text_share=1.0)


def white_word() -> np.ndarray:
    frame = np.zeros((360, 480, 3), np.uint8)
    cv2.fillPoly(frame, [np.round(QUAD - 0.5).astype(np.int32)], (255, 255, 255))
    return frame


@pytest.mark.parametrize("seed", range(8))
def test_labels_lie_on_the_word_under_every_map(plain, seed):
    crop, labels = augmented_crop(
        white_word(), [QUAD], [True], plain, np.random.default_rng(seed), min_side=0.0
    )
    text = labels[0].astype(bool)
    assert text.any()
    assert (crop[text].mean(axis=1) > 200).mean() > 0.98
    assert crop[(labels[3] == 0) & (labels[1] == 1)].mean() < 5


def test_the_same_seed_gives_the_same_crop():
    config = AugmentConfig(crop=128)
    first, second = (
        augmented_crop(white_word(), [QUAD], [True], config, np.random.default_rng(4), min_side=0.0)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_identity_copies_pixels_exactly():
    frame = np.random.default_rng(1).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    identity = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    np.testing.assert_array_equal(warp(frame, identity, 64), frame)


def test_outside_of_the_frame_teaches_nothing(plain):
    small = np.zeros((40, 40, 3), np.uint8)
    crop, labels = augmented_crop(small, [], [], plain, np.random.default_rng(0), min_side=0.0)
    grey = (crop == (104, 116, 124)).all(axis=2)
    assert grey.mean() > 0.3
    assert labels[1][grey].mean() < 0.05


def test_chosen_word_gets_the_wanted_height():
    config = AugmentConfig(
        crop=256, text_share=1.0, word_height_share=1.0, word_height=[20.0, 20.0], stretch=1.0
    )
    matrix = random_matrix((360, 480), [QUAD], [True], config, np.random.default_rng(2))
    scale = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    side = min(cv2.minAreaRect(QUAD)[1])
    assert scale * side == pytest.approx(20.0, rel=1e-3)


@pytest.mark.parametrize("seed", range(6))
def test_colour_changes_keep_shape_and_type(seed):
    config = AugmentConfig(colour=1.0, blur=1.0, noise=1.0)
    frame = np.random.default_rng(seed).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    changed = change_colours(frame, config, np.random.default_rng(seed))
    assert changed.shape == frame.shape
    assert changed.dtype == np.uint8
    assert not np.array_equal(changed, frame)


@pytest.mark.parametrize("seed", range(6))
def test_labels_lie_on_a_tilted_word(plain, seed):
    plain.perspective, plain.tilt = 1.0, 0.15
    crop, labels = augmented_crop(
        white_word(), [QUAD], [True], plain, np.random.default_rng(seed), min_side=0.0
    )
    text = labels[0].astype(bool)
    assert text.any()
    assert (crop[text].mean(axis=1) > 200).mean() > 0.98
    assert crop[(labels[3] == 0) & (labels[1] == 1)].mean() < 5


def test_a_tilt_moves_corners_by_no_more_than_its_share():
    config = AugmentConfig(crop=100, tilt=0.1)
    plain = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    corners = np.array([[0, 0], [100, 0], [100, 100], [0, 100]], np.float32)
    found = move(corners, tilted(plain, config, np.random.default_rng(1)))
    shifts = np.abs(found - corners)
    assert 1.0 < shifts.max() <= 10.0 + 1e-3


def test_points_behind_the_horizon_are_left_out():
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-0.01, 0.0, 1.0]])
    assert move(np.array([[50.0, 0.0]], np.float32), matrix) is not None
    assert move(np.array([[95.0, 0.0]], np.float32), matrix) is None


def test_the_scale_of_a_tilted_crop_is_that_of_its_middle():
    config = AugmentConfig(crop=200, tilt=0.1)
    matrix = tilted(np.array([[2.0, 0.0, 5.0], [0.0, 2.0, 7.0]]), config, np.random.default_rng(3))
    around = np.array([[99.0, 100.0], [101.0, 100.0], [100.0, 99.0], [100.0, 101.0]], np.float32)
    frame = move(around, np.linalg.inv(matrix) / np.linalg.inv(matrix)[2, 2])
    across = np.column_stack((frame[1] - frame[0], frame[3] - frame[2])) / 2.0
    expected = 1.0 / np.sqrt(abs(np.linalg.det(across)))
    assert scale_of(matrix, 200) == pytest.approx(expected, rel=1e-3)


def test_jpeg_leaves_the_picture_and_adds_its_own_noise():
    rng = np.random.default_rng(0)
    frame = cv2.GaussianBlur(rng.integers(0, 256, (64, 64, 3)).astype(np.uint8), (0, 0), 1.0)
    config = AugmentConfig(colour=0.0, blur=0.0, noise=0.0, jpeg=1.0, jpeg_quality=[30, 30])
    changed = change_colours(frame, config, np.random.default_rng(0))
    gap = np.abs(changed.astype(int) - frame).mean()
    assert 1.0 < gap < 20.0
