from __future__ import annotations

import cv2
import numpy as np
import pytest

from dbrt.engine.letterbox import content_size, letterbox
from dbrt.engine.spec import shape_for_frame

FILL = (11, 22, 33)
SIZES = [(720, 1280), (1080, 1921), (333, 777), (2000, 1537), (37, 11), (64, 64)]


@pytest.mark.parametrize("size", [64, 320, 736])
@pytest.mark.parametrize("frame_size", SIZES)
def test_edges_lie_at_one_exact_factor(frame_size: tuple[int, int], size: int) -> None:
    # Every pixel holds its own x and y, so the canvas tells where in the frame it was sampled.
    # Floats, since 256 levels could not show a fifth of a pixel; the next test ties uint8 to them.
    rows, columns = np.indices(frame_size, np.float32) + np.float32(0.5)
    frame = np.stack([columns, rows, rows], axis=2)
    shape = shape_for_frame(size, *frame_size)

    canvas, scale = letterbox(frame, shape, FILL, np.zeros((*shape, 3), np.float32))  # type: ignore[arg-type]

    height, width, _ = content_size(frame_size, shape)
    sampled = canvas[:height, :width, :2].copy()
    sampled[..., 0] -= (np.arange(width) + 0.5) / scale
    sampled[..., 1] -= ((np.arange(height) + 0.5) / scale)[:, None]
    # Beyond the centres of the outermost frame pixels, and where the frame ends within a pixel of
    # the canvas, there is nothing to sample.
    rim = int(np.ceil(scale))
    assert np.abs(sampled[rim:-rim, rim:-rim]).max() < 0.01


@pytest.mark.parametrize("size", [64, 320, 736])
@pytest.mark.parametrize("frame_size", SIZES)
def test_bytes_are_scaled_as_floats_are(frame_size: tuple[int, int], size: int) -> None:
    frame = np.random.default_rng(4).integers(0, 256, (*frame_size, 3), dtype=np.uint8)
    shape = shape_for_frame(size, *frame_size)
    floats = np.zeros((*shape, 3), np.float32)
    letterbox(frame.astype(np.float32), shape, FILL, floats)  # type: ignore[arg-type]
    canvas, _ = letterbox(frame, shape, FILL)
    # Half a level from rounding, half from each halving's, the rest from OpenCV's fixed-point
    # weights of 1/256.
    assert np.abs(canvas - floats).max() < 2.6


@pytest.mark.parametrize("frame_size", [*SIZES, (1, 1), (1, 4000), (4000, 1), (5, 64)])
def test_the_rest_is_filled_and_the_content_is_top_left(frame_size: tuple[int, int]) -> None:
    frame = np.full((*frame_size, 3), 200, np.uint8)
    canvas, scale = letterbox(frame, (96, 160), FILL)
    rows, columns, same = content_size(frame_size, (96, 160))
    assert scale == same == min(96 / frame_size[0], 160 / frame_size[1])
    assert (canvas[:rows, :columns] == 200).all()
    assert (canvas[rows:] == FILL).all()
    assert (canvas[:, columns:] == FILL).all()


def test_a_frame_that_fits_is_copied() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    canvas, scale = letterbox(frame, (64, 96), FILL)
    assert scale == 1.0
    assert canvas is not frame
    np.testing.assert_array_equal(canvas, frame)


def test_shrinking_far_averages_instead_of_skipping() -> None:
    # White columns one pixel wide, every eighth: bilinear at 1/8 would see all or none of them.
    frame = np.zeros((512, 512, 3), np.uint8)
    frame[:, ::8] = 255
    canvas, _ = letterbox(frame, (64, 64), FILL)
    assert np.abs(canvas.astype(int) - 32).max() <= 1


def test_shrinking_agrees_with_opencvs_area_averages() -> None:
    frame = np.random.default_rng(9).integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    frame = cv2.GaussianBlur(frame, (0, 0), 3)
    canvas, _ = letterbox(frame, (416, 736), FILL)
    expected = cv2.resize(frame, (736, 414), interpolation=cv2.INTER_AREA)
    assert np.abs(canvas[:414].astype(int) - expected).mean() < 0.5


@pytest.mark.parametrize("width", [641, 642, 643, 645, 1283])
def test_the_last_columns_of_odd_frames_are_content(width: int) -> None:
    frame = np.full((width, width, 3), 200, np.uint8)
    canvas, scale = letterbox(frame, (96, 96), FILL)
    assert scale == 96 / width
    assert (canvas == 200).all()


def test_the_callers_buffer_is_used_and_fully_written() -> None:
    frame = np.full((30, 40, 3), 9, np.uint8)
    fresh, _ = letterbox(frame, (64, 96), FILL)
    dirty = np.full((64, 96, 3), 255, np.uint8)
    canvas, _ = letterbox(frame, (64, 96), FILL, dirty)
    assert canvas is dirty
    np.testing.assert_array_equal(dirty, fresh)


def test_a_frame_with_padded_rows_is_read_right() -> None:
    padded = np.random.default_rng(1).integers(0, 256, (50, 100, 3), dtype=np.uint8)
    view = padded[:, :71]
    canvas, _ = letterbox(view, (64, 96), FILL)
    same, _ = letterbox(np.ascontiguousarray(view), (64, 96), FILL)
    np.testing.assert_array_equal(canvas, same)


def test_a_buffer_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="out must be"):
        letterbox(np.zeros((9, 9, 3), np.uint8), (64, 64), FILL, np.zeros((64, 96, 3), np.uint8))


def test_whole_factors_agree_with_opencv() -> None:
    frame = np.random.default_rng(2).integers(0, 256, (128, 192, 3), dtype=np.uint8)
    canvas, _ = letterbox(frame, (64, 96), FILL)
    expected = cv2.resize(frame, (96, 64), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(canvas, expected)
