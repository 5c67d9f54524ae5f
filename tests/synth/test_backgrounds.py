"""Surfaces and photographs under the text."""

import cv2
import numpy as np
import pytest

from dbrt.errors import InputError
from dbrt.synth import backgrounds, textures

SHAPE = (90, 140)


@pytest.mark.parametrize("seed", range(12))
def test_surfaces_have_the_shape_asked_for_and_repeat_by_seed(seed):
    first, again = (backgrounds.surface(SHAPE, np.random.default_rng(seed)) for _ in range(2))
    assert first.shape == (*SHAPE, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)


def test_a_crop_has_the_shape_asked_for_whatever_the_photograph():
    rng = np.random.default_rng(0)
    photograph = np.full((50, 300, 3), 90, np.uint8)
    assert backgrounds.crop_of(photograph, SHAPE, rng).shape == (*SHAPE, 3)


def test_photographs_are_read_and_used(tmp_path):
    rng = np.random.default_rng(3)
    cv2.imwrite(str(tmp_path / "a.png"), rng.integers(0, 255, (200, 300, 3), np.uint8))
    (tmp_path / "notes.txt").write_text("not a picture")
    files = backgrounds.photograph_files(tmp_path)
    assert [path.name for path in files] == ["a.png"]
    assert backgrounds.background(SHAPE, tuple(files), rng).shape == (*SHAPE, 3)


def test_a_folder_without_pictures_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="holds no pictures"):
        backgrounds.photograph_files(tmp_path)


def test_a_missing_folder_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no such folder of backgrounds"):
        backgrounds.photograph_files(tmp_path / "none")


@pytest.mark.parametrize("content", [b"", b"not a picture"], ids=["empty", "text"])
def test_a_background_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.jpg"):
        [backgrounds.background(SHAPE, (path,), np.random.default_rng(s)) for s in range(5)]


def test_noise_is_centred_and_of_unit_spread():
    drawn = textures.noise((64, 96), 20, np.random.default_rng(5))
    assert drawn.dtype == np.float32
    assert drawn.mean() == pytest.approx(0, abs=1e-4)
    assert drawn.std() == pytest.approx(1, abs=1e-3)


def test_a_gradient_runs_from_one_colour_to_the_other():
    drawn = textures.gradient((50, 20), (0, 10, 200), (100, 10, 0))
    np.testing.assert_array_equal(drawn[0, 0], (0, 10, 200))
    np.testing.assert_allclose(drawn[-1, 0], (100, 10, 0), atol=1)
