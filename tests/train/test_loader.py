"""Batches depend on seed and step alone."""

from __future__ import annotations

import numpy as np
import pytest

from dbrt.errors import TrainingError, UsageError
from dbrt.train.config import DataConfig
from dbrt.train.loader import batches, open_sets


def test_validation_pictures_are_never_trained_on(tiny_config):
    tiny_config.data.validation = 2
    sets, validation = open_sets(tiny_config.data)
    assert len(validation) == 2
    assert len(sets[0]) == 4
    assert not {s.path for s in sets[0]} & {s.path for s in validation}


def test_batches_have_the_promised_shapes(tiny_config):
    sets, _ = open_sets(tiny_config.data)
    (batch,) = batches(tiny_config, sets, start=0, stop=1)
    assert batch.frames.shape == (2, 64, 64, 3)
    assert batch.targets.shape == (2, 4, 64, 64)
    assert batch.frames.dtype == batch.targets.dtype == np.uint8


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_make_the_batches_that_the_main_process_would(tiny_config, workers):
    sets, _ = open_sets(tiny_config.data)
    expected = list(batches(tiny_config, sets, start=0, stop=3))
    tiny_config.data.workers = workers
    found = list(batches(tiny_config, sets, start=1, stop=3))
    for mine, theirs in zip(found, expected[1:], strict=True):
        np.testing.assert_array_equal(mine.frames, theirs.frames)
        np.testing.assert_array_equal(mine.targets, theirs.targets)


def test_sets_are_drawn_from_by_weight(tiny_config):
    tiny_config.data.sets *= 2
    tiny_config.data.weights = [0.0, 1.0]
    sets, _ = open_sets(tiny_config.data)
    sets[0] = []  # would fail if it were drawn from
    assert len(list(batches(tiny_config, sets, start=0, stop=2))) == 2


def test_nothing_left_to_train_on_is_said(tiny_config):
    tiny_config.data.validation = 6
    with pytest.raises(TrainingError, match="no pictures are left"):
        open_sets(tiny_config.data)


def test_a_set_without_split_is_refused(tiny_config):
    tiny_config.data.sets = ["icdar2015"]
    with pytest.raises(UsageError, match="NAME:SPLIT"):
        open_sets(tiny_config.data)


def test_the_split_is_what_it_was_when_the_shipped_model_was_trained(tiny_config):
    """Of 6 pictures 2 are held back, of 1,000 these 50 (the first eight and the sum of all)."""
    tiny_config.data.validation = 2
    _, validation = open_sets(tiny_config.data)
    assert [s.path.stem for s in validation] == ["img_0", "img_4"]
    held = np.random.default_rng(DataConfig().split_seed).permutation(1000)[:50]
    assert held[:8].tolist() == [705, 649, 543, 927, 577, 471, 608, 252]
    assert held.sum() == 28402


def test_other_crops_may_be_drawn_with_the_same_split(tiny_config):
    tiny_config.data.validation = 2
    before_sets, before = open_sets(tiny_config.data)
    (first,) = batches(tiny_config, before_sets, start=0, stop=1)
    tiny_config.data.seed = 7
    sets, validation = open_sets(tiny_config.data)
    (batch,) = batches(tiny_config, sets, start=0, stop=1)
    assert [s.path for s in validation] == [s.path for s in before]
    assert not np.array_equal(batch.frames, first.frames)


def test_another_split_seed_holds_back_others(tiny_config):
    held = set()
    for tiny_config.data.split_seed in range(4):
        _, validation = open_sets(tiny_config.data)
        held.add(validation[0].path)
    assert len(held) > 1


def test_machines_make_their_own_rows_of_each_batch(tiny_config):
    sets, _ = open_sets(tiny_config.data)
    (whole,) = batches(tiny_config, sets, start=1, stop=2)
    (second,) = batches(tiny_config, sets, start=1, stop=2, rows=range(1, 2))
    np.testing.assert_array_equal(second.frames, whole.frames[1:])
    np.testing.assert_array_equal(second.targets, whole.targets[1:])
