"""The paired bootstrap: known differences, its width, and what changed picture by picture."""

import numpy as np
import pytest

from dbrt.evaluation.difference import compare_tallies
from dbrt.evaluation.report import Tally

NAMES = [f"img_{i}.jpg" for i in range(200)]


def tallies(seed, recall, false=0):
    """200 pictures with one to six words, of which a share is found."""
    rng = np.random.default_rng(seed)
    care = np.random.default_rng(0).integers(1, 7, 200)
    return [
        Tally(int(hit) + false, int(hit) + false, int(words), int(hit))
        for words, hit in zip(care, rng.binomial(care, recall), strict=True)
    ]


def test_the_same_twice_has_no_difference():
    same = tallies(1, 0.7)
    difference = compare_tallies(NAMES, same, same)
    assert (difference.hmean, difference.low, difference.high) == (0, 0, 0)
    assert not difference.is_clear
    assert difference.gains == difference.losses == ()


def test_figures_are_taken_over_all_pictures():
    first, second = [Tally(2, 2, 4, 1), Tally(0, 0, 0, 0)], [Tally(3, 3, 4, 3), Tally(1, 1, 0, 0)]
    difference = compare_tallies(["a", "b"], first, second)
    assert difference.precision == pytest.approx(3 / 4 - 1 / 2)
    assert difference.recall == pytest.approx(3 / 4 - 1 / 4)
    assert difference.hmean == pytest.approx(3 / 4 - 1 / 3)


@pytest.mark.parametrize(("recall", "is_clear"), [(0.85, True), (0.705, False), (0.55, False)])
def test_a_large_gain_is_clear_and_a_small_one_is_not(recall, is_clear):
    difference = compare_tallies(NAMES, tallies(1, 0.7), tallies(2, recall))
    assert difference.low < difference.hmean < difference.high
    assert (difference.low > 0) == is_clear


def test_a_large_loss_is_clear():
    assert compare_tallies(NAMES, tallies(1, 0.7), tallies(2, 0.5)).high < 0


def test_the_interval_is_as_wide_as_the_differences_spread():
    # Repeated on fresh pictures, the difference falls into the interval about 95 times in 100.
    rng = np.random.default_rng(5)
    care = rng.integers(1, 7, 20_000)
    first, second = rng.binomial(care, 0.7), rng.binomial(care, 0.73)
    population = [
        [Tally(int(h), int(h), int(c), int(h)) for c, h in zip(care, hits, strict=True)]
        for hits in (first, second)
    ]
    truth = compare_tallies([""] * 20_000, *population, resamples=1).hmean
    inside = sum(
        part.low <= truth <= part.high
        for part in (
            compare_tallies(NAMES, *(side[at : at + 200] for side in population), resamples=300)
            for at in range(0, 20_000, 200)
        )
    )
    assert 0.88 <= inside / 100 <= 0.99


def test_the_seed_alone_decides_the_interval():
    pair = tallies(1, 0.7), tallies(2, 0.75)
    first, again, other = (compare_tallies(NAMES, *pair, seed=seed) for seed in (3, 3, 4))
    assert (first.low, first.high) == (again.low, again.high)
    assert first.low != other.low
    assert first.low == pytest.approx(other.low, abs=0.005)


def test_pictures_are_sorted_from_the_greatest_loss_to_the_greatest_gain():
    good, half, bad = Tally(1, 1, 1, 1), Tally(2, 2, 2, 1), Tally(1, 1, 1, 0)
    difference = compare_tallies(
        ["same", "gain", "loss", "small"], [good, bad, good, half], [good, good, bad, good]
    )
    assert [change.picture for change in difference.changes] == ["loss", "same", "small", "gain"]
    assert [change.picture for change in difference.gains] == ["gain", "small"]
    assert [change.picture for change in difference.losses] == ["loss"]
    pictures = difference.to_dict()["pictures"]
    assert pictures[0] == {"picture": "loss", "hmean": [1.0, 0.0], "difference": -1.0}
    assert len(pictures) == 3


def test_no_pictures_are_zeros():
    assert compare_tallies([], [], []).to_dict()["hmean_interval"] == [0, 0]


def test_lists_of_different_length_are_refused():
    with pytest.raises(ValueError, match="zip"):
        compare_tallies(["a"], [Tally(0, 0, 0, 0)], [])
