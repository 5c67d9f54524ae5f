"""What resembles text and is none."""

import numpy as np
import pytest

from dbrt.synth import clutter


@pytest.mark.parametrize("kind", sorted(set(clutter.KINDS), key=lambda k: k.__name__))
@pytest.mark.parametrize("seed", range(3))
def test_each_kind_draws_something_with_a_shape(kind, seed):
    tile = np.ascontiguousarray(kind(np.random.default_rng(seed)))
    assert tile.dtype == np.uint8
    assert tile.shape[2] == 4
    assert 0.005 < (tile[..., 3] > 0).mean() <= 1


def test_a_thing_is_laid_where_its_corners_are():
    picture = np.full((100, 120, 3), 9, np.uint8)
    tile = np.full((10, 20, 4), 200, np.uint8)
    tile[..., 3] = 255
    clutter.put(picture, tile, np.array([[30, 40], [70, 40], [70, 60], [30, 60]], np.float32))
    assert (picture[42:58, 32:68] == 200).all()
    picture[39:61, 29:71] = 9
    assert (picture == 9).all()


@pytest.mark.parametrize("shift", [-500.0, 500.0, 95.0])
def test_a_thing_outside_or_half_outside_is_cut(shift):
    picture = np.zeros((100, 100, 3), np.uint8)
    tile = np.full((10, 20, 4), 255, np.uint8)
    box = np.array([[0, 0], [40, 0], [40, 20], [0, 20]], np.float32) + np.float32(shift)
    clutter.put(picture, tile, box)
    assert picture.any() == (shift == 95.0)


def test_clutter_is_the_same_by_seed():
    first, again = (np.zeros((200, 300, 3), np.uint8) for _ in range(2))
    clutter.scatter(first, 4, np.random.default_rng(3))
    clutter.scatter(again, 4, np.random.default_rng(3))
    assert first.any()
    np.testing.assert_array_equal(first, again)
