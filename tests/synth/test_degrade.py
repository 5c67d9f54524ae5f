"""A camera's faults."""

import cv2
import numpy as np
import pytest

from dbrt.synth.degrade import degrade, shake


@pytest.fixture
def picture():
    drawn = np.full((120, 160, 3), 200, np.uint8)
    drawn[:, ::8] = 40
    return drawn


@pytest.mark.parametrize("seed", range(12))
def test_pictures_keep_their_shape_and_repeat_by_seed(picture, seed):
    first, faults = degrade(picture.copy(), np.random.default_rng(seed))
    again, _ = degrade(picture.copy(), np.random.default_rng(seed))
    assert first.shape == picture.shape
    assert first.dtype == np.uint8
    assert 1 <= faults.quality <= 100
    np.testing.assert_array_equal(first, again)


def test_strong_blur_is_told():
    """Where stripes of four pixels are gone, the faults say that points spread that far."""
    stripes = np.zeros((80, 80, 3), np.uint8)
    stripes[:, (np.arange(80) // 2) % 2 == 0] = 255
    gone = []
    for seed in range(150):
        drawn, faults = degrade(stripes.copy(), np.random.default_rng(seed))
        row = cv2.blur(drawn, (1, 15))[40, 10:70, 1].astype(int)
        if np.ptp(row) < 30:
            gone.append(faults.blur_px)
    assert gone
    assert min(gone) > 1.5


@pytest.mark.parametrize("length", [3, 5, 9])
def test_a_shake_is_a_line_of_sum_one(length):
    kernel = shake(length, np.random.default_rng(0))
    assert kernel.shape == (length, length)
    assert kernel.sum() == pytest.approx(1)
    assert (kernel > 0).sum() >= length - 1
