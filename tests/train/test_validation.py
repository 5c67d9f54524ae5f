"""Decode thresholds are those that serve known pictures best."""

from __future__ import annotations

import numpy as np
import pytest

from dbrt.datasets import Word
from dbrt.train.validation import best_decode

SIZE = (120, 200)


def word(left: int, right: int) -> Word:
    corners = [[left, 40], [right, 40], [right, 70], [left, 70]]
    return Word(np.array(corners, np.float32), "word")


def soft_map(bridge: int) -> np.ndarray:
    """Two shrunk words, surely text, with `bridge` between them."""
    probability = np.zeros(SIZE, np.uint8)
    probability[49:61, 29:171] = bridge
    for left, right in ((29, 81), (119, 171)):
        probability[49:61, left:right] = 230
    return probability


WORDS = [word(20, 90), word(110, 180)]


@pytest.mark.parametrize(("bridge", "least"), [(100, 0.4), (140, 0.55), (160, 0.65)])
def test_a_map_in_which_words_run_together_wants_a_higher_binarize(bridge, least):
    found = best_decode([(soft_map(bridge), 1.0, SIZE)], [WORDS])
    assert found["hmean"] == 1.0
    assert found["binarize"] >= least


def test_of_equals_the_lowest_binarize_is_taken():
    found = best_decode([(soft_map(0), 1.0, SIZE)], [WORDS])
    assert found["hmean"] == 1.0
    assert found["binarize"] == 0.2


def test_a_scaled_frame_is_scored_in_its_own_pixels():
    doubled = [Word(each.polygon * np.float32(2), each.text) for each in WORDS]
    found = best_decode([(soft_map(0), 0.5, (240, 400))], [doubled])
    assert found["hmean"] == 1.0
