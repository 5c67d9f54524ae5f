"""Surfaces and photographs under the text."""

import cv2
import numpy as np
import pytest

from dbrt.datasets.wallpapers import FOR_DRAWING, HELD_OUT
from dbrt.errors import InputError
from dbrt.synth import backgrounds, textures

SHAPE = (90, 140)


@pytest.mark.parametrize("index", range(7))
def test_surfaces_repeat_by_series_and_index(index):
    first = backgrounds.surface(1, index).copy()
    backgrounds.surface.cache_clear()
    assert first.shape == (*backgrounds.SURFACE_SHAPE, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, backgrounds.surface(1, index))
    assert (backgrounds.surface(2, index) != first).any()


@pytest.mark.parametrize("size", [(50, 300), (300, 50), (20, 20), (900, 1400)])
def test_a_crop_has_the_shape_asked_for_whatever_the_photograph(size):
    rng = np.random.default_rng(0)
    photograph = np.full((*size, 3), 90, np.uint8)
    drawn = backgrounds.crop_of(photograph, SHAPE, rng)
    assert drawn.shape == (*SHAPE, 3)
    assert (drawn == 90).all()


def test_photographs_are_read_and_used(tmp_path):
    rng = np.random.default_rng(3)
    cv2.imwrite(str(tmp_path / "a.png"), rng.integers(0, 255, (200, 300, 3), np.uint8))
    (tmp_path / "notes.txt").write_text("not a picture")
    files = backgrounds.photograph_files(tmp_path)
    assert [path.name for path in files] == ["a.png"]
    assert backgrounds.background(SHAPE, tuple(files), 0, rng).shape == (*SHAPE, 3)


def test_large_photographs_are_kept_smaller(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((100, 2 * backgrounds.LONGEST_PX, 3), np.uint8))
    assert max(backgrounds.photograph(tmp_path / "a.png").shape) == backgrounds.LONGEST_PX


def test_the_wallpapers_of_the_test_for_false_alarms_are_not_written_on():
    held_out = {wallpaper.path() for wallpaper in HELD_OUT}
    assert not held_out & {wallpaper.path() for wallpaper in FOR_DRAWING}
    assert not held_out & set(backgrounds.photograph_files())


def test_a_folder_without_pictures_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"holds no pictures .*apt-get install lomiri"):
        backgrounds.photograph_files(tmp_path)


def test_a_missing_folder_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no such folder of photographs"):
        backgrounds.photograph_files(tmp_path / "none")


@pytest.mark.parametrize("content", [b"", b"not a picture"], ids=["empty", "text"])
def test_a_background_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.jpg"):
        backgrounds.photograph(path)


def test_noise_is_centred_and_of_unit_spread():
    drawn = textures.noise((64, 96), 20, np.random.default_rng(5))
    assert drawn.dtype == np.float32
    assert drawn.mean() == pytest.approx(0, abs=1e-4)
    assert drawn.std() == pytest.approx(1, abs=1e-3)


def test_a_gradient_runs_from_one_colour_to_the_other():
    drawn = textures.gradient((50, 20), (0, 10, 200), (100, 10, 0))
    np.testing.assert_array_equal(drawn[0, 0], (0, 10, 200))
    np.testing.assert_allclose(drawn[-1, 0], (100, 10, 0), atol=1)
