"""Colour changes of the accelerator beside OpenCV's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytest.importorskip("keras")

from keras import ops

from dbrt.train.accelerator import colours
from dbrt.train.accelerator.draws import KERNEL, draw_colours
from dbrt.train.augment import change_colours, motion_kernel
from dbrt.train.config import AugmentConfig


@pytest.fixture
def frame() -> np.ndarray:
    rng = np.random.default_rng(2)
    return cv2.GaussianBlur(rng.integers(0, 256, (96, 96, 3)).astype(np.uint8), (0, 0), 1.2)


def as_batch(frame: np.ndarray):
    return ops.convert_to_tensor(frame[None].astype(np.float32))


def as_frame(crops) -> np.ndarray:
    return np.round(ops.convert_to_numpy(crops)[0])


@pytest.mark.parametrize("seed", range(6))
def test_the_same_draw_gives_the_same_colours(frame, seed):
    config = AugmentConfig(colour=1.0, blur=0.0, noise=0.0)
    expected = change_colours(frame, config, np.random.default_rng(seed))
    drawn = draw_colours(config, np.random.default_rng(seed))
    inputs = {
        name: ops.convert_to_tensor(np.array([drawn[name]], np.float32))
        for name in ("gain", "shift", "grey", "invert")
    }
    found = as_frame(colours.change_colours(as_batch(frame), inputs))
    assert np.abs(found - expected).max() <= 2.0  # OpenCV cuts where this rounds


@pytest.mark.parametrize("seed", range(6))
def test_blur_is_opencvs(frame, seed):
    config = AugmentConfig(colour=0.0, blur=1.0, noise=0.0)
    expected = change_colours(frame, config, np.random.default_rng(seed))
    drawn = draw_colours(config, np.random.default_rng(seed))
    assert drawn["kernel"].sum() == pytest.approx(1.0, abs=1e-5)
    kernels = ops.convert_to_tensor(drawn["kernel"][None])
    found = as_frame(colours.blur(as_batch(frame), kernels))
    inner = slice(4, -4)
    assert np.abs(found - expected)[inner, inner].max() <= 2.0


def test_each_crop_has_its_own_blur(frame):
    kernels = np.zeros((2, KERNEL, KERNEL), np.float32)
    kernels[0, 4, 4] = 1.0
    kernels[1, 1:8, 1:8] = motion_kernel(7, 0.0)
    both = ops.convert_to_tensor(np.stack((frame, frame)).astype(np.float32))
    found = ops.convert_to_numpy(colours.blur(both, ops.convert_to_tensor(kernels)))
    np.testing.assert_allclose(found[0], frame, atol=1e-3)
    assert np.abs(np.diff(found[1], axis=1)).mean() < 0.5 * np.abs(np.diff(found[0], axis=1)).mean()


def test_noise_has_its_deviation_and_its_place():
    grey = ops.convert_to_tensor(np.full((2, 64, 64, 3), 128.0, np.float32))
    inputs = {
        "noise": ops.convert_to_tensor(np.array([6.0, 6.0], np.float32)),
        "noise_at": ops.convert_to_tensor(np.array([[0, 0], [500, 900]], np.int32)),
    }
    tile = ops.convert_to_tensor(colours.noise_tile(1024))
    found = ops.convert_to_numpy(colours.add_noise(grey, tile, inputs)) - 128.0
    assert found.std() == pytest.approx(6.0, rel=0.05)
    assert abs(np.corrcoef(found[0].ravel(), found[1].ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("quality", [30, 50, 85])
def test_jpeg_is_about_as_far_from_the_picture_as_the_real_one(frame, quality):
    config = AugmentConfig(
        colour=0.0, blur=0.0, noise=0.0, jpeg=1.0, jpeg_quality=[quality, quality]
    )
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality]
    flags += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    real = cv2.imdecode(cv2.imencode(".jpg", frame, flags)[1], cv2.IMREAD_COLOR)
    drawn = draw_colours(config, np.random.default_rng(0))
    factor = ops.convert_to_tensor(np.array([drawn["quality"]], np.float32))
    found = as_frame(colours.as_jpeg(as_batch(frame), factor))
    ours, theirs = (np.abs(each - frame.astype(float)).mean() for each in (found, real))
    assert 0.6 < ours / theirs < 1.6


def test_a_crop_without_jpeg_is_left_alone(frame):
    none = ops.convert_to_tensor(np.zeros(1, np.float32))
    np.testing.assert_array_equal(as_frame(colours.as_jpeg(as_batch(frame), none)), frame)
