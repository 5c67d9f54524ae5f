"""What is cached of a picture, and what is drawn for a crop."""

from __future__ import annotations

import numpy as np
import pytest

from dbrt.train.accelerator.draws import draws
from dbrt.train.accelerator.pictures import INSIDE, SIDE_MOST, label_maps, make_pool
from dbrt.train.loader import BatchMaker, open_sets
from dbrt.train.targets import make_targets


def square(left: float, top: float, width: float, height: float) -> np.ndarray:
    right, bottom = left + width, top + height
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def test_four_maps_are_the_targets_and_the_fifth_says_how_tall_words_are():
    words = [square(20, 20, 60, 16), square(20, 60, 100, 80), square(100, 20, 40, 10)]
    maps = label_maps(words, [True, True, False], (160, 160))
    expected = make_targets(words, [True, True, False], (160, 160), min_side=0.0)
    np.testing.assert_array_equal(np.moveaxis(maps[..., :4], -1, 0), expected)
    side = maps[..., 4]
    assert side[28, 50] == 32 + INSIDE
    assert side[100, 70] == SIDE_MOST + INSIDE
    assert side[25, 120] == 0  # don't-care
    assert side[18, 50] == 32  # in the band, outside of the word
    assert side[150, 150] == 0


def test_of_two_words_a_pixel_belongs_to_the_one_it_lies_in():
    tall, small = square(10, 40, 100, 60), square(10, 24, 60, 12)
    side = label_maps([tall, small], [True, True], (120, 120))[..., 4]
    assert side[30, 40] == 24 + INSIDE  # within the band of the tall word too
    assert side[30, 100] == 120


def test_pictures_lie_at_the_top_left_of_one_canvas(tiny_config):
    sets, _ = open_sets(tiny_config.data)
    pool = make_pool(sets, [1.0], 160)
    assert pool.frames.shape == (5, 120, 160, 3)
    assert pool.labels.shape == (5, 120, 160, 5)
    assert pool.sizes.tolist() == [[120, 160]] * 5
    polygons, care = pool.words[0]
    assert np.concatenate(polygons).max() < 160
    assert all(care)
    assert pool.labels[0, ..., 0].any()


def test_sets_that_are_never_drawn_from_are_not_read(tiny_config):
    sets, _ = open_sets(tiny_config.data)
    pool = make_pool([["not a sample"], sets[0]], [0.0, 1.0], 160)
    assert pool.starts == [0, 0, 5]


def test_a_crop_shows_the_picture_and_place_that_the_cpu_draws(tiny_config):
    tiny_config.augment.stretch = 1.0
    tiny_config.augment.colour = tiny_config.augment.blur = tiny_config.augment.noise = 0.0
    sets, _ = open_sets(tiny_config.data)
    pool = make_pool(sets, [1.0], 1280)
    batch = BatchMaker(tiny_config, sets).make(3)
    (draw,) = draws(tiny_config, pool, start=3, stop=4)
    assert draw.inputs["index"].shape == (2,)
    assert draw.inputs["inverse"].dtype == np.float32
    keras = pytest.importorskip("keras")
    from dbrt.train.accelerator.layer import CropLayer

    inputs = {name: keras.ops.convert_to_tensor(v) for name, v in draw.inputs.items()}
    frames, targets = map(keras.ops.convert_to_numpy, CropLayer(tiny_config, pool)(inputs))
    # The CPU blurs before it scales down, the accelerator takes means.
    assert np.corrcoef(frames.ravel(), batch.frames.ravel())[0, 1] > 0.97
    assert (targets[:, 0] == batch.targets[:, 0]).mean() > 0.97


def test_mixed_precision_moves_no_crop(tiny_config, request):
    """In bfloat16 a position of 300 pixels is off by one."""
    keras = pytest.importorskip("keras")
    from dbrt.train.accelerator.layer import CropLayer
    from dbrt.train.step import StepModel

    request.addfinalizer(lambda: keras.config.set_dtype_policy("float32"))
    sets, _ = open_sets(tiny_config.data)
    pool = make_pool(sets, [1.0], 1280)
    (draw,) = draws(tiny_config, pool, start=0, stop=1)
    found = []
    for policy in ("float32", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        model = StepModel(
            lambda frames, training: frames, tiny_config.loss, CropLayer(tiny_config, pool)
        )
        frames, targets = model(draw.inputs)
        assert keras.backend.standardize_dtype(frames.dtype) == "float32"
        found.append((keras.ops.convert_to_numpy(frames), keras.ops.convert_to_numpy(targets)))
    np.testing.assert_allclose(found[1][0], found[0][0], atol=1e-5)
    np.testing.assert_array_equal(found[1][1], found[0][1])


def test_pictures_that_stay_with_the_host_travel_with_the_draw(tiny_config):
    sets, _ = open_sets(tiny_config.data)
    pool = make_pool(sets, [1.0], 160)
    (with_index,) = draws(tiny_config, pool, start=0, stop=1)
    (with_pictures,) = draws(tiny_config, pool, start=0, stop=1, host=True)
    chosen = with_index.inputs.pop("index")
    np.testing.assert_array_equal(with_pictures.inputs["frames"], pool.frames[chosen])
    np.testing.assert_array_equal(with_pictures.inputs["labels"], pool.labels[chosen])
    for name, value in with_index.inputs.items():
        np.testing.assert_array_equal(with_pictures.inputs[name], value)


def test_tilted_crops_say_so_and_from_what_height_words_are_left_out(tiny_config):
    tiny_config.augment.perspective, tiny_config.run.batch = 0.5, 40
    sets, _ = open_sets(tiny_config.data)
    (draw,) = draws(tiny_config, make_pool(sets, [1.0], 160), start=0, stop=1)
    is_tilted = draw.inputs["tilted"] > 0
    assert 0.2 < is_tilted.mean() < 0.8
    assert np.isinf(draw.inputs["tallest"][~is_tilted]).all()
    tallest = draw.inputs["tallest"][is_tilted]
    assert (tallest > 5).all()
    assert np.isfinite(tallest).all()
    lower = draw.inputs["inverse"][:, 2, :2]
    assert (lower[~is_tilted] == 0).all()
    assert (lower[is_tilted] != 0).all()
