from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dbrt.benchmarks.lane import PASSES, Lane
from dbrt.benchmarks.maps import Frame


class RecordingRunner:
    """Stands for an engine: keeps the brightest pixel of what it is given."""

    spec = SimpleNamespace(shape=(64, 64))
    model = SimpleNamespace(fill=(0, 0, 0))
    letterboxes = False

    def __init__(self) -> None:
        self.seen: list[int] = []

    def infer(self, frames: Frame) -> None:
        assert frames.shape == (1, 64, 64, 3)
        self.seen.append(int(frames.max()))


class LetterboxingRunner(RecordingRunner):
    """Takes frames as they are."""

    letterboxes = True

    def infer_frames(self, frames: list[Frame]) -> None:
        assert [frame.shape for frame in frames] == [(32, 64, 3)]
        self.seen.append(int(frames[0].max()))


class RecordingMaps:
    """Stands for a set of maps: keeps which ones were decoded."""

    def __init__(self) -> None:
        self.decoded: list[int] = []

    def decode(self, index: int) -> None:
        self.decoded.append(index)


@pytest.fixture(params=[RecordingRunner, LetterboxingRunner], ids=["canvas", "frames"])
def parts(request: pytest.FixtureRequest) -> tuple[Any, Any, Any]:
    runner, maps = request.param(), RecordingMaps()
    frames = [np.full((32, 64, 3), 10 * (index + 1), np.uint8) for index in range(4)]
    lane: Any = Lane(runner, frames, maps)  # type: ignore[arg-type]
    return lane, runner, maps


def test_a_turn_counts_all_passes_but_its_first(parts: tuple[Any, Any, Any]) -> None:
    lane, runner, _ = parts
    lane.turn()
    lane.turn()
    assert len(runner.seen) == 2 * (PASSES + 1)
    assert [spread.samples for spread in lane.spreads()] == [2 * PASSES] * 3


def test_turns_go_on_through_the_frames_and_their_maps(parts: tuple[Any, Any, Any]) -> None:
    lane, runner, maps = parts
    lane.turn()
    lane.turn()
    assert maps.decoded == [0, 0, 1, 2, 3, 3, 0, 1]
    assert runner.seen == [10 * (index + 1) for index in maps.decoded]


def test_warming_up_counts_for_nothing(parts: tuple[Any, Any, Any]) -> None:
    lane, runner, _ = parts
    lane.warm_up()
    assert runner.seen
    with pytest.raises(ValueError, match="at least one sample"):
        lane.spreads()
