"""Whole pictures: the same by seed, each scene as it says, and what does not count marked."""

import numpy as np
import pytest

from dbrt.synth.degrade import Faults
from dbrt.synth.layouts import Press
from dbrt.synth.picture import LEAST_CARE_PX, Recipe, _cares, draw_picture
from dbrt.synth.scenes import SCENES
from dbrt.synth.stage import Labelled, Stage

SIZES = ((320, 240), (240, 320))
SQUARE = np.array([[0, 0], [9, 0], [9, 9], [0, 9]], np.float32)


@pytest.fixture
def recipe(book):
    return Recipe(SIZES, book, cap_px=(8.0, 60.0))


def test_the_same_seed_and_index_draw_the_same_picture(recipe):
    first, again = draw_picture(recipe, 7, 3), draw_picture(recipe, 7, 3)
    np.testing.assert_array_equal(first.picture, again.picture)
    assert [w.text for w in first.words] == [w.text for w in again.words]
    assert [w.polygon.tolist() for w in first.words] == [w.polygon.tolist() for w in again.words]


@pytest.mark.parametrize(("seed", "index"), [(8, 3), (7, 4)], ids=["seed", "index"])
def test_another_seed_or_index_draws_another_picture(recipe, seed, index):
    first, other = draw_picture(recipe, 7, 3).picture, draw_picture(recipe, seed, index).picture
    assert first.shape != other.shape or (first != other).any()


def test_every_size_is_drawn(recipe):
    shapes = {draw_picture(recipe, 1, index).picture.shape for index in range(8)}
    assert shapes == {(240, 320, 3), (320, 240, 3)}


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.draw.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_labels_lie_inside_the_picture_and_not_on_one_another(book, scene, seed):
    rng = np.random.default_rng(seed)
    shape = (400, 480)
    stage = Stage(shape, Press(book, (("latin", 1.0),), rng), (), (8.0, 60.0), "word", 0, rng)
    scene.draw(stage)
    assert stage.picture.shape == (*shape, 3)
    assert stage.picture.dtype == np.uint8
    centres = [label.polygon.mean(axis=0) for label in stage.labels]
    for label in stage.labels:
        assert label.polygon.min() >= -1
        assert (label.polygon <= np.array(shape[::-1]) + 1).all()
        assert label.text.strip()
    assert len({tuple(np.round(centre)) for centre in centres}) == len(centres)
    assert bool(centres) == (scene.draw.__name__ != "empty")


@pytest.mark.parametrize(
    ("is_clear", "height", "faults", "counts"),
    [
        (True, LEAST_CARE_PX, Faults(0.5, 90), True),
        (True, LEAST_CARE_PX - 0.1, Faults(0.5, 90), False),
        (False, 40.0, Faults(0.5, 90), False),
        (True, 10.0, Faults(5.0, 90), False),
        (True, 7.5, Faults(0.5, 40), False),
    ],
    ids=["least", "small", "faint", "blurred", "coarse file"],
)
def test_what_counts(is_clear, height, faults, counts):
    assert _cares(Labelled(SQUARE, "word", is_clear, height), faults) is counts


def test_most_words_count_and_some_are_bent(recipe):
    words = [w for index in range(30) for w in draw_picture(recipe, 2, index).words]
    assert len(words) > 100
    assert sum(w.care for w in words) > 0.7 * len(words)
    assert any(len(w.polygon) > 4 for w in words)


def test_tiny_words_are_labelled_but_do_not_count(book):
    tiny = Recipe(SIZES, book, cap_px=(1.5, 1.8))  # a heading with a descender is 3.4 times as tall
    words = [w for index in range(8) for w in draw_picture(tiny, 2, index).words]
    assert words
    assert not any(w.care for w in words)
