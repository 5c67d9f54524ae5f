from __future__ import annotations

import pytest

from dbrt.benchmarks.spread import Spread, frames_a_second


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([7.0], (7.0, 7.0, 7.0, 1)),
        ([3.0, 1.0], (2.0, 1.2, 2.8, 2)),
        ([float(value) for value in range(11)][::-1], (5.0, 1.0, 9.0, 11)),
        ([1.0] * 9 + [1000.0], (1.0, 1.0, 100.9, 10)),
    ],
    ids=["one", "two are interpolated", "unsorted", "a pause leaves the median"],
)
def test_spread_is_median_and_the_middle_eight_tenths(
    samples: list[float], expected: tuple[float, float, float, int]
) -> None:
    found = Spread.of(samples)
    assert found.median_ms == pytest.approx(expected[0])
    assert found.p10_ms == pytest.approx(expected[1])
    assert found.p90_ms == pytest.approx(expected[2])
    assert found.samples == expected[3]


def test_no_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        Spread.of([])


def test_frames_a_second_come_from_the_sum_of_medians() -> None:
    assert frames_a_second(Spread.of([1.0]), Spread.of([15.0]), Spread.of([4.0])) == 50.0


def test_no_time_has_no_rate() -> None:
    with pytest.raises(ValueError, match="no rate"):
        frames_a_second(Spread.of([0.0]))
