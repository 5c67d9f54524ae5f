from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dbrt.engine.modelfile import ModelFile
from dbrt.engine.parity import (
    ParityReport,
    compare,
    count_same,
    measure,
    open_reference,
    parity_frames,
)
from dbrt.engine.runner import Frames, Maps, Runner
from dbrt.engine.select import open_runner
from dbrt.regions import TextRegions

pytest.importorskip("openvino")


def find_boxes(map: NDArray[np.uint8]) -> TextRegions:
    """Find upright boxes of connected bytes over 76, as plain as can be."""
    _, _, stats, _ = cv2.connectedComponentsWithStats((map > 76).astype(np.uint8))
    quads = [
        [[x, y], [x + w, y], [x + w, y + h], [x, y + h]] for x, y, w, h, _ in stats[1:].tolist()
    ]
    return TextRegions(np.array(quads, np.float32).reshape(-1, 4, 2), np.ones(len(quads)))


def square(left: float, top: float, side: float = 10) -> list[list[float]]:
    return [[left, top], [left + side, top], [left + side, top + side], [left, top + side]]


def compared(found: Maps, expected: Maps) -> ParityReport:
    return compare(found, expected, find_boxes, binarize=0.3, reference="test fp32")


@pytest.fixture
def maps() -> Maps:
    """(1, 100, 100) with three regions."""
    drawn = np.zeros((1, 100, 100), np.uint8)
    drawn[0, 10:20, 10:40] = drawn[0, 50:60, 10:40] = drawn[0, 80:90, 60:90] = 200
    return drawn


def test_equal_maps_have_no_error(maps: Maps) -> None:
    report = compared(maps, maps)
    assert report == ParityReport("test fp32", 1, 0.0, 0.0, 0.0, 3, 0, 0, False)
    assert report.problem == ""


def test_errors_are_in_probability(maps: Maps) -> None:
    found = maps.copy()
    found[0, 0, 0] = 51
    report = compared(found, maps)
    assert report.max_error == pytest.approx(0.2)
    assert report.mean_error == pytest.approx(0.2 / 10_000)
    assert report.flipped == 0


def test_errors_do_not_wrap_around() -> None:
    report = compared(np.zeros((1, 8, 8), np.uint8), np.full((1, 8, 8), 255, np.uint8))
    assert (report.mean_error, report.flipped) == (1.0, 1.0)


def test_pixels_that_change_sides_are_counted(maps: Maps) -> None:
    found = maps.copy()
    found[0, 0, :20] = 77
    assert compared(found, maps).flipped == pytest.approx(20 / 10_000)


def test_gained_and_lost_regions_are_counted(maps: Maps) -> None:
    found = maps.copy()
    found[0, 50:60, 10:40] = 0
    found[0, 30:40, 60:70] = found[0, 30:40, 80:90] = 200
    report = compared(found, maps)
    assert (report.regions, report.gained, report.lost) == (3, 2, 1)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("constant", "constant"),
        ("scaled", "mean map error"),
        ("edge", "change sides"),
    ],
)
def test_a_broken_engine_is_named(change: str, problem: str, maps: Maps) -> None:
    found = maps.copy()
    if change == "constant":
        found[:] = 0
    elif change == "scaled":
        found //= 2
    else:  # a rim just over the threshold: small errors, many flips
        maps[0, 20:23, 10:40] = 75
        found[0, 20:23, 10:40] = 77
    assert problem in compared(found, maps).problem


def test_maps_that_are_constant_for_both_are_no_fault() -> None:
    empty = np.zeros((1, 32, 32), np.uint8)
    assert compared(empty, empty).problem == ""


@pytest.mark.parametrize(
    ("mine", "theirs", "same"),
    [
        ([], [], 0),
        ([square(0, 0)], [], 0),
        ([square(0, 0)], [square(0, 0)], 1),
        ([square(0, 0)], [square(3, 0)], 1),  # IoU 7 / 13
        ([square(0, 0)], [square(4, 0)], 0),  # IoU 6 / 14
        ([square(0, 0), square(0, 1)], [square(0, 0)], 1),  # each has one partner only
        ([square(0, 0), square(50, 50)], [square(50, 50), square(0, 0)], 2),
    ],
)
def test_regions_are_paired_one_to_one_by_overlap(
    mine: list[list[list[float]]], theirs: list[list[list[float]]], same: int
) -> None:
    a = np.array(mine, np.float32).reshape(-1, 4, 2)
    b = np.array(theirs, np.float32).reshape(-1, 4, 2)
    assert count_same(a, b) == same


@pytest.mark.parametrize("batch", [1, 3])
def test_a_good_engine_agrees_with_another_library(
    batch: int, model: ModelFile, cache_folder: Path
) -> None:
    pytest.importorskip("onnxruntime")
    with (
        open_runner(model, shape=(64, 96), batch=batch, precision="fp32") as runner,
        open_reference(model, (64, 96), batch, besides="openvino") as reference,
    ):
        report = measure(runner, reference, find_boxes)
    assert report.reference == "onnxruntime fp32"
    assert report.frames == len(parity_frames())
    assert report.max_error <= 1.5 / 255
    assert report.problem == ""


class _Inverted(Runner):
    """A runner whose maps are upside down in value."""

    def __init__(self, inner: Runner) -> None:
        super().__init__(inner.spec, inner.model, inner.reason, inner.depth)
        self._inner = inner

    def infer_all(self, frames: Frames) -> dict[str, Maps]:
        return {name: 255 - maps for name, maps in self._inner.infer_all(frames).items()}


# The abstract methods that the comparison does not use.
_Inverted.__abstractmethods__ = frozenset()


@pytest.fixture
def runner(model: ModelFile, cache_folder: Path) -> Iterator[Runner]:
    with open_runner(model, shape=(64, 96), precision="fp32") as opened:
        yield opened


def test_a_wrong_engine_is_found(runner: Runner, model: ModelFile) -> None:
    with open_reference(model, (64, 96), 1, besides="openvino") as reference:
        report = measure(_Inverted(runner), reference, find_boxes)  # type: ignore[abstract]
    assert "mean map error" in report.problem


def test_the_pictures_are_the_same_at_every_call_and_not_empty() -> None:
    first, second = parity_frames(), parity_frames.__wrapped__()
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert min(frame.std() for frame in first) > 15


def test_a_report_reads_as_one_line() -> None:
    report = ParityReport("openvino fp32", 4, 0.00071, 0.0312, 0.0003, 14, 1, 0, False)
    assert str(report) == (
        "map error mean 0.00071, max 0.031; 0.030% of pixels crossed the threshold; "
        "14 regions, 1 gained, 0 lost (against openvino fp32, 4 pictures)"
    )
