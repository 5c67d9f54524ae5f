"""Batches depend on seed and step alone."""

from __future__ import annotations

import numpy as np
import pytest

from dbrt.errors import TrainingError, UsageError
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
