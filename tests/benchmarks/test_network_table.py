from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from dbrt.benchmarks import network_table
from dbrt.benchmarks.lane import PASSES
from dbrt.benchmarks.maps import Frame
from dbrt.benchmarks.network_table import run_network_table
from dbrt.benchmarks.networks import UNTRAINED
from dbrt.benchmarks.published import FIGURES
from dbrt.benchmarks.report import BenchReport
from dbrt.benchmarks.skeleton import untrained_folder
from dbrt.engine.cache import default_folder
from dbrt.errors import UsageError

pytest.importorskip("openvino")

Steps = list[tuple[str, int, int]]


@pytest.fixture
def run(
    model_path: Path, skeleton_path: Path, frames: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> tuple[BenchReport, Steps]:
    """Time a trained and an untrained tiny network at two sizes, two rounds."""
    monkeypatch.setattr(network_table, "sample_frames", lambda: frames)
    steps: Steps = []
    report = run_network_table(
        [str(skeleton_path), str(model_path)],
        [96, 128, 96],
        precision="fp32",
        rounds=2,
        on_step=lambda *step: steps.append(step),
    )
    return report, steps


def test_every_network_has_a_row_for_every_size(run: tuple[BenchReport, Steps]) -> None:
    report, _ = run
    keys = [(row.weights, row.size, row.runner, row.precision) for row in report.rows]
    assert keys == [
        (UNTRAINED, 96, "openvino", "fp32"),
        (UNTRAINED, 128, "openvino", "fp32"),
        ("tiny", 96, "openvino", "fp32"),
        ("tiny", 128, "openvino", "fp32"),
    ]


def test_every_stage_has_all_samples(run: tuple[BenchReport, Steps]) -> None:
    report, _ = run
    spreads = [stage for row in report.rows for stage in (row.letterbox, row.infer, row.post)]
    assert [spread.samples for spread in spreads] == [2 * PASSES] * 12
    assert all(0 < spread.p10_ms <= spread.median_ms <= spread.p90_ms for spread in spreads)
    assert [row.fps for row in report.rows] == pytest.approx(
        [
            1000 / (row.letterbox.median_ms + row.infer.median_ms + row.post.median_ms)
            for row in report.rows
        ]
    )


def test_rows_take_turns_within_a_round(run: tuple[BenchReport, Steps]) -> None:
    _, steps = run
    turns = [text for text, _, _ in steps if text.startswith("round")]
    order = [f"tiny at {size}" for _ in range(2) for size in (96, 128)]
    assert turns == [f"round {number} of 2: {row}" for number in (1, 2) for row in order]


def test_progress_ends_at_its_end(run: tuple[BenchReport, Steps]) -> None:
    _, steps = run
    done = [(before, steps_in_all) for _, before, steps_in_all in steps]
    assert done == sorted(done)
    assert steps[-1] == ("done", 14, 14)


def test_maps_come_from_the_trained_network(run: tuple[BenchReport, Steps]) -> None:
    report, _ = run
    assert [(note.size, note.model) for note in report.maps] == [(96, "tiny"), (128, "tiny")]
    assert report.maps[1].regions == (1, 2, 3)
    assert report.maps[0].frame_sizes == ((90, 160),) * 3


def test_engines_of_random_weights_lie_apart(run: tuple[BenchReport, Steps]) -> None:
    assert len(list(default_folder().glob("*.engine"))) == 2
    assert len(list(untrained_folder().glob("*.engine"))) == 2


def test_the_run_says_why_and_when(run: tuple[BenchReport, Steps]) -> None:
    report, _ = run
    found = report.provenance
    assert (found.rounds, found.rounds_asked, found.passes) == (2, 2, PASSES)
    assert ["openvino" in reason for reason in found.reasons] == [True]


@pytest.mark.parametrize(
    ("limit_s", "rounds"),
    [(0.0, 1), (29.0, 1), (40.0, 2), (1000.0, 4)],
    ids=["no time", "less than a round is left", "one more fits", "time for all"],
)
def test_rounds_end_where_the_next_would_end_too_late(
    limit_s: float,
    rounds: int,
    model_path: Path,
    frames: list[Frame],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The clock is 10 s further at each look: three looks a round, the next begins 10 s later."""
    monkeypatch.setattr(network_table, "sample_frames", lambda: frames)
    looks = itertools.count(0.0, 10.0)
    report = run_network_table(
        [str(model_path)],
        [64],
        precision="fp32",
        rounds=4,
        limit_s=limit_s,
        clock=lambda: next(looks),
    )
    assert report.provenance.rounds == rounds
    assert report.provenance.rounds_asked == 4
    assert report.rows[0].infer.samples == rounds * PASSES


@pytest.mark.parametrize(
    ("sizes", "rounds", "message"),
    [([], 1, "at least one size"), ([64], 0, "one round"), ([100], 1, "take 96 or 128")],
    ids=["no size", "no round", "bad size"],
)
def test_what_cannot_be_timed_is_refused(sizes: list[int], rounds: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run_network_table(sizes=sizes, rounds=rounds)


def test_published_figures_are_those_of_resnet50() -> None:
    found = {key: (figure.network_ms, figure.post_ms) for key, figure in FIGURES.items()}
    assert found == {
        ("resnet50", 320): (13.3, 2.9),
        ("resnet50", 512): (19.2, 4.5),
        ("resnet50", 736): (33.2, 5.7),
    }
