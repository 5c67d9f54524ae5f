from __future__ import annotations

import sys

import numpy as np
import pytest

from dbrt.stream.telemetry import STAGES, Histogram, Telemetry


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("middle_ms", [0.05, 8.0, 3000.0])
def test_percentiles_are_those_of_the_values_to_one_percent(share, middle_ms):
    values = np.random.default_rng(5).lognormal(np.log(middle_ms), 0.7, 4000)
    histogram = Histogram()
    for value in values:
        histogram.add(float(value))
    exact = np.quantile(values, share, method="inverted_cdf")
    assert histogram.percentile(share) == pytest.approx(exact, rel=0.0101)


def test_one_value_is_every_percentile():
    histogram = Histogram()
    histogram.add(12.5)
    figures = histogram.summary()
    assert figures.max_ms == figures.mean_ms == 12.5
    assert figures.p50_ms == figures.p99_ms == pytest.approx(12.5, rel=0.01)


@pytest.mark.parametrize("value_ms", [0.0, -1.0, 1e12])
def test_durations_beyond_the_buckets_are_counted(value_ms):
    histogram = Histogram()
    histogram.add(value_ms)
    assert histogram.count == 1
    assert histogram.percentile(0.5) >= 0


def test_without_values_all_figures_are_zero():
    figures = Histogram().summary().to_dict()
    assert set(figures.values()) == {0}


def test_memory_does_not_grow_with_the_number_of_values(clock):
    telemetry = Telemetry(clock)

    def fill():
        for value in range(3000):
            telemetry.record("network", value % 97)
            telemetry.count_result(1)
        return sys.getsizeof(telemetry._recent) + sys.getsizeof(
            telemetry._stages["network"]._counts
        )

    assert fill() == fill()


def test_the_snapshot_counts_frames_and_rate(clock):
    telemetry = Telemetry(clock)
    for _ in range(5):
        telemetry.count_captured()
        telemetry.count_result(regions=2)
        clock.time_s += 0.25
    telemetry.count_dropped(3)
    telemetry.count_stale()
    found = telemetry.snapshot()
    assert (found.captured, found.processed, found.regions) == (5, 5, 10)
    assert (found.dropped, found.stale) == (3, 1)
    assert found.rate == pytest.approx(4.0)
    assert telemetry.recent_rate() == pytest.approx(4.0)


def test_only_stages_that_ran_are_shown_in_the_order_of_the_way(clock):
    telemetry = Telemetry(clock)
    telemetry.record("decode", 1.0)
    telemetry.record("capture", 2.0)
    stages = telemetry.snapshot().stages
    assert list(stages) == ["capture", "decode"]
    assert list(stages) == [name for name in STAGES if name in stages]


def test_the_rate_without_results_is_zero(clock):
    assert Telemetry(clock).recent_rate() == 0
    assert Telemetry(clock).snapshot().rate == 0
